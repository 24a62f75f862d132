//! The classifier on annotated boxes: is a face called by its label? Faces labelled `incorrect` (a mask that
//! does not cover nose and mouth) are left out of the two-class figures, which are those of the paper's
//! softmax, and reported apart.

use super::error::EvalError;
use super::evaluation::Evaluation;
use super::metrics::{self, Band, Calibration, Confusion, FACE_SIZE_BANDS, Proportion};
use super::mistakes::Mistake;
use super::named::Named;
use super::networks::Classify;
use super::skin::{self, SkinLight};
use crate::data::labels::{Label, LabelledBox};
use crate::data::pictures::{self, LabelledPicture, Measured};
use image::RgbImage;
use maskwatch::decide::{Rules, Verdict};
use maskwatch::geometry::Rect;
use maskwatch::vision::classifier::Probabilities;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is bare where a mask is worn wrongly, by picture: `incorrect_nose`, `incorrect_chin`, …
pub type IncorrectKinds = BTreeMap<String, String>;

/// The classifier's answer to one annotated face.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceAnswer {
    /// The annotated face.
    pub face: LabelledBox,
    /// What the classifier says.
    pub probabilities: Probabilities,
}

impl FaceAnswer {
    /// *Mask* where that is as probable as all else, however narrow; else the more probable of the others.
    #[must_use]
    pub fn called(&self) -> Label {
        let Probabilities { mask, no_mask, incorrect } = self.probabilities;
        match () {
            () if mask >= 0.5 => Label::Mask,
            () if incorrect > no_mask => Label::Incorrect,
            () => Label::NoMask,
        }
    }

    /// Whether the daemon's usual certainty says that no mask is worn, or an incorrect one.
    fn speaks_for_an_alert(&self) -> bool {
        let vote = Rules::default().vote(&self.probabilities, self.face.rect.side());
        matches!(vote, Verdict::Unmasked | Verdict::Incorrect)
    }

    /// What the paper's softmax over the two classes says.
    #[must_use]
    pub fn called_of_two(&self) -> Label {
        if self.probabilities.of_two() >= 0.5 { Label::Mask } else { Label::NoMask }
    }

    /// The mistake that this answer is, if it is one. A mask worn incorrectly should not pass as one.
    fn mistake(&self) -> Option<Mistake> {
        let problem = match (self.face.label, self.called()) {
            (Label::Mask, Label::NoMask) => "called no_mask",
            (Label::Mask, Label::Incorrect) => "called incorrect",
            (Label::NoMask | Label::Incorrect, Label::Mask) => "called mask",
            _ => return None,
        };
        Some(Mistake {
            image: self.face.image.clone(),
            rect: self.face.rect,
            label: Some(self.face.label),
            p_mask: Some(self.probabilities.mask),
            problem,
        })
    }
}

/// Asks the classifier about boxes of one picture and makes sure that the answers are probabilities.
pub(super) fn ask(
    classify: &Classify<'_>,
    pixels: &RgbImage,
    rects: &[Rect],
) -> Result<Vec<Probabilities>, EvalError> {
    if rects.is_empty() {
        return Ok(Vec::new());
    }
    let answers = classify(pixels, rects)?;
    let are_sound = answers.len() == rects.len() && answers.iter().all(Probabilities::are_sound);
    if are_sound { Ok(answers) } else { Err(EvalError::Answers) }
}

/// Confusion of the labels `mask` and `no_mask`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoClass(pub Confusion);

impl TwoClass {
    /// Counts `answers`; those to faces labelled otherwise are passed over.
    #[must_use]
    pub fn of<'a>(answers: impl IntoIterator<Item = &'a FaceAnswer>) -> Self {
        let mut confusion = Confusion::new(&[Label::Mask, Label::NoMask]);
        for answer in answers {
            confusion.add(answer.face.label, answer.called_of_two());
        }
        Self(confusion)
    }
}

impl Serialize for TwoClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Counts {
            accuracy: Proportion,
            recall: Named<Proportion>,
        }
        #[derive(Serialize)]
        struct Json<'a> {
            n: u64,
            accuracy: Option<f64>,
            balanced_accuracy: Option<f64>,
            recall: Named<Option<f64>>,
            confusion: &'a Confusion,
            counts: Counts,
        }
        let recalls = || self.0.classes().iter().map(|class| (class.name(), self.0.recall(*class)));
        Json {
            n: self.0.total(),
            accuracy: self.0.accuracy().fraction(),
            balanced_accuracy: self.0.balanced_accuracy(),
            recall: recalls().map(|(name, recall)| (name, recall.fraction())).collect(),
            confusion: &self.0,
            counts: Counts { accuracy: self.0.accuracy(), recall: recalls().collect() },
        }
        .serialize(serializer)
    }
}

/// The figures of `eval faces`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FacesReport {
    /// Over all faces labelled `mask` or `no_mask`.
    #[serde(flatten)]
    pub two_class: TwoClass,
    /// The area under the curve with `mask` as the positive class.
    pub auc: Option<f64>,
    /// Calibration of the probability of `mask`.
    pub calibration: Calibration,
    /// The share of the faces labelled `incorrect` that was not called `mask`.
    pub incorrect_not_called_mask: Option<f64>,
    /// Its counts.
    pub incorrect: Proportion,
    /// How many of those were called `incorrect`.
    pub incorrect_named: Proportion,
    /// How many of those were said to be no mask or an incorrect one with the certainty that the daemon asks
    /// for: a single look that speaks for an alert.
    pub incorrect_alerted: Proportion,
    /// How many of those were not called `mask`, by the source of the picture.
    pub incorrect_sources: Named<Proportion>,
    /// The same by what is bare, where that is known.
    pub incorrect_kinds: Named<Proportion>,
    /// How many of the faces labelled `mask` were called something else, by all three probabilities.
    pub mask_not_called_mask: Proportion,
    /// The share of the faces labelled `mask` that was called `incorrect`.
    pub mask_called_incorrect: Option<f64>,
    /// Its counts.
    pub masked: Proportion,
    /// How many of the faces labelled `no_mask` were called so or `incorrect`, by all three probabilities.
    pub bare_not_called_mask: Proportion,
    /// By the face size in pixels.
    pub bands: Named<TwoClass>,
    /// By the source of the picture.
    pub sources: Named<TwoClass>,
    /// By the estimated tone of the skin ([`super::skin`]), where pixels were measured.
    pub skin: Named<TwoClass>,
    /// How many masks worn wrongly were not called `mask`, by the tone.
    pub incorrect_skin: Named<Proportion>,
    /// By the brightness of the face.
    pub brightness: Named<TwoClass>,
}

impl FacesReport {
    /// The figures over `answers`.
    #[must_use]
    pub fn of(answers: &[FaceAnswer], kinds: &IncorrectKinds) -> Self {
        let scores = |label| -> Vec<f32> {
            let labelled = answers.iter().filter(|answer| answer.face.label == label);
            labelled.map(|answer| answer.probabilities.of_two()).collect()
        };
        let (masked, bare) = (scores(Label::Mask), scores(Label::NoMask));
        let probabilities: Vec<(f32, bool)> =
            masked.iter().map(|p| (*p, true)).chain(bare.iter().map(|p| (*p, false))).collect();
        let share = |label, hit: fn(Label) -> bool| -> Proportion {
            let labelled = answers.iter().filter(|answer| answer.face.label == label);
            labelled.map(|answer| hit(answer.called())).collect()
        };
        let incorrect = share(Label::Incorrect, |called| called != Label::Mask);
        let mask_called_incorrect = share(Label::Mask, |called| called == Label::Incorrect);
        let sources: BTreeSet<&str> =
            answers.iter().filter_map(|answer| answer.face.source.as_deref()).collect();
        let subset = |wanted: &dyn Fn(&LabelledBox) -> bool| {
            TwoClass::of(answers.iter().filter(|answer| wanted(&answer.face)))
        };
        Self {
            two_class: TwoClass::of(answers),
            auc: metrics::area_under_curve(&masked, &bare),
            calibration: metrics::calibration(&probabilities),
            incorrect_not_called_mask: incorrect.fraction(),
            incorrect,
            incorrect_named: share(Label::Incorrect, |called| called == Label::Incorrect),
            incorrect_alerted: worn_wrongly(answers).map(FaceAnswer::speaks_for_an_alert).collect(),
            incorrect_sources: grouped(answers, |face| face.source.as_deref()),
            incorrect_kinds: grouped(answers, |face| kinds.get(&face.image).map(String::as_str)),
            mask_not_called_mask: share(Label::Mask, |called| called != Label::Mask),
            mask_called_incorrect: mask_called_incorrect.fraction(),
            masked: mask_called_incorrect,
            bare_not_called_mask: share(Label::NoMask, |called| called != Label::Mask),
            bands: FACE_SIZE_BANDS
                .iter()
                .map(|band| (band.name, subset(&|face| band.contains(face.rect.side()))))
                .collect(),
            sources: sources
                .into_iter()
                .map(|source| (source, subset(&|face| face.source.as_deref() == Some(source))))
                .collect(),
            skin: Named(Vec::new()),
            incorrect_skin: Named(Vec::new()),
            brightness: Named(Vec::new()),
        }
    }
}

/// The answers to faces whose mask is worn wrongly.
fn worn_wrongly(answers: &[FaceAnswer]) -> impl Iterator<Item = &FaceAnswer> {
    answers.iter().filter(|answer| answer.face.label == Label::Incorrect)
}

/// How many masks worn wrongly were not called `mask`, by a name that some faces have.
fn grouped<'a>(
    answers: &'a [FaceAnswer],
    name: impl Fn(&'a LabelledBox) -> Option<&'a str>,
) -> Named<Proportion> {
    let mut groups: BTreeMap<&str, Proportion> = BTreeMap::new();
    for answer in worn_wrongly(answers) {
        if let Some(name) = name(&answer.face) {
            groups.entry(name).or_default().add(answer.called() != Label::Mask);
        }
    }
    groups.into_iter().collect()
}

/// The mistakes among `answers`.
pub(super) fn mistakes(answers: &[FaceAnswer]) -> Vec<Mistake> {
    answers.iter().filter_map(FaceAnswer::mistake).collect()
}

/// Measures the classifier on the annotated boxes of `pictures` below the folder `images`, leaving out faces
/// smaller than `min_side` pixels. `progress` is called with the number of pictures done so far.
pub fn evaluate(
    pictures: &[LabelledPicture],
    images: &Path,
    min_side: f32,
    kinds: &IncorrectKinds,
    classify: &Classify<'_>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<FacesReport> {
    let pictures: Vec<LabelledPicture> = pictures
        .iter()
        .map(|picture| LabelledPicture {
            image: picture.image.clone(),
            boxes: picture.boxes.iter().filter(|face| face.rect.side() >= min_side).cloned().collect(),
        })
        .filter(|picture| !picture.boxes.is_empty())
        .collect();
    let Measured { results, failures } = pictures::measure(&pictures, images, progress, |picture, pixels| {
        let rects: Vec<Rect> = picture.boxes.iter().map(|face| face.rect).collect();
        let answers = ask(classify, pixels, &rects)?;
        let faces = picture.boxes.iter().cloned().zip(answers);
        let answers = faces.map(|(face, probabilities)| {
            (SkinLight::of(pixels, &face.rect), FaceAnswer { face, probabilities })
        });
        Ok::<_, EvalError>(answers.collect::<Vec<_>>())
    });
    let (lights, answers): (Vec<SkinLight>, Vec<FaceAnswer>) = results.into_iter().flatten().unzip();
    let within = |bands: &[Band], value: fn(&SkinLight) -> f32| {
        let of = |band: &Band| {
            let seen = lights.iter().zip(&answers).filter(|(light, _)| band.contains(value(light)));
            (band.name, seen.map(|(_, answer)| answer.clone()).collect::<Vec<_>>())
        };
        bands.iter().map(of).collect::<Vec<_>>()
    };
    let two_class = |bands: &[(&'static str, Vec<FaceAnswer>)]| {
        bands.iter().map(|(name, answers)| (*name, TwoClass::of(answers))).collect()
    };
    let tones = within(&skin::TONES, |light| light.tone);
    let not_called_mask = |answers: &[FaceAnswer]| -> Proportion {
        worn_wrongly(answers).map(|answer| answer.called() != Label::Mask).collect()
    };
    let report = FacesReport {
        skin: two_class(&tones),
        incorrect_skin: tones.iter().map(|(name, answers)| (*name, not_called_mask(answers))).collect(),
        brightness: two_class(&within(&skin::BRIGHTNESS, |light| light.brightness)),
        ..FacesReport::of(&answers, kinds)
    };
    Evaluation { report, mistakes: mistakes(&answers), failures }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::pictures::tests::row;
    use proptest::prelude::*;

    /// A classifier that reads its answer off the pixel in the middle of the box: red 0 to 255 is 0 to 1.
    pub(in crate::eval) fn read_off(
        pixels: &RgbImage,
        rects: &[Rect],
    ) -> Result<Vec<Probabilities>, EvalError> {
        let answer = |rect: &Rect| {
            let centre = rect.centre();
            Probabilities::of_mask(f32::from(pixels.get_pixel(centre.x as u32, centre.y as u32)[0]) / 255.0)
        };
        Ok(rects.iter().map(answer).collect())
    }

    /// Saves a picture of 400×100 pixels with these boxes filled with these reds.
    pub(in crate::eval) fn paint(path: &Path, boxes: &[([f32; 4], u8)]) {
        let mut picture = RgbImage::new(400, 100);
        for ([x, y, w, h], red) in boxes {
            for (across, down) in
                (0..*w as u32).flat_map(|across| (0..*h as u32).map(move |down| (across, down)))
            {
                picture.put_pixel(*x as u32 + across, *y as u32 + down, image::Rgb([*red, 0, 0]));
            }
        }
        picture.save(path).unwrap();
    }

    #[test]
    fn figures_of_painted_faces() {
        let folder = tempfile::tempdir().unwrap();
        let boxes = [
            ([0.0, 0.0, 20.0, 30.0], 250),   // a mask, called so
            ([50.0, 0.0, 30.0, 24.0], 100),  // a mask, called no_mask
            ([100.0, 0.0, 24.0, 24.0], 5),   // a bare face, called so
            ([150.0, 0.0, 12.0, 40.0], 200), // a bare face, called mask, but 12 px small
            ([200.0, 0.0, 96.0, 99.0], 90),  // incorrect, called no_mask
            ([300.0, 0.0, 96.0, 99.0], 255), // incorrect, called mask
        ];
        let labels =
            [Label::Mask, Label::Mask, Label::NoMask, Label::NoMask, Label::Incorrect, Label::Incorrect];
        std::fs::create_dir(folder.path().join("street")).unwrap();
        paint(&folder.path().join("street/a.png"), &boxes);
        let rows: Vec<_> =
            boxes.iter().zip(labels).map(|((rect, _), label)| row("street/a.png", *rect, label)).collect();
        let run = |min_side| {
            evaluate(
                &pictures::group(rows.clone()),
                folder.path(),
                min_side,
                &IncorrectKinds::new(),
                &read_off,
                &|_| (),
            )
        };

        let all = run(0.0);
        assert_eq!(all.failures, []);
        let json = serde_json::to_value(&all.report).unwrap();
        assert_eq!((&json["n"], &json["accuracy"]), (&4.into(), &0.5.into()));
        assert_eq!((&json["recall"]["mask"], &json["recall"]["no_mask"]), (&0.5.into(), &0.5.into()));
        assert_eq!(json["balanced_accuracy"], 0.5);
        assert_eq!(json["confusion"]["no_mask"]["mask"], 1);
        assert_eq!(json["incorrect_not_called_mask"], 0.5);
        assert_eq!(json["incorrect"]["of"], 2);
        assert_eq!(json["auc"], 0.75);
        let bands = json["bands"].as_object().unwrap();
        assert_eq!(bands.len(), 5);
        let n = ["0-16", "16-24", "24-48", "48-96", "96+"].map(|band| bands[band]["n"].as_u64().unwrap());
        assert_eq!(n, [1, 1, 2, 0, 0]);
        assert_eq!(bands["24-48"]["recall"]["no_mask"], 1.0);
        assert!(bands["96+"]["balanced_accuracy"].is_null() && bands["0-16"]["recall"]["mask"].is_null());
        assert_eq!(json["sources"]["street"]["n"], 4);
        let wrong: Vec<_> = all.mistakes.iter().map(|mistake| (mistake.rect.x, mistake.problem)).collect();
        assert_eq!(wrong, [(50.0, "called no_mask"), (150.0, "called mask"), (300.0, "called mask")]);

        let large = run(20.0);
        assert_eq!(large.report.two_class.0.total(), 3);
        assert_eq!(large.report.two_class.0.balanced_accuracy(), Some(0.75));
        assert_eq!(large.report.two_class, TwoClass(large.report.sources.0[0].1.0.clone()));

        let text = all.report.to_string();
        assert!(
            text.contains("accuracy                                  2       4    0.5000  0.1500 to 0.8500"),
            "{text}"
        );
    }

    #[test]
    fn an_answer_that_is_no_probability_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        paint(&folder.path().join("a.png"), &[]);
        let pictures = pictures::group(vec![row("a.png", [0.0, 0.0, 30.0, 30.0], Label::Mask)]);
        for answers in [vec![f32::NAN], vec![1.5], vec![], vec![0.5, 0.5]] {
            let evaluation = evaluate(
                &pictures,
                folder.path(),
                0.0,
                &IncorrectKinds::new(),
                &move |_, _| Ok(answers.iter().copied().map(Probabilities::of_mask).collect()),
                &|_| (),
            );
            assert_eq!(evaluation.report.two_class.0.total(), 0);
            assert!(evaluation.failures[0].problem.contains("does not give a probability"));
        }
    }

    proptest! {
        #[test]
        fn bands_and_sources_add_up(
            answers in prop::collection::vec(
                (prop::sample::select(&Label::ALL[..]), 1.0f32..200.0, 0.0f32..=1.0, 0usize..3), 0..50,
            ),
        ) {
            let answers: Vec<FaceAnswer> = answers
                .into_iter()
                .map(|(label, side, p_mask, source)| FaceAnswer {
                    face: row(&format!("{source}/a.png"), [0.0, 0.0, side, side + 1.0], label),
                    probabilities: Probabilities::of_mask(p_mask),
                })
                .collect();
            let report = FacesReport::of(&answers, &IncorrectKinds::new());
            let n = report.two_class.0.total();
            let sum = |parts: &Named<TwoClass>| parts.0.iter().map(|(_, part)| part.0.total()).sum::<u64>();
            prop_assert_eq!(sum(&report.bands), n);
            prop_assert_eq!(sum(&report.sources), n);
            prop_assert_eq!(n + report.incorrect.of, answers.len() as u64);
            let right = answers
                .iter()
                .filter(|answer| {
                    let Probabilities { mask, no_mask, .. } = answer.probabilities;
                    match answer.face.label {
                        Label::Mask => mask >= no_mask,
                        Label::NoMask => no_mask > mask,
                        Label::Incorrect => false,
                    }
                })
                .count() as u64;
            prop_assert_eq!(report.two_class.0.accuracy(), Proportion { hits: right, of: n });
        }
    }
}
