//! The face's own coordinates, from its five landmarks, and the plane geometry that drawing on faces needs.

use maskwatch_vision::geometry::Point;

pub(crate) const fn point(x: f32, y: f32) -> Point {
    Point { x, y }
}

pub(crate) fn from(a: Point, b: Point) -> Point {
    point(b.x - a.x, b.y - a.y)
}

pub(crate) fn middle(a: Point, b: Point) -> Point {
    point((a.x + b.x) / 2.0, (a.y + b.y) / 2.0)
}

pub(crate) fn dot(a: Point, b: Point) -> f32 {
    a.x * b.x + a.y * b.y
}

/// 0 below `low`, 1 above `high`, without corners in between.
pub(crate) fn smooth(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The face's own coordinates: `x` runs across, 0 on the middle line and ±1 at a mask's sides (each side has
/// its own scale, so that a turned head gets a narrower far half); `y` runs down, 0 at the eyes and 1 at the
/// mouth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaceFrame {
    pub(crate) origin: Point,
    pub(crate) across: Point,
    pub(crate) down: Point,
    pub(crate) half_widths: [f32; 2],
    /// Pixels between eyes and mouth, at least 1.
    pub(crate) height: f32,
}

impl FaceFrame {
    pub(crate) fn of(landmarks: &[Point; 5]) -> Self {
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = *landmarks;
        let eyes = middle(right_eye, left_eye);
        let mouth = middle(right_mouth, left_mouth);
        let (dx, dy) = (left_eye.x - right_eye.x, left_eye.y - right_eye.y);
        let distance = dx.hypot(dy).max(1.0);
        let across = point(dx / distance, dy / distance);
        let mut down = point(-across.y, across.x);
        if dot(from(eyes, mouth), down) < 0.0 {
            down = point(-down.x, -down.y);
        }
        let height = dot(from(eyes, mouth), down).max(1.0);
        let shift = (dot(from(eyes, nose), across) + dot(from(eyes, mouth), across)) / 2.0;
        let half =
            |side: f32| (1.78 * (distance / 2.0 + side * shift)).clamp(0.45 * distance, 1.3 * distance);
        let origin = point(eyes.x + across.x * shift, eyes.y + across.y * shift);
        Self { origin, across, down, half_widths: [half(1.0), half(-1.0)], height }
    }

    pub(crate) fn to_picture(self, p: Point) -> Point {
        let a = p.x * self.half_widths[usize::from(p.x > 0.0)];
        let b = p.y * self.height;
        point(
            self.origin.x + a * self.across.x + b * self.down.x,
            self.origin.y + a * self.across.y + b * self.down.y,
        )
    }

    pub(crate) fn to_face(self, p: Point) -> Point {
        let d = from(self.origin, p);
        let a = dot(d, self.across);
        point(a / self.half_widths[usize::from(a > 0.0)], dot(d, self.down) / self.height)
    }
}
