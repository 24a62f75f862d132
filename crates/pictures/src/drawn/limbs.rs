//! Fingers, palms and arms as tapered round limbs, one drawn over the other, in the colour of the face's own
//! skin.

use super::canvas::{FaceCanvas, HeadPose, Touch};
use super::dice::{Dice, cloud};
use super::fabric::blend;
use super::frame::{dot, from, point, smooth};
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;

/// From one round end to the other, in the coordinates of a [`HeadPose`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Limb {
    pub(super) from: Point,
    pub(super) to: Point,
    pub(super) widths: [f32; 2],
    pub(super) part: LimbPart,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LimbPart {
    /// With creases at its joints, and a nail where the back of the hand is seen.
    Finger { nail: bool },
    /// The flat of the hand: less round.
    Palm,
    /// Cloth around an arm.
    Sleeve([f32; 3]),
}

impl Limb {
    /// The place along the limb (0 to 1), the place across (−1 to 1) and the signed distance to its edge.
    fn locate(&self, p: Point) -> (f32, f32, f32) {
        let (axis, to) = (from(self.from, self.to), from(self.from, p));
        let length = dot(axis, axis).sqrt().max(1e-4);
        let along = dot(to, axis) / (length * length);
        let t = along.clamp(0.0, 1.0);
        let width = self.widths[0] + (self.widths[1] - self.widths[0]) * t;
        let distance = (to.x - t * axis.x).hypot(to.y - t * axis.y);
        let across = (to.y * axis.x - to.x * axis.y) / (length * width);
        (along, across, distance - width)
    }
}

/// The colours of one person's hand, and what light does to it.
pub(super) struct Skin {
    colour: [f32; 3],
    /// Direction that the light comes from, in the picture.
    light: Point,
    contrast: f32,
    nails: [f32; 3],
    seed: u32,
}

impl Skin {
    /// As the face's; a hand is often a little darker or redder than the face.
    pub(super) fn of(canvas: &FaceCanvas<'_>, dice: &mut ChaCha8Rng) -> Self {
        let brightness = dice.between(0.82, 1.12);
        let red = dice.between(0.98, 1.06);
        let [r, g, b] = canvas.light.skin;
        let colour = [r * brightness * red, g * brightness, b * brightness / red];
        let angle = dice.between(-2.6, -0.5);
        let bare = blend(colour, [255.0, 225.0, 215.0], 0.25);
        let nails = dice.weighted([(bare, 0.8), ([170.0, 30.0, 45.0], 0.12), ([225.0, 170.0, 180.0], 0.08)]);
        Self {
            colour,
            light: point(angle.cos(), angle.sin()),
            contrast: dice.between(0.25, 0.6),
            nails,
            seed: dice.seed(),
        }
    }

    fn shaded(&self, limb: &Limb, (along, across, distance): (f32, f32, f32), p: Point) -> [f32; 3] {
        let axis = from(limb.from, limb.to);
        let length = dot(axis, axis).sqrt().max(1e-4);
        let normal = point(-axis.y / length, axis.x / length);
        let round = if limb.part == LimbPart::Palm { 0.5 } else { 1.0 };
        let slope = round * across.clamp(-1.0, 1.0);
        let lit = dot(normal, self.light) * slope;
        // Light from the side, and less of it wherever the surface turns away.
        let mut brightness = 1.0 + 0.32 * self.contrast * lit - 0.42 * self.contrast * slope.powi(4);
        brightness += 0.07 * cloud(5.0 * p.x, 5.0 * p.y, self.seed);
        let mut colour = self.colour;
        match limb.part {
            LimbPart::Finger { nail } => {
                for joint in [0.34, 0.66] {
                    let crease = (-((along - joint) / 0.025).powi(2)).exp();
                    brightness -= 0.13 * self.contrast * crease;
                    let knuckle = (-((along - joint) / 0.09).powi(2)).exp();
                    let [r, g, b] = colour;
                    colour = [r, g * (1.0 - 0.05 * knuckle), b * (1.0 - 0.05 * knuckle)];
                }
                let tip = smooth(0.75, 1.05, along);
                colour[0] *= 1.0 + 0.04 * tip;
                if nail {
                    let inside = 1.0 - smooth(0.75, 1.0, (across / 0.62).hypot((along - 0.97) / 0.13));
                    colour = blend(colour, self.nails, 0.8 * inside);
                    brightness += 0.06 * inside;
                }
            }
            LimbPart::Palm => brightness -= 0.1 * self.contrast * smooth(-0.06, 0.0, distance),
            LimbPart::Sleeve(cloth) => {
                colour = cloth;
                brightness += 0.16 * cloud(2.0 * p.x, 6.0 * p.y, self.seed ^ 5);
            }
        }
        colour.map(|value| value * brightness.clamp(0.15, 1.5))
    }
}

/// Draws limbs, the later ones over the earlier.
pub(super) fn draw(canvas: &mut FaceCanvas<'_>, pose: HeadPose, limbs: &[Limb], skin: &Skin) {
    let mut extent = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
    for limb in limbs {
        for (p, width) in [(limb.from, limb.widths[0]), (limb.to, limb.widths[1])] {
            let width = width + 0.1;
            extent = [
                extent[0].min(p.x - width),
                extent[1].min(p.y - width),
                extent[2].max(p.x + width),
                extent[3].max(p.y + width),
            ];
        }
    }
    canvas.paint(&pose.corners(extent), |canvas, at| {
        let p = pose.to_thing(at);
        let mut touch = Touch::shadow(1.0);
        for limb in limbs {
            let place = limb.locate(p);
            let distance = place.2;
            let reach = 0.45 * limb.widths[0].max(limb.widths[1]).min(0.25);
            if distance > reach {
                continue;
            }
            let inside = canvas.coverage(distance * pose.scale);
            // A dark line where one limb lies on another, and a soft shadow beside it.
            let near = (1.0 - (distance / reach).max(0.0)).powi(2);
            let shadow = 1.0 - 0.5 * skin.contrast * near;
            touch.shadow *= 1.0 - 0.6 * skin.contrast * near * (1.0 - touch.amount);
            touch.colour = touch.colour.map(|value| value * shadow);
            if inside > 0.0 {
                let brightness = 0.4 + 0.6 * canvas.light.at(canvas.frame.to_face(at));
                let colour = skin.shaded(limb, place, p).map(|value| value * brightness);
                touch.cover(colour.map(|value| value.min(255.0)), inside);
            }
        }
        (touch.amount > 0.0 || touch.shadow < 1.0).then_some(touch)
    });
}
