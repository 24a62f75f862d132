//! Helmets and hoods: around the face, which stays bare from the brows to the chin.

use super::canvas::{FaceCanvas, HeadPose, Touch};
use super::dice::{Dice, cloud, noise};
use super::fabric::{Fabric, blend};
use super::frame::{point, smooth};
use rand_chacha::ChaCha8Rng;

#[derive(Debug, Clone, Copy, PartialEq)]
enum HeadgearMake {
    /// Open in front, down over ears and cheeks.
    Motorcycle,
    /// A shell with a brim, straps down the cheeks.
    Construction,
    /// A shell with long slots and straps.
    Bicycle,
}

/// Draws a helmet over the forehead and the sides of the face.
pub(super) fn helmet(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let make = dice.weighted([
        (HeadgearMake::Motorcycle, 0.5),
        (HeadgearMake::Construction, 0.27),
        (HeadgearMake::Bicycle, 0.23),
    ]);
    let shell = Fabric::random(canvas.light.colour_of_skin(), dice);
    let trim = [dice.between(15.0, 70.0); 3];
    let closed = make == HeadgearMake::Motorcycle;
    let brow = dice.between(-0.62, -0.36);
    let half = dice.between(0.84, 0.98);
    let end = if closed { dice.between(0.7, 1.35) } else { brow + 0.1 };
    let (width, top) = (dice.between(1.25, 1.45), dice.between(1.45, 1.8));
    let (gloss, light, seed) = (dice.between(0.0, 0.6), dice.between(-0.6, 0.6), dice.seed());
    let strap = [dice.between(15.0, 90.0); 3];
    let straps = !closed && dice.chance(0.75);
    let corners = [(-1.7, -top - 0.2), (1.7, -top - 0.2), (1.7, 1.9), (-1.7, 1.9)];
    let corners = corners.map(|(x, y)| canvas.frame.to_picture(point(x, y)));
    canvas.paint(&corners, |canvas, at| {
        let p = canvas.frame.to_face(at);
        let unit = canvas.unit;
        // Rounder than an ellipse: halfway to the curve of the fourth power.
        let (u, v) = (p.x / width, (p.y + 0.1) / top);
        let round = u.hypot(v).midpoint((u.powi(4) + v.powi(4)).sqrt().sqrt());
        let dome = (round - 1.0) * top.min(width);
        let sides = (p.x.abs() - width).max(p.y - end).max(-0.1 - p.y);
        let outside = if closed { dome.min(sides) } else { dome.max(p.y - end) };
        // The opening for the face: straight at the brows, round at its upper corners.
        let (x, y) = ((p.x.abs() - half + 0.35).max(0.0), (brow - p.y + 0.35).max(0.0));
        let bow = 0.12 * (1.0 - (p.x / half).powi(2).min(1.0));
        let opening = x.hypot(y) - 0.35 + if closed { 0.0 } else { bow };
        let mut distance = outside.max(-opening);
        if make == HeadgearMake::Construction {
            let brim = (p.x.abs() - 1.3).max((p.y - brow - 0.02 + bow).abs() - 0.07);
            distance = distance.min(brim);
        }
        let belt = if straps && p.y > brow {
            // From the ears to a buckle under the chin.
            let place = 1.02 - 0.5 * smooth(0.9, 1.75, p.y);
            ((p.x.abs() - place).abs() - 0.035).max(p.y - 1.75)
        } else {
            f32::MAX
        };
        let nearest = distance.min(belt);
        let near = (1.0 - nearest.max(0.0) / 0.16).max(0.0);
        if near <= 0.0 {
            return None;
        }
        let inside = canvas.coverage(nearest * unit);
        let round = (1.0 - (u * u + v * v).min(1.0)).sqrt();
        let mut brightness = 0.55 + 0.5 * round + 0.25 * light * u - 0.12 * v;
        let mut colour = if belt < distance { strap } else { shell.colour(p) };
        if closed {
            let lining = 1.0 - smooth(0.05, 0.09, opening);
            colour = blend(colour, trim, lining);
        }
        if make == HeadgearMake::Bicycle && belt >= distance {
            let slot = smooth(0.1, 0.3, (7.0 * p.x / (1.2 + 0.4 * p.y)).sin());
            let slot = slot * smooth(brow - 0.2, brow - 0.35, p.y) * smooth(-top + 0.15, -top + 0.5, p.y);
            colour = blend(colour, [18.0; 3], 0.9 * slot);
        }
        if make == HeadgearMake::Construction && p.y < brow - 0.1 {
            brightness += 0.12 * (1.0 - smooth(0.08, 0.13, p.x.abs()));
        }
        let spot = (u - 0.6 * light).hypot((v + 0.62) * 1.6);
        let gloss = gloss * (1.0 - smooth(0.1, 0.32, spot + 0.05 * noise(4.0 * u, 4.0 * v, seed)));
        colour = blend(colour, [250.0; 3], gloss);
        let level = 0.7 + 0.3 * canvas.light.at(p);
        let colour = canvas.light.expose(colour, brightness.max(0.1) * level);
        Some(Touch { shadow: 1.0 - 0.4 * near * (1.0 - inside), colour, amount: inside })
    });
}

/// Draws a hood, a shawl or the like around the face; chin and mouth stay bare.
pub(super) fn hood(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let cloth = Fabric::random(canvas.light.colour_of_skin(), dice);
    let tight = dice.chance(0.4);
    let half = if tight { dice.between(0.84, 0.96) } else { dice.between(0.95, 1.2) };
    let top = if tight { dice.between(-0.75, -0.4) } else { dice.between(-1.1, -0.55) };
    let chin = if tight { dice.between(1.72, 1.9) } else { dice.between(1.9, 2.6) };
    let thick = dice.between(0.25, 0.6);
    let (peak, depth) = (dice.between(0.0, 0.35), dice.between(0.3, 0.7));
    let (folds, seed) = (dice.between(0.08, 0.25), dice.seed());
    let pose = HeadPose::new(canvas, point(0.0, 0.0), 0.0, 1.0, 1.0);
    let widths = canvas.frame.half_widths.map(|width| width / canvas.unit);
    let reach = 2.2 * widths[0].max(widths[1]);
    canvas.paint(&pose.corners([-reach, top - thick - 0.6, reach, 4.2]), |canvas, at| {
        let p = canvas.frame.to_face(at);
        // Most of the box is bare face or beyond the cloth.
        let inner = (p.x / half).hypot((p.y - (top + chin) / 2.0) / ((chin - top) / 2.0));
        if inner < 0.72 || p.x.abs() > half + thick + 0.7 {
            return None;
        }
        let wobble = 0.05 * noise(2.0 * p.x, 2.0 * p.y, seed ^ 2);
        let centre = (top + chin) / 2.0;
        let (rx, ry) = (half + wobble, (chin - top) / 2.0);
        let opening = ((p.x / rx).hypot((p.y - centre) / ry) - 1.0) * rx.min(ry);
        // Down from the temples the cloth falls on the shoulders.
        let head = (rx + thick, ry + thick);
        let crown =
            ((p.x / head.0).hypot((p.y - centre + 0.5 * peak) / (head.1 + 0.5 * peak)) - 1.0) * head.0;
        let fall = head.0 + 0.5 * smooth(1.2, 2.6, p.y) + 2.0 * wobble;
        let body = (p.x.abs() - fall).max(centre - p.y).max(p.y - 3.6);
        let distance = crown.min(body).max(-opening);
        let inner = (1.0 - (-opening).max(0.0) / 0.18).max(0.0);
        if distance > 0.0 && (inner <= 0.0 || opening > 0.0) {
            return None;
        }
        let inside = canvas.coverage(distance * canvas.unit);
        // The cloth's inner side is in its own shadow; folds run around the face.
        let around = p.x.atan2(p.y - centre - 2.0);
        let fold = folds
            * (noise(7.0 * around, 2.5 * opening, seed)
                + 0.7 * noise(14.0 * around, 5.0 * opening, seed ^ 4));
        let rim = depth * (1.0 - smooth(0.0, 0.2, opening));
        let edge = 0.16 * (-((opening - 0.05) / 0.03).powi(2)).exp();
        let brightness = 0.95 - rim + edge + fold + 0.06 * cloud(3.0 * p.x, 3.0 * p.y, seed ^ 6);
        let level = 0.6 + 0.4 * canvas.light.at(p);
        let colour = canvas.light.expose(cloth.colour(p), brightness.max(0.12) * level);
        let shade = if opening < 0.0 { 1.0 - 0.45 * depth * inner * (1.0 - inside) } else { 1.0 };
        Some(Touch { shadow: shade, colour, amount: inside })
    });
}
