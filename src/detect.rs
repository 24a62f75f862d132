//! Boxes and landmarks of faces, from the detector network. What they mean over time is [`crate::track`]'s business.

use crate::geometry::{Point, Rect};

/// One face found in one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// Where the face is, in pixels of the picture that was searched; may reach over its edges.
    pub rect: Rect,
    /// Right eye, left eye, nose tip, right and left corner of the mouth; right and left are the person's own.
    pub landmarks: [Point; 5],
    /// How sure the network is that this is a face, 0 to 1.
    pub score: f32,
}
