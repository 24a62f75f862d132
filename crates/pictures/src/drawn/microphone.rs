//! Microphones: in a hand or on a stand before the mouth, or on a boom from a headset.

use super::canvas::{FaceCanvas, HeadPose, Touch};
use super::dice::{Dice, cloud, noise};
use super::fabric::blend;
use super::frame::{point, smooth};
use super::hand;
use rand_chacha::ChaCha8Rng;

/// Draws a microphone.
pub(super) fn draw(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let mouth = canvas.mouth_in_head();
    let mirror = dice.side();
    let headset = dice.chance(0.18);
    let angle = if headset { dice.between(0.9, 1.5) } else { dice.between(-0.8, 0.8) };
    let radius = if headset { dice.between(0.1, 0.2) } else { dice.between(0.26, 0.52) };
    let at = point(
        mouth.x + mirror * if headset { dice.between(0.3, 0.55) } else { dice.between(-0.2, 0.3) },
        mouth.y + if headset { dice.between(0.05, 0.25) } else { dice.between(-0.05, 0.6) },
    );
    let pose = HeadPose::new(canvas, at, if headset { angle - 3.4 } else { angle }, 1.0, mirror);
    let foam = headset || dice.chance(0.45);
    let hue = [dice.between(20.0, 220.0), dice.between(20.0, 160.0), dice.between(20.0, 200.0)];
    let dark = dice.between(18.0, 50.0);
    let silver = dice.between(110.0, 190.0);
    let head = if foam {
        dice.weighted([([dark; 3], 0.7), (hue, 0.3)])
    } else {
        dice.weighted([([silver; 3], 0.65), ([dark + 12.0; 3], 0.35)])
    };
    let stem = dice.weighted([([dark; 3], 0.75), ([silver; 3], 0.15), (hue, 0.1)]);
    let length = if headset { 1.1 } else { dice.between(1.8, 3.0) };
    let thick = if headset { 0.035 } else { radius * dice.between(0.5, 0.72) };
    let taper = if headset { 1.0 } else { dice.between(0.6, 0.95) };
    let (long, seed) = (dice.between(0.95, 1.3), dice.seed());
    let wide = radius + 0.15;
    canvas.paint(&pose.corners([-wide, -radius * long - 0.15, wide, length + 0.15]), |canvas, at| {
        let p = pose.to_thing(at);
        let ball = (p.x.hypot(p.y / long) - radius, p.x / radius);
        let half = thick * (1.0 + (taper - 1.0) * (p.y / length).clamp(0.0, 1.0));
        let handle = ((p.x.abs() - half).max(-p.y).max(p.y - length), p.x / half);
        let is_ball = ball.0 < handle.0 || ball.0 < 0.0;
        let (distance, across) = if is_ball { ball } else { handle };
        let near = (1.0 - distance.max(0.0) / 0.1).max(0.0);
        if near <= 0.0 {
            return None;
        }
        let inside = canvas.coverage(distance * pose.scale);
        let x = (across + 0.25).clamp(-1.2, 1.2);
        let mut brightness = 1.12 - 0.55 * x.abs().powi(2).min(1.0);
        let mut colour = if is_ball { head } else { stem };
        if is_ball && foam {
            brightness *= 1.0 + 0.18 * cloud(16.0 * p.x, 16.0 * p.y, seed);
        } else if is_ball {
            // Woven wire, and the ring about its middle.
            let wires = (38.0 * (p.x + p.y)).sin().max((38.0 * (p.x - p.y)).sin());
            brightness *= 0.82 + 0.3 * smooth(-0.2, 0.9, wires);
            let ring = 1.0 - smooth(0.04, 0.055, (p.y - 0.12 * radius).abs());
            colour = blend(colour, colour.map(|c| 0.7 * c + 30.0), ring);
        } else {
            brightness *= 1.0 + 0.05 * noise(3.0 * p.x, 3.0 * p.y, seed);
            brightness *= 1.0 - 0.3 * smooth(0.25, 0.0, p.y - radius * long);
        }
        let light = 0.5 + 0.5 * canvas.light.at(canvas.frame.to_face(at));
        let colour = canvas.light.expose(colour, brightness.max(0.1) * light);
        Some(Touch { shadow: 1.0 - 0.35 * near * (1.0 - inside), colour, amount: inside })
    });
    if !headset && dice.chance(0.6) {
        let y = radius * long + dice.between(0.35, 0.8);
        let side = dice.side();
        let (sin, cos) = (angle * mirror).sin_cos();
        let edge = point(at.x - side * thick * cos - y * sin, at.y - side * thick * sin + y * cos);
        hand::grip(canvas, edge, side * angle * mirror, side, dice);
    }
}
