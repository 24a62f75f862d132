//! What is known about a picture: its faces, and the regions about which nothing is known.

use maskwatch::geometry::{Point, Rect};

/// A face that the detector shall find.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TrueFace {
    /// Where it is, in pixels of its picture.
    pub(super) rect: Rect,
    /// Whether it is labelled as wearing no mask, so that one can be drawn on it.
    pub(super) is_bare: bool,
    /// Right eye, left eye (the person's own), nose tip, right and left corner of the mouth, where they are
    /// known.
    pub(super) landmarks: Option<[Point; 5]>,
}

/// The faces of a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Truth {
    /// Every face worth finding.
    pub(super) faces: Vec<TrueFace>,
    /// Where there may be a face or not: too small, cut off, or seen by the starting network alone.
    pub(super) ignored: Vec<Rect>,
}
