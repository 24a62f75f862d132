//! Hands before mouth and chin, and hands that hold something there.

use super::canvas::{FaceCanvas, HeadPose};
use super::dice::Dice;
use super::frame::point;
use super::limbs::{self, Limb, LimbPart, Skin};
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;

/// Draws a hand over the mouth or the chin, from below or from the side.
pub(super) fn draw(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let skin = Skin::of(canvas, dice);
    let mouth = canvas.mouth_in_head();
    let mirror = dice.side();
    let size = dice.between(0.85, 1.15);
    match dice.weighted([
        (Gesture::Flat, 0.45),
        (Gesture::Fist, 0.22),
        (Gesture::Fingers, 0.15),
        (Gesture::Both, 0.18),
    ]) {
        Gesture::Flat => {
            // From steeply upwards to level; the flat of the fingers lies over the mouth.
            let angle = dice.between(-1.6, 0.4);
            let (sin, cos) = angle.sin_cos();
            let reach = dice.between(0.1, 0.75);
            let at = point(
                mouth.x - mirror * sin * reach + dice.between(-0.2, 0.2),
                mouth.y + cos * reach + dice.between(-0.15, 0.3),
            );
            let pose = HeadPose::new(canvas, at, angle, size, mirror);
            limbs::draw(canvas, pose, &open(dice), &skin);
        }
        Gesture::Fist => {
            let at = point(mouth.x + dice.between(-0.25, 0.25), mouth.y + dice.between(0.0, 0.55));
            let pose = HeadPose::new(canvas, at, dice.between(-0.9, 0.5), size, mirror);
            limbs::draw(canvas, pose, &fist(dice), &skin);
        }
        Gesture::Fingers => {
            let at = point(mouth.x + mirror * dice.between(0.0, 0.3), mouth.y + dice.between(0.75, 1.0));
            let pose = HeadPose::new(canvas, at, dice.between(-0.5, 0.3), size, mirror);
            limbs::draw(canvas, pose, &pointing(dice), &skin);
        }
        Gesture::Both => {
            for side in [mirror, -mirror] {
                let angle = dice.between(-1.3, -0.5);
                let at = point(mouth.x + side * dice.between(0.5, 0.75), mouth.y + dice.between(0.15, 0.5));
                let pose = HeadPose::new(canvas, at, angle, 0.95 * size, side);
                limbs::draw(canvas, pose, &open(dice), &skin);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Gesture {
    Flat,
    Fist,
    Fingers,
    Both,
}

fn limb(a: (f32, f32), b: (f32, f32), widths: [f32; 2], part: LimbPart) -> Limb {
    Limb { from: point(a.0, a.1), to: point(b.0, b.1), widths, part }
}

/// An arm that leads down from the wrist, bare or in a sleeve.
fn arm(dice: &mut ChaCha8Rng) -> [Limb; 2] {
    let tilt = dice.between(-0.5, 0.5);
    let grey = dice.between(20.0, 210.0);
    let sleeve = if dice.chance(0.5) {
        LimbPart::Sleeve(std::array::from_fn(|_| grey * dice.between(0.75, 1.2)))
    } else {
        LimbPart::Palm
    };
    [
        limb((0.7 * tilt, 1.55), (1.4 * tilt, 3.2), [0.38, 0.5], sleeve),
        limb((0.0, 0.55), (0.6 * tilt, 1.5), [0.36, 0.33], LimbPart::Palm),
    ]
}

/// An open hand whose fingers point up; its origin is the middle of the knuckles.
fn open(dice: &mut ChaCha8Rng) -> Vec<Limb> {
    let back = dice.chance(0.75);
    let spread = dice.between(0.0, 0.16);
    let bent = dice.between(0.7, 1.0);
    let mut limbs = arm(dice).to_vec();
    limbs.push(limb((0.0, 0.2), (0.0, 0.62), [0.52, 0.4], LimbPart::Palm));
    let thumb = dice.between(0.2, 1.0);
    let thumb_end = (-0.72 - 0.15 * thumb, 0.1 - 0.35 * thumb);
    limbs.push(limb((-0.34, 0.62), thumb_end, [0.2, 0.13], LimbPart::Finger { nail: back }));
    for (k, length) in [0.95f32, 1.1, 1.02, 0.78].into_iter().enumerate() {
        let x = -0.42 + 0.28 * k as f32;
        let lean = (k as f32 - 1.5) * spread + dice.between(-0.03, 0.03);
        let length = length * bent * dice.between(0.94, 1.04);
        let start = (x, 0.08 + 0.05 * (k as f32 - 1.0).powi(2) / 2.0);
        let end = (x + lean * length, start.1 - length);
        limbs.push(limb(start, end, [0.155, 0.12], LimbPart::Finger { nail: back }));
    }
    limbs
}

/// A closed hand, seen from the fingers' side.
fn fist(dice: &mut ChaCha8Rng) -> Vec<Limb> {
    let mut limbs = arm(dice).to_vec();
    limbs.push(limb((-0.1, 0.15), (0.1, 0.5), [0.54, 0.44], LimbPart::Palm));
    for k in 0..4 {
        let x = -0.42 + 0.28 * k as f32;
        let sag = 0.05 * (k as f32 - 1.3).powi(2);
        limbs.push(limb(
            (x, -0.28 + sag),
            (x + 0.03, 0.2 + sag),
            [0.165, 0.14],
            LimbPart::Finger { nail: false },
        ));
    }
    limbs.push(limb((-0.5, 0.55), (0.12, 0.32), [0.19, 0.14], LimbPart::Finger { nail: true }));
    limbs
}

/// A fist with one or two fingers stretched up.
fn pointing(dice: &mut ChaCha8Rng) -> Vec<Limb> {
    let two = dice.chance(0.4);
    let mut limbs = arm(dice).to_vec();
    limbs.push(limb((0.0, 0.2), (0.0, 0.55), [0.5, 0.42], LimbPart::Palm));
    for k in 0..4 {
        let x = -0.42 + 0.28 * k as f32;
        let stretched = k == 0 || (two && k == 1);
        let end = if stretched { (x + 0.1, -0.95) } else { (x + 0.02, 0.34) };
        limbs.push(limb((x, 0.0), end, [0.16, 0.125], LimbPart::Finger { nail: stretched }));
    }
    limbs.push(limb((-0.48, 0.6), (0.02, 0.36), [0.19, 0.14], LimbPart::Finger { nail: true }));
    limbs
}

/// Fingers that reach around a thing from one side: `edge` is a place on that side in head coordinates,
/// `down` the direction along the thing (radians, 0 is down the face). Without an arm, which the thing hides.
pub(super) fn grip(canvas: &mut FaceCanvas<'_>, edge: Point, angle: f32, mirror: f32, dice: &mut ChaCha8Rng) {
    let skin = Skin::of(canvas, dice);
    let pose = HeadPose::new(canvas, edge, angle, dice.between(0.9, 1.1), mirror);
    let reach = dice.between(0.3, 0.75);
    let mut limbs = vec![
        limb((-0.35, 0.35), (-0.75, 1.6), [0.42, 0.36], LimbPart::Palm),
        limb((-0.3, 0.0), (-0.25, 0.4), [0.3, 0.34], LimbPart::Palm),
    ];
    for k in 0..4 {
        let y = -0.42 + 0.28 * k as f32;
        let end = reach * [0.9, 1.0, 0.95, 0.8][k] * dice.between(0.9, 1.1);
        limbs.push(limb((-0.3, y + 0.06), (end, y), [0.155, 0.125], LimbPart::Finger { nail: true }));
    }
    limbs::draw(canvas, pose, &limbs, &skin);
}
