//! Which found face is which annotated one: the strongest detection chooses first, each takes the annotated
//! face that it overlaps most, each annotated face is taken once.

use maskwatch::geometry::Rect;
use maskwatch::vision::detector::Detection;

/// Minimum intersection over union at which a detection counts as an annotated face.
pub const MIN_IOU: f32 = 0.35;

/// The outcome of [`match_faces`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// For each annotated face the index of the detection that found it.
    pub found_by: Vec<Option<usize>>,
    /// The indices of the detections that found none, in rising order: false positives.
    pub unmatched: Vec<usize>,
}

/// Matches `detections` to `annotated` boxes at an intersection over union of at least `min_iou`, one face
/// each, the strongest detection first.
#[must_use]
pub fn match_faces(annotated: &[Rect], detections: &[Detection], min_iou: f32) -> Matching {
    let mut order: Vec<usize> = (0..detections.len()).collect();
    order.sort_by(|a, b| detections[*b].score.total_cmp(&detections[*a].score));
    let mut found_by = vec![None; annotated.len()];
    let mut unmatched = Vec::new();
    for detection in order {
        let overlap = |face: usize| annotated[face].iou(&detections[detection].rect);
        let best = (0..annotated.len())
            .filter(|face| found_by[*face].is_none() && overlap(*face) >= min_iou)
            .max_by(|a, b| overlap(*a).total_cmp(&overlap(*b)));
        match best {
            Some(face) => found_by[face] = Some(detection),
            None => unmatched.push(detection),
        }
    }
    unmatched.sort_unstable();
    Matching { found_by, unmatched }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maskwatch::geometry::Point;
    use proptest::prelude::*;

    fn detection(rect: Rect, score: f32) -> Detection {
        Detection { rect, landmarks: [Point { x: 0.0, y: 0.0 }; 5], score }
    }

    #[test]
    fn the_stronger_of_two_on_one_face_gets_it() {
        let face = Rect::new(10.0, 10.0, 20.0, 20.0);
        let detections = [detection(face, 0.6), detection(Rect::new(12.0, 10.0, 20.0, 20.0), 0.9)];
        let matching = match_faces(&[face], &detections, MIN_IOU);
        assert_eq!(matching, Matching { found_by: vec![Some(1)], unmatched: vec![0] });
    }

    #[test]
    fn each_takes_the_face_it_overlaps_most() {
        let faces = [Rect::new(0.0, 0.0, 20.0, 20.0), Rect::new(6.0, 0.0, 20.0, 20.0)];
        let detections = [detection(Rect::new(5.0, 0.0, 20.0, 20.0), 0.9), detection(faces[0], 0.5)];
        assert_eq!(match_faces(&faces, &detections, MIN_IOU).found_by, [Some(1), Some(0)]);
    }

    #[test]
    fn the_threshold_belongs_to_the_match() {
        // Shifted by 1 of 3: the overlap is 2, the union 4.
        let detections = [detection(Rect::new(1.0, 0.0, 3.0, 1.0), 0.9)];
        let face = [Rect::new(0.0, 0.0, 3.0, 1.0)];
        assert_eq!(match_faces(&face, &detections, 0.5).found_by, [Some(0)]);
        assert_eq!(match_faces(&face, &detections, 0.51).unmatched, [0]);
    }

    fn rects() -> impl Strategy<Value = Vec<Rect>> {
        let rect = (0.0f32..60.0, 0.0f32..60.0, 5.0f32..40.0, 5.0f32..40.0)
            .prop_map(|(x, y, w, h)| Rect::new(x, y, w, h));
        prop::collection::vec(rect, 0..8)
    }

    proptest! {
        #[test]
        fn a_matching_is_one_to_one_valid_and_maximal(faces in rects(), found in rects(), seed in 0u32..1000) {
            let detections: Vec<_> = found
                .iter()
                .enumerate()
                .map(|(index, rect)| detection(*rect, (seed * 31 + index as u32 * 17) as f32 % 10.0))
                .collect();
            let matching = match_faces(&faces, &detections, MIN_IOU);
            let mut used: Vec<usize> = matching.found_by.iter().flatten().copied().collect();
            used.extend(&matching.unmatched);
            used.sort_unstable();
            prop_assert_eq!(used, (0..detections.len()).collect::<Vec<_>>());
            for (face, found_by) in faces.iter().zip(&matching.found_by) {
                match found_by {
                    Some(index) => prop_assert!(face.iou(&detections[*index].rect) >= MIN_IOU),
                    None => {
                        for index in &matching.unmatched {
                            prop_assert!(face.iou(&detections[*index].rect) < MIN_IOU);
                        }
                    }
                }
            }
        }
    }
}
