//! How a picture is laid on a tile of the training input, and where that puts its faces. Geometry only; the
//! pixels follow in [`canvas`](super::canvas).

use super::truth::{TrueFace, Truth};
use maskwatch::geometry::{Point, Rect};

/// Faces whose shorter side is below this, in pixels of the input, are neither demanded nor forbidden.
pub(super) const SMALLEST_FACE: f32 = 8.0;
/// Faces of which less than this share is on the tile are neither demanded nor forbidden.
const LEAST_VISIBLE: f32 = 0.5;

/// Where the scaled picture lies relative to a tile of `tile` pixels. It may reach over the tile's edges or
/// leave some of it free.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placement {
    /// Width and height of the tile.
    pub(super) tile: (u32, u32),
    /// Width and height of the picture itself.
    pub(super) picture: (u32, u32),
    /// Left and top edge of the scaled picture on the tile, before flipping.
    pub(super) offset: (i32, i32),
    /// Width and height of the scaled picture.
    pub(super) scaled: (u32, u32),
    /// Whether the tile is mirrored left to right afterwards.
    pub(super) flipped: bool,
}

impl Placement {
    /// Pixels of the tile per pixel of the picture, across and down.
    fn scale(&self) -> (f32, f32) {
        (
            self.scaled.0 as f32 / self.picture.0.max(1) as f32,
            self.scaled.1 as f32 / self.picture.1.max(1) as f32,
        )
    }

    /// Where a point of the picture comes to lie on the tile.
    pub(super) fn point(&self, point: Point) -> Point {
        let scale = self.scale();
        let x = point.x * scale.0 + self.offset.0 as f32;
        let x = if self.flipped { self.tile.0 as f32 - x } else { x };
        Point { x, y: point.y * scale.1 + self.offset.1 as f32 }
    }

    /// Where a rectangle of the picture comes to lie on the tile, not clipped.
    pub(super) fn rect(&self, rect: &Rect) -> Rect {
        let scale = self.scale();
        let (w, h) = (rect.w * scale.0, rect.h * scale.1);
        let corner = self.point(Point { x: rect.x, y: rect.y });
        Rect { x: if self.flipped { corner.x - w } else { corner.x }, y: corner.y, w, h }
    }

    /// The part of the scaled picture that is on the tile, before flipping: left, top, right and bottom edge
    /// in whole pixels of the tile. Empty when right ≤ left or bottom ≤ top.
    pub(super) fn visible(&self) -> [i32; 4] {
        let end = |offset: i32, scaled: u32, tile: u32| {
            offset.saturating_add_unsigned(scaled).min(tile.try_into().unwrap_or(i32::MAX))
        };
        [
            self.offset.0.max(0),
            self.offset.1.max(0),
            end(self.offset.0, self.scaled.0, self.tile.0),
            end(self.offset.1, self.scaled.1, self.tile.1),
        ]
    }

    /// What is known about the tile, given what is known about the picture.
    pub(super) fn truth(&self, truth: &Truth) -> Truth {
        let mut moved = Truth::default();
        for face in &truth.faces {
            let whole = self.rect(&face.rect);
            let rect = whole.clipped(self.tile.0, self.tile.1);
            if rect.area() <= 0.0 {
                continue;
            }
            if rect.side() < SMALLEST_FACE || rect.area() < LEAST_VISIBLE * whole.area() {
                moved.ignored.push(rect);
            } else {
                moved.faces.push(TrueFace { rect, is_bare: face.is_bare, landmarks: self.landmarks(face) });
            }
        }
        let ignored = truth.ignored.iter().map(|rect| self.rect(rect).clipped(self.tile.0, self.tile.1));
        moved.ignored.extend(ignored.filter(|rect| rect.area() > 0.0));
        moved
    }

    /// The face's landmarks on the tile, if they are known and all of them are on it.
    fn landmarks(&self, face: &TrueFace) -> Option<[Point; 5]> {
        let [right_eye, left_eye, nose, right_mouth, left_mouth] =
            face.landmarks?.map(|point| self.point(point));
        let landmarks = if self.flipped {
            // The person's own right is now their left.
            [left_eye, right_eye, nose, left_mouth, right_mouth]
        } else {
            [right_eye, left_eye, nose, right_mouth, left_mouth]
        };
        let (width, height) = (self.tile.0 as f32, self.tile.1 as f32);
        let on_tile = |p: &Point| (0.0..=width).contains(&p.x) && (0.0..=height).contains(&p.y);
        landmarks.iter().all(on_tile).then_some(landmarks)
    }
}

impl Truth {
    /// The same, moved by whole pixels: from a tile to the canvas that it is part of.
    pub(super) fn shifted(mut self, x: u32, y: u32) -> Self {
        let (x, y) = (x as f32, y as f32);
        let shift = |rect: &mut Rect| {
            rect.x += x;
            rect.y += y;
        };
        for face in &mut self.faces {
            shift(&mut face.rect);
            for point in face.landmarks.iter_mut().flatten() {
                point.x += x;
                point.y += y;
            }
        }
        self.ignored.iter_mut().for_each(shift);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn truth() -> Truth {
        let landmarks = [(30.0, 30.0), (50.0, 30.0), (40.0, 40.0), (32.0, 50.0), (48.0, 50.0)];
        let face = TrueFace {
            rect: Rect::new(20.0, 20.0, 40.0, 40.0),
            is_bare: true,
            landmarks: Some(landmarks.map(|(x, y)| Point { x, y })),
        };
        Truth { faces: vec![face], ignored: vec![Rect::new(70.0, 0.0, 10.0, 10.0)] }
    }

    fn at(offset: (i32, i32), scaled: u32, flipped: bool) -> Placement {
        Placement { tile: (100, 100), picture: (100, 100), offset, scaled: (scaled, scaled), flipped }
    }

    #[test]
    fn unmoved_pictures_keep_their_faces() {
        assert_eq!(at((0, 0), 100, false).truth(&truth()), truth());
    }

    #[test]
    fn flipping_swaps_right_and_left() {
        let flipped = at((0, 0), 100, true).truth(&truth());
        assert_eq!(flipped.faces[0].rect, Rect::new(40.0, 20.0, 40.0, 40.0));
        assert_eq!(flipped.ignored, [Rect::new(20.0, 0.0, 10.0, 10.0)]);
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = flipped.faces[0].landmarks.unwrap();
        // On the picture the person's right is left of their left, as before.
        assert!(right_eye.x < nose.x && nose.x < left_eye.x);
        assert_eq!((right_eye.x, left_eye.x), (50.0, 70.0));
        assert_eq!((right_mouth.x, left_mouth.x), (52.0, 68.0));
    }

    #[test]
    fn small_and_cut_faces_become_regions_to_ignore() {
        let small = at((0, 0), 19, false).truth(&truth());
        assert!(small.faces.is_empty());
        assert_eq!(small.ignored.len(), 2);
        let mostly_on = at((-35, 0), 100, false).truth(&truth());
        assert_eq!(mostly_on.faces[0].rect, Rect::new(0.0, 20.0, 25.0, 40.0));
        assert_eq!(mostly_on.faces[0].landmarks, None);
        let mostly_off = at((-45, 0), 100, false).truth(&truth());
        assert!(mostly_off.faces.is_empty());
        assert_eq!(mostly_off.ignored[0], Rect::new(0.0, 20.0, 15.0, 40.0));
        assert_eq!(at((-200, 0), 100, false).truth(&truth()), Truth::default());
    }

    proptest! {
        #[test]
        fn what_is_left_lies_on_the_tile(
            x in -150i32..150, y in -150i32..150, scaled in 5u32..300, flipped: bool,
        ) {
            let placement = at((x, y), scaled, flipped);
            let moved = placement.truth(&truth());
            prop_assert!(moved.faces.len() + moved.ignored.len() <= 2);
            let inside = |rect: &Rect| {
                rect.x >= 0.0 && rect.y >= 0.0 && rect.x + rect.w <= 100.01 && rect.y + rect.h <= 100.01
            };
            prop_assert!(moved.ignored.iter().all(inside));
            for face in &moved.faces {
                prop_assert!(inside(&face.rect) && face.rect.side() >= SMALLEST_FACE);
            }
        }

        /// A flipped tile is the mirror image of the tile that was not flipped.
        #[test]
        fn flipping_mirrors(x in -50i32..50, y in -50i32..50, scaled in 40u32..200) {
            let plain = at((x, y), scaled, false).rect(&truth().faces[0].rect);
            let mirrored = at((x, y), scaled, true).rect(&truth().faces[0].rect);
            prop_assert!((100.0 - plain.x - plain.w - mirrored.x).abs() < 1e-3);
            prop_assert_eq!(plain.y, mirrored.y);
        }
    }
}
