//! The detector on the pictures that choose the best weights: its detections ranked by score, each right or
//! wrong. Only for choosing between weights; figures to quote come from `maskwatch-lab eval detector`.

use super::data::TrainingPicture;
use super::placement::Placement;
use super::truth::Truth;
use super::{close, covered};
use crate::data::matching::{MIN_IOU, match_faces};
use crate::train::error::TrainError;
use image::RgbImage;
use maskwatch::geometry::Rect;
use maskwatch::nn::weights::Weights;
use maskwatch::vision::detector::{CLOSE_INPUT, Detection, Detector, NARROWEST};
use rayon::prelude::*;

/// Detections with a lower score are not ranked.
const FAINTEST: f32 = 0.05;
/// Annotated scenes are searched at this size, as in use.
const SCENE_INPUT: u32 = 640;
/// Pictures of one or few faces are made small, so that it is not all too easy to find them.
const ALONE_INPUT: u32 = 192;
/// A detection that shares this part of the smaller area with a region to ignore is neither right nor wrong.
const SHARED: f32 = 0.5;
/// Landmarks are looked for at about the daemon's size.
const LANDMARK_INPUT: u32 = 448;
/// Seed of the masks that are drawn to measure landmarks below them.
const LANDMARK_SEED: u64 = 1;
/// False positives per picture at which recall is averaged.
const RATES: [f64; 5] = [1.0 / 32.0, 1.0 / 16.0, 1.0 / 8.0, 1.0 / 4.0, 1.0 / 2.0];

/// The detections of a set of pictures, the surest first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranking {
    /// Score, and whether it is a face.
    detections: Vec<(f32, bool)>,
    faces: usize,
    /// The scores of the detections that are bare faces.
    bare: Vec<f32>,
    bare_faces: usize,
    pictures: usize,
    /// The scores of the wrong detections in annotated pictures.
    scene_misses: Vec<f32>,
    scenes: usize,
    landmark_error: f64,
}

/// Recall and false positives per picture at one score threshold.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Working {
    /// Share of the faces that are found.
    pub(super) recall: f64,
    /// Share of the bare faces that are found.
    pub(super) bare_recall: f64,
    /// False positives per annotated picture; where there is none, per picture. In the others a detection
    /// that is wrong by the labels may well be a face.
    pub(super) false_positives: f64,
    /// Mean distance of landmarks below drawn masks from those of the bare face, as a share of the eyes'
    /// distance; the same at every threshold.
    pub(super) landmark_error: f64,
}

impl Ranking {
    /// Runs the detector with these weights on all pictures; with `close` on what the search for close faces
    /// sees of them.
    ///
    /// # Errors
    /// A picture cannot be opened, or the weights are not the detector's.
    pub(super) fn new(
        weights: &Weights,
        pictures: &[TrainingPicture],
        close: bool,
    ) -> Result<Self, TrainError> {
        if close {
            return Self::of_close(weights, pictures);
        }
        let detector = |side: u32| Detector::new(weights, (side, side), FAINTEST);
        let detectors = [detector(ALONE_INPUT)?, detector(SCENE_INPUT)?];
        let judged: Vec<Judged> = pictures
            .par_iter()
            .map(|picture| {
                let detector = &detectors[usize::from(picture.annotated)];
                let pixels = picture.open()?;
                let detections = detector.detect(&pixels)?;
                let judged = judge(&pixels, &picture.truth, detector.input(), &detections);
                Ok(Judged { annotated: picture.annotated, ..judged })
            })
            .collect::<Result<_, TrainError>>()?;
        let landmark_error = covered::landmark_error(&detector(LANDMARK_INPUT)?, pictures, LANDMARK_SEED)?;
        Ok(Self { landmark_error, ..Self::of(judged) })
    }

    /// Each picture with a face is rendered as a cheap webcam close to it sees it; those without are shown as
    /// they are. In both, all that is found besides is wrong.
    fn of_close(weights: &Weights, pictures: &[TrainingPicture]) -> Result<Self, TrainError> {
        let detector = Detector::new(weights, CLOSE_INPUT, FAINTEST)?.lifted();
        let judged: Vec<Option<Judged>> = pictures
            .par_iter()
            .enumerate()
            .map(|(place, picture)| {
                let shown = close::shown(picture, place as u64)?;
                let Some((pixels, truth)) = shown else { return Ok(None) };
                let mut detections = detector.detect(&pixels)?;
                detections.retain(|found| found.rect.w >= NARROWEST * pixels.width() as f32);
                let judged = judge(&pixels, &truth, CLOSE_INPUT, &detections);
                Ok(Some(Judged { annotated: true, ..judged }))
            })
            .collect::<Result<_, TrainError>>()?;
        Ok(Self::of(judged.into_iter().flatten().collect()))
    }

    fn of(judged: Vec<Judged>) -> Self {
        let (pictures, faces) = (judged.len(), judged.iter().map(|judged| judged.faces).sum());
        let bare_faces = judged.iter().map(|judged| judged.bare_faces).sum();
        let bare = judged.iter().flat_map(|judged| judged.bare.clone()).collect();
        let scenes = judged.iter().filter(|judged| judged.annotated).count();
        let misses = judged.iter().filter(|judged| judged.annotated).flat_map(|judged| &judged.detections);
        let scene_misses = misses.filter(|(_, hit)| !hit).map(|(score, _)| *score).collect();
        let mut detections: Vec<(f32, bool)> =
            judged.into_iter().flat_map(|judged| judged.detections).collect();
        detections.sort_by(|a, b| b.0.total_cmp(&a.0));
        Self { detections, faces, bare, bare_faces, pictures, scene_misses, scenes, landmark_error: 0.0 }
    }

    fn recall(&self, hits: usize) -> f64 {
        hits as f64 / self.faces.max(1) as f64
    }

    /// Counting only detections that score at least `threshold`.
    pub(super) fn at(&self, threshold: f32) -> Working {
        let counted = self.detections.partition_point(|(score, _)| *score >= threshold);
        let hits = self.detections[..counted].iter().filter(|(_, hit)| *hit).count();
        let bare = self.bare.iter().filter(|&&score| score >= threshold).count();
        let (misses, pictures) = match self.scenes {
            0 => (counted - hits, self.pictures),
            scenes => (self.scene_misses.iter().filter(|&&score| score >= threshold).count(), scenes),
        };
        Working {
            recall: self.recall(hits),
            bare_recall: bare as f64 / self.bare_faces.max(1) as f64,
            false_positives: misses as f64 / pictures.max(1) as f64,
            landmark_error: self.landmark_error,
        }
    }

    /// The figure that weights are chosen by: recall averaged over rates of 1/32 to 1/2 false positives per
    /// picture (the score of free-response receiver operating characteristics, FROC). It does not depend on a
    /// threshold.
    pub(super) fn figure(&self) -> f64 {
        let recall = |rate: f64| {
            let allowed = rate * self.pictures as f64;
            let (mut hits, mut misses) = (0usize, 0usize);
            for (_, hit) in &self.detections {
                if *hit {
                    hits += 1;
                } else {
                    misses += 1;
                    if misses as f64 > allowed {
                        break;
                    }
                }
            }
            self.recall(hits)
        };
        RATES.map(recall).iter().sum::<f64>() / RATES.len() as f64
    }
}

/// The detections of one picture.
#[derive(Clone)]
struct Judged {
    detections: Vec<(f32, bool)>,
    faces: usize,
    bare: Vec<f32>,
    bare_faces: usize,
    /// Whether every face in it is labelled.
    annotated: bool,
}

fn judge(pixels: &RgbImage, truth: &Truth, input: (u32, u32), detections: &[Detection]) -> Judged {
    let picture = pixels.dimensions();
    let scale = (input.0 as f32 / picture.0.max(1) as f32).min(input.1 as f32 / picture.1.max(1) as f32);
    let scaled = (scaled(picture.0, scale), scaled(picture.1, scale));
    // Faces that are too small at this input for training are ignored here too.
    let placement = Placement { tile: input, picture, offset: (0, 0), scaled, flipped: false };
    let truth = placement.truth(truth);
    let faces: Vec<Rect> = truth.faces.iter().map(|face| face.rect).collect();
    let detections: Vec<Detection> = detections.iter().map(|detection| detection.scaled(scale)).collect();
    let matching = match_faces(&faces, &detections, MIN_IOU);
    let hits = matching.found_by.iter().flatten().map(|&index| (detections[index].score, true));
    let misses = matching.unmatched.iter().map(|&index| &detections[index]);
    let misses = misses.filter(|miss| !truth.ignored.iter().any(|rect| meet(&miss.rect, rect)));
    let bare = truth.faces.iter().zip(&matching.found_by).filter(|(face, _)| face.is_bare);
    let bare = bare.filter_map(|(_, found_by)| found_by.map(|index| detections[index].score)).collect();
    Judged {
        detections: hits.chain(misses.map(|miss| (miss.score, false))).collect(),
        faces: faces.len(),
        bare,
        bare_faces: truth.faces.iter().filter(|face| face.is_bare).count(),
        annotated: false,
    }
}

fn scaled(length: u32, scale: f32) -> u32 {
    ((length as f32 * scale).round() as u32).max(1)
}

fn meet(one: &Rect, other: &Rect) -> bool {
    let width = (one.x + one.w).min(other.x + other.w) - one.x.max(other.x);
    let height = (one.y + one.h).min(other.y + other.h) - one.y.max(other.y);
    width > 0.0 && height > 0.0 && width * height >= SHARED * one.area().min(other.area())
}

#[cfg(test)]
mod tests {
    use super::super::truth::TrueFace;
    use super::*;
    use maskwatch::geometry::Point;
    use proptest::prelude::*;

    fn detection(rect: Rect, score: f32) -> Detection {
        Detection { rect, landmarks: [Point { x: 0.0, y: 0.0 }; 5], score }
    }

    #[test]
    fn right_wrong_and_neither() {
        let face = |x: f32, side: f32| TrueFace {
            rect: Rect::new(x, 10.0, side, side),
            is_bare: x < 40.0,
            landmarks: None,
        };
        let truth = Truth {
            faces: vec![face(10.0, 20.0), face(50.0, 20.0), face(80.0, 3.0)],
            ignored: vec![Rect::new(0.0, 60.0, 30.0, 30.0)],
        };
        let detections = [
            detection(Rect::new(11.0, 10.0, 20.0, 20.0), 0.9),
            detection(Rect::new(10.0, 62.0, 15.0, 15.0), 0.8),
            detection(Rect::new(80.0, 10.0, 3.0, 3.0), 0.7),
            detection(Rect::new(70.0, 70.0, 20.0, 20.0), 0.6),
        ];
        // Enlarged twofold the smallest face still is too small.
        let judged = judge(&RgbImage::new(100, 100), &truth, (200, 200), &detections);
        assert_eq!(judged.detections, [(0.9, true), (0.6, false)]);
        assert_eq!(judged.faces, 2);
        let empty = |annotated| Judged {
            detections: vec![(0.8, false)],
            faces: 0,
            bare: Vec::new(),
            bare_faces: 0,
            annotated,
        };
        let at_half = |others: Vec<Judged>| Ranking::of(others).at(0.5).false_positives;
        let alone = Judged { annotated: true, detections: vec![(0.9, true)], ..judged.clone() };
        assert_eq!(at_half(vec![empty(false), alone]), 0.0, "a picture that is not annotated does not count");
        assert_eq!(at_half(vec![empty(false), empty(false)]), 1.0);
        let ranking = Ranking::of(vec![judged]);
        let at = |threshold: f32| {
            let Working { recall, bare_recall, false_positives, .. } = ranking.at(threshold);
            [recall, bare_recall, false_positives]
        };
        assert_eq!(at(0.5), [0.5, 1.0, 1.0]);
        assert_eq!(at(0.7), [0.5, 1.0, 0.0]);
        assert_eq!(at(0.95), [0.0, 0.0, 0.0]);
        assert_eq!(ranking.figure(), 0.5);
    }

    fn rankings() -> impl Strategy<Value = Ranking> {
        proptest::collection::vec((0f32..1.0, any::<bool>()), 0..60).prop_map(|detections| {
            let faces = detections.iter().filter(|detection| detection.1).count() + 3;
            let mut ranking = Ranking::of(vec![Judged {
                detections,
                faces,
                bare: Vec::new(),
                bare_faces: 0,
                annotated: false,
            }]);
            ranking.pictures = 10;
            ranking
        })
    }

    proptest! {
        #[test]
        fn lower_thresholds_find_more_and_err_more(ranking in rankings(), low in 0f32..1.0, high in 0f32..1.0) {
            let (low, high) = (ranking.at(low.min(high)), ranking.at(low.max(high)));
            prop_assert!(low.recall >= high.recall && low.false_positives >= high.false_positives);
        }

        /// Another error can only lower the figure, another face found only raise it.
        #[test]
        fn the_figure_follows_what_was_found(ranking in rankings(), score in 0f32..1.0) {
            let with = |hit: bool| {
                let mut detections = ranking.detections.clone();
                detections.push((score, hit));
                detections.sort_by(|a, b| b.0.total_cmp(&a.0));
                Ranking { detections, ..ranking.clone() }.figure()
            };
            prop_assert!((0.0..=1.0).contains(&ranking.figure()));
            prop_assert!(with(true) >= ranking.figure() && with(false) <= ranking.figure());
        }
    }
}
