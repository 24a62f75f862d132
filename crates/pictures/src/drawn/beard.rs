//! Beards, from stubble to long ones: hair over jaw, chin and upper lip, the lips bare or half hidden.

use super::canvas::{FaceCanvas, Touch};
use super::dice::{Dice, cloud, noise};
use super::frame::{point, smooth};
use rand_chacha::ChaCha8Rng;

struct Beard {
    colour: [f32; 3],
    /// How much skin shows through, 0 to 1.
    density: f32,
    /// Where it begins on the cheeks, at the ears and in the middle; where it ends.
    cheek: [f32; 2],
    end: f32,
    /// Half the width at the jaw, and how much of the jaw's sides it leaves out (goatees).
    width: f32,
    moustache: f32,
    /// How far hairs hang over the lips.
    lips: f32,
    curl: f32,
    grey: f32,
    seed: u32,
}

impl Beard {
    fn random(dice: &mut ChaCha8Rng) -> Self {
        let shade = dice.between(0.75, 1.25);
        let tone = dice.weighted([
            ([28.0, 24.0, 22.0], 0.35),
            ([58.0, 42.0, 32.0], 0.25),
            ([96.0, 68.0, 46.0], 0.14),
            ([140.0, 82.0, 42.0], 0.07),
            ([168.0, 138.0, 96.0], 0.06),
            ([128.0, 126.0, 124.0], 0.07),
            ([205.0, 203.0, 198.0], 0.06),
        ]);
        let stubble = dice.chance(0.25);
        let goatee = dice.chance(0.15);
        let long = dice.chance(0.35);
        Self {
            colour: tone.map(|c| c * shade),
            density: if stubble { dice.between(0.3, 0.6) } else { dice.between(0.75, 1.0) },
            cheek: [dice.between(0.2, 0.75), dice.between(0.8, 1.1)],
            end: if stubble || !long { dice.between(1.6, 1.95) } else { dice.between(1.95, 2.9) },
            width: if goatee { dice.between(0.4, 0.6) } else { dice.between(1.0, 1.16) },
            moustache: if dice.chance(0.88) { dice.between(0.75, 1.0) } else { 0.0 },
            lips: if dice.chance(0.3) { dice.between(0.5, 1.0) } else { dice.between(0.0, 0.5) },
            curl: dice.between(0.0, 1.0),
            grey: if dice.chance(0.3) { dice.between(0.1, 0.6) } else { 0.0 },
            seed: dice.seed(),
        }
    }
}

/// Draws a beard.
pub(super) fn draw(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let beard = Beard::random(dice);
    let [right, left] = canvas.mouth;
    let mouth = point((right.x + left.x) / 2.0, (right.y + left.y) / 2.0);
    let half = ((left.x - right.x).abs() / 2.0).clamp(0.2, 0.6);
    let nose = canvas.nose;
    let end = beard.end + (mouth.y - 1.0).clamp(-0.3, 0.3);
    let corners = [(-1.25, 0.0), (1.25, 0.0), (1.25, end + 0.3), (-1.25, end + 0.3)];
    let corners = corners.map(|(x, y)| canvas.frame.to_picture(point(x, y)));
    canvas.paint(&corners, |canvas, at| {
        let p = canvas.frame.to_face(at);
        if p.x.abs() > beard.width + 0.25 || p.y < nose.y.min(beard.cheek[0]) - 0.25 {
            return None;
        }
        let (dx, dy) = (p.x - mouth.x, p.y - mouth.y);
        // Hairs grow away from the mouth: thin across, long along.
        let around = dx.atan2(0.55 + dy.max(-0.4));
        let away = dx.hypot(dy);
        let wave = beard.curl * 0.35 * noise(2.5 * p.x, 2.5 * p.y, beard.seed ^ 8);
        let hair = 0.6 * noise(30.0 * (around + 0.2 * wave), 5.0 * away, beard.seed)
            + 0.4 * noise(55.0 * p.x + 6.0 * wave, 16.0 * p.y, beard.seed ^ 4);
        let ragged = 0.09 * noise(9.0 * p.x, 3.0 * p.y, beard.seed ^ 6) + 0.06 * hair;

        let x = p.x.abs();
        // The cheek's line sags from the ear to the corner of the mouth.
        let rise = smooth(0.4, 1.15, x);
        let line = beard.cheek[1] + (beard.cheek[0] - beard.cheek[1]) * rise;
        let cheek = smooth(line - 0.07, line + 0.1, p.y + ragged);
        // Below the jaw it narrows to its tip.
        let narrow = beard.width * (1.0 - 0.62 * smooth(1.05, end.max(1.7), p.y).powf(1.4));
        let side = 1.0 - smooth(narrow - 0.08, narrow + 0.04, x + ragged);
        let bottom = 1.0 - smooth(end - 0.16, end + 0.05, p.y + 0.18 * x + 1.5 * ragged);
        let mut cover = cheek * side * bottom;
        // Above the corners of the mouth there is only the moustache.
        let between = (p.y - nose.y) / (mouth.y - nose.y).max(0.1);
        let upper = smooth(0.36, 0.5, between + ragged) * (1.0 - smooth(0.95, 1.1, between));
        let moustache = beard.moustache * upper * (1.0 - smooth(half, half + 0.14, dx.abs() + ragged));
        let above = 1.0 - smooth(0.55, 1.0, between);
        cover *= 1.0 - above * (1.0 - smooth(half + 0.08, half + 0.3, dx.abs()));
        cover = cover.max(moustache);
        let lips = (dx / (half * 0.92)).hypot((dy - 0.03) / 0.15);
        let bare = 1.0 - smooth(0.8, 1.1, lips + 0.6 * ragged);
        cover *= 1.0 - bare * (1.0 - beard.lips * smooth(0.3, -0.6, dy / 0.15));
        // The patch below the lower lip is thin.
        let patch = (dx.abs() / 0.16 - 1.0).abs().min(1.0) * (1.0 - ((dy - 0.25) / 0.12).abs().min(1.0));
        cover *= 1.0 - 0.35 * patch;
        if cover <= 0.01 {
            return None;
        }
        let strands = if beard.density < 0.7 { 0.5 + 0.8 * hair } else { 0.85 + 0.3 * hair };
        let amount = (cover * beard.density * strands).clamp(0.0, 1.0);
        let grey = beard.grey * smooth(0.0, 0.5, cloud(3.0 * p.x, 3.0 * p.y, beard.seed ^ 2) + 0.6 * hair);
        let colour: [f32; 3] = std::array::from_fn(|k| beard.colour[k] + (170.0 - beard.colour[k]) * grey);
        let under = 1.0 - 0.35 * smooth(1.55, 1.9, p.y) * (1.0 - smooth(2.0, 2.3, end));
        let form = 1.0 - 0.25 * x.min(1.2).powi(2) + 0.12 * cloud(2.5 * p.x, 2.5 * p.y, beard.seed ^ 3);
        let brightness = canvas.light.at(p) * under * form * (1.0 + 0.38 * hair);
        let colour = canvas.light.expose(colour, brightness.max(0.1));
        Some(Touch { shadow: 1.0, colour, amount })
    });
}
