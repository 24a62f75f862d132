//! Cloth laid flat: colours and patterns.

use super::dice::{Dice, cloud, hash, noise};
use super::frame::{point, smooth};
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;
use std::f32::consts::{FRAC_PI_2, PI, TAU};

#[derive(Debug, Clone, Copy)]
enum FabricPattern {
    Plain,
    Stripes,
    Checks,
    Dots,
    Flowers,
    Camouflage,
    /// Another colour from a height on, as on two-coloured scarves.
    Halves,
    /// A mark of a few blots off the middle, as a logo is at this size.
    Mark,
}

/// A fabric; places on it are in units of the distance from eyes to mouth.
#[derive(Debug, Clone)]
pub(super) struct Fabric {
    pub(super) ground: [f32; 3],
    others: [[f32; 3]; 3],
    pattern: FabricPattern,
    period: f32,
    direction: Point,
    /// How far threads lighten and darken it.
    weave: f32,
    seed: u32,
}

impl Fabric {
    /// Any fabric; `skin` is the reflectance to take for a skin-coloured one.
    pub(super) fn random(skin: [f32; 3], dice: &mut ChaCha8Rng) -> Self {
        let pattern = dice.weighted([
            (FabricPattern::Plain, 0.58),
            (FabricPattern::Stripes, 0.07),
            (FabricPattern::Checks, 0.06),
            (FabricPattern::Dots, 0.06),
            (FabricPattern::Flowers, 0.08),
            (FabricPattern::Camouflage, 0.05),
            (FabricPattern::Halves, 0.03),
            (FabricPattern::Mark, 0.07),
        ]);
        let ground = any_colour(skin, dice);
        Self::with(pattern, ground, dice)
    }

    /// A plain one in the colours that surgical masks and respirators are sold in.
    pub(super) fn medical(skin: [f32; 3], dice: &mut ChaCha8Rng) -> Self {
        let jitter = |colour: [f32; 3], dice: &mut ChaCha8Rng| colour.map(|c| c * dice.between(0.94, 1.06));
        let blue = jitter([150.0, 195.0, 222.0], dice);
        let white = jitter([232.0, 234.0, 234.0], dice);
        let black = jitter([38.0, 38.0, 42.0], dice);
        let any = any_colour(skin, dice);
        let ground = dice.weighted([(blue, 0.42), (white, 0.28), (black, 0.14), (any, 0.16)]);
        let pattern = dice.weighted([
            (FabricPattern::Plain, 0.93),
            (FabricPattern::Mark, 0.04),
            (FabricPattern::Flowers, 0.03),
        ]);
        Self::with(pattern, ground, dice)
    }

    fn with(pattern: FabricPattern, ground: [f32; 3], dice: &mut ChaCha8Rng) -> Self {
        let angle = match pattern {
            FabricPattern::Checks if dice.chance(0.7) => 0.0,
            FabricPattern::Stripes if dice.chance(0.6) => {
                if dice.chance(0.5) {
                    0.0
                } else {
                    FRAC_PI_2
                }
            }
            _ => dice.between(0.0, PI),
        };
        let others = std::array::from_fn(|_| {
            if dice.chance(0.3) {
                let grey = dice.between(20.0, 240.0);
                [grey; 3]
            } else if dice.chance(0.3) {
                let factor = dice.between(0.4, 1.6);
                ground.map(|c| (c * factor).clamp(15.0, 240.0))
            } else {
                any_hue(dice)
            }
        });
        Self {
            ground,
            others,
            pattern,
            period: dice.between(0.0, 1.0),
            direction: point(angle.cos(), angle.sin()),
            weave: dice.between(0.0, 0.05),
            seed: dice.seed(),
        }
    }

    /// The colour, 0 to 255 in white light.
    pub(super) fn colour(&self, at: Point) -> [f32; 3] {
        let across = at.x * self.direction.x + at.y * self.direction.y;
        let along = at.y * self.direction.x - at.x * self.direction.y;
        let between = |low: f32, high: f32| low + (high - low) * self.period;
        let base = match self.pattern {
            FabricPattern::Plain => self.ground,
            FabricPattern::Stripes => {
                let place = across / between(0.09, 0.45);
                let phase = (place - place.floor() - 0.5).abs();
                let mixed = blend(self.ground, self.others[0], smooth(0.22, 0.28, phase));
                if self.seed.is_multiple_of(3) {
                    blend(mixed, self.others[1], 1.0 - smooth(0.05, 0.08, phase))
                } else {
                    mixed
                }
            }
            FabricPattern::Checks => {
                let size = between(0.12, 0.5);
                let band = |place: f32| {
                    let place = place / size;
                    smooth(0.2, 0.3, (place - place.floor() - 0.5).abs())
                };
                let half = (band(across) + band(along)) / 2.0;
                let mixed = blend(self.ground, self.others[0], half);
                let line = |place: f32| {
                    let place = place / size;
                    1.0 - smooth(0.03, 0.05, (place - place.floor() - 0.5).abs())
                };
                if self.seed.is_multiple_of(2) {
                    blend(mixed, self.others[1], 0.7 * line(across).max(line(along)))
                } else {
                    mixed
                }
            }
            FabricPattern::Dots => {
                let size = between(0.1, 0.32);
                let row = (along / size).floor();
                let place = across / size + 0.5 * row;
                let (x, y) = (place - place.floor() - 0.5, along / size - row - 0.5);
                blend(self.ground, self.others[0], 1.0 - smooth(0.24, 0.32, x.hypot(y)))
            }
            FabricPattern::Flowers => self.flowers(across, along, between(0.16, 0.45)),
            FabricPattern::Camouflage => {
                let size = between(0.18, 0.45);
                let patch = |seed: u32, level: f32| {
                    let value = cloud(across / size, along / (0.7 * size), self.seed ^ seed);
                    smooth(level - 0.04, level + 0.04, value)
                };
                let mut colour = self.ground;
                for (other, (seed, level)) in self.others.iter().zip([(1, 0.0), (2, 0.15), (3, 0.3)]) {
                    let muted = blend(*other, [90.0, 92.0, 70.0], 0.5);
                    colour = blend(colour, muted, patch(seed, level));
                }
                colour
            }
            FabricPattern::Halves => {
                let edge = between(-0.2, 0.2);
                blend(
                    self.ground,
                    self.others[0],
                    smooth(edge - 0.02, edge + 0.02, across - 0.7 * self.direction.y),
                )
            }
            FabricPattern::Mark => {
                let centre = point(between(-0.5, 0.5), 0.9 + 0.3 * (self.direction.x - 0.5));
                let (x, y) = ((at.x - centre.x) / 0.2, (at.y - centre.y) / 0.11);
                let inside = 1.0 - smooth(0.7, 1.0, x.abs().max(y.abs()));
                let ink = smooth(0.0, 0.2, noise(at.x * 26.0, at.y * 14.0, self.seed));
                blend(self.ground, self.others[0], inside * ink)
            }
        };
        let thread = self.weave * noise(at.x * 45.0, at.y * 45.0, self.seed ^ 77);
        base.map(|value| value * (1.0 + thread))
    }

    /// Blossoms scattered over the ground: round petals about a middle, a few leaves.
    fn flowers(&self, across: f32, along: f32, size: f32) -> [f32; 3] {
        let (column, row) = ((across / size).floor(), (along / size).floor());
        let mut colour = self.ground;
        let leaf = cloud(across / size * 2.3, along / size * 2.3, self.seed ^ 5);
        colour = blend(colour, self.others[2], 0.8 * smooth(0.42, 0.5, leaf));
        for (dx, dy) in (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (dx, dy))) {
            let (i, j) = (column as i32 + dx, row as i32 + dy);
            let random = |salt: u32| hash(i, j, self.seed ^ salt);
            if random(4) < 0.25 {
                continue;
            }
            let x = across / size - (i as f32 + 0.2 + 0.6 * random(1));
            let y = along / size - (j as f32 + 0.2 + 0.6 * random(2));
            let angle = y.atan2(x) + TAU * random(3);
            let petals = 0.32 + 0.1 * (5.0 * angle).cos() + 0.12 * (random(6) - 0.5);
            let distance = x.hypot(y);
            let petal = self.others[usize::from(random(7) > 0.6)];
            colour = blend(colour, petal, 1.0 - smooth(petals - 0.05, petals + 0.02, distance));
            colour = blend(colour, self.others[2], 1.0 - smooth(0.07, 0.11, distance));
        }
        colour
    }
}

/// A colour as cloth has it: often white, black, grey or light blue, now and then that of skin.
fn any_colour(skin: [f32; 3], dice: &mut ChaCha8Rng) -> [f32; 3] {
    let grey = dice.between(70.0, 190.0);
    let dark = dice.between(14.0, 48.0);
    let light = dice.between(205.0, 245.0);
    let factor = dice.between(0.8, 1.2);
    let bare = skin.map(|c| (c * factor * dice.between(0.93, 1.07)).min(245.0));
    let hue = any_hue(dice);
    let blue = [150.0, 190.0, 220.0].map(|c| c * dice.between(0.9, 1.08));
    let warm = dice.between(0.97, 1.03);
    let tinted = |value: f32| [value * warm, value, value / warm];
    dice.weighted([
        (tinted(dark), 0.24),
        (tinted(light), 0.16),
        (tinted(grey), 0.1),
        (bare, 0.13),
        (blue, 0.09),
        (hue, 0.28),
    ])
}

fn any_hue(dice: &mut ChaCha8Rng) -> [f32; 3] {
    let (hue, saturation, value) =
        (dice.between(0.0, 6.0), dice.between(0.15, 0.85), dice.between(45.0, 230.0));
    std::array::from_fn(|channel| {
        let turned = (hue + 2.0 * channel as f32) % 6.0;
        let strength = ((turned - 3.0).abs() - 1.0).clamp(0.0, 1.0);
        value * (1.0 - saturation + saturation * strength)
    })
}

pub(super) fn blend(below: [f32; 3], above: [f32; 3], amount: f32) -> [f32; 3] {
    std::array::from_fn(|channel| below[channel] + (above[channel] - below[channel]) * amount)
}
