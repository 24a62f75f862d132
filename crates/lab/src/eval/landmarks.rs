//! Error of the landmarks on bare faces with something drawn on them: those of the landmark network, on the
//! box that the detector finds in the changed picture, and those of the detector itself.
//!
//! Where they should be is what another detector, the teacher, says of the untouched face on average of ten
//! looks ([`crate::data::teacher`]). One look differs from that by the *spread*; of faces on which
//! the looks differ by much, as from the side, the truth is not known well enough to measure by, so figures
//! are also given for those of which it is.

use super::error::EvalError;
use super::evaluation::Evaluation;
use super::hard::{BareFaces, CloseUp, UNTOUCHED, name};
use super::metrics::Proportion;
use super::named::Named;
use super::networks::EvalNetworks;
use super::table;
use crate::data::landmarks::distance;
use crate::data::pictures::{self, Measured};
use crate::data::teacher::Teacher;
use crate::drawn::DrawnKind;
use image::imageops;
use maskwatch::vision::detector::Detection;
use serde::Serialize;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

/// Overlap (IoU) from which a detection is the labelled face.
const MIN_IOU: f32 = 0.4;
/// Spread up to which the truth is taken for certain, as a share of the eyes' distance.
pub const CERTAIN: f32 = 0.08;

/// How far the landmarks of some faces are off, as shares of the eyes' distance: for each face, the mean of
/// its five.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Errors {
    /// How many faces.
    pub n: u64,
    /// Mean over the faces.
    pub mean: Option<f64>,
    /// Median over the faces.
    pub median: Option<f64>,
}

impl Errors {
    fn of(mut errors: Vec<f64>) -> Self {
        errors.sort_by(f64::total_cmp);
        let n = errors.len();
        let mean = (n > 0).then(|| errors.iter().sum::<f64>() / n as f64);
        Self { n: n as u64, mean, median: errors.get(n / 2).copied() }
    }
}

/// The faces of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LandmarkRow {
    /// How many the detector found; the figures are of those.
    pub found: Proportion,
    /// The landmark network on all of them.
    pub all: Errors,
    /// The landmark network on those whose truth is certain.
    pub certain: Errors,
    /// The detector's own landmarks on all of them.
    pub detector: Errors,
    /// The detector's own landmarks on those whose truth is certain.
    pub detector_certain: Errors,
}

/// The figures of `eval landmarks`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LandmarksReport {
    /// Bare faces whose landmarks the teacher knows.
    pub faces: u64,
    /// Bare faces that were left out, since too few of the teacher's looks found them.
    pub unknown: u64,
    /// Mean spread of the teacher's looks.
    pub spread: Option<f64>,
    /// Untouched, and by what is drawn.
    pub kinds: Named<LandmarkRow>,
}

/// One face with one thing drawn on it: the spread of its truth and, where it was found, both errors.
#[derive(Debug, Clone, Copy)]
struct LocatedFace {
    kind: Option<DrawnKind>,
    spread: f32,
    errors: Option<[f32; 2]>,
}

impl LandmarkRow {
    fn of(asked: &[&LocatedFace]) -> Self {
        let errors = |which: usize, limit: f32| {
            let of = asked.iter().filter(|asked| asked.spread <= limit);
            Errors::of(of.filter_map(|asked| asked.errors.map(|errors| f64::from(errors[which]))).collect())
        };
        Self {
            found: asked.iter().map(|asked| asked.errors.is_some()).collect(),
            all: errors(0, f32::INFINITY),
            certain: errors(0, CERTAIN),
            detector: errors(1, f32::INFINITY),
            detector_certain: errors(1, CERTAIN),
        }
    }
}

/// Draws every kind on every face of `bare`, whose pictures are below the folder `images`, and asks for
/// landmarks. The set is named by `seed`. `progress` is called with the number of pictures done so far.
pub fn evaluate(
    bare: &BareFaces,
    images: &Path,
    networks: &EvalNetworks<'_>,
    teacher: &Teacher,
    seed: u64,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<LandmarksReport> {
    let kinds = || std::iter::once(None).chain(DrawnKind::ALL.map(Some));
    let measured = pictures::measure(&bare.pictures, images, progress, |picture, pixels| {
        let (mut asked, mut unknown) = (Vec::new(), 0u64);
        for (face, place) in picture.boxes.iter().zip(bare.places(&picture.image)) {
            let Some(truth) = teacher.agreed(pixels, &face.rect)? else {
                unknown += 1;
                continue;
            };
            let close_up = CloseUp::of(pixels, &face.rect, &truth.landmarks);
            for kind in kinds() {
                let mut whole = pixels.clone();
                let (left, top) = close_up.corner;
                imageops::replace(&mut whole, &close_up.with(kind, seed, *place), left.into(), top.into());
                let detections = (networks.detect)(&whole)?;
                let overlap = |found: &&Detection| found.rect.iou(&face.rect);
                let found = detections.iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
                let errors = match found.filter(|found| overlap(found) >= MIN_IOU) {
                    Some(found) => {
                        let located = (networks.locate)(&whole, &found.rect)?;
                        Some([&located, &found.landmarks].map(|points| distance(&truth.landmarks, points)))
                    }
                    None => None,
                };
                asked.push(LocatedFace { kind, spread: truth.spread, errors });
            }
        }
        Ok::<_, EvalError>((asked, unknown))
    });
    let Measured { results, failures } = measured;
    let all: Vec<&LocatedFace> = results.iter().flat_map(|(asked, _)| asked).collect();
    let rows = kinds().map(|kind| {
        let of_kind: Vec<&LocatedFace> = all.iter().filter(|asked| asked.kind == kind).copied().collect();
        (name(kind), LandmarkRow::of(&of_kind))
    });
    let kinds: Named<LandmarkRow> = rows.collect();
    let spreads = all.iter().filter(|asked| asked.kind.is_none()).map(|asked| f64::from(asked.spread));
    let report = LandmarksReport {
        faces: kinds.get(UNTOUCHED).map_or(0, |row| row.found.of),
        unknown: results.iter().map(|(_, unknown)| unknown).sum(),
        spread: Errors::of(spreads.collect()).mean,
        kinds,
    };
    Evaluation { report, mistakes: Vec::new(), failures }
}

impl Display for LandmarksReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let spread = table::fraction(self.spread);
        writeln!(out, "{} bare faces; {} more were unknown to the teacher", self.faces, self.unknown)?;
        writeln!(out, "one look of the teacher is {spread} off the mean of ten; certain: up to {CERTAIN}")?;
        writeln!(out, "\nmean error, shares of the eyes' distance; behind it the median")?;
        writeln!(
            out,
            "{:<12}{:>6}{:>9}{:>9}{:>9}{:>9}{:>9}{:>20}{:>9}",
            "", "found", "all", "", "certain", "", "n", "detector: all", "certain"
        )?;
        for (kind, row) in &self.kinds.0 {
            let [mean, median] = [row.all.mean, row.all.median].map(table::fraction);
            let [certain, half] = [row.certain.mean, row.certain.median].map(table::fraction);
            let [detector, detector_certain] =
                [row.detector.mean, row.detector_certain.mean].map(table::fraction);
            let (found, n) = (row.found.hits, row.certain.n);
            writeln!(
                out,
                "{kind:<12}{found:>6}{mean:>9}{median:>9}{certain:>9}{half:>9}{n:>9}{detector:>20}{detector_certain:>9}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_faces_found_and_certain_ones_apart() {
        let asked = |spread, errors| LocatedFace { kind: None, spread, errors };
        let faces = [
            asked(0.01, Some([0.1, 0.2])),
            asked(0.5, Some([0.3, 0.6])),
            asked(0.02, None),
            asked(0.03, Some([0.2, 0.1])),
        ];
        let row = LandmarkRow::of(&faces.iter().collect::<Vec<_>>());
        assert_eq!((row.found.hits, row.found.of), (3, 4));
        assert_eq!((row.all.n, row.certain.n), (3, 2));
        let near = |value: Option<f64>, wanted: f64| (value.unwrap() - wanted).abs() < 1e-6;
        assert!(near(row.all.mean, 0.2) && near(row.all.median, 0.2) && near(row.certain.mean, 0.15));
        assert!(near(row.detector.mean, 0.3) && near(row.detector_certain.mean, 0.15));
        assert_eq!(Errors::of(Vec::new()), Errors { n: 0, mean: None, median: None });
    }
}
