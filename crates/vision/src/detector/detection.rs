//! One face found, and the choice of one box for each.

use crate::geometry::{Point, Rect};

/// Overlap (IoU) above which the weaker of two boxes counts as a second box on the same face.
pub const NMS_IOU: f32 = 0.3;

/// One face found in one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// Where the face is, in pixels of the picture that was searched; may reach over its edges.
    pub rect: Rect,
    /// Right eye, left eye, nose tip, right and left corner of the mouth; right and left are the person's
    /// own.
    pub landmarks: [Point; 5],
    /// How sure the network is that this is a face, 0 to 1.
    pub score: f32,
}

impl Detection {
    /// The same face in a picture `factor` times as large.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        let Rect { x, y, w, h } = self.rect;
        Self {
            rect: Rect::new(x * factor, y * factor, w * factor, h * factor),
            landmarks: self.landmarks.map(|point| Point { x: point.x * factor, y: point.y * factor }),
            score: self.score,
        }
    }

    /// The same face in a picture of which the searched one is a part that begins at `corner`.
    #[must_use]
    pub(super) fn moved(&self, corner: &Point) -> Self {
        let moved = |x: f32, y: f32| Point { x: x + corner.x, y: y + corner.y };
        let Point { x, y } = moved(self.rect.x, self.rect.y);
        let landmarks = self.landmarks.map(|point| moved(point.x, point.y));
        Self { rect: Rect { x, y, ..self.rect }, landmarks, score: self.score }
    }
}

/// Non-maximum suppression: the surest first, without those that overlap a surer one by more than
/// [`NMS_IOU`].
#[must_use]
pub fn suppress(mut candidates: Vec<Detection>) -> Vec<Detection> {
    candidates.sort_by(|left, right| right.score.total_cmp(&left.score));
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in candidates {
        if kept.iter().all(|surer| surer.rect.iou(&candidate.rect) <= NMS_IOU) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detection() -> impl Strategy<Value = Detection> {
        (0f32..60.0, 0f32..60.0, 1f32..40.0, 1f32..40.0, 0f32..1.0).prop_map(|(x, y, w, h, score)| {
            Detection { rect: Rect::new(x, y, w, h), landmarks: [Point { x, y }; 5], score }
        })
    }

    proptest! {
        #[test]
        fn suppression_keeps_the_surest_and_no_two_of_one_face(candidates in prop::collection::vec(detection(), 0..40)) {
            let kept = suppress(candidates.clone());
            for pair in kept.windows(2) {
                prop_assert!(pair[0].score >= pair[1].score);
            }
            for (index, face) in kept.iter().enumerate() {
                prop_assert!(candidates.contains(face));
                prop_assert!(kept[..index].iter().all(|other| other.rect.iou(&face.rect) <= NMS_IOU));
            }
            for dropped in candidates.iter().filter(|candidate| !kept.contains(candidate)) {
                prop_assert!(kept.iter().any(|face| face.score >= dropped.score && face.rect.iou(&dropped.rect) > NMS_IOU));
            }
        }
    }
}
