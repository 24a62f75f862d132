//! Labelled faces cut out of their pictures, and pasted into a frame as a [`Pose`] wants them: scaled,
//! turned, warped, lit from the side, blurred by their motion, on shoulders that are drawn. The label stays
//! true whatever is done.

use super::path::Pose;
use crate::labels::LabelledBox;
use image::RgbImage;
use maskwatch_vision::geometry::{Point, Rect};
use maskwatch_vision::pixels::preprocess;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Least shorter side of a face in its picture, in pixels: most frames then show it smaller than it was.
pub const LEAST_SIDE: f32 = 48.0;
/// Share of the face's own extent that the picture has to show on every side of it.
pub const LEAST_ROOM: f32 = 0.15;
/// Cut-outs are kept no larger than this, twice what the nearest face needs.
const LONGEST_SIDE: f32 = 400.0;
/// Distance from the middle, in shares of the cut-out's ellipse, at which it begins to fade.
const FADES: f32 = 0.78;
/// Width of the fading along an edge of the picture itself, in widths of the face.
const EDGE: f32 = 0.06;
/// Most places that a moving face is sampled at for one pixel.
const MOST_TAPS: usize = 8;

/// One labelled face with its surroundings: twice the box, as far as the picture has it.
#[derive(Debug, Clone, PartialEq)]
pub struct DoorPerson {
    /// The row that it is.
    pub face: LabelledBox,
    patch: RgbImage,
    /// What the picture has of the cut-out: left, top, right and bottom, in widths or heights of the face
    /// from its middle.
    known: [f32; 4],
    aspect: f32,
}

impl DoorPerson {
    /// The face `face` of `picture`, if it is large enough and has enough room around it that belongs to no
    /// other of `neighbours` (the other faces of the picture).
    #[must_use]
    pub fn cut_out(picture: &RgbImage, face: &LabelledBox, neighbours: &[Rect]) -> Option<Self> {
        let rect = face.rect;
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let around = Rect::new(rect.x - rect.w / 2.0, rect.y - rect.h / 2.0, 2.0 * rect.w, 2.0 * rect.h);
        let known = [
            -rect.centre().x / rect.w,
            -rect.centre().y / rect.h,
            (width - rect.centre().x) / rect.w,
            (height - rect.centre().y) / rect.h,
        ];
        let fits = rect.side() >= LEAST_SIDE
            && known.iter().all(|reach| reach.abs() >= 0.5 + LEAST_ROOM)
            && known[0] < 0.0
            && known[1] < 0.0
            && neighbours.iter().all(|other| other.iou(&around) == 0.0);
        if !fits {
            return None;
        }
        let shrink = (LONGEST_SIDE / around.w.max(around.h)).min(1.0);
        let side = |length: f32| (length * shrink).round() as u32;
        let patch = preprocess::resize(&preprocess::cut(picture, &around), side(around.w), side(around.h));
        Some(Self { face: face.clone(), patch, known, aspect: rect.h / rect.w })
    }

    /// How many times as high as wide the face's box is.
    #[must_use]
    pub fn aspect(&self) -> f32 {
        self.aspect
    }

    /// How much of the cut-out covers what is behind it at (u, v), widths and heights of the face from its
    /// middle.
    fn coverage(&self, u: f32, v: f32) -> f32 {
        let distance = (u * u + v * v).sqrt();
        let [left, top, right, bottom] = self.known;
        let edge = (u - left).min(right - u).min(v - top).min(bottom - v);
        ((1.0 - distance) / (1.0 - FADES)).clamp(0.0, 1.0) * (edge / EDGE).clamp(0.0, 1.0)
    }
}

/// How a person looks in one appearance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PersonLook {
    mirrored: bool,
    /// Factors of red, green and blue.
    tint: [f32; 3],
    /// How much lighter it is at the side and above, for each width or height of the face.
    side_light: f32,
    top_light: f32,
    /// Pixels that the lens resolves for each pixel of the frame.
    sharpness: f32,
    /// Seconds of the exposure.
    exposure: f32,
    coat: [f32; 3],
}

impl PersonLook {
    /// Draws a look in so much `light`.
    pub(super) fn draw(light: f32, random: &mut ChaCha8Rng) -> Self {
        // A camera lightens what is dark, though not all the way.
        let gain = light.powf(0.7) * random.random_range(0.85..1.15);
        Self {
            mirrored: random.random_bool(0.5),
            tint: std::array::from_fn(|_| gain * random.random_range(0.94..1.06)),
            side_light: random.random_range(-0.3..0.3),
            top_light: random.random_range(-0.25..0.1),
            sharpness: random.random_range(0.65..1.0),
            exposure: random.random_range(1.0 / 100.0..1.0 / 30.0),
            coat: std::array::from_fn(|_| gain * random.random_range(20.0..200.0)),
        }
    }
}

/// Draws `person` into `frame`, moving at `velocity` (pixels a second).
pub(super) fn draw(
    frame: &mut RgbImage,
    person: &DoorPerson,
    look: &PersonLook,
    pose: &Pose,
    velocity: Point,
) {
    let rect = pose.rect(person.aspect);
    draw_coat(frame, &rect, look.coat);
    let size = |length: f32| ((2.0 * length * look.sharpness).round() as u32).max(2);
    let patch = preprocess::resize(&person.patch, size(rect.w), size(rect.h));
    let warp = Warp::of(pose, &rect, look.mirrored);
    let motion = Point { x: velocity.x * look.exposure, y: velocity.y * look.exposure };
    let length = motion.x.hypot(motion.y);
    let taps = ((length / 1.5).round() as usize).clamp(1, MOST_TAPS);
    let shifts: Vec<Point> = (0..taps)
        .map(|tap| {
            let part = (tap as f32 + 0.5) / taps as f32 - 0.5;
            Point { x: motion.x * part, y: motion.y * part }
        })
        .collect();
    // The ellipse, turned, with the way that it moves.
    let reach = Point {
        x: 1.1 * rect.w + rect.h * 0.15 + motion.x.abs(),
        y: 1.1 * rect.h + rect.w * 0.15 + motion.y.abs(),
    };
    let Some([columns, rows]) = spans(frame, &pose.centre, &reach) else { return };
    for y in rows {
        for x in columns.clone() {
            let mut sum = [0.0f32; 3];
            let mut covered = 0.0;
            for shift in &shifts {
                let (dx, dy) =
                    (x as f32 + 0.5 - pose.centre.x - shift.x, y as f32 + 0.5 - pose.centre.y - shift.y);
                let Some((u, v)) = warp.place(dx, dy) else { continue };
                let part = person.coverage(u, v);
                if part <= 0.0 {
                    continue;
                }
                let light = part * (1.0 + look.side_light * u + look.top_light * v).max(0.2);
                let pixel = sample(&patch, (u + 1.0) / 2.0, (v + 1.0) / 2.0);
                for ((sum, value), tint) in sum.iter_mut().zip(pixel).zip(look.tint) {
                    *sum += value * light * tint;
                }
                covered += part;
            }
            if covered > 0.0 {
                let pixel = frame.get_pixel_mut(x, y);
                let behind = 1.0 - covered / taps as f32;
                pixel.0 = std::array::from_fn(|channel| {
                    (f32::from(pixel.0[channel]) * behind + sum[channel] / taps as f32) as u8
                });
            }
        }
    }
}

/// From pixels beside the middle of the face to places in its cut-out.
struct Warp {
    sin: f32,
    cos: f32,
    width: f32,
    height: f32,
    turn: f32,
    slant: f32,
    mirrored: bool,
}

impl Warp {
    fn of(pose: &Pose, rect: &Rect, mirrored: bool) -> Self {
        let (sin, cos) = pose.angle.sin_cos();
        Self { sin, cos, width: rect.w, height: rect.h, turn: pose.turn, slant: pose.slant, mirrored }
    }

    /// Widths and heights of the face from its middle; nothing outside of the ellipse.
    fn place(&self, dx: f32, dy: f32) -> Option<(f32, f32)> {
        let (across, down) = (self.cos * dx + self.sin * dy, self.cos * dy - self.sin * dx);
        let (u, v) = ((across + self.slant * down) / self.width, down / self.height);
        if u * u + v * v >= 1.0 {
            return None;
        }
        // The sides of the box stay where they are.
        let u = u + self.turn * (u * u - 0.25);
        Some((if self.mirrored { -u } else { u }, v))
    }
}

/// Shoulders below a head: without them it would hang in the air. A rounded top, then straight down.
fn draw_coat(frame: &mut RgbImage, face: &Rect, colour: [f32; 3]) {
    let middle = Point { x: face.centre().x, y: face.y + 2.15 * face.h };
    let (across, down) = (1.45 * face.w, 1.05 * face.h);
    let (width, height) = frame.dimensions();
    let Some([columns, _]) = spans(frame, &middle, &Point { x: across, y: height as f32 }) else { return };
    let (left, right) = (3 * columns.start as usize, 3 * columns.end as usize);
    let profile: Vec<(f32, [f32; 3])> = columns
        .map(|x| {
            let u = (x as f32 + 0.5 - middle.x) / across;
            (u * u, colour.map(|value| value * (1.0 - 0.25 * u.abs())))
        })
        .collect();
    let top = (middle.y - down).max(0.0) as usize;
    for (y, row) in frame.chunks_exact_mut(3 * width as usize).enumerate().skip(top) {
        let v = ((middle.y - y as f32) / down).max(0.0);
        for (pixel, (u, colour)) in row[left..right].chunks_exact_mut(3).zip(&profile) {
            let part = ((1.0 - u - v * v) * 6.0).clamp(0.0, 1.0);
            for (value, colour) in pixel.iter_mut().zip(colour) {
                let behind = f32::from(*value);
                *value = (behind + (colour - behind) * part) as u8;
            }
        }
    }
}

/// The columns and rows of `frame` within `reach` of `middle`; nothing if there are none.
fn spans(frame: &RgbImage, middle: &Point, reach: &Point) -> Option<[std::ops::Range<u32>; 2]> {
    let span = |middle: f32, reach: f32, length: u32| {
        let start = (middle - reach).floor().clamp(0.0, length as f32) as u32;
        let end = (middle + reach).ceil().clamp(0.0, length as f32) as u32;
        (start < end).then_some(start..end)
    };
    Some([span(middle.x, reach.x, frame.width())?, span(middle.y, reach.y, frame.height())?])
}

/// The colour at a place given in shares of the picture's width and height, between four pixels.
fn sample(picture: &RgbImage, x: f32, y: f32) -> [f32; 3] {
    let (width, height) = picture.dimensions();
    let place = |share: f32, length: u32| {
        let place = (share * length as f32 - 0.5).clamp(0.0, length as f32 - 1.0);
        let low = place as u32;
        (low, (low + 1).min(length - 1), place - low as f32)
    };
    let ((left, right, u), (top, bottom, v)) = (place(x, width), place(y, height));
    let [a, b, c, d] = [(left, top), (right, top), (left, bottom), (right, bottom)]
        .map(|(x, y)| picture.get_pixel(x, y).0.map(f32::from));
    std::array::from_fn(|channel| {
        let above = a[channel] + (b[channel] - a[channel]) * u;
        let below = c[channel] + (d[channel] - c[channel]) * u;
        above + (below - above) * v
    })
}
