//! Recall and false positives of the detector on annotated pictures. Every label counts here, `incorrect`
//! too: a face is a face.

use super::error::EvalError;
use super::evaluation::Evaluation;
use super::metrics::{FRAME_SHARE_BANDS, Proportion};
use super::mistakes::Mistake;
use super::named::Named;
use super::networks::Detect;
use crate::data::labels::{Label, LabelledBox};
use crate::data::matching::{MIN_IOU, match_faces};
use crate::data::pictures::{self, LabelledPicture, Measured};
use maskwatch::geometry::Rect;
use maskwatch::vision::detector::Detection;
use serde::{Serialize, Serializer};
use std::path::Path;

/// Further score thresholds in the report; those below the one in use are left out.
pub const THRESHOLDS: [f32; 8] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Recall of the annotated faces, by label and in total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    by_label: [Proportion; Label::ALL.len()],
}

impl Recall {
    fn of<'a>(faces: impl Iterator<Item = &'a AnnotatedFace>) -> Self {
        let mut by_label = [Proportion::default(); Label::ALL.len()];
        for face in faces {
            for (label, proportion) in Label::ALL.iter().zip(&mut by_label) {
                if face.label == *label {
                    proportion.add(face.found);
                }
            }
        }
        Self { by_label }
    }

    /// Recall over all annotated faces.
    #[must_use]
    pub fn all(&self) -> Proportion {
        Proportion {
            hits: self.by_label.iter().map(|recall| recall.hits).sum(),
            of: self.by_label.iter().map(|recall| recall.of).sum(),
        }
    }

    /// Recall over the annotated faces with `label`.
    #[must_use]
    pub fn label(&self, label: Label) -> Proportion {
        let place = Label::ALL.iter().position(|other| *other == label);
        place.map_or_else(Proportion::default, |place| self.by_label[place])
    }

    /// Each label's recall under its name, then that of `all`.
    #[must_use]
    pub fn named(&self) -> Named<Proportion> {
        let labels = Label::ALL.iter().map(|label| (label.name(), self.label(*label)));
        labels.chain([("all", self.all())]).collect()
    }
}

impl Serialize for Recall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json {
            n: u64,
            recall: Named<Option<f64>>,
            counts: Named<Proportion>,
        }
        let counts = self.named();
        let recall = counts.0.iter().map(|(name, recall)| (name.as_str(), recall.fraction())).collect();
        Json { n: self.all().of, recall, counts }.serialize(serializer)
    }
}

/// Recall and false positives at one score threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Detections with a lower score do not count.
    pub score_threshold: f32,
    /// Recall by label.
    #[serde(flatten)]
    pub recall: Recall,
    /// False positives per picture, over the pictures whose faces are all annotated.
    pub false_positives_per_image: Option<f64>,
}

/// The figures of `eval detector`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectorReport {
    /// Recall by label.
    #[serde(flatten)]
    pub recall: Recall,
    /// By the width of the annotated box in percent of the picture's width.
    pub bands: Named<Recall>,
    /// How many pictures were searched.
    pub pictures: u64,
    /// How many of them have all their faces annotated; only there can a detection be called a false
    /// positive.
    pub pictures_fully_labelled: u64,
    /// Detections in those that match no annotated face.
    pub false_positives: u64,
    /// The same per picture.
    pub false_positives_per_image: Option<f64>,
    /// The figures at higher score thresholds.
    pub thresholds: Vec<AtThreshold>,
}

/// One annotated face and whether it was found.
struct AnnotatedFace {
    label: Label,
    found: bool,
    /// Its width in percent of the picture's width.
    share: f32,
}

/// One picture, searched.
#[derive(Debug, Clone, PartialEq)]
struct Searched {
    /// The picture's width in pixels.
    width: u32,
    fully_labelled: bool,
    boxes: Vec<LabelledBox>,
    detections: Vec<Detection>,
}

/// The figures of some pictures at one threshold, before they are put together.
struct Counted {
    faces: Vec<AnnotatedFace>,
    fully_labelled: u64,
    false_positives: u64,
    mistakes: Vec<Mistake>,
}

impl Counted {
    fn of(pictures: &[Searched], min_side: f32, threshold: f32) -> Self {
        let mut counted =
            Self { faces: Vec::new(), fully_labelled: 0, false_positives: 0, mistakes: Vec::new() };
        for picture in pictures {
            counted.add(picture, min_side, threshold);
        }
        counted
    }

    fn add(&mut self, picture: &Searched, min_side: f32, threshold: f32) {
        let rects: Vec<Rect> = picture.boxes.iter().map(|face| face.rect).collect();
        let detections: Vec<Detection> =
            picture.detections.iter().filter(|detection| detection.score >= threshold).cloned().collect();
        let matching = match_faces(&rects, &detections, MIN_IOU);
        // A small face is left out only after the matching, so that finding it is no false positive.
        for (face, found_by) in picture.boxes.iter().zip(&matching.found_by) {
            if face.rect.side() < min_side {
                continue;
            }
            let found = found_by.is_some();
            let share = 100.0 * face.rect.w / picture.width as f32;
            self.faces.push(AnnotatedFace { label: face.label, found, share });
            if !found {
                self.mistakes.push(Mistake {
                    image: face.image.clone(),
                    rect: face.rect,
                    label: Some(face.label),
                    p_mask: None,
                    problem: "missed",
                });
            }
        }
        if picture.fully_labelled {
            self.fully_labelled += 1;
            self.false_positives += matching.unmatched.len() as u64;
            let image = picture.boxes.first().map(|face| face.image.clone()).unwrap_or_default();
            self.mistakes.extend(matching.unmatched.iter().map(|detection| Mistake {
                image: image.clone(),
                rect: detections[*detection].rect,
                label: None,
                p_mask: None,
                problem: "false positive",
            }));
        }
    }

    fn recall(&self) -> Recall {
        Recall::of(self.faces.iter())
    }

    fn false_positives_per_image(&self) -> Option<f64> {
        (self.fully_labelled > 0).then(|| self.false_positives as f64 / self.fully_labelled as f64)
    }
}

/// Measures the detector on `pictures` below the folder `images`, leaving out annotated faces smaller than
/// `min_side` pixels. `score_threshold` is the one that `detect` works with. `progress` is called with the
/// number of pictures done so far.
pub fn evaluate(
    pictures: &[LabelledPicture],
    images: &Path,
    min_side: f32,
    score_threshold: f32,
    detect: &Detect<'_>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<DetectorReport> {
    let Measured { results, failures } = pictures::measure(pictures, images, progress, |picture, pixels| {
        Ok::<_, EvalError>(Searched {
            width: pixels.width(),
            fully_labelled: picture.is_fully_labelled(),
            boxes: picture.boxes.clone(),
            detections: detect(pixels)?,
        })
    });
    let counted = Counted::of(&results, min_side, score_threshold);
    // Suppression goes from the strongest box down, so a higher threshold only takes weaker boxes away.
    let thresholds = THRESHOLDS.iter().filter(|threshold| **threshold > score_threshold).map(|threshold| {
        let counted = Counted::of(&results, min_side, *threshold);
        AtThreshold {
            score_threshold: *threshold,
            recall: counted.recall(),
            false_positives_per_image: counted.false_positives_per_image(),
        }
    });
    let report = DetectorReport {
        recall: counted.recall(),
        bands: FRAME_SHARE_BANDS
            .iter()
            .map(|band| {
                let faces = counted.faces.iter().filter(|face| band.contains(face.share));
                (band.name, Recall::of(faces))
            })
            .collect(),
        pictures: results.len() as u64,
        pictures_fully_labelled: counted.fully_labelled,
        false_positives: counted.false_positives,
        false_positives_per_image: counted.false_positives_per_image(),
        thresholds: thresholds.collect(),
    };
    Evaluation { report, mistakes: counted.mistakes, failures }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pictures::tests::row;
    use crate::eval::faces::tests::paint;
    use image::RgbImage;
    use maskwatch::geometry::Point;

    fn detection(rect: [f32; 4], score: f32) -> Detection {
        let [x, y, w, h] = rect;
        Detection { rect: Rect::new(x, y, w, h), landmarks: [Point { x: 0.0, y: 0.0 }; 5], score }
    }

    #[test]
    fn recall_bands_and_false_positives() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.png", "b.png"] {
            paint(&folder.path().join(name), &[]);
        }
        // 400 px wide: 8 px are 2 %, 16 px are 4 %, 40 px are 10 %.
        let tiny = [10.0, 10.0, 8.0, 8.0];
        let small = [50.0, 10.0, 16.0, 16.0];
        let large = [100.0, 10.0, 40.0, 40.0];
        let mut rows = vec![
            row("a.png", tiny, Label::Mask),
            row("a.png", small, Label::NoMask),
            row("a.png", large, Label::Incorrect),
            row("b.png", large, Label::Mask),
        ];
        // The second picture has a face more than is annotated, so nothing found there is called a false
        // positive.
        rows[3].n_faces = Some(2);
        let nowhere = [300.0, 50.0, 20.0, 20.0];
        let detect =
            |_: &RgbImage| Ok(vec![detection(large, 0.95), detection(nowhere, 0.65), detection(tiny, 0.55)]);
        let run = |min_side, threshold| {
            evaluate(&pictures::group(rows.clone()), folder.path(), min_side, threshold, &detect, &|_| ())
        };

        let all = run(0.0, 0.3);
        let json = serde_json::to_value(&all.report).unwrap();
        let recall =
            ["mask", "no_mask", "incorrect", "all"].map(|name| json["recall"][name].as_f64().unwrap());
        assert_eq!(recall, [1.0, 0.0, 1.0, 0.75]);
        assert_eq!((&json["n"], &json["pictures"]), (&4.into(), &2.into()));
        assert_eq!((&json["false_positives"], &json["false_positives_per_image"]), (&1.into(), &1.0.into()));
        let n = ["0-2.5", "2.5-5", "5-10", "10-20", "20-40", "40-70", "70+"]
            .map(|band| json["bands"][band]["n"].as_u64().unwrap());
        assert_eq!(n, [1, 1, 0, 2, 0, 0, 0]);
        assert_eq!(json["bands"]["10-20"]["recall"]["mask"], 1.0);
        let wrong: Vec<_> = all.mistakes.iter().map(|mistake| (mistake.rect.x, mistake.problem)).collect();
        assert_eq!(wrong, [(50.0, "missed"), (300.0, "false positive")]);

        // From 0.6 on the tiny face is lost, from 0.7 on the false positive too.
        let at = |threshold: f32| {
            all.report.thresholds.iter().find(|row| row.score_threshold == threshold).unwrap()
        };
        assert_eq!(at(0.6).recall.label(Label::Mask), Proportion { hits: 1, of: 2 });
        assert_eq!(
            (at(0.6).false_positives_per_image, at(0.7).false_positives_per_image),
            (Some(1.0), Some(0.0))
        );
        assert_eq!(at(0.6), &run(0.0, 0.5).report.thresholds[0]);

        // A face that is left out for its size is no false positive when it is found.
        let larger = run(10.0, 0.3).report;
        assert_eq!((larger.recall.all().of, larger.false_positives), (3, 1));
        assert!(larger.to_string().contains("recall of all"));
    }
}
