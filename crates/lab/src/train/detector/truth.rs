//! The faces of a picture, and its regions of which nothing is known.

use maskwatch::geometry::{Point, Rect};

/// A face that the detector must find.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TrueFace {
    /// Where it is, in pixels of its picture.
    pub(super) rect: Rect,
    /// Whether it is labelled `no_mask`, so that a mask can be drawn on it.
    pub(super) is_bare: bool,
    /// Right eye, left eye (the person's own), nose tip, right and left corner of the mouth, where they are
    /// known.
    pub(super) landmarks: Option<[Point; 5]>,
}

/// The faces of a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Truth {
    /// The faces to find.
    pub(super) faces: Vec<TrueFace>,
    /// Regions that count neither way: faces too small, cut off, or seen by the starting network alone.
    pub(super) ignored: Vec<Rect>,
}
