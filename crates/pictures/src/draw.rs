//! Draws a mask over a face, from the five landmarks alone: filled outline, folds, shading taken from the
//! face's own light, ear loops. It makes the free fixtures that tests and the demo use: three neat kinds,
//! always the same. What training and its test sets draw, by chance and in all shapes, is in
//! [`super::drawn`].

use crate::drawn::frame::{FaceFrame, dot, from, point, smooth};
use image::{Rgb, RgbImage, imageops};
use maskwatch_vision::detector::Detection;
use maskwatch_vision::geometry::Point;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskKind {
    /// Light blue, three pleats, a wire over the nose.
    Surgical,
    /// Black cloth, no pleats.
    Cloth,
    /// White cup with a seam down the middle.
    Ffp2,
}

impl MaskKind {
    fn colour(self) -> [f32; 3] {
        match self {
            Self::Surgical => [164.0, 199.0, 216.0],
            Self::Cloth => [44.0, 44.0, 50.0],
            Self::Ffp2 => [236.0, 236.0, 232.0],
        }
    }

    fn loop_colour(self) -> [f32; 3] {
        match self {
            Self::Cloth => [40.0, 40.0, 46.0],
            Self::Surgical | Self::Ffp2 => [232.0, 236.0, 238.0],
        }
    }
}

/// The right half of the outline, from the nose's bridge over the cheek to the chin, in the face's own
/// coordinates (see [`FaceFrame`]). The cheek's corner is given twice, which makes the curve sharp there.
const OUTLINE: [Point; 11] = [
    point(0.0, 0.2),
    point(0.16, 0.26),
    point(0.42, 0.44),
    point(0.72, 0.50),
    point(1.0, 0.44),
    point(1.0, 0.44),
    point(1.0, 0.95),
    point(0.88, 1.32),
    point(0.66, 1.62),
    point(0.36, 1.8),
    point(0.0, 1.85),
];

/// Draws a mask of the given kind over the nose and mouth of `face`, in place.
///
/// The parts of the mask that fall outside the picture are left out. Deterministic.
pub fn draw_mask(picture: &mut RgbImage, face: &Detection, kind: MaskKind) {
    let frame = FaceFrame::of(&face.landmarks);
    let outline = outline(&frame);
    // The strokes below were tuned on a face whose eyes and mouth are 39 px apart.
    let unit = frame.height / 39.0;
    let light = MaskLight::of(picture, &frame);
    let loops = ear_loops(&frame);
    let Some((columns, rows)) = bounds(picture, outline.iter().chain(loops.iter().flatten())) else { return };

    for y in rows {
        for x in columns.clone() {
            let pixel = picture.get_pixel_mut(x, y);
            let centre = point(x as f32 + 0.5, y as f32 + 0.5);
            let p = frame.to_face(centre);
            let brightness = light.at(p);

            let loop_distance =
                loops.iter().map(|path| distance_to(path, centre, false)).fold(f32::MAX, f32::min);
            let stroke = coverage(loop_distance - 0.75 * unit.max(0.5));
            let rim = coverage(loop_distance - 1.6 * unit.max(0.5)) * 0.25;
            shade(pixel, 1.0 - rim * (1.0 - stroke));
            blend(pixel, kind.loop_colour().map(|c| c * (0.35 + 0.6 * brightness)), stroke);

            let edge = distance_to(&outline, centre, true);
            let inside = coverage(edge);
            if inside < 1.0 && p.y > 0.5 {
                // The mask's own shadow, falling on neck and cheek.
                shade(pixel, 1.0 - 0.3 * (1.0 - edge.max(0.0) / (4.0 * unit)).max(0.0) * (1.0 - inside));
            }
            if inside > 0.0 {
                let value = brightness * relief(kind, p) * hem(edge / unit) * (1.0 + grain(x, y));
                blend(pixel, kind.colour().map(|c| c * value), inside);
            }
        }
    }
}

/// How much light the mask's surface gives back at a point of the face, from its shape alone: around 1.
fn relief(kind: MaskKind, p: Point) -> f32 {
    let side = 1.0 - 0.26 * p.x.abs().powf(2.6);
    let under_the_chin = 1.0 - 0.3 * smooth(1.3, 1.9, p.y);
    let nose = 1.0 + 0.05 * (-(p.x * p.x) / 0.02).exp() * (1.0 - smooth(0.65, 1.0, p.y))
        - 0.05 * (-((p.x.abs() - 0.3).powi(2)) / 0.01).exp() * (1.0 - smooth(0.6, 0.95, p.y));
    let folds = match kind {
        MaskKind::Surgical => {
            let bend = 0.16 * (1.0 - p.x * p.x);
            let pleats = [0.72, 0.98, 1.24].iter().map(|middle| fold(p.y - bend - (middle - 0.08)));
            let wire = -0.05 * (-((p.y - top_edge(p.x) - 0.1) / 0.018).powi(2)).exp();
            (1.0 + pleats.sum::<f32>()) * (1.0 + wire)
        }
        MaskKind::Cloth => 1.0 + 0.12 * (-(p.x * p.x) / 0.003).exp() * smooth(0.3, 0.6, p.y),
        MaskKind::Ffp2 => 1.0 - 0.14 * (-(p.x * p.x) / 0.0006).exp(),
    };
    side * under_the_chin * nose * folds
}

/// A pleat seen from its lower edge: the cloth above hangs over a dark gap, below it the next layer catches
/// light.
fn fold(below: f32) -> f32 {
    -0.2 * (-(below / 0.022).powi(2)).exp() + 0.05 * (-((below - 0.07) / 0.05).powi(2)).exp()
        - 0.05 * (-((below + 0.06) / 0.05).powi(2)).exp()
}

/// The sewn edge: a thin dark line a little inside of the outline. `edge` is the signed distance, negative
/// inside.
fn hem(edge: f32) -> f32 {
    1.0 - 0.12 * (-((edge + 2.4) / 0.6).powi(2)).exp() - 0.1 * smooth(-1.0, 0.5, edge)
}

/// Height of the mask's upper edge over one point across the face.
fn top_edge(x: f32) -> f32 {
    let x = x.abs().min(1.0);
    OUTLINE[..5].windows(2).find(|pair| x <= pair[1].x).map_or(OUTLINE[4].y, |pair| {
        pair[0].y + (x - pair[0].x) / (pair[1].x - pair[0].x) * (pair[1].y - pair[0].y)
    })
}

/// The light that falls on the face, taken from the picture itself before anything is drawn: coarse, relative
/// to its own mean, so that a mask on a half-lit face is half lit too.
struct MaskLight {
    coarse: RgbImage,
    mean: f32,
    level: f32,
}

impl MaskLight {
    fn of(picture: &RgbImage, frame: &FaceFrame) -> Self {
        let size = 24u32;
        let patch = RgbImage::from_fn(size, size, |column, row| {
            let p = point(
                (column as f32 + 0.5) / size as f32 * 1.6 - 0.8,
                (row as f32 + 0.5) / size as f32 * 1.2 + 0.3,
            );
            let at = frame.to_picture(p);
            let x = (at.x.max(0.0) as u32).min(picture.width() - 1);
            let y = (at.y.max(0.0) as u32).min(picture.height() - 1);
            *picture.get_pixel(x, y)
        });
        let coarse = imageops::blur(&patch, 5.0);
        let mean = coarse.pixels().map(luminance).sum::<f32>() / (size * size) as f32;
        // Skin of a well-lit face lies near 150; a dark room makes a dark mask, though never a black one.
        Self { coarse, mean: mean.max(1.0), level: (0.55 + 0.45 * mean / 150.0).clamp(0.5, 1.1) }
    }

    fn at(&self, p: Point) -> f32 {
        let last = (self.coarse.width() - 1) as f32;
        let x = ((p.x + 0.8) / 1.6 * last).clamp(0.0, last);
        let y = ((p.y - 0.3) / 1.2 * last).clamp(0.0, last);
        let here = self.coarse.get_pixel(x.round() as u32, y.round() as u32);
        self.level * (luminance(here) / self.mean).powf(0.55).clamp(0.6, 1.25)
    }
}

/// The closed outline in picture coordinates, as a polygon fine enough to look curved.
fn outline(frame: &FaceFrame) -> Vec<Point> {
    let right = OUTLINE.iter().copied();
    let left = OUTLINE.iter().rev().skip(1).take(OUTLINE.len() - 2).map(|p| point(-p.x, p.y));
    let corners: Vec<Point> = right.chain(left).map(|p| frame.to_picture(p)).collect();
    let count = corners.len();
    (0..count)
        .flat_map(|i| {
            let at = |k: usize| corners[(i + k) % count];
            let span = [at(count - 1), at(0), at(1), at(2)];
            (0..8).map(move |step| catmull_rom(span, step as f32 / 8.0))
        })
        .collect()
}

/// Four strokes: from each upper and each lower corner of the mask towards the ear.
fn ear_loops(frame: &FaceFrame) -> [Vec<Point>; 4] {
    let stroke = |side: f32, start: Point, bend: Point, end: Point| {
        (0..=10)
            .map(|step| {
                let t = step as f32 / 10.0;
                let mix =
                    |a: f32, b: f32, c: f32| a * (1.0 - t).powi(2) + 2.0 * b * t * (1.0 - t) + c * t * t;
                frame.to_picture(point(side * mix(start.x, bend.x, end.x), mix(start.y, bend.y, end.y)))
            })
            .collect::<Vec<_>>()
    };
    let upper = |side| stroke(side, point(0.97, 0.48), point(1.1, 0.38), point(1.2, 0.16));
    let lower = |side| stroke(side, point(0.93, 1.16), point(1.12, 0.92), point(1.21, 0.6));
    [upper(-1.0), upper(1.0), lower(-1.0), lower(1.0)]
}

fn catmull_rom([a, b, c, d]: [Point; 4], t: f32) -> Point {
    let spline = |a: f32, b: f32, c: f32, d: f32| {
        b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
    };
    point(spline(a.x, b.x, c.x, d.x), spline(a.y, b.y, c.y, d.y))
}

/// Distance in pixels to a path; for a closed one negative inside.
fn distance_to(path: &[Point], p: Point, closed: bool) -> f32 {
    let segments = if closed { path.len() } else { path.len() - 1 };
    let mut nearest = f32::MAX;
    let mut inside = false;
    for i in 0..segments {
        let (a, b) = (path[i], path[(i + 1) % path.len()]);
        let (segment, to) = (from(a, b), from(a, p));
        let t = (dot(to, segment) / dot(segment, segment).max(1e-12)).clamp(0.0, 1.0);
        nearest = nearest.min((to.x - t * segment.x).hypot(to.y - t * segment.y));
        if (a.y > p.y) != (b.y > p.y) && p.x < a.x + (p.y - a.y) / (b.y - a.y) * segment.x {
            inside = !inside;
        }
    }
    if closed && inside { -nearest } else { nearest }
}

/// The pixels that the given points reach, with a few to spare for shadows; `None` when all lie outside.
fn bounds<'a>(
    picture: &RgbImage,
    points: impl Iterator<Item = &'a Point>,
) -> Option<(std::ops::Range<u32>, std::ops::Range<u32>)> {
    let (mut low, mut high) = (point(f32::MAX, f32::MAX), point(f32::MIN, f32::MIN));
    for p in points {
        low = point(low.x.min(p.x), low.y.min(p.y));
        high = point(high.x.max(p.x), high.y.max(p.y));
    }
    let spare = 4.0 + 0.1 * (high.y - low.y);
    let span = |low: f32, high: f32, size: u32| {
        let start = (low - spare).clamp(0.0, size as f32) as u32;
        let end = (high + spare).clamp(0.0, size as f32) as u32;
        (start < end).then_some(start..end)
    };
    Some((span(low.x, high.x, picture.width())?, span(low.y, high.y, picture.height())?))
}

/// How much of a pixel lies inside of an edge at this signed distance from its middle.
fn coverage(distance: f32) -> f32 {
    (0.5 - distance).clamp(0.0, 1.0)
}

fn blend(pixel: &mut Rgb<u8>, colour: [f32; 3], amount: f32) {
    for (value, colour) in pixel.0.iter_mut().zip(colour) {
        *value = (f32::from(*value) * (1.0 - amount) + colour * amount).round().clamp(0.0, 255.0) as u8;
    }
}

fn shade(pixel: &mut Rgb<u8>, factor: f32) {
    pixel.0 = pixel.0.map(|value| (f32::from(value) * factor).round().clamp(0.0, 255.0) as u8);
}

/// A trace of noise, so that the cloth is not smoother than the photograph around it.
fn grain(x: u32, y: u32) -> f32 {
    let mut hash = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    hash ^= hash >> 13;
    (hash & 0xff) as f32 / 255.0 * 0.024 - 0.012
}

fn luminance(pixel: &Rgb<u8>) -> f32 {
    let [r, g, b] = pixel.0.map(f32::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

#[cfg(test)]
mod tests {
    use super::*;
    use maskwatch_vision::geometry::Rect;

    /// The face of scikit-image's astronaut, as YuNet finds it.
    fn face() -> Detection {
        Detection {
            rect: Rect::new(178.1, 65.0, 91.4, 111.4),
            landmarks: [
                point(203.4, 103.6),
                point(247.5, 104.4),
                point(224.1, 127.7),
                point(204.0, 143.1),
                point(242.9, 143.7),
            ],
            score: 0.94,
        }
    }

    fn skin(width: u32, height: u32) -> RgbImage {
        RgbImage::from_pixel(width, height, Rgb([205, 150, 120]))
    }

    #[test]
    fn covers_nose_and_mouth_and_spares_the_eyes() {
        let mut picture = skin(512, 512);
        draw_mask(&mut picture, &face(), MaskKind::Surgical);
        for covered in [(224, 128), (204, 143), (243, 143), (224, 165)] {
            let Rgb([r, _, b]) = *picture.get_pixel(covered.0, covered.1);
            assert!(
                b > r,
                "{covered:?} should be blue cloth, is {:?}",
                picture.get_pixel(covered.0, covered.1)
            );
        }
        for bare in [(203, 104), (247, 104), (224, 80), (224, 230), (20, 20)] {
            assert_eq!(*picture.get_pixel(bare.0, bare.1), Rgb([205, 150, 120]), "{bare:?}");
        }
    }

    #[test]
    fn follows_the_head_when_it_is_tilted() {
        let (sin, cos) = 0.5f32.sin_cos();
        let mut tilted = face();
        for p in &mut tilted.landmarks {
            let (x, y) = (p.x - 224.0, p.y - 128.0);
            *p = point(256.0 + x * cos - y * sin, 256.0 + x * sin + y * cos);
        }
        let mut picture = skin(512, 512);
        draw_mask(&mut picture, &tilted, MaskKind::Surgical);
        for landmark in &tilted.landmarks[2..] {
            let Rgb([r, _, b]) = *picture.get_pixel(landmark.x as u32, landmark.y as u32);
            assert!(b > r);
        }
        for eye in &tilted.landmarks[..2] {
            assert_eq!(*picture.get_pixel(eye.x as u32, eye.y as u32), Rgb([205, 150, 120]));
        }
    }

    #[test]
    fn is_darker_in_the_dark() {
        let mean = |level: u8| {
            let mut picture = RgbImage::from_pixel(512, 512, Rgb([level; 3]));
            draw_mask(&mut picture, &face(), MaskKind::Ffp2);
            luminance(picture.get_pixel(215, 140))
        };
        assert!(mean(40) + 20.0 < mean(150));
    }

    #[test]
    fn survives_faces_that_are_tiny_outside_or_degenerate() {
        for (x, y, scale) in [(0.0, 0.0, 0.01), (-900.0, 40.0, 1.0), (30.0, 30.0, 0.0), (20.0, 25.0, 5.0)] {
            let mut broken = face();
            for p in &mut broken.landmarks {
                *p = point(x + p.x * scale, y + p.y * scale);
            }
            for kind in [MaskKind::Surgical, MaskKind::Cloth, MaskKind::Ffp2] {
                draw_mask(&mut skin(64, 48), &broken, kind);
            }
        }
        let mut unreal = face();
        unreal.landmarks[0].x = f32::NAN;
        draw_mask(&mut skin(8, 8), &unreal, MaskKind::Surgical);
    }
}
