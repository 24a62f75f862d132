//! Masks, and what else covers a face, drawn on bare faces of training pictures. Boxes and landmarks stay
//! those of the bare face: so the network learns where nose and mouth are below a mask, which a photograph of
//! a masked face does not tell.

use super::data::TrainingPicture;
use super::truth::{TrueFace, Truth};
use crate::data::landmarks;
use crate::data::matching::match_faces;
use crate::drawn::{self, DrawnKind};
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use image::RgbImage;
use maskwatch::vision::detector::Detector;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Share of the bare faces on which something is drawn.
const COVERED: f64 = 0.5;
/// Drawing takes time: on at most so many faces of one picture.
const MOST: usize = 3;
/// Share of masks among what is drawn; the rest is anything else.
const MASKS: f64 = 0.7;
/// Overlap from which a detection is the face that something was drawn on.
const SAME_FACE: f32 = 0.4;

/// Draws on some bare faces of a picture whose landmarks are known.
pub(super) fn cover(pixels: &mut RgbImage, truth: &Truth, random: &mut impl Rng) {
    let chosen: Vec<&TrueFace> = truth.faces.iter().filter(|face| can_be_covered(face)).collect();
    for face in chosen.into_iter().filter(|_| random.random_bool(COVERED)).take(MOST).collect::<Vec<_>>() {
        let masks = [DrawnKind::Mask, DrawnKind::Mask, DrawnKind::UnderNose, DrawnKind::UnderMouth];
        let kinds: &[DrawnKind] = if random.random_bool(MASKS) { &masks } else { &DrawnKind::ALL };
        let kind = kinds[random.random_range(0..kinds.len())];
        draw(pixels, face, kind, &mut ChaCha8Rng::seed_from_u64(random.random()));
    }
}

fn can_be_covered(face: &TrueFace) -> bool {
    face.is_bare && face.landmarks.is_some_and(|points| landmarks::are_plausible(&points, &face.rect))
}

fn draw(pixels: &mut RgbImage, face: &TrueFace, kind: DrawnKind, generator: &mut ChaCha8Rng) {
    if let Some(landmarks) = &face.landmarks {
        drawn::on_picture(pixels, &face.rect, landmarks, kind, generator);
    }
}

/// How far, as a share of the eyes' distance, the landmarks that `detector` gives lie on average from those
/// of the bare face once a mask is drawn on it; 0 where there is no such face. One face of each picture is
/// tried, the same with the same mask each time.
///
/// # Errors
/// A picture cannot be opened.
pub(super) fn landmark_error(
    detector: &Detector,
    pictures: &[TrainingPicture],
    seed: u64,
) -> Result<f64, TrainError> {
    let error = |(index, picture): (usize, &TrainingPicture)| -> Result<Option<f64>, TrainError> {
        let Some(face) = picture.truth.faces.iter().find(|face| can_be_covered(face)) else {
            return Ok(None);
        };
        let Some(wanted) = &face.landmarks else { return Ok(None) };
        let mut pixels = picture.open()?;
        draw(&mut pixels, face, DrawnKind::Mask, &mut stream(seed, Purpose::Drawn, index as u64));
        let detections = detector.detect(&pixels)?;
        let found_by = match_faces(&[face.rect], &detections, SAME_FACE).found_by;
        let found = found_by.first().copied().flatten().map(|found| &detections[found].landmarks);
        Ok(found.map(|found| f64::from(landmarks::distance(wanted, found))))
    };
    let errors: Vec<f64> =
        pictures.par_iter().enumerate().map(error).filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(errors.iter().sum::<f64>() / errors.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use maskwatch::geometry::{Point, Rect};

    fn face() -> TrueFace {
        let landmarks = [(203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204.0, 143.1), (242.9, 143.7)];
        TrueFace {
            rect: Rect::new(178.0, 65.0, 91.0, 111.0),
            is_bare: true,
            landmarks: Some(landmarks.map(|(x, y)| Point { x, y })),
        }
    }

    /// How often out of 40 something was drawn, and how often the mouth was covered by it.
    fn covered(face: TrueFace) -> (usize, usize) {
        let portrait = image::open("../../tests/fixtures/astronaut.jpg").unwrap().into_rgb8();
        let truth = Truth { faces: vec![face], ignored: vec![] };
        let changes = (0..40).map(|seed| {
            let mut pixels = portrait.clone();
            cover(&mut pixels, &truth, &mut ChaCha8Rng::seed_from_u64(seed));
            (pixels != portrait, pixels.get_pixel(223, 143) != portrait.get_pixel(223, 143))
        });
        changes
            .fold((0, 0), |(all, mouths), (any, mouth)| (all + usize::from(any), mouths + usize::from(mouth)))
    }

    #[test]
    fn about_half_of_the_bare_faces_are_covered_and_no_others() {
        let (all, mouths) = covered(face());
        assert!((10..=30).contains(&all) && mouths * 2 > all, "{all} {mouths}");
        assert_eq!(covered(TrueFace { is_bare: false, ..face() }), (0, 0));
        assert_eq!(covered(TrueFace { landmarks: None, ..face() }), (0, 0));
    }
}
