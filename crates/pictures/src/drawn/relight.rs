//! Light that makes faces hard to read: from one side only, and from behind. It changes the whole picture.

use super::canvas::FaceCanvas;
use super::dice::Dice;
use super::frame::smooth;
use super::light::{bent, luminance};
use rand_chacha::ChaCha8Rng;

/// Leaves one half of the face in the dark.
pub(super) fn from_the_side(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let side = dice.side();
    let dark = dice.between(0.08, 0.38);
    let bright = dice.between(1.0, 1.45);
    let (edge, width) = (dice.between(-0.1, 0.15), dice.between(0.1, 0.4));
    let room = dice.between(0.5, 1.0);
    let nose = canvas.nose;
    canvas.relight(|canvas, at, before| {
        let p = canvas.frame.to_face(at);
        // `x` grows towards the dark. The border follows the face: the brow and the nose throw their shadows.
        let x = side * p.x;
        let bridge = 0.22 * (-((p.y - nose.y + 0.05) / 0.22).powi(2)).exp();
        let socket = 0.1 * (-(p.y / 0.2).powi(2)).exp();
        let lit = 1.0 - smooth(edge - width, edge + width, x + bridge * smooth(-0.3, 0.0, x) + socket);
        let face = dark + (bright - dark) * lit * (1.0 + 0.15 * (-x).clamp(0.0, 1.0));
        let head = (p.x / 1.35).hypot((p.y - 0.2) / 2.0);
        // The room behind is lit otherwise than the head.
        let behind = smooth(0.95, 1.9, head);
        let factor = face + (room * (dark + 0.6 * (bright - dark)) - face) * behind;
        before.map(|value| bent(value * factor, 215.0))
    });
}

/// Puts a bright window behind a face that is left dark, and its glare over the picture.
pub(super) fn from_behind(canvas: &mut FaceCanvas<'_>, dice: &mut ChaCha8Rng) {
    let dark = dice.between(0.14, 0.42);
    let window = dice.between(1.3, 2.6);
    let white = dice.between(0.15, 0.85);
    let veil = dice.between(5.0, 70.0);
    let rim = dice.between(0.0, 0.5);
    let lean = dice.between(-0.5, 0.5);
    let tint = [dice.between(0.95, 1.05), 1.0, dice.between(0.95, 1.1)];
    canvas.relight(|canvas, at, before| {
        let p = canvas.frame.to_face(at);
        let head = (p.x / 1.3).hypot((p.y - 0.15) / 1.95);
        let neck = ((p.x.abs() - 0.6) / 0.5).max((1.2 - p.y) / 0.5) + 1.0;
        let slope = 2.2 * (p.y - 2.0).max(0.0).sqrt();
        let shoulders = ((p.x.abs() - 0.6 - slope) / 0.7).max((2.0 - p.y) / 0.5) + 1.0;
        let outline = head.min(neck).min(shoulders);
        let outside = smooth(0.94, 1.12, outline);
        let edge = rim * (-((outline - 1.0) / 0.07).powi(2)).exp();
        let glare = veil * (0.4 + 0.6 * smooth(0.2, 1.3, outline)) * (1.0 + lean * p.x.clamp(-1.0, 1.0));
        let grey = luminance(before);
        std::array::from_fn(|channel| {
            let value = before[channel];
            let lit = (value * window) + (250.0 - value * window) * white;
            // What is in the dark loses its colour too.
            let shaded = (grey + (value - grey) * 0.75) * (dark + edge);
            let value = shaded + (lit - shaded) * outside;
            let glare = glare * tint[channel] * (1.0 - value.clamp(0.0, 255.0) / 255.0);
            bent(value + glare, 215.0)
        })
    });
}
