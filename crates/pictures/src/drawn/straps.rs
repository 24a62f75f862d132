//! What holds a mask: loops around the ears, bands around the head.

use super::canvas::{FaceCanvas, Touch};
use super::dice::Dice;
use super::fabric::blend;
use super::frame::{dot, from, point};
use super::shape::DrawnShape;
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;

const STEPS: usize = 6;

/// Draws loops or bands from the shape's corners; now and then none, as under hair.
pub(super) fn draw(canvas: &mut FaceCanvas<'_>, shape: &DrawnShape, cloth: [f32; 3], dice: &mut ChaCha8Rng) {
    if dice.chance(0.15) {
        return;
    }
    let colour = dice.weighted([([228.0, 230.0, 230.0], 0.5), ([40.0, 40.0, 44.0], 0.2), (cloth, 0.3)]);
    let width = dice.between(0.014, 0.04);
    let bands = dice.chance(0.15);
    for right in [false, true] {
        let side = if right { 1.0 } else { -1.0 };
        let (top, bottom) = (shape.top(side), shape.bottom(side));
        let reach = shape.side(right, top) * 0.97;
        // Of a turned head the far ear is hidden, and the cheek ends sooner.
        let widths = canvas.frame.half_widths;
        let far = (widths[usize::from(right)] / widths[usize::from(!right)]).clamp(0.85, 1.0);
        let ear = point(far * dice.between(1.06, 1.18), dice.between(0.05, 0.25));
        let (upper, lower) = if bands {
            (
                point(far * 1.15, top - dice.between(0.4, 0.8)),
                point(far * 1.15, bottom - dice.between(0.0, 0.4)),
            )
        } else {
            (ear, point(ear.x, dice.between(0.5, 0.75)))
        };
        for (start, end) in [(top + 0.05, upper), (bottom - 0.07, lower)] {
            let start = point(side * reach, start);
            let bend =
                point(side * (reach + end.x) / 2.0, (start.y + end.y) / 2.0 - dice.between(-0.04, 0.08));
            stroke(canvas, [start, bend, point(side * end.x, end.y)], width, colour);
        }
    }
}

/// A loop from an ear (in head coordinates, about its middle) to a place of the picture.
pub(super) fn hang(canvas: &mut FaceCanvas<'_>, ear: Point, to: Point, dice: &mut ChaCha8Rng) {
    let end = canvas.frame.to_face(to);
    let scale = canvas.unit / canvas.frame.height;
    let start = point(ear.x.signum() * 1.08, ear.y * scale);
    let bend = point(end.x + dice.between(-0.05, 0.05), (start.y + end.y) / 2.0);
    stroke(canvas, [start, bend, end], dice.between(0.02, 0.045), [228.0, 230.0, 230.0]);
}

/// A thin line along a bent path, with its shadow.
fn stroke(canvas: &mut FaceCanvas<'_>, [a, b, c]: [Point; 3], width: f32, colour: [f32; 3]) {
    let mut path = [a; STEPS + 1];
    for (step, p) in path.iter_mut().enumerate() {
        let t = step as f32 / STEPS as f32;
        let mix = |a: f32, b: f32, c: f32| a * (1.0 - t).powi(2) + 2.0 * b * t * (1.0 - t) + c * t * t;
        *p = canvas.frame.to_picture(point(mix(a.x, b.x, c.x), mix(a.y, b.y, c.y)));
    }
    let half = (width * canvas.unit / 2.0).max(0.45);
    canvas.paint(&path, |canvas, at| {
        let nearest = path.windows(2).map(|pair| distance(pair[0], pair[1], at)).fold(f32::MAX, f32::min);
        if nearest > half * 2.5 + 1.0 {
            return None;
        }
        let inside = canvas.coverage(nearest - half);
        let face = canvas.frame.to_face(at);
        let edge = blend(colour, colour.map(|c| 0.7 * c), (nearest / half).min(1.0));
        let colour = canvas.light.expose(edge, 0.92 * canvas.light.at(face));
        let near = (1.0 - nearest / (half * 2.5 + 1.0)).max(0.0);
        Some(Touch { shadow: 1.0 - 0.3 * near * (1.0 - inside), colour, amount: inside })
    });
}

/// From a point to a straight line between two others.
fn distance(a: Point, b: Point, p: Point) -> f32 {
    let (segment, to) = (from(a, b), from(a, p));
    let t = (dot(to, segment) / dot(segment, segment).max(1e-9)).clamp(0.0, 1.0);
    (to.x - t * segment.x).hypot(to.y - t * segment.y)
}
