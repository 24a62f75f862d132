//! Rectangles and points in picture coordinates. Nothing here looks at pixels.

/// A point in pixels from the top left corner of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Pixels from the left edge.
    pub x: f32,
    /// Pixels from the top edge.
    pub y: f32,
}

/// An axis-aligned rectangle in pixels; it may reach over the picture's edges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width, not negative.
    pub w: f32,
    /// Height, not negative.
    pub h: f32,
}

impl Rect {
    /// The rectangle with the given left and top edge, width and height.
    #[must_use]
    pub const fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w, h }
    }

    /// The shorter side: the size of a face in all thresholds and size bands.
    #[must_use]
    pub fn side(&self) -> f32 {
        self.w.min(self.h)
    }

    /// Width times height, in square pixels.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    /// The middle of the rectangle.
    #[must_use]
    pub fn centre(&self) -> Point {
        Point { x: self.x + self.w / 2.0, y: self.y + self.h / 2.0 }
    }

    /// Intersection over union with `other`, 0 for disjoint or empty rectangles, 1 for equal ones.
    ///
    /// ```
    /// use maskwatch_vision::geometry::Rect;
    /// let left = Rect::new(0.0, 0.0, 2.0, 2.0);
    /// assert_eq!(left.iou(&left), 1.0);
    /// assert_eq!(left.iou(&Rect::new(1.0, 0.0, 2.0, 2.0)), 1.0 / 3.0);
    /// ```
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let width = (self.x + self.w).min(other.x + other.w) - self.x.max(other.x);
        let height = (self.y + self.h).min(other.y + other.h) - self.y.max(other.y);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let both = width * height;
        both / (self.area() + other.area() - both)
    }

    /// The square around the same centre whose side is `factor` times the longer side.
    #[must_use]
    pub fn square(&self, factor: f32) -> Self {
        let side = self.w.max(self.h) * factor;
        let centre = self.centre();
        Self { x: centre.x - side / 2.0, y: centre.y - side / 2.0, w: side, h: side }
    }

    /// The part inside a picture of `width` × `height` pixels; if there is none, `w` or `h` is 0.
    #[must_use]
    pub fn clipped(&self, width: u32, height: u32) -> Self {
        let x = self.x.clamp(0.0, width as f32);
        let y = self.y.clamp(0.0, height as f32);
        let right = (self.x + self.w).clamp(0.0, width as f32);
        let bottom = (self.y + self.h).clamp(0.0, height as f32);
        Self { x, y, w: right - x, h: bottom - y }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rect() -> impl Strategy<Value = Rect> {
        (-50.0f32..50.0, -50.0f32..50.0, 0.1f32..80.0, 0.1f32..80.0)
            .prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
    }

    proptest! {
        #[test]
        fn iou_is_symmetric_and_bounded(a in rect(), b in rect()) {
            prop_assert!((a.iou(&b) - b.iou(&a)).abs() < 1e-5);
            prop_assert!((0.0..=1.0001).contains(&a.iou(&b)));
        }

        #[test]
        fn clipping_stays_inside(a in rect()) {
            let inside = a.clipped(40, 30);
            prop_assert!(inside.x >= 0.0 && inside.y >= 0.0 && inside.w >= 0.0 && inside.h >= 0.0);
            prop_assert!(inside.x + inside.w <= 40.001 && inside.y + inside.h <= 30.001);
        }

        #[test]
        fn squares_keep_the_centre(a in rect(), factor in 0.5f32..3.0) {
            let square = a.square(factor);
            prop_assert_eq!(square.w, square.h);
            prop_assert!((square.centre().x - a.centre().x).abs() < 1e-3);
            prop_assert!((square.centre().y - a.centre().y).abs() < 1e-3);
        }
    }
}
