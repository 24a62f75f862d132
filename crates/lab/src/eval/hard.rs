//! The classifier on bare faces on which something is drawn (see [`crate::drawn`]): masks worn correctly and
//! incorrectly, hands, cups, beards, bad light. Every face gets every kind once, and is classified untouched
//! too.
//!
//! The detector is asked for landmarks on the untouched picture, to draw by; then the labelled box is cut out
//! and classified as the daemon does it. Whether the detector still finds the face below what is drawn is
//! asked of the whole picture. Where eyes and mouth are below it is [`super::landmarks`]' question.
//!
//! What is drawn depends on the seed, the kind and the face's place in its table alone, so that a seed names
//! one set on every machine, as long as the detector gives the same landmarks.

use super::error::EvalError;
use super::evaluation::Evaluation;
use super::faces::{self, FaceAnswer};
use super::metrics::Proportion;
use super::named::Named;
use super::networks::{Classify, Detect};
use super::sheet::Sheets;
use crate::data::labels::{Label, LabelledBox, Split};
use crate::data::landmarks;
use crate::data::pictures::{self, LabelledPicture, Measured};
use crate::drawn::{self, DrawnKind};
use crate::random::{Purpose, stream};
use image::{RgbImage, imageops};
use maskwatch::geometry::{Point, Rect};
use maskwatch::pixels::preprocess;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// The name of the row of faces on which nothing is drawn.
pub const UNTOUCHED: &str = "untouched";
/// The labels that a face can get.
const CALLED: [Label; 3] = Label::ALL;
/// The part of a picture that is drawn on, as a multiple of the face's longer side: more than any classifier
/// looks at.
const AROUND: f32 = 4.0;

/// The bare faces to draw on.
#[derive(Debug, Clone, PartialEq)]
pub struct BareFaces {
    /// Their pictures; other faces of these are left out.
    pub pictures: Vec<LabelledPicture>,
    /// The places in the tables of the boxes of each picture, in their order.
    places: HashMap<String, Vec<u64>>,
}

impl BareFaces {
    /// Picks the faces of `tables` that are labelled `no_mask`, belong to `split`, and whose shorter side is
    /// `min_side` pixels or more.
    #[must_use]
    pub fn of(tables: Vec<Vec<LabelledBox>>, split: Split, min_side: f32) -> Self {
        let mut rows = Vec::new();
        let mut places: HashMap<String, Vec<u64>> = HashMap::new();
        for (table, boxes) in (0u64..).zip(tables) {
            for (row, face) in (0u64..).zip(boxes) {
                if face.label == Label::NoMask && face.split == split && face.rect.side() >= min_side {
                    places.entry(face.image.clone()).or_default().push((table << 32) | row);
                    rows.push(face);
                }
            }
        }
        Self { pictures: pictures::group(rows), places }
    }

    /// The places in the tables of the boxes of the picture `image`, in their order.
    pub(super) fn places(&self, image: &str) -> &[u64] {
        self.places.get(image).map_or(&[], Vec::as_slice)
    }
}

/// The classifier's labels for the faces of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Called {
    /// The true label.
    pub label: Label,
    /// How many faces.
    pub n: u64,
    /// The share that was called each label.
    pub called: Named<Option<f64>>,
    /// The counts.
    pub counts: Named<Proportion>,
    /// The mean probability of a mask.
    pub mean_p_mask: Option<f64>,
    /// How many the detector still finds with plausible landmarks.
    pub found: Proportion,
}

impl Called {
    fn of(label: Label, asked: &[&(Option<DrawnKind>, FaceAnswer, bool)]) -> Self {
        let answers: Vec<&FaceAnswer> = asked.iter().map(|(_, answer, _)| answer).collect();
        let counts: Named<Proportion> = CALLED
            .into_iter()
            .map(|label| (label.name(), answers.iter().map(|answer| answer.called() == label).collect()))
            .collect();
        let sum: f64 = answers.iter().map(|answer| f64::from(answer.probabilities.mask)).sum();
        Self {
            label,
            n: answers.len() as u64,
            called: counts.0.iter().map(|(name, count)| (name.clone(), count.fraction())).collect(),
            counts,
            mean_p_mask: (!answers.is_empty()).then(|| sum / answers.len() as f64),
            found: asked.iter().map(|(.., found)| *found).collect(),
        }
    }
}

/// The figures of `eval hard`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HardReport {
    /// Bare faces on which the detector's landmarks could be used.
    pub faces: u64,
    /// Bare faces that were left out, since the detector did not find them or its landmarks were implausible.
    pub without_landmarks: u64,
    /// What the faces were called, untouched and by what is drawn on them.
    pub kinds: Named<Called>,
}

/// What came out for one picture.
#[derive(Default)]
struct DrawnAnswers {
    without_landmarks: u64,
    /// With each answer whether the face was found.
    answers: Vec<(Option<DrawnKind>, FaceAnswer, bool)>,
}

/// Draws every kind on every face of `bare`, whose pictures are below the folder `images`, and asks the
/// classifier. The set is named by `seed`; what it shows is added to `sheets`. `progress` is called with the
/// number of pictures done so far.
pub fn evaluate(
    bare: &BareFaces,
    images: &Path,
    (detect, classify): (&Detect<'_>, &Classify<'_>),
    seed: u64,
    sheets: Option<&Sheets>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<HardReport> {
    let measured = pictures::measure(&bare.pictures, images, progress, |picture, pixels| {
        let detections = detect(pixels)?;
        let mut asked = DrawnAnswers::default();
        for (face, place) in picture.boxes.iter().zip(bare.places(&picture.image)) {
            let Some(landmarks) = landmarks::find(&detections, &face.rect) else {
                asked.without_landmarks += 1;
                continue;
            };
            let close_up = CloseUp::of(pixels, &face.rect, &landmarks);
            for kind in std::iter::once(None).chain(DrawnKind::ALL.map(Some)) {
                let picture = close_up.with(kind, seed, *place);
                let given = faces::ask(classify, &picture, &[close_up.rect])?;
                let answers =
                    given.into_iter().map(|probabilities| FaceAnswer { face: face.clone(), probabilities });
                // The whole picture is searched as before, so that nothing but what is drawn makes the
                // difference.
                let mut whole = pixels.clone();
                imageops::replace(&mut whole, &picture, close_up.corner.0.into(), close_up.corner.1.into());
                let found = kind.is_none() || landmarks::find(&detect(&whole)?, &face.rect).is_some();
                asked.answers.extend(answers.map(|answer| (kind, answer, found)));
                if let (Some(sheets), Some((_, answer, _))) = (sheets, asked.answers.last()) {
                    let label = kind.map_or(Label::NoMask, DrawnKind::label);
                    sheets.add(name(kind), *place, label, answer, &picture, &close_up.rect);
                }
            }
        }
        Ok::<_, EvalError>(asked)
    });
    let Measured { results, failures } = measured;
    let rows = std::iter::once(None).chain(DrawnKind::ALL.map(Some)).map(|kind| {
        let all = results.iter().flat_map(|asked| &asked.answers);
        let asked: Vec<_> = all.filter(|(of, ..)| *of == kind).collect();
        (name(kind), Called::of(kind.map_or(Label::NoMask, DrawnKind::label), &asked))
    });
    let kinds: Named<Called> = rows.collect();
    let report = HardReport {
        faces: kinds.get(UNTOUCHED).map_or(0, |row| row.n),
        without_landmarks: results.iter().map(|asked| asked.without_landmarks).sum(),
        kinds,
    };
    Evaluation { report, mistakes: Vec::new(), failures }
}

/// What the faces are called in reports on which `kind` is drawn.
pub(super) fn name(kind: Option<DrawnKind>) -> &'static str {
    kind.map_or(UNTOUCHED, DrawnKind::name)
}

/// A face and what is around it.
pub(super) struct CloseUp {
    picture: RgbImage,
    /// Where its left upper corner lies in the whole picture.
    pub(super) corner: (u32, u32),
    rect: Rect,
    landmarks: [Point; 5],
}

impl CloseUp {
    pub(super) fn of(picture: &RgbImage, rect: &Rect, landmarks: &[Point; 5]) -> Self {
        let part = rect.square(AROUND).clipped(picture.width(), picture.height());
        let (left, top) = (part.x.floor(), part.y.floor());
        let (right, bottom) = ((part.x + part.w).ceil(), (part.y + part.h).ceil());
        let part = Rect::new(left, top, right - left, bottom - top);
        Self {
            picture: preprocess::cut(picture, &part),
            corner: (left as u32, top as u32),
            rect: Rect::new(rect.x - left, rect.y - top, rect.w, rect.h),
            landmarks: landmarks.map(|p| Point { x: p.x - left, y: p.y - top }),
        }
    }

    /// The picture with `kind` drawn on the face, which is at `place` in the tables.
    pub(super) fn with(&self, kind: Option<DrawnKind>, seed: u64, place: u64) -> RgbImage {
        let mut picture = self.picture.clone();
        if let Some(kind) = kind {
            let mut generator = stream(seed, Purpose::HardSet, (kind as u64) << 48 | place);
            drawn::draw(&mut picture, &self.landmarks, kind, &mut generator);
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pictures::tests::row;
    use maskwatch::vision::classifier::Probabilities;
    use maskwatch::vision::detector::Detection;

    /// The face of `tests/fixtures/astronaut.jpg`.
    fn astronaut() -> Detection {
        let at = |x: f32, y: f32| Point { x, y };
        Detection {
            rect: Rect::new(178.1, 65.0, 91.4, 111.4),
            landmarks: [
                at(203.4, 103.6),
                at(247.5, 104.4),
                at(224.1, 127.7),
                at(204.0, 143.1),
                at(242.9, 143.7),
            ],
            score: 0.94,
        }
    }

    fn faces() -> BareFaces {
        let rows = vec![
            row("astronaut.jpg", [178.0, 65.0, 91.0, 111.0], Label::Mask),
            row("astronaut.jpg", [178.0, 65.0, 91.0, 111.0], Label::NoMask),
            // Nobody is there.
            row("astronaut.jpg", [300.0, 300.0, 90.0, 110.0], Label::NoMask),
            row("astronaut.jpg", [10.0, 10.0, 20.0, 20.0], Label::NoMask),
        ];
        BareFaces::of(vec![Vec::new(), rows], Split::Val, 32.0)
    }

    #[test]
    fn only_bare_faces_of_the_split_and_size_are_taken_with_their_places() {
        let bare = faces();
        assert_eq!(bare.pictures.len(), 1);
        assert_eq!(bare.pictures[0].boxes.iter().map(|face| face.rect.x).collect::<Vec<_>>(), [178.0, 300.0]);
        assert_eq!(bare.places["astronaut.jpg"], [(1 << 32) | 1, (1 << 32) | 2]);
        let rows = vec![row("a.png", [0.0, 0.0, 90.0, 90.0], Label::NoMask)];
        assert!(BareFaces::of(vec![rows], Split::Train, 32.0).pictures.is_empty());
    }

    #[test]
    fn every_kind_is_asked_about_once_and_counted() {
        // A classifier that calls a face masked when the pixels around its mouth are not those of the
        // portrait.
        let portrait = image::open("../../tests/fixtures/astronaut.jpg").unwrap().into_rgb8();
        let classify = |picture: &RgbImage, rects: &[Rect]| {
            let (left, top) = (178.0 - rects[0].x, 65.0 - rects[0].y);
            let mut same = (200..248).filter(|x| {
                let at = |left: f32, top: f32| (x - left as u32, 143 - top as u32);
                let (here, there) = (at(left, top), at(0.0, 0.0));
                picture.get_pixel(here.0, here.1) == portrait.get_pixel(there.0, there.1)
            });
            Ok(vec![Probabilities::of_mask(if same.nth(24).is_some() { 0.25 } else { 1.0 })])
        };
        let detect = |_: &RgbImage| Ok(vec![astronaut()]);
        let networks: (&Detect<'_>, &Classify<'_>) = (&detect, &classify);
        let run = |seed| evaluate(&faces(), Path::new("../../tests/fixtures"), networks, seed, None, &|_| ());
        let Evaluation { report, failures, .. } = run(1);
        assert_eq!(failures, []);
        assert_eq!((report.faces, report.without_landmarks), (1, 1));
        assert_eq!(report.kinds.0.len(), 1 + DrawnKind::ALL.len());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["kinds"][UNTOUCHED]["called"]["no_mask"], 1.0);
        assert_eq!(json["kinds"][UNTOUCHED]["mean_p_mask"], 0.25);
        assert_eq!(json["kinds"][UNTOUCHED]["found"]["hits"], 1);
        for (kind, covered) in
            [(DrawnKind::Mask, true), (DrawnKind::UnderNose, true), (DrawnKind::UnderMouth, false)]
        {
            let row = report.kinds.get(kind.name()).unwrap();
            let expected = Some(if covered { 1.0 } else { 0.0 });
            assert_eq!((row.n, row.called.get("mask")), (1, Some(&expected)), "{kind}");
            assert_eq!(row.label, kind.label());
            assert_eq!(row.counts.get("mask").unwrap().hits + row.counts.get("no_mask").unwrap().hits, 1);
        }
        assert_eq!(run(1).report, report);
        assert!(report.to_string().contains("under_nose"));
    }

    #[test]
    fn a_close_up_shows_the_same_face() {
        let portrait = image::open("../../tests/fixtures/astronaut.jpg").unwrap().into_rgb8();
        let face = astronaut();
        let close_up = CloseUp::of(&portrait, &face.rect, &face.landmarks);
        let crop = |picture: &RgbImage, rect| preprocess::face_crop(picture, rect, 1.3, 64);
        assert_eq!(crop(&close_up.picture, &close_up.rect), crop(&portrait, &face.rect));
        assert_eq!(close_up.with(None, 1, 2), close_up.picture);
        assert_eq!(close_up.with(Some(DrawnKind::Cup), 1, 2), close_up.with(Some(DrawnKind::Cup), 1, 2));
        assert_ne!(close_up.with(Some(DrawnKind::Cup), 1, 2), close_up.with(Some(DrawnKind::Cup), 2, 2));
        assert_ne!(close_up.with(Some(DrawnKind::Cup), 1, 2), close_up.with(Some(DrawnKind::Cup), 1, 3));
    }
}
