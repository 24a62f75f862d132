//! Cups, paper cups, glasses and bottles at the mouth, mostly with the fingers that hold them.

use super::canvas::{FaceCanvas, HeadPose, Touch};
use super::dice::{Dice, cloud};
use super::fabric::{Fabric, blend};
use super::frame::{point, smooth};
use super::hand;
use super::light::sample;
use image::RgbImage;
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;

#[derive(Debug, Clone, Copy, PartialEq)]
enum VesselMake {
    Mug,
    Paper,
    Glass,
    Bottle,
}

/// A body of revolution seen a little from above: its rim at `y` 0, its base at `height`.
struct Vessel {
    make: VesselMake,
    rim: f32,
    base: f32,
    height: f32,
    /// How far rim and base are bent, from the view; drinking lifts the base towards the camera.
    bend: f32,
    fabric: Fabric,
    lid: [f32; 3],
    light: f32,
    gloss: f32,
    handle: f32,
    seed: u32,
}

impl Vessel {
    fn random(skin: [f32; 3], dice: &mut ChaCha8Rng) -> Self {
        let make = dice.weighted([
            (VesselMake::Mug, 0.42),
            (VesselMake::Paper, 0.25),
            (VesselMake::Glass, 0.2),
            (VesselMake::Bottle, 0.13),
        ]);
        let mut between = |low, high| dice.between(low, high);
        let rim = match make {
            VesselMake::Bottle => between(0.2, 0.3),
            _ => between(0.5, 0.78),
        };
        let (base, height) = match make {
            VesselMake::Mug => (rim * between(0.82, 1.02), between(1.1, 1.5)),
            VesselMake::Paper => (rim * between(0.66, 0.8), between(1.3, 2.0)),
            VesselMake::Glass => (rim * between(0.7, 1.0), between(1.2, 2.0)),
            VesselMake::Bottle => (between(0.42, 0.55), between(2.2, 3.0)),
        };
        let fabric = if make == VesselMake::Bottle || dice.chance(0.3) {
            Fabric::random(skin, dice)
        } else {
            Fabric::medical([225.0, 222.0, 214.0], dice)
        };
        let lid = if dice.chance(0.5) { [238.0; 3] } else { [40.0; 3] };
        Self {
            make,
            rim,
            base,
            height,
            bend: dice.between(-0.1, 0.28),
            fabric,
            lid,
            light: dice.between(-0.7, 0.7),
            gloss: dice.between(0.0, 0.5),
            handle: if make == VesselMake::Mug && dice.chance(0.6) { dice.side() } else { 0.0 },
            seed: dice.seed(),
        }
    }

    fn half_width(&self, y: f32) -> f32 {
        let t = (y / self.height).clamp(0.0, 1.0);
        match self.make {
            // A neck, then the body.
            VesselMake::Bottle => self.rim + (self.base - self.rim) * smooth(0.18, 0.38, t),
            _ => self.rim + (self.base - self.rim) * t,
        }
    }

    /// The signed distance to its edge, negative inside, in its own units.
    fn distance(&self, p: Point) -> f32 {
        let half = self.half_width(p.y);
        let x = (p.x / half).clamp(-1.0, 1.0);
        let sag = self.bend * half * (1.0 - x * x).sqrt();
        let top = -p.y - sag.abs() * 0.5;
        let bottom = p.y - self.height - sag;
        let body = (p.x.abs() - half).max(top).max(bottom);
        if self.handle == 0.0 {
            return body;
        }
        let (dx, dy) = (self.handle * p.x - half - 0.08, p.y - 0.45 * self.height);
        let ring = ((dx / 0.3).hypot(dy / 0.42) - 1.0).abs() * 0.3 - 0.08;
        body.min(ring)
    }
}

/// Draws a vessel that somebody drinks from or holds before the mouth.
pub(super) fn draw(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let vessel = Vessel::random(canvas.light.colour_of_skin(), dice);
    let mouth = canvas.mouth_in_head();
    let mirror = dice.side();
    let angle =
        if vessel.make == VesselMake::Bottle { dice.between(-0.9, 0.9) } else { dice.between(-0.55, 0.55) };
    let lift = dice.between(-0.35, 0.15);
    let at = point(mouth.x + dice.between(-0.15, 0.15) + 0.3 * angle.sin(), mouth.y + lift);
    let pose = HeadPose::new(canvas, at, angle, 1.0, mirror);
    paint(canvas, &vessel, pose);
    if dice.chance(0.75) {
        let y = vessel.height * dice.between(0.4, 0.7);
        let side = dice.side();
        let half = vessel.half_width(y) * 0.9;
        let (sin, cos) = (angle * mirror).sin_cos();
        let edge = point(at.x - side * half * cos - y * sin, at.y - side * half * sin + y * cos);
        hand::grip(canvas, edge, side * angle * mirror, side, dice);
    }
}

fn paint(canvas: &mut FaceCanvas<'_>, vessel: &Vessel, pose: HeadPose) {
    let wide = vessel.rim.max(vessel.base) + 0.5;
    let behind = if vessel.make == VesselMake::Glass { canvas.picture.clone() } else { RgbImage::default() };
    let corners = pose.corners([-wide, -0.3, wide, vessel.height + 0.4]);
    canvas.paint(&corners, |canvas, at| {
        let p = pose.to_thing(at);
        let distance = vessel.distance(p);
        let near = (1.0 - distance.max(0.0) / 0.1).max(0.0);
        if near <= 0.0 {
            return None;
        }
        let inside = canvas.coverage(distance * pose.scale);
        let half = vessel.half_width(p.y);
        let x = (p.x / half).clamp(-1.0, 1.0);
        // A cylinder lit from one side, with a narrow reflection.
        let mut brightness = 0.78 + 0.3 * (1.0 - (x - vessel.light).abs()) - 0.25 * x.abs().powi(6);
        let mut colour = vessel.fabric.colour(point(1.2 * x.asin() * half, p.y));
        let mut amount = inside;
        let gloss = vessel.gloss * (-((x - 0.8 * vessel.light) / 0.07).powi(2)).exp();
        match vessel.make {
            VesselMake::Paper => {
                if p.y < 0.16 {
                    colour = vessel.lid;
                } else if p.y < 0.2 {
                    brightness *= 0.75;
                }
                let sleeve =
                    smooth(0.34, 0.36, p.y / vessel.height) * smooth(0.74, 0.72, p.y / vessel.height);
                if vessel.seed.is_multiple_of(3) {
                    colour = blend(colour, [168.0, 128.0, 90.0], sleeve);
                }
            }
            VesselMake::Glass => {
                // What is behind is seen through it, bent outwards; drinks have a colour.
                let shifted = pose.to_picture(point(p.x * (1.0 + 0.25 * x * x), p.y));
                let seen = sample(&behind, shifted);
                let drink =
                    blend([215.0, 160.0, 70.0], [120.0, 60.0, 30.0], (vessel.seed % 100) as f32 / 99.0);
                let full = smooth(0.28, 0.3, p.y / vessel.height);
                let strength = if vessel.seed.is_multiple_of(2) { 0.55 } else { 0.1 };
                let drink = canvas.light.expose(drink, brightness);
                let wall = 0.16 + 0.5 * smooth(0.86, 0.98, x.abs()) + 0.4 * smooth(0.06, 0.0, p.y.abs());
                let pale = canvas.light.expose([225.0, 232.0, 236.0], brightness);
                let mut colour = blend(blend(seen, drink, strength * full), pale, wall.min(0.7));
                colour = blend(colour, canvas.light.expose([250.0; 3], 1.1), gloss.min(1.0));
                return Some(Touch { shadow: 1.0 - 0.15 * near * (1.0 - inside), colour, amount: inside });
            }
            VesselMake::Bottle => {
                let label = smooth(0.5, 0.51, p.y / vessel.height);
                let clear = blend([150.0, 180.0, 190.0], [40.0, 70.0, 40.0], (vessel.seed % 2) as f32);
                colour = blend(clear, colour, label);
                amount *= 0.85 + 0.15 * label;
            }
            VesselMake::Mug => {
                if p.y < 0.05 {
                    brightness *= 1.12;
                }
            }
        }
        brightness *= 1.0 + 0.03 * cloud(2.0 * p.x, 2.0 * p.y, vessel.seed);
        let colour =
            canvas.light.expose(colour, brightness * (0.4 + 0.6 * canvas.light.at(canvas.frame.to_face(at))));
        let colour = blend(colour, canvas.light.expose([250.0; 3], 1.1), gloss.min(1.0));
        Some(Touch { shadow: 1.0 - 0.35 * near * (1.0 - inside), colour, amount })
    });
}
