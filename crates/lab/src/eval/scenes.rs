//! The whole chain on annotated scenes: detect, then classify what was found. Besides the two-class figures
//! on the annotated boxes (as in [`super::faces`]) this reports the verdict on each annotated face: missed,
//! or found and called mask, no mask, incorrect or unsure.

use super::error::EvalError;
use super::evaluation::Evaluation;
use super::faces::{self, FaceAnswer, FacesReport, IncorrectKinds};
use super::metrics::{FACE_SIZE_BANDS, Proportion};
use super::mistakes::Mistake;
use super::named::Named;
use super::networks::{Classify, Look};
use crate::data::labels::{Label, LabelledBox};
use crate::data::matching::{MIN_IOU, match_faces};
use crate::data::pictures::{self, LabelledPicture, Measured};
use maskwatch::decide::Verdict;
use maskwatch::geometry::{Point, Rect};
use maskwatch::vision::JudgedFace;
use maskwatch::vision::detector::Detection;
use serde::{Serialize, Serializer};
use std::path::Path;

/// The verdict on a found face, by itself.
pub type Judge<'a> = dyn Fn(&JudgedFace) -> Verdict + Sync + 'a;

/// What became of annotated faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Outcomes {
    /// How many were annotated.
    pub n: u64,
    /// Not found by the detector.
    pub missed: u64,
    /// Found and called `mask`.
    pub mask: u64,
    /// Found and called `no_mask`.
    pub no_mask: u64,
    /// Found and called `incorrect`.
    pub incorrect: u64,
    /// Found, but neither was said.
    pub unsure: u64,
}

impl Outcomes {
    fn add(&mut self, outcome: FaceOutcome) {
        self.n += 1;
        match outcome {
            FaceOutcome::Missed => self.missed += 1,
            FaceOutcome::Found(Verdict::Masked) => self.mask += 1,
            FaceOutcome::Found(Verdict::Unmasked) => self.no_mask += 1,
            FaceOutcome::Found(Verdict::Incorrect) => self.incorrect += 1,
            FaceOutcome::Found(Verdict::Unsure) => self.unsure += 1,
        }
    }

    /// Found and called `no_mask`, of all annotated.
    #[must_use]
    pub fn called_no_mask(&self) -> Proportion {
        Proportion { hits: self.no_mask, of: self.n }
    }

    /// Found and called `no_mask` or `incorrect`, which alerts unless it is configured otherwise, of all
    /// annotated.
    #[must_use]
    pub fn alarmed(&self) -> Proportion {
        Proportion { hits: self.no_mask + self.incorrect, of: self.n }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaceOutcome {
    Missed,
    Found(Verdict),
}

/// What became of annotated faces, by label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndToEnd {
    /// Faces labelled `mask`.
    pub mask: Outcomes,
    /// Faces labelled `no_mask`.
    pub no_mask: Outcomes,
    /// Faces labelled `incorrect`.
    pub incorrect: Outcomes,
}

impl EndToEnd {
    fn of<'a>(faces: impl Iterator<Item = &'a (LabelledBox, FaceOutcome)>) -> Self {
        let mut figures = Self::default();
        for (face, outcome) in faces {
            match face.label {
                Label::Mask => figures.mask.add(*outcome),
                Label::NoMask => figures.no_mask.add(*outcome),
                Label::Incorrect => figures.incorrect.add(*outcome),
            }
        }
        figures
    }

    /// Each figure under its name: unmasked faces found and called so, masked faces that raise a false alarm,
    /// and faces with an incorrectly worn mask that do. A bare face called `incorrect` alerts too, but is not
    /// counted as named.
    #[must_use]
    pub fn figures(&self) -> Named<Proportion> {
        [
            ("unmasked_found_and_named", self.no_mask.called_no_mask()),
            ("unmasked_alarmed", self.no_mask.alarmed()),
            ("masked_false_alarm", self.mask.alarmed()),
            ("incorrect_alarmed", self.incorrect.alarmed()),
        ]
        .into_iter()
        .collect()
    }
}

impl Serialize for EndToEnd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Counts {
            mask: Outcomes,
            no_mask: Outcomes,
            incorrect: Outcomes,
        }
        #[derive(Serialize)]
        struct Json {
            #[serde(flatten)]
            fractions: Named<Option<f64>>,
            intervals: Named<Option<[f64; 2]>>,
            counts: Counts,
        }
        let figures = self.figures();
        Json {
            fractions: figures.0.iter().map(|(name, figure)| (name.as_str(), figure.fraction())).collect(),
            intervals: figures.0.iter().map(|(name, figure)| (name.as_str(), figure.wilson())).collect(),
            counts: Counts { mask: self.mask, no_mask: self.no_mask, incorrect: self.incorrect },
        }
        .serialize(serializer)
    }
}

/// The end-to-end figures of `eval scenes`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndToEndReport {
    /// Over all annotated faces.
    #[serde(flatten)]
    pub all: EndToEnd,
    /// By the face size in pixels.
    pub bands: Named<EndToEnd>,
    /// How many pictures were searched.
    pub pictures: u64,
    /// Detections per fully annotated picture that match no annotated face and are called `no_mask` or
    /// `incorrect`: alarms without a face.
    pub alarms_without_a_face_per_image: Option<f64>,
}

/// The figures of `eval scenes`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenesReport {
    /// The classifier on the annotated boxes.
    #[serde(flatten)]
    pub faces: FacesReport,
    /// Detector and classifier together.
    pub end_to_end: EndToEndReport,
}

/// One picture, searched and classified.
struct SearchedScene {
    answers: Vec<FaceAnswer>,
    outcomes: Vec<(LabelledBox, FaceOutcome)>,
    mistakes: Vec<Mistake>,
    fully_labelled: bool,
    alarms_without_a_face: u64,
}

/// Measures detector and classifier on `pictures` below the folder `images`, leaving out annotated faces
/// smaller than `min_side` pixels. `progress` is called with the number of pictures done so far.
pub fn evaluate(
    pictures: &[LabelledPicture],
    images: &Path,
    min_side: f32,
    networks: (&Look<'_>, &Classify<'_>),
    judge: &Judge<'_>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<ScenesReport> {
    let (look, classify) = networks;
    let Measured { results, failures } = pictures::measure(pictures, images, progress, |picture, pixels| {
        let found = look(pixels)?;
        if found.iter().filter_map(|face| face.judgement.answer()).any(|answer| !answer.are_sound()) {
            return Err(EvalError::Answers);
        }
        let rects: Vec<Rect> = picture.boxes.iter().map(|face| face.rect).collect();
        let annotated = faces::ask(classify, pixels, &rects)?;
        let detections: Vec<Detection> = found.iter().map(detection).collect();
        let matching = match_faces(&rects, &detections, MIN_IOU);

        let mut scene = SearchedScene {
            answers: Vec::new(),
            outcomes: Vec::new(),
            mistakes: Vec::new(),
            fully_labelled: picture.is_fully_labelled(),
            alarms_without_a_face: 0,
        };
        // Small faces are left out only after the matching, so that finding them is no false positive.
        let wanted = |face: &LabelledBox| face.rect.side() >= min_side;
        let annotated = picture.boxes.iter().zip(annotated).zip(&matching.found_by);
        for ((face, probabilities), found_by) in annotated.filter(|((face, _), _)| wanted(face)) {
            scene.answers.push(FaceAnswer { face: face.clone(), probabilities });
            let (outcome, p_found) = match found_by {
                Some(index) => {
                    let face = &found[*index];
                    (FaceOutcome::Found(judge(face)), face.judgement.answer().map(|answer| answer.mask))
                }
                None => (FaceOutcome::Missed, None),
            };
            scene.outcomes.push((face.clone(), outcome));
            if let Some(problem) = problem(face.label, outcome) {
                let (image, rect, label) = (face.image.clone(), face.rect, Some(face.label));
                scene.mistakes.push(Mistake { image, rect, label, p_mask: p_found, problem });
            }
        }
        for index in &matching.unmatched {
            let face = &found[*index];
            let (rect, p_mask) = (face.rect, face.judgement.answer().map(|answer| answer.mask));
            let alarm = matches!(judge(face), Verdict::Unmasked | Verdict::Incorrect);
            if scene.fully_labelled && alarm {
                scene.alarms_without_a_face += 1;
                let image = picture.image.clone();
                let problem = "end to end: an alarm without a face";
                scene.mistakes.push(Mistake { image, rect, label: None, p_mask, problem });
            }
        }
        Ok::<_, EvalError>(scene)
    });
    let answers: Vec<FaceAnswer> = results.iter().flat_map(|scene| &scene.answers).cloned().collect();
    let outcomes = || results.iter().flat_map(|scene| &scene.outcomes);
    let fully_labelled = results.iter().filter(|scene| scene.fully_labelled).count();
    let alarms: u64 = results.iter().map(|scene| scene.alarms_without_a_face).sum();
    let end_to_end = EndToEndReport {
        all: EndToEnd::of(outcomes()),
        bands: FACE_SIZE_BANDS
            .iter()
            .map(|band| {
                (band.name, EndToEnd::of(outcomes().filter(|(face, _)| band.contains(face.rect.side()))))
            })
            .collect(),
        pictures: results.len() as u64,
        alarms_without_a_face_per_image: (fully_labelled > 0).then(|| alarms as f64 / fully_labelled as f64),
    };
    let mut mistakes = faces::mistakes(&answers);
    mistakes.extend(results.into_iter().flat_map(|scene| scene.mistakes));
    Evaluation {
        report: ScenesReport { faces: FacesReport::of(&answers, &IncorrectKinds::new()), end_to_end },
        mistakes,
        failures,
    }
}

/// A found face as the matching takes it; where its landmarks are makes no difference there.
fn detection(face: &JudgedFace) -> Detection {
    Detection { rect: face.rect, landmarks: [Point { x: 0.0, y: 0.0 }; 5], score: face.score }
}

fn problem(label: Label, outcome: FaceOutcome) -> Option<&'static str> {
    match (label, outcome) {
        (_, FaceOutcome::Missed) => Some("end to end: missed"),
        (Label::Mask, FaceOutcome::Found(Verdict::Unmasked | Verdict::Incorrect)) => {
            Some("end to end: false alarm")
        }
        (Label::NoMask | Label::Incorrect, FaceOutcome::Found(Verdict::Masked)) => {
            Some("end to end: called mask")
        }
        (_, FaceOutcome::Found(Verdict::Unsure)) => Some("end to end: unsure"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pictures::tests::row;
    use crate::eval::faces::tests::{paint, read_off};
    use maskwatch::vision::Judgement;
    use maskwatch::vision::quality::Gate;

    #[test]
    fn what_becomes_of_each_annotated_face() {
        let folder = tempfile::tempdir().unwrap();
        let square = |x: f32| [x, 10.0, 30.0, 30.0];
        // (left edge, red, label, found)
        let faces = [
            (0.0, 255, Some(Label::Mask), true),     // passes
            (40.0, 10, Some(Label::Mask), true),     // raises a false alarm
            (80.0, 10, Some(Label::Mask), false),    // is missed
            (120.0, 0, Some(Label::NoMask), true),   // raises an alarm
            (160.0, 100, Some(Label::NoMask), true), // is unsure, but no_mask of the two classes
            (200.0, 255, Some(Label::NoMask), true), // passes wrongly
            (240.0, 0, Some(Label::Incorrect), true),
            (280.0, 0, None, true),   // an alarm without a face
            (320.0, 255, None, true), // a false positive that nobody notices
        ];
        let painted: Vec<_> = faces.iter().map(|(x, red, _, _)| (square(*x), *red)).collect();
        paint(&folder.path().join("a.png"), &painted);
        let mut rows: Vec<_> = faces
            .iter()
            .filter_map(|(x, _, label, _)| label.map(|label| row("a.png", square(*x), label)))
            .collect();
        let tiny = [360.0, 10.0, 8.0, 8.0];
        rows.push(row("a.png", tiny, Label::NoMask));
        let found: Vec<_> = faces
            .iter()
            .filter(|(_, _, _, found)| *found)
            .map(|(x, ..)| square(*x))
            .chain([tiny])
            .map(|[x, y, w, h]| Rect::new(x, y, w, h))
            .collect();
        let look = |pixels: &image::RgbImage| {
            let judged = |(rect, answer): (&Rect, _)| JudgedFace {
                rect: *rect,
                score: 0.8,
                appearance: None,
                // What stands to the right of all others is turned away.
                judgement: if rect.x > 330.0 {
                    Judgement::Stopped(Gate::Yaw)
                } else {
                    Judgement::Answered(answer)
                },
            };
            Ok(found.iter().zip(read_off(pixels, &found)?).map(judged).collect())
        };
        let judge = |face: &JudgedFace| match face.judgement.answer().map(|answer| answer.mask) {
            Some(p) if p >= 0.9 => Verdict::Masked,
            Some(p) if p <= 0.1 => Verdict::Unmasked,
            _ => Verdict::Unsure,
        };
        let networks: (&Look<'_>, &Classify<'_>) = (&look, &read_off);
        let run = |min_side| {
            evaluate(&pictures::group(rows.clone()), folder.path(), min_side, networks, &judge, &|_| ())
        };

        let evaluation = run(20.0);
        assert_eq!(evaluation.failures, []);
        let json = serde_json::to_value(&evaluation.report).unwrap();
        assert_eq!((&json["n"], &json["recall"]["no_mask"]), (&6.into(), &(2.0 / 3.0).into()));
        let figures = &json["end_to_end"];
        assert_eq!(figures["unmasked_found_and_named"], 1.0 / 3.0);
        assert_eq!(figures["masked_false_alarm"], 1.0 / 3.0);
        assert_eq!(figures["incorrect_alarmed"], 1.0);
        assert_eq!(figures["alarms_without_a_face_per_image"], 1.0);
        assert_eq!(figures["bands"]["24-48"]["unmasked_found_and_named"], 1.0 / 3.0);
        assert!(figures["bands"]["96+"]["masked_false_alarm"].is_null());
        let expected = Outcomes { n: 3, missed: 1, mask: 1, no_mask: 1, incorrect: 0, unsure: 0 };
        assert_eq!(evaluation.report.end_to_end.all.mask, expected);
        let expected = Outcomes { n: 3, missed: 0, mask: 1, no_mask: 1, incorrect: 0, unsure: 1 };
        assert_eq!(evaluation.report.end_to_end.all.no_mask, expected);
        let count =
            |wanted: &str| evaluation.mistakes.iter().filter(|mistake| mistake.problem == wanted).count();
        for problem in ["missed", "false alarm", "called mask", "unsure", "an alarm without a face"] {
            assert_eq!(count(&format!("end to end: {problem}")), 1, "{problem}");
        }
        // Both masked faces with a dark middle are called no_mask on their annotated boxes, found or not.
        assert_eq!((count("called no_mask"), count("called mask")), (2, 1));
        assert!(evaluation.report.to_string().contains("unmasked found and named"));

        // The tiny face counts once it is not left out, and was never a false positive.
        let all = run(0.0).report.end_to_end;
        assert_eq!((all.all.no_mask.n, all.alarms_without_a_face_per_image), (4, Some(1.0)));
        // A gate stops it: it is found, and nothing is said of it.
        assert_eq!(all.all.no_mask.unsure, 2);
    }
}
