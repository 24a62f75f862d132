//! Entrances without anybody: a wall, a doorway, a corridor, tiles, clutter, light and dark, drawn from a
//! seed. There is no photograph behind them, so no face can be in them that nobody knows of.

use super::path::FRAME;
use image::{Rgb, RgbImage};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A colour while it is being worked on, 0 to 255.
type Colour = [f32; 3];

/// An empty door.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DoorBackground {
    pub(super) picture: RgbImage,
    /// How much light there is, 1 for a well-lit room.
    pub(super) light: f32,
}

/// Draws one of the kinds.
pub(super) fn draw(random: &mut ChaCha8Rng) -> DoorBackground {
    let light = random.random_range(0.45..1.1);
    let mut canvas = match random.random_range(0..5) {
        0 => wall(random),
        1 => doorway(random),
        2 => corridor(random),
        3 => tiles(random),
        _ => clutter(random),
    };
    for (cell, amplitude) in [(4, 5.0), (24, 8.0), (120, 14.0)] {
        let amplitude = amplitude * random.random_range(0.3..1.0);
        canvas.texture(cell, amplitude, random);
    }
    DoorBackground { picture: canvas.picture(light), light }
}

/// A colour of little saturation.
fn colour(random: &mut ChaCha8Rng, lightness: std::ops::Range<f32>) -> Colour {
    let grey = random.random_range(lightness);
    std::array::from_fn(|_| grey + random.random_range(-22.0..22.0))
}

fn wall(random: &mut ChaCha8Rng) -> DoorCanvas {
    let mut canvas = DoorCanvas::gradient(colour(random, 120.0..230.0), colour(random, 80.0..200.0));
    let floor = random.random_range(0.75..0.95);
    canvas.rectangle([0.0, floor, 1.0, 1.0], colour(random, 40.0..140.0));
    canvas.rectangle([0.0, floor - 0.02, 1.0, floor], colour(random, 60.0..240.0));
    for _ in 0..random.random_range(0..4) {
        // Notices and pictures in their frames.
        let (x, y) = (random.random_range(0.0..0.85), random.random_range(0.05..0.5));
        let (w, h) = (random.random_range(0.05..0.2), random.random_range(0.08..0.25));
        canvas.rectangle([x, y, x + w, y + h], colour(random, 20.0..120.0));
        canvas.rectangle([x + 0.01, y + 0.013, x + w - 0.01, y + h - 0.013], colour(random, 100.0..250.0));
    }
    canvas
}

fn doorway(random: &mut ChaCha8Rng) -> DoorCanvas {
    let mut canvas = wall(random);
    let (left, right) = (random.random_range(0.2..0.4), random.random_range(0.6..0.8));
    let top = random.random_range(0.02..0.12);
    canvas.rectangle([left - 0.03, top - 0.04, right + 0.03, 1.0], colour(random, 40.0..220.0));
    if random.random_bool(0.5) {
        // An open door, with the daylight of the street behind it.
        let inside = DoorCanvas::gradient(colour(random, 150.0..255.0), colour(random, 90.0..200.0));
        canvas.copy(&inside, [left, top, right, 1.0]);
        canvas.rectangle([left, 0.8, right, 1.0], colour(random, 70.0..150.0));
    } else {
        let panel = colour(random, 50.0..190.0);
        canvas.rectangle([left, top, right, 1.0], panel);
        for (above, below) in [(top + 0.06, 0.45), (0.52, 0.92)] {
            canvas.rectangle([left + 0.04, above, right - 0.04, below], panel.map(|value| value * 0.85));
        }
        canvas.rectangle([right - 0.03, 0.53, right - 0.015, 0.57], [210.0, 200.0, 170.0]);
    }
    canvas
}

fn corridor(random: &mut ChaCha8Rng) -> DoorCanvas {
    let end = [random.random_range(0.4..0.6), random.random_range(0.35..0.5)];
    let [ceiling, floor, left, right] =
        [150.0..240.0, 50.0..150.0, 100.0..220.0, 100.0..220.0].map(|lightness| colour(random, lightness));
    let back = colour(random, 60.0..250.0);
    let depth = random.random_range(0.12..0.25);
    let lamps = random.random_range(2.0..5.0f32);
    DoorCanvas::painted(|x, y| {
        let (dx, dy) = (x - end[0], y - end[1]);
        let (reach_x, reach_y) = (
            dx.abs() / if dx < 0.0 { end[0] } else { 1.0 - end[0] },
            dy.abs() / if dy < 0.0 { end[1] } else { 1.0 - end[1] },
        );
        let near = reach_x.max(reach_y);
        if near < depth {
            return back;
        }
        let lamp = dy < 0.0 && dx.abs() < 0.12 * near && (lamps / near).fract() < 0.4;
        let surface = match (reach_x > reach_y, dx < 0.0, dy < 0.0) {
            (true, true, _) => left,
            (true, false, _) => right,
            (false, _, true) if lamp => [252.0, 250.0, 240.0],
            (false, _, true) => ceiling,
            (false, _, false) => floor,
        };
        surface.map(|value| value * (0.55 + 0.45 * near))
    })
}

fn tiles(random: &mut ChaCha8Rng) -> DoorCanvas {
    let (base, joint) = (colour(random, 90.0..220.0), colour(random, 60.0..200.0));
    let (across, down) = (random.random_range(6..16usize), random.random_range(6..20usize));
    let bond = if random.random_bool(0.5) { 0.5 } else { 0.0 };
    let shades: Vec<f32> = (0..(across + 1) * down).map(|_| random.random_range(0.85..1.12)).collect();
    DoorCanvas::painted(|x, y| {
        let row = ((y * down as f32) as usize).min(down - 1);
        let place = x * across as f32 + bond * (row % 2) as f32;
        let column = (place as usize).min(across);
        let (u, v) = (place.fract(), (y * down as f32).fract());
        if u < 0.04 || v < 0.06 {
            return joint;
        }
        base.map(|value| value * shades[row * (across + 1) + column])
    })
}

fn clutter(random: &mut ChaCha8Rng) -> DoorCanvas {
    let mut canvas = DoorCanvas::gradient(colour(random, 60.0..220.0), colour(random, 40.0..180.0));
    for _ in 0..random.random_range(10..25) {
        let centre = [random.random_range(0.0..1.0), random.random_range(0.0..1.0)];
        let radii = [random.random_range(0.03..0.2), random.random_range(0.03..0.3)];
        let vivid = std::array::from_fn(|_| random.random_range(10.0..245.0));
        canvas.blob(centre, radii, vivid, random.random_range(0.2..0.9));
    }
    for _ in 0..random.random_range(0..5) {
        let x = random.random_range(0.0..1.0);
        canvas.rectangle([x, 0.0, x + random.random_range(0.01..0.05), 1.0], colour(random, 20.0..230.0));
    }
    canvas
}

/// A frame's colours; places are shares of its width and height.
struct DoorCanvas(Vec<Colour>);

impl DoorCanvas {
    fn painted(colour: impl Fn(f32, f32) -> Colour) -> Self {
        let (across, down) = FRAME;
        let place = |index: u32, length: u32| (index as f32 + 0.5) / length as f32;
        Self(
            (0..down)
                .flat_map(|y| (0..across).map(move |x| (x, y)))
                .map(|(x, y)| colour(place(x, across), place(y, down)))
                .collect(),
        )
    }

    fn gradient(top: Colour, bottom: Colour) -> Self {
        Self::painted(|_, y| std::array::from_fn(|channel| top[channel] * (1.0 - y) + bottom[channel] * y))
    }

    /// Calls `change` for the pixels between left, top, right and bottom.
    fn change(
        &mut self,
        [left, top, right, bottom]: [f32; 4],
        mut change: impl FnMut(usize, usize, &mut Colour),
    ) {
        let (across, down) = (FRAME.0 as usize, FRAME.1 as usize);
        let span = |low: f32, high: f32, length: usize| {
            let at = |share: f32| ((share * length as f32).round().max(0.0) as usize).min(length);
            at(low)..at(high)
        };
        for y in span(top, bottom, down) {
            for x in span(left, right, across) {
                change(x, y, &mut self.0[y * across + x]);
            }
        }
    }

    fn rectangle(&mut self, place: [f32; 4], colour: Colour) {
        self.change(place, |_, _, pixel| *pixel = colour);
    }

    fn copy(&mut self, other: &Self, place: [f32; 4]) {
        self.change(place, |x, y, pixel| *pixel = other.0[y * FRAME.0 as usize + x]);
    }

    /// A soft ellipse.
    fn blob(&mut self, [x, y]: [f32; 2], [across, down]: [f32; 2], colour: Colour, strength: f32) {
        self.change([x - across, y - down, x + across, y + down], |column, row, pixel| {
            let u = (column as f32 / FRAME.0 as f32 - x) / across;
            let v = (row as f32 / FRAME.1 as f32 - y) / down;
            let part = strength * ((1.0 - u * u - v * v) * 4.0).clamp(0.0, 1.0);
            for (value, colour) in pixel.iter_mut().zip(colour) {
                *value += (colour - *value) * part;
            }
        });
    }

    /// Makes it lighter and darker by up to `amplitude`, in patches of about `cell` pixels (value noise).
    fn texture(&mut self, cell: usize, amplitude: f32, random: &mut ChaCha8Rng) {
        let (across, down) = (FRAME.0 as usize, FRAME.1 as usize);
        let columns = across / cell + 2;
        let knots: Vec<f32> =
            (0..columns * (down / cell + 2)).map(|_| amplitude * random.random_range(-1.0..1.0f32)).collect();
        for y in 0..down {
            let (row, v) = (y / cell, (y % cell) as f32 / cell as f32);
            for x in 0..across {
                let (column, u) = (x / cell, (x % cell) as f32 / cell as f32);
                let knot = |column: usize, row: usize| knots[row * columns + column];
                let above = knot(column, row) * (1.0 - u) + knot(column + 1, row) * u;
                let below = knot(column, row + 1) * (1.0 - u) + knot(column + 1, row + 1) * u;
                let change = above * (1.0 - v) + below * v;
                self.0[y * across + x].iter_mut().for_each(|value| *value += change);
            }
        }
    }

    fn picture(&self, light: f32) -> RgbImage {
        let (across, down) = FRAME;
        RgbImage::from_fn(across, down, |x, y| {
            // A float turned into a byte stops at 0 and 255.
            Rgb(self.0[(y * across + x) as usize].map(|value| (value * light) as u8))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn backgrounds_repeat_differ_and_are_neither_black_nor_white() {
        let drawn = |seed| draw(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut seen = std::collections::HashSet::new();
        for seed in 0..12 {
            let background = drawn(seed);
            assert_eq!(background, drawn(seed));
            assert_eq!(background.picture.dimensions(), FRAME);
            let values = background.picture.as_raw();
            let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
            assert!((15.0..240.0).contains(&mean), "seed {seed}: {mean}");
            seen.insert(background.picture.into_raw());
        }
        assert_eq!(seen.len(), 12);
    }
}
