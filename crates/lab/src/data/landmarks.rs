//! Landmarks of a labelled face: which detection it is, whether its landmarks are plausible, and their
//! distance from others.

use maskwatch::geometry::{Point, Rect};
use maskwatch::vision::detector::Detection;

/// Overlap (IoU) from which a detection is the labelled face.
const MIN_IOU: f32 = 0.4;
/// Pixels between the eyes below which nothing can be drawn well.
const MIN_EYE_DISTANCE: f32 = 8.0;
/// How far landmarks may lie outside of the box, as a share of its sides.
const SPARE: f32 = 0.15;

/// The landmarks (in the order of [`Detection::landmarks`]) of the face in the labelled box `rect`: those of
/// the detection that overlaps it most, by an IoU of 0.4 at least, if they are plausible: inside the box or
/// near it, the eyes above the mouth and at least 8 pixels apart.
#[must_use]
pub fn find(faces: &[Detection], rect: &Rect) -> Option<[Point; 5]> {
    let overlap = |face: &Detection| face.rect.iou(rect);
    let best = faces.iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b)))?;
    (overlap(best) >= MIN_IOU && are_plausible(&best.landmarks, rect)).then_some(best.landmarks)
}

/// Whether landmarks are inside the box `rect` or near it, the eyes above the mouth and at least 8 pixels
/// apart.
pub(crate) fn are_plausible(landmarks: &[Point; 5], rect: &Rect) -> bool {
    let within = |value: f32, start: f32, length: f32| {
        (start - SPARE * length..=start + (1.0 + SPARE) * length).contains(&value)
    };
    let [right_eye, left_eye, _, right_mouth, left_mouth] = landmarks;
    let (across, down) = (left_eye.x - right_eye.x, left_eye.y - right_eye.y);
    let below = (right_mouth.y + left_mouth.y) - (right_eye.y + left_eye.y);
    let beside = (right_mouth.x + left_mouth.x) - (right_eye.x + left_eye.x);
    landmarks.iter().all(|p| within(p.x, rect.x, rect.w) && within(p.y, rect.y, rect.h))
        && across.hypot(down) >= MIN_EYE_DISTANCE
        // The mouth is below the eyes, in the head's own direction; a head on its side counts, one upside
        // down does not.
        && across > 0.0
        && below > 0.0
        && across * below - down * beside > 0.0
}

/// How far five landmarks lie on average from where they should be, as a share of the eyes' distance.
pub(crate) fn distance(wanted: &[Point; 5], found: &[Point; 5]) -> f32 {
    let distance = |a: &Point, b: &Point| (a.x - b.x).hypot(a.y - b.y);
    let sum: f32 = wanted.iter().zip(found).map(|(wanted, found)| distance(wanted, found)).sum();
    sum / 5.0 / distance(&wanted[0], &wanted[1]).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(x: f32, y: f32) -> Detection {
        let at = |dx: f32, dy: f32| Point { x: x + dx, y: y + dy };
        Detection {
            rect: Rect::new(x, y, 40.0, 50.0),
            landmarks: [at(12.0, 18.0), at(28.0, 18.0), at(20.0, 28.0), at(14.0, 38.0), at(26.0, 38.0)],
            score: 0.9,
        }
    }

    #[test]
    fn the_detection_that_fits_the_box_best_is_taken() {
        let faces = [detection(0.0, 0.0), detection(9.0, 5.0), detection(100.0, 0.0)];
        let found = find(&faces, &Rect::new(8.0, 5.0, 40.0, 50.0));
        assert_eq!(found, Some(faces[1].landmarks));
        assert_eq!(find(&faces, &Rect::new(30.0, 30.0, 40.0, 50.0)), None);
        assert_eq!(find(&[], &Rect::new(8.0, 5.0, 40.0, 50.0)), None);
    }

    #[test]
    fn landmarks_are_measured_by_the_eyes_distance() {
        let wanted = detection(5.0, 3.0).landmarks;
        assert_eq!(distance(&wanted, &wanted), 0.0);
        let moved = wanted.map(|p| Point { x: p.x + 0.1 * 16.0, y: p.y });
        assert!((distance(&wanted, &moved) - 0.1).abs() < 1e-4);
    }

    #[test]
    fn landmarks_of_no_upright_face_are_refused() {
        let rect = Rect::new(0.0, 0.0, 40.0, 50.0);
        let changed = |change: &dyn Fn(&mut [Point; 5])| {
            let mut face = detection(0.0, 0.0);
            change(&mut face.landmarks);
            find(&[face], &rect)
        };
        assert!(changed(&|_| ()).is_some());
        assert_eq!(changed(&|marks| marks[2].x = 60.0), None);
        assert_eq!(changed(&|marks| marks[1].x = 19.0), None);
        assert_eq!(changed(&|marks| marks.swap(0, 1)), None);
        assert_eq!(changed(&|marks| marks.iter_mut().for_each(|p| p.y = 50.0 - p.y)), None);
        assert_eq!(changed(&|marks| marks[0].x = f32::NAN), None);
    }
}
