//! Zones: where in the frame faces count, where they are ignored, and how large they are there. All places
//! are shares of the frame's width and height, all sizes shares of its width, so zones last when the camera
//! gives another size. Nothing here looks at pixels.

use crate::geometry::{Point, Rect};
use crate::names::named;
use crate::nn::yunet::MULTIPLE;
use std::ops::RangeInclusive;

/// Corners that a zone can have.
pub const CORNERS: RangeInclusive<usize> = 3..=64;

/// What a zone means for the faces in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ZoneKind {
    /// They count. Where there is any such zone, faces outside of all of them do not.
    #[default]
    Count,
    /// They do not count.
    Ignore,
}

named!(ZoneKind { Count => "count", Ignore => "ignore", });

/// A part of the frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Its name, for messages and pictures.
    pub name: String,
    /// What it means for the faces in it.
    pub kind: ZoneKind,
    /// The corners of a polygon, as shares of the frame's width and height.
    pub corners: Vec<Point>,
    /// It speaks of faces whose shorter side is at least this share of the frame's width,
    pub min_face: f32,
    /// and at most this.
    pub max_face: f32,
}

impl Zone {
    /// Whether it speaks of the face: its middle is inside, and its size is within the limits.
    fn speaks_of(&self, face: &Rect, (width, height): (f32, f32)) -> bool {
        let size = face.side() / width;
        let Point { x, y } = face.centre();
        (self.min_face..=self.max_face).contains(&size) && self.holds(Point { x: x / width, y: y / height })
    }

    /// Whether a point is inside: a line to the right crosses the outline an odd number of times.
    fn holds(&self, point: Point) -> bool {
        let before = self.corners.last().into_iter().chain(&self.corners);
        let crossed = before.zip(&self.corners).filter(|(a, b)| {
            (a.y > point.y) != (b.y > point.y) && point.x < (b.x - a.x) * (point.y - a.y) / (b.y - a.y) + a.x
        });
        crossed.count() % 2 == 1
    }
}

/// All zones of a door; none by default, and then every face counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Zones(pub Vec<Zone>);

impl Zones {
    /// Whether a face counts in a frame of `width` × `height` pixels.
    ///
    /// ```
    /// use maskwatch_vision::geometry::{Point, Rect};
    /// use maskwatch_vision::zones::{Zone, ZoneKind, Zones};
    /// let left = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)].map(|(x, y)| Point { x, y }).to_vec();
    /// let (name, kind) = ("left".into(), ZoneKind::Count);
    /// let zones = Zones(vec![Zone { name, kind, corners: left, min_face: 0.0, max_face: 1.0 }]);
    /// assert!(zones.count(&Rect::new(100.0, 200.0, 40.0, 50.0), (640, 480)));
    /// assert!(!zones.count(&Rect::new(400.0, 200.0, 40.0, 50.0), (640, 480)));
    /// ```
    #[must_use]
    pub fn count(&self, face: &Rect, (width, height): (u32, u32)) -> bool {
        let frame = (width.max(1) as f32, height.max(1) as f32);
        let mut counting = self.of(ZoneKind::Count).peekable();
        let counts = counting.peek().is_none() || counting.any(|zone| zone.speaks_of(face, frame));
        counts && !self.of(ZoneKind::Ignore).any(|zone| zone.speaks_of(face, frame))
    }

    fn of(&self, kind: ZoneKind) -> impl Iterator<Item = &Zone> {
        self.0.iter().filter(move |zone| zone.kind == kind)
    }

    /// The part of the frame in which the detector has to search, if that is worth while. Faces of more than
    /// `widest` of the frame's width are found elsewhere.
    pub(crate) fn area(&self, widest: f32) -> Option<SearchArea> {
        /// Faces are higher than wide, and the network sees what is around them.
        const AROUND: f32 = 0.75;
        /// Frames are up to so much wider than high, and the other way round.
        const ASPECT: f32 = 16.0 / 9.0;
        /// A larger share of the frame is not worth while.
        const WORTH: f32 = 0.9;
        let mut area: Option<SearchArea> = None;
        for zone in self.of(ZoneKind::Count) {
            let across = AROUND * zone.max_face.min(widest);
            let down = across * ASPECT;
            for &Point { x, y } in &zone.corners {
                let own = SearchArea { left: x - across, top: y - down, right: x + across, bottom: y + down };
                area = Some(area.map_or(own, |area| area.with(&own)));
            }
        }
        let area = area?.clipped();
        ((area.right - area.left) * (area.bottom - area.top) < WORTH).then_some(area)
    }
}

/// A part of a frame, in shares of its width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SearchArea {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl SearchArea {
    /// The smallest area that holds both.
    fn with(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn clipped(self) -> Self {
        let Self { left, top, right, bottom } = self;
        let [left, top, right, bottom] = [left, top, right, bottom].map(|side| side.clamp(0.0, 1.0));
        Self { left, top, right, bottom }
    }

    /// Its left and top edge, width and height in pixels of a frame of `width` × `height`.
    pub(crate) fn pixels(&self, (width, height): (u32, u32)) -> (u32, u32, u32, u32) {
        let span = |start: f32, end: f32, length: u32| {
            let first = ((start * length as f32).floor() as u32).min(length.saturating_sub(1));
            let last = ((end * length as f32).ceil() as u32).clamp(first + 1, length.max(first + 1));
            (first, last - first)
        };
        let ((left, across), (top, down)) =
            (span(self.left, self.right, width), span(self.top, self.bottom, height));
        (left, top, across, down)
    }

    /// The input that shows it as large as `input` shows the whole frame.
    pub(crate) fn input(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let share = |share: f32, whole: u32| {
            let needed = (share * whole as f32).ceil() as u32;
            needed.max(1).next_multiple_of(MULTIPLE as u32).min(whole)
        };
        (share(self.right - self.left, width), share(self.bottom - self.top, height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: (u32, u32) = (640, 480);

    fn zone(kind: ZoneKind, corners: &[(f32, f32)]) -> Zone {
        let corners = corners.iter().map(|&(x, y)| Point { x, y }).collect();
        Zone { name: "zone".into(), kind, corners, min_face: 0.0, max_face: 1.0 }
    }

    fn square(kind: ZoneKind, from: f32, to: f32) -> Zone {
        zone(kind, &[(from, from), (to, from), (to, to), (from, to)])
    }

    /// A face whose middle is at these shares of the frame.
    fn face(x: f32, y: f32, side: f32) -> Rect {
        Rect::new(640.0 * x - side / 2.0, 480.0 * y - side / 2.0, side, side)
    }

    #[test]
    fn without_zones_everybody_counts() {
        assert!(Zones::default().count(&face(0.5, 0.5, 30.0), FRAME));
        assert_eq!(Zones::default().area(0.2), None);
    }

    #[test]
    fn who_counts_is_in_a_zone_that_counts_and_in_none_that_ignores() {
        let zones = Zones(vec![
            square(ZoneKind::Count, 0.1, 0.6),
            square(ZoneKind::Count, 0.7, 0.9),
            square(ZoneKind::Ignore, 0.2, 0.3),
        ]);
        let counts = |x, y| zones.count(&face(x, y, 30.0), FRAME);
        assert!(counts(0.15, 0.15) && counts(0.5, 0.2) && counts(0.8, 0.8));
        assert!(!counts(0.25, 0.25) && !counts(0.65, 0.65) && !counts(0.95, 0.05));
        let only_ignored = Zones(vec![square(ZoneKind::Ignore, 0.2, 0.3)]);
        assert!(only_ignored.count(&face(0.9, 0.9, 30.0), FRAME));
        assert!(!only_ignored.count(&face(0.25, 0.25, 30.0), FRAME));
    }

    #[test]
    fn a_zone_speaks_of_faces_of_its_sizes() {
        let sized = |kind| Zone { min_face: 0.05, max_face: 0.2, ..square(kind, 0.0, 1.0) };
        let counting = Zones(vec![sized(ZoneKind::Count)]);
        let ignoring = Zones(vec![sized(ZoneKind::Ignore)]);
        for (side, is_meant) in [(20.0, false), (32.0, true), (128.0, true), (140.0, false)] {
            assert_eq!(counting.count(&face(0.5, 0.5, side), FRAME), is_meant, "{side}");
            assert_eq!(ignoring.count(&face(0.5, 0.5, side), FRAME), !is_meant, "{side}");
        }
    }

    #[test]
    fn a_polygon_may_have_a_dent() {
        let arrow = zone(ZoneKind::Count, &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.4), (0.0, 1.0)]);
        let inside = |x, y| arrow.holds(Point { x, y });
        assert!(inside(0.1, 0.5) && inside(0.9, 0.5) && inside(0.5, 0.3));
        assert!(!inside(0.5, 0.9) && !inside(0.5, 0.5) && !inside(1.1, 0.2) && !inside(-0.1, 0.2));
    }

    #[test]
    fn the_detector_searches_what_counts_and_a_margin_around_it() {
        let strip = Zones(vec![zone(ZoneKind::Count, &[(0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0)])]);
        let area = strip.area(0.2).unwrap();
        assert_eq!(area.pixels(FRAME), (160, 0, 320, 480));
        assert_eq!(area.input((480, 384)), (256, 384));
        assert_eq!(Zones(vec![square(ZoneKind::Count, 0.1, 0.9)]).area(0.2), None, "hardly less");
        assert_eq!(Zones(vec![square(ZoneKind::Ignore, 0.4, 0.6)]).area(0.2), None);
    }

    proptest! {
        #[test]
        fn faces_of_a_zone_lie_within_the_area(
            corners in prop::collection::vec((0f32..=1.0, 0f32..=1.0), 3..9),
            place in (0f32..1.0, 0f32..1.0), side in 1f32..128.0, frame in (300u32..2000, 300u32..2000),
        ) {
            let zones = Zones(vec![zone(ZoneKind::Count, &corners)]);
            let (width, height) = (frame.0 as f32, frame.1 as f32);
            prop_assume!((9.0 / 16.0..=16.0 / 9.0).contains(&(width / height)));
            let side = side / 640.0 * width;
            let face = Rect::new(place.0 * width - side / 2.0, place.1 * height - side / 2.0, side, side);
            if let Some(area) = zones.area(0.2).filter(|_| zones.count(&face, frame)) {
                let (left, top, across, down) = area.pixels(frame);
                prop_assert!(left + across <= frame.0 && top + down <= frame.1);
                let seen = face.clipped(frame.0, frame.1);
                prop_assert!(seen.x >= left as f32 && seen.y >= top as f32);
                prop_assert!(seen.x + seen.w <= (left + across) as f32 + 0.01);
                prop_assert!(seen.y + seen.h <= (top + down) as f32 + 0.01);
                let (input_across, input_down) = area.input((480, 384));
                prop_assert!(input_across <= 480 && input_down <= 384);
                prop_assert_eq!((input_across % 32, input_down % 32), (0, 0));
                // The part is shown as large as the whole frame would be.
                let whole = (480.0 / width).min(384.0 / height);
                let part = (input_across as f32 / across as f32).min(input_down as f32 / down as f32);
                prop_assert!(part >= 0.95 * whole, "{} {}", part, whole);
            }
        }
    }
}
