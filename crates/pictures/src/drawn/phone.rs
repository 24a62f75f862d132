//! Phones: before the mouth, before the lower face, at the cheek.

use super::canvas::{FaceCanvas, HeadPose, Touch};
use super::dice::Dice;
use super::fabric::{Fabric, blend};
use super::frame::{point, smooth};
use super::hand;
use rand_chacha::ChaCha8Rng;

/// How it is held.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Held {
    /// Upright before the lower face, as for a picture in a mirror.
    Before,
    /// Level before the mouth, spoken into.
    Level,
    /// At the ear, over cheek and jaw.
    Cheek,
}

/// Draws a phone, mostly with the fingers that hold it.
pub(super) fn draw(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let mouth = canvas.mouth_in_head();
    let mirror = dice.side();
    let held = dice.weighted([(Held::Before, 0.35), (Held::Level, 0.3), (Held::Cheek, 0.35)]);
    let (width, height) = (dice.between(0.46, 0.58), dice.between(0.95, 1.2));
    let half = canvas.frame.half_widths[usize::from(mirror > 0.0)] / canvas.unit;
    let (at, angle, size) = match held {
        Held::Before => {
            let at = point(mouth.x + mirror * dice.between(-0.3, 0.5), mouth.y + dice.between(-0.1, 0.7));
            (at, dice.between(-0.35, 0.35), dice.between(0.9, 1.2))
        }
        Held::Level => {
            let at = point(mouth.x + mirror * dice.between(0.1, 0.6), mouth.y + dice.between(0.0, 0.5));
            (at, dice.between(1.0, 1.8), dice.between(0.8, 1.1))
        }
        Held::Cheek => {
            let at = point(mirror * half * dice.between(0.82, 1.1), dice.between(0.35, 0.8));
            (at, dice.between(0.05, 0.5), dice.between(0.8, 1.05))
        }
    };
    let pose = HeadPose::new(canvas, at, angle, size, mirror);
    // At the cheek the phone is seen from its narrow side.
    let width = if held == Held::Cheek { width * dice.between(0.35, 0.9) } else { width };
    let (radius, skin) = (dice.between(0.05, 0.14), canvas.light.colour_of_skin());
    let mut case = Fabric::random(skin, dice);
    let black = [22.0, 22.0, 26.0];
    if dice.chance(0.55) {
        case = Fabric::medical(black, dice);
        let grey = dice.between(15.0, 60.0);
        case.ground = dice.weighted([([grey; 3], 0.7), ([215.0, 215.0, 220.0], 0.3)]);
    }
    let cameras = dice.chance(0.6);
    let (glare, shine) = (dice.between(-1.5, 1.5), dice.between(0.0, 0.3));
    canvas.paint(&pose.corners([-width - 0.1, -height - 0.1, width + 0.1, height + 0.1]), |canvas, at| {
        let p = pose.to_thing(at);
        let (x, y) = ((p.x.abs() - width + radius).max(0.0), (p.y.abs() - height + radius).max(0.0));
        let distance = x.hypot(y) - radius;
        let near = (1.0 - distance.max(0.0) / 0.1).max(0.0);
        if near <= 0.0 {
            return None;
        }
        let inside = canvas.coverage(distance * pose.scale);
        let mut colour = case.colour(p);
        let rim = smooth(-0.05, -0.02, distance);
        colour = blend(colour, colour.map(|c| c * 0.6 + 45.0), 0.7 * rim);
        if cameras {
            let (u, v) = (p.x + width - 0.24, p.y + height - 0.26);
            let block = (u.abs() - 0.14).max(v.abs() - 0.16);
            colour = blend(colour, colour.map(|c| c * 0.72 + 8.0), 1.0 - smooth(-0.01, 0.02, block));
            for (a, b) in [(-0.06, -0.08), (-0.06, 0.08), (0.07, 0.0)] {
                let lens = (u - a).hypot(v - b);
                colour = blend(colour, [12.0, 12.0, 18.0], 1.0 - smooth(0.045, 0.065, lens));
                colour = blend(colour, [110.0, 120.0, 150.0], 1.0 - smooth(0.008, 0.02, (lens - 0.02).abs()));
            }
        }
        // A reflection runs across the smooth back.
        let streak = smooth(0.0, 0.5, p.x + 0.7 * p.y - glare) * smooth(1.1, 0.6, p.x + 0.7 * p.y - glare);
        let brightness = 0.55 + 0.45 * canvas.light.at(canvas.frame.to_face(at));
        let colour = canvas.light.expose(blend(colour, [235.0, 240.0, 245.0], shine * streak), brightness);
        Some(Touch { shadow: 1.0 - 0.35 * near * (1.0 - inside), colour, amount: inside })
    });
    if dice.chance(0.8) {
        // The hand comes from below, at the long side away from the face's middle.
        let from = match held {
            // From outside, and from below.
            Held::Cheek | Held::Level => 1.0,
            Held::Before => dice.side(),
        };
        let along = dice.between(0.1, 0.5) * height;
        let side = from * width * 0.85;
        let (sin, cos) = angle.sin_cos();
        let edge = point(
            at.x + mirror * (side * cos - along * sin) * size,
            at.y + (side * sin + along * cos) * size,
        );
        hand::grip(canvas, edge, -from * angle, -from * mirror, dice);
    }
}
