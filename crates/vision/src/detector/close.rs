//! Close faces. The detector was fitted to faces of up to about half of its input. One that fills more of the
//! frame is seen whole at a small input, and only its parts at a large one. So a picture is searched a second
//! time, at an input so small that it costs little, for large faces alone, by the same network with weights
//! fitted to such faces. Who stands close to a camera often hides the light behind him; so this search sees
//! the picture with its shadows lifted.

use super::detection::{Detection, NMS_IOU};
use crate::geometry::Rect;

/// Size that pictures are fitted into to search for close faces, in pixels.
pub const CLOSE_INPUT: (u32, u32) = (160, 128);
/// Narrower faces, as a share of the picture's width, are not taken from the small input: eight by eight
/// cells of it say too little about what is there.
pub const NARROWEST: f32 = 0.15;
/// From this share of the picture's width on the box found at the small input is the steadier one.
const STEADIER: f32 = 0.35;
/// Share of a box that lies within a close face from which it is a part of that face.
const WITHIN: f32 = 0.8;

/// What becomes of each brightness: √v for v from 0 to 1, a gamma of 0.5. The darkest tenth of the range then
/// takes a third of it, and black and white stay.
static LIFTED: [u8; 256] = {
    let mut table = [0; 256];
    let mut value = 0;
    while value < table.len() {
        // Half of twice the root, rounded: the nearest whole number to it.
        table[value] = ((4 * 255 * value).isqrt() + 1).div_euclid(2) as u8;
        value += 1;
    }
    table
};

/// Lifts the shadows of pixels with 8 bits a channel.
pub fn lift(pixels: &mut [u8]) {
    for value in pixels {
        *value = LIFTED[usize::from(*value)];
    }
}

/// Joins the faces found at the large input and those at the small one, in pixels of a picture `width` pixels
/// wide. Both are in the order of their scores, each face once; so is the result.
pub(super) fn merge(mut far: Vec<Detection>, close: Vec<Detection>, width: f32) -> Vec<Detection> {
    for mut face in close.into_iter().filter(|face| face.rect.w >= NARROWEST * width) {
        let is_steadier = face.rect.w >= STEADIER * width;
        let same = far.iter().position(|other| other.rect.iou(&face.rect) > NMS_IOU);
        match same {
            Some(place) if is_steadier => {
                face.score = face.score.max(far[place].score);
                far[place] = face.clone();
            }
            Some(place) => far[place].score = far[place].score.max(face.score),
            None => far.push(face.clone()),
        }
        if is_steadier {
            // Nobody's face is within another's; but an eye or a nose may look like one.
            far.retain(|other| *other == face || share_within(&other.rect, &face.rect) < WITHIN);
        }
    }
    far.sort_by(|left, right| right.score.total_cmp(&left.score));
    far
}

/// Share of `part` that lies within `whole`.
fn share_within(part: &Rect, whole: &Rect) -> f32 {
    let across = (part.x + part.w).min(whole.x + whole.w) - part.x.max(whole.x);
    let down = (part.y + part.h).min(whole.y + whole.h) - part.y.max(whole.y);
    across.max(0.0) * down.max(0.0) / part.area().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use proptest::prelude::*;

    fn face(x: f32, y: f32, side: f32, score: f32) -> Detection {
        Detection { rect: Rect::new(x, y, side, side), landmarks: [Point { x, y }; 5], score }
    }

    #[test]
    fn shadows_are_lifted_by_the_root() {
        let mut pixels: Vec<u8> = (0..=255).collect();
        lift(&mut pixels);
        for (value, lifted) in pixels.iter().enumerate() {
            assert_eq!(f64::from(*lifted), (255.0 * value as f64).sqrt().round(), "{value}");
        }
    }

    #[test]
    fn a_face_that_one_input_misses_comes_from_the_other() {
        let (near, far) = (face(0.0, 0.0, 60.0, 0.7), face(80.0, 0.0, 9.0, 0.9));
        assert_eq!(merge(vec![far.clone()], vec![near.clone()], 100.0), [far.clone(), near.clone()]);
        assert_eq!(merge(vec![], vec![far], 100.0), [], "too narrow for the small input");
    }

    #[test]
    fn the_steadier_box_of_a_face_is_kept_with_the_better_score() {
        let found =
            |side: f32| merge(vec![face(0.0, 0.0, side, 0.6)], vec![face(1.0, 0.0, side, 0.9)], 100.0);
        assert_eq!(found(50.0), [face(1.0, 0.0, 50.0, 0.9)]);
        assert_eq!(found(20.0), [Detection { score: 0.9, ..face(0.0, 0.0, 20.0, 0.6) }]);
    }

    #[test]
    fn a_part_of_a_close_face_is_no_face() {
        let whole = face(10.0, 10.0, 60.0, 0.6);
        let (nose, neighbour) = (face(30.0, 30.0, 12.0, 0.8), face(65.0, 10.0, 14.0, 0.7));
        assert_eq!(merge(vec![nose, neighbour.clone()], vec![whole.clone()], 100.0), [neighbour, whole]);
    }

    proptest! {
        #[test]
        fn whatever_is_found_far_away_stays(
            far in prop::collection::vec((0f32..90.0, 0f32..90.0, 1f32..14.0, 0.5f32..1.0), 0..8),
        ) {
            let mut far: Vec<Detection> = far.into_iter().map(|(x, y, side, score)| face(x, y, side, score)).collect();
            far.sort_by(|left, right| right.score.total_cmp(&left.score));
            prop_assert_eq!(merge(far.clone(), far.clone(), 100.0), far);
        }
    }
}
