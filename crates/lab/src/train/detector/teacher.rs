//! Landmarks and uncertain regions that the starting network adds to the labels. Landmarks are not annotated:
//! those that it sees on a bare face in the unaltered picture are what the fitted network goes on giving,
//! also below what is drawn on that face. On masked faces it guesses badly, so nothing is asked there. And
//! where a detector made the labels, a face that only the starting network sees may be one that they miss, so
//! it is neither demanded nor forbidden.

use super::data::TrainingPicture;
use crate::data::matching::match_faces;
use crate::train::error::TrainError;
use image::{RgbImage, imageops};
use maskwatch::geometry::Rect;
use maskwatch::nn::Mode;
use maskwatch::nn::weights::Weights;
use maskwatch::nn::yunet::{MULTIPLE, YuNet};
use maskwatch::pixels::preprocess;
use maskwatch::vision::detector::{Detection, decode, suppress};
use rayon::prelude::*;

/// Detections with a lower score are ignored.
const SCORE: f32 = 0.4;
/// Landmarks are taken over from a detection that overlaps the labelled box this much.
const SAME_FACE: f32 = 0.4;
/// Larger pictures are searched at this size.
const LONGEST: u32 = 1024;

/// Adds landmarks and regions to ignore to all pictures, calling `done` after each.
///
/// # Errors
/// A picture cannot be opened, or the weights are not the detector's.
pub(super) fn teach(
    weights: &Weights,
    pictures: &mut [TrainingPicture],
    done: impl Fn() + Sync,
) -> Result<(), TrainError> {
    let network = YuNet::new(weights, Mode::Inference)?;
    pictures.par_iter_mut().try_for_each(|picture| {
        let detections = search(&network, &picture.open()?)?;
        add(picture, &detections);
        done();
        Ok(())
    })
}

/// The faces that the network sees in a picture as it is.
fn search(network: &YuNet, picture: &RgbImage) -> Result<Vec<Detection>, TrainError> {
    let longest = picture.width().max(picture.height()).max(1);
    let factor = (LONGEST as f32 / longest as f32).min(1.0);
    let scaled = |length: u32| ((length as f32 * factor).round() as u32).max(1);
    let picture = preprocess::resize(picture, scaled(picture.width()), scaled(picture.height()));
    let padded = |length: u32| length.next_multiple_of(MULTIPLE as u32);
    let mut canvas = RgbImage::new(padded(picture.width()), padded(picture.height()));
    imageops::replace(&mut canvas, &picture, 0, 0);
    let levels = network.forward(&preprocess::bgr(&[canvas])?)?;
    let found = suppress(decode(&levels, 0, SCORE)?);
    Ok(found.iter().map(|detection| detection.scaled(1.0 / factor)).collect())
}

fn add(picture: &mut TrainingPicture, detections: &[Detection]) {
    let listed: Vec<Rect> = picture.truth.faces.iter().map(|face| face.rect).collect();
    let matching = match_faces(&listed, detections, SAME_FACE);
    for (face, found_by) in picture.truth.faces.iter_mut().zip(matching.found_by) {
        let found_by = found_by.filter(|_| face.is_bare);
        face.landmarks = found_by.map(|index| detections[index].landmarks);
    }
    if !picture.annotated {
        picture.truth.ignored.extend(matching.unmatched.iter().map(|&index| detections[index].rect));
    }
}

#[cfg(test)]
mod tests {
    use super::super::truth::{TrueFace, Truth};
    use super::*;
    use maskwatch::geometry::Point;

    fn detection(x: f32) -> Detection {
        Detection {
            rect: Rect::new(x, 0.0, 20.0, 20.0),
            landmarks: [Point { x: x + 5.0, y: 5.0 }; 5],
            score: 0.9,
        }
    }

    #[test]
    fn landmarks_come_from_the_same_face_and_strangers_are_ignored() {
        for annotated in [false, true] {
            let face = |x: f32| TrueFace {
                rect: Rect::new(x, 0.0, 20.0, 20.0),
                is_bare: x < 150.0,
                landmarks: None,
            };
            let mut picture = TrainingPicture {
                name: String::new(),
                path: "".into(),
                table: String::new(),
                source: String::new(),
                truth: Truth { faces: vec![face(0.0), face(100.0), face(300.0)], ignored: vec![] },
                annotated,
                weight: 1.0,
            };
            add(&mut picture, &[detection(200.0), detection(3.0), detection(301.0)]);
            assert_eq!(picture.truth.faces[0].landmarks, Some(detection(3.0).landmarks));
            assert_eq!(picture.truth.faces[1].landmarks, None);
            assert_eq!(picture.truth.faces[2].landmarks, None, "it wears a mask");
            let stranger = Rect::new(200.0, 0.0, 20.0, 20.0);
            assert_eq!(picture.truth.ignored, if annotated { vec![] } else { vec![stranger] });
        }
    }
}
