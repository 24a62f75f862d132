//! Where things are drawn: the picture, the face's coordinates and light, and loops over just the pixels of a
//! thing.

use super::dice::{Dice, hash};
use super::frame::{FaceFrame, dot, from, point};
use super::light::Light;
use image::{Rgb, RgbImage};
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;

/// What becomes of a pixel: it is first darkened (shadows), then covered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touch {
    /// Factor for what is there, 1 without a shadow.
    pub(super) shadow: f32,
    /// Values to cover it with.
    pub(super) colour: [f32; 3],
    /// How much of it is covered, 0 to 1.
    pub(super) amount: f32,
}

impl Touch {
    /// A shadow alone.
    pub(super) fn shadow(factor: f32) -> Self {
        Self { shadow: factor, colour: [0.0; 3], amount: 0.0 }
    }

    /// Covers what this touch left with `amount` of `colour`.
    pub(super) fn cover(&mut self, colour: [f32; 3], amount: f32) {
        let rest = self.amount * (1.0 - amount);
        let all = rest + amount;
        if all > 0.0 {
            for (value, colour) in self.colour.iter_mut().zip(colour) {
                *value = (*value * rest + colour * amount) / all;
            }
            self.amount = all;
        }
    }
}

pub(super) struct FaceCanvas<'a> {
    pub(super) picture: &'a mut RgbImage,
    pub(super) frame: FaceFrame,
    pub(super) light: Light,
    /// Pixels of the distance from the eyes to the mouth in a face seen from the front.
    pub(super) unit: f32,
    /// Nose tip, right and left corner of the mouth in the face's coordinates.
    pub(super) nose: Point,
    pub(super) mouth: [Point; 2],
    /// Half the width of a thing's edge, in pixels.
    softness: f32,
    grain: u32,
}

impl<'a> FaceCanvas<'a> {
    pub(super) fn new(picture: &'a mut RgbImage, landmarks: &[Point; 5], dice: &mut ChaCha8Rng) -> Self {
        let frame = FaceFrame::of(landmarks);
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = *landmarks;
        let eyes = from(right_eye, left_eye);
        let unit = frame.height.max(0.9 * eyes.x.hypot(eyes.y)).max(1.0);
        let light = Light::of(picture, &frame, dice);
        let softness = 0.5 + unit * dice.between(0.0, 0.02) * dice.between(0.0, 1.0);
        Self {
            picture,
            frame,
            light,
            unit,
            nose: frame.to_face(nose),
            mouth: [frame.to_face(right_mouth), frame.to_face(left_mouth)],
            softness,
            grain: dice.seed(),
        }
    }

    /// The middle of the mouth in head coordinates (see [`FaceCanvas::head`]).
    pub(super) fn mouth_in_head(&self) -> Point {
        let [right, left] = self.mouth.map(|corner| self.head(self.frame.to_picture(corner)));
        point((right.x + left.x) / 2.0, (right.y + left.y) / 2.0)
    }

    /// A place of the picture in head coordinates: as the face's, but one and the same unit in every
    /// direction, so that things that are not part of the face keep their shape.
    pub(super) fn head(&self, p: Point) -> Point {
        let d = from(self.frame.origin, p);
        point(dot(d, self.frame.across) / self.unit, dot(d, self.frame.down) / self.unit)
    }

    /// How much of a pixel lies within a thing whose edge is at this signed distance in pixels, negative
    /// inside.
    pub(super) fn coverage(&self, distance: f32) -> f32 {
        (0.5 - distance / (2.0 * self.softness)).clamp(0.0, 1.0)
    }

    /// Asks `touch` about every pixel of the box around `corners` (places of the picture), with the pixel's
    /// middle, and does what it says.
    pub(super) fn paint(&mut self, corners: &[Point], touch: impl Fn(&Self, Point) -> Option<Touch>) {
        let spare = 2.0 + 2.0 * self.softness;
        let span = |values: &dyn Fn(&Point) -> f32, size: u32| {
            let low = corners.iter().map(values).fold(f32::MAX, f32::min) - spare;
            let high = corners.iter().map(values).fold(f32::MIN, f32::max) + spare;
            low.clamp(0.0, size as f32) as u32..high.clamp(0.0, size as f32) as u32
        };
        let columns = span(&|p| p.x, self.picture.width());
        for y in span(&|p| p.y, self.picture.height()) {
            for x in columns.clone() {
                let Some(touch) = touch(self, point(x as f32 + 0.5, y as f32 + 0.5)) else { continue };
                if touch.amount <= 0.0 && touch.shadow == 1.0 {
                    continue;
                }
                let grain = self.grain_at(x, y);
                let pixel = self.picture.get_pixel_mut(x, y);
                for (value, colour) in pixel.0.iter_mut().zip(touch.colour) {
                    let below = f32::from(*value) * touch.shadow;
                    *value = (below + (colour + grain - below) * touch.amount).round() as u8;
                }
            }
        }
    }

    /// Noise as the picture's own, about normally distributed.
    fn grain_at(&self, x: u32, y: u32) -> f32 {
        let (x, y) = (x as i32, y as i32);
        let sum = hash(x, y, self.grain) + hash(x, y, self.grain ^ 0x9e37) + hash(y, x, self.grain ^ 0x79b9);
        (sum - 1.5) * 2.0 * self.light.grain
    }

    /// Replaces every pixel of the picture.
    pub(super) fn relight(&mut self, change: impl Fn(&Self, Point, [f32; 3]) -> [f32; 3]) {
        for y in 0..self.picture.height() {
            for x in 0..self.picture.width() {
                let before = self.picture.get_pixel(x, y).0.map(f32::from);
                let after = change(self, point(x as f32 + 0.5, y as f32 + 0.5), before);
                self.picture.put_pixel(x, y, Rgb(after.map(|value| value.round() as u8)));
            }
        }
    }
}

/// Where a thing is held: its own coordinates, in units of the face, laid over the head.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadPose {
    origin: Point,
    right: Point,
    down: Point,
    /// Pixels of one unit.
    pub(super) scale: f32,
    mirror: f32,
}

impl HeadPose {
    /// The thing's origin is at `at` in head coordinates, it is turned clockwise by `angle` (radians), `size`
    /// times as large, and left and right change places where `mirror` is −1.
    pub(super) fn new(canvas: &FaceCanvas<'_>, at: Point, angle: f32, size: f32, mirror: f32) -> Self {
        let FaceFrame { origin, across, down, .. } = canvas.frame;
        let (sin, cos) = (angle * mirror).sin_cos();
        let turned = |a: f32, b: f32| point(a * across.x + b * down.x, a * across.y + b * down.y);
        let shift = turned(at.x * canvas.unit, at.y * canvas.unit);
        Self {
            origin: point(origin.x + shift.x, origin.y + shift.y),
            right: turned(cos, sin),
            down: turned(-sin, cos),
            scale: canvas.unit * size,
            mirror,
        }
    }

    pub(super) fn to_thing(self, p: Point) -> Point {
        let d = from(self.origin, p);
        point(self.mirror * dot(d, self.right) / self.scale, dot(d, self.down) / self.scale)
    }

    pub(super) fn to_picture(self, p: Point) -> Point {
        let (a, b) = (self.mirror * p.x * self.scale, p.y * self.scale);
        point(
            self.origin.x + a * self.right.x + b * self.down.x,
            self.origin.y + a * self.right.y + b * self.down.y,
        )
    }

    /// The corners of a box of the thing, in the picture.
    pub(super) fn corners(self, [left, top, right, bottom]: [f32; 4]) -> [Point; 4] {
        [point(left, top), point(right, top), point(right, bottom), point(left, bottom)]
            .map(|p| self.to_picture(p))
    }
}
