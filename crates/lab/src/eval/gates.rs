//! Coverage and errors of the quality gates: for each gate of [`maskwatch::vision::quality`], for the face
//! size and for the certainty of the classifier, how many faces pass which threshold, and how many of their
//! answers are wrong.
//!
//! An answer is *mask*, or an alarm (*no mask*, *incorrect*), whichever is more probable, however narrow.
//! Faces whose mask is worn incorrectly are left out: whether they should be let through at all is another
//! question.

use super::error::EvalError;
use super::evaluation::Evaluation;
use super::faces;
use super::metrics::Proportion;
use super::named::Named;
use super::networks::EvalNetworks;
use super::table;
use crate::curves::{self, Chart, Series};
use crate::data::labels::Label;
use crate::data::matching::{MIN_IOU, match_faces};
use crate::data::pictures::{self, LabelledPicture, Measured};
use image::RgbImage;
use maskwatch::geometry::Rect;
use maskwatch::vision::detector::Detection;
use maskwatch::vision::quality::{Examiner, Gates, Quality};
use serde::Serialize;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

/// Shares of all faces that the thresholds of a table stop, about.
const STOPPED: [f64; 8] = [0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
/// Certainties of which the table tells.
const CERTAINTIES: [f32; 9] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995];
/// Points of a curve at most.
const POINTS: usize = 400;
/// Where the axis of false alarms ends: beyond it nobody would want such a door.
const FALSE_ALARMS: f64 = 0.05;

/// One face that the detector found and the classifier was asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExaminedFace {
    /// Whether it wears a mask.
    pub masked: bool,
    /// The probability of a mask, 0 to 1.
    pub p_mask: f32,
    /// The shorter side of the box found, in pixels.
    pub side: f32,
    /// How well it can be seen.
    pub quality: Quality,
}

impl ExaminedFace {
    fn is_right(&self) -> bool {
        self.masked == (self.p_mask >= 0.5)
    }

    /// The probability of the answer, 0.5 to 1.
    fn certainty(&self) -> f32 {
        self.p_mask.max(1.0 - self.p_mask)
    }
}

/// What one threshold does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GateRow {
    /// The threshold, in the gate's own unit.
    pub threshold: f32,
    /// Faces that are let through, of all: the coverage.
    pub let_through: Proportion,
    /// Wrong answers among those let through: the risk.
    pub wrong: Proportion,
    /// Bare faces let through and called *mask*, of all bare ones.
    pub missed_unmasked: Proportion,
    /// Masked faces let through that raise an alarm, of all masked ones.
    pub false_alarms: Proportion,
    /// Right answers that are stopped, of all right ones: the cost.
    pub right_stopped: Proportion,
    /// Wrong answers that are stopped, of all wrong ones: the gain.
    pub wrong_stopped: Proportion,
}

impl GateRow {
    fn of(faces: &[ExaminedFace], threshold: f32, passes: impl Fn(&ExaminedFace) -> bool) -> Self {
        let share = |of: &dyn Fn(&ExaminedFace) -> bool, hit: &dyn Fn(&ExaminedFace) -> bool| -> Proportion {
            faces.iter().filter(|face| of(face)).map(hit).collect()
        };
        Self {
            threshold,
            let_through: share(&|_| true, &passes),
            wrong: share(&passes, &|face| !face.is_right()),
            missed_unmasked: share(&|face| !face.masked, &|face| passes(face) && !face.is_right()),
            false_alarms: share(&|face| face.masked, &|face| passes(face) && !face.is_right()),
            right_stopped: share(&ExaminedFace::is_right, &|face| !passes(face)),
            wrong_stopped: share(&|face| !face.is_right(), &|face| !passes(face)),
        }
    }
}

/// The figures of `eval gates`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GatesReport {
    /// Faces of which the figures tell.
    pub faces: u64,
    /// Labelled faces that the detector did not find, which are not among them.
    pub not_found: u64,
    /// What each gate does by itself, at thresholds that stop more and more.
    pub gates: Named<Vec<GateRow>>,
    /// What the usual gates of the configuration do together; the threshold is 0.
    pub usual_gates: GateRow,
    #[serde(skip)]
    asked: Vec<ExaminedFace>,
}

/// What is plotted of some of the faces, of so many in all.
type Curve = fn(&[ExaminedFace], usize) -> Vec<(f64, f64)>;

impl GatesReport {
    fn of(asked: Vec<ExaminedFace>, not_found: u64) -> Self {
        let faces = &asked;
        // Gates let values through that are at least the threshold; those with a greatest value look at it
        // with its sign changed.
        let gate = |name, sign: f32, value: &dyn Fn(&ExaminedFace) -> f32| {
            let mut values: Vec<f32> = faces.iter().map(|face| sign * value(face)).collect();
            values.sort_by(f32::total_cmp);
            let threshold = |share: f64| values.get((share * values.len() as f64) as usize).copied();
            let mut thresholds: Vec<f32> = STOPPED.into_iter().filter_map(threshold).collect();
            thresholds.dedup();
            let row = |t: f32| GateRow::of(faces, sign * t, |face| sign * value(face) >= t);
            (name, thresholds.into_iter().map(row).collect::<Vec<_>>())
        };
        let certainty = CERTAINTIES.map(|t| GateRow::of(faces, t, |face| face.certainty() >= t));
        let gates = [
            gate("min_face_side", 1.0, &|face| face.side),
            gate("min_sharpness", 1.0, &|face| face.quality.sharpness),
            gate("min_contrast", 1.0, &|face| face.quality.contrast),
            gate("min_brightness", 1.0, &|face| face.quality.brightness),
            gate("max_brightness", -1.0, &|face| face.quality.brightness),
            gate("max_clipped", -1.0, &|face| face.quality.clipped),
            gate("max_yaw", -1.0, &|face| face.quality.yaw.abs()),
            ("certainty", certainty.to_vec()),
        ];
        Self {
            faces: faces.len() as u64,
            not_found,
            gates: gates.into_iter().collect(),
            usual_gates: GateRow::of(faces, 0.0, |face| Gates::default().stopping(&face.quality).is_none()),
            asked,
        }
    }

    /// Risk over coverage, and missed unmasked over false alarms, without gates and behind the usual ones.
    #[must_use]
    pub fn curves(&self) -> RgbImage {
        let behind: Vec<ExaminedFace> = self
            .asked
            .iter()
            .filter(|face| Gates::default().stopping(&face.quality).is_none())
            .copied()
            .collect();
        let series = |curve: Curve| {
            [("all faces", &self.asked), ("behind the gates", &behind)]
                .map(|(name, faces)| Series { name: name.into(), points: curve(faces, self.asked.len()) })
                .to_vec()
        };
        let chart = |title: &str, x_label: &str, series, x_end| Chart {
            title: title.into(),
            x_label: x_label.into(),
            series,
            x_end,
            y_limits: (0.0, 1.0),
        };
        curves::draw(&[
            chart("Wrong answers", "faces answered, the surest first", series(risk_over_coverage), 1.0),
            chart("Missed unmasked", "false alarms", series(missed_over_false_alarms), FALSE_ALARMS),
        ])
    }
}

/// The share of wrong answers among the surest 1, 2, … faces, over their share of `all` faces.
fn risk_over_coverage(faces: &[ExaminedFace], all: usize) -> Vec<(f64, f64)> {
    let mut surest = faces.to_vec();
    surest.sort_by(|a, b| b.certainty().total_cmp(&a.certainty()));
    let mut wrong = 0u32;
    let curve: Vec<_> = (1u32..)
        .zip(&surest)
        .map(|(answered, face)| {
            wrong += u32::from(!face.is_right());
            (f64::from(answered) / all as f64, f64::from(wrong) / f64::from(answered))
        })
        .collect();
    thinned(curve)
}

/// The share of bare faces called *mask* over that of masked faces that raise an alarm, of those in `faces`,
/// for every probability that could part them.
fn missed_over_false_alarms(faces: &[ExaminedFace], _: usize) -> Vec<(f64, f64)> {
    let mut by_mask = faces.to_vec();
    by_mask.sort_by(|a, b| a.p_mask.total_cmp(&b.p_mask));
    let masked = by_mask.iter().filter(|face| face.masked).count() as f64;
    let bare = by_mask.len() as f64 - masked;
    let (mut missed, mut alarms) = (bare, 0.0);
    let mut curve = vec![(0.0, 1.0)];
    for face in &by_mask {
        if face.masked {
            alarms += 1.0;
        } else {
            missed -= 1.0;
        }
        curve.push((alarms / masked, missed / bare));
    }
    // Of the points above each other the lowest is what one would choose.
    curve.dedup_by(|next, kept| {
        next.0 == kept.0 && {
            *kept = *next;
            true
        }
    });
    curve.retain(|point| point.0 <= FALSE_ALARMS);
    thinned(curve)
}

fn thinned(curve: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let step = curve.len().div_ceil(POINTS).max(1);
    let last = curve.len().saturating_sub(1);
    curve
        .into_iter()
        .enumerate()
        .filter(|(i, _)| i % step == 0 || *i == last)
        .map(|(_, point)| point)
        .collect()
}

/// Finds and classifies the labelled faces of `pictures` below the folder `images`; of those found, boxes
/// whose shorter side is below `min_side` pixels are passed over. `progress` is called with the number of
/// pictures done so far.
pub fn evaluate(
    pictures: &[LabelledPicture],
    images: &Path,
    min_side: f32,
    networks: &EvalNetworks<'_>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<GatesReport> {
    let Measured { results, failures } = pictures::measure(pictures, images, progress, |picture, pixels| {
        let detections = (networks.detect)(pixels)?;
        let labelled: Vec<Rect> = picture.boxes.iter().map(|face| face.rect).collect();
        let matching = match_faces(&labelled, &detections, MIN_IOU);
        let (mut found, mut not_found) = (Vec::new(), 0);
        for (face, by) in picture.boxes.iter().zip(&matching.found_by) {
            match by.map(|index| &detections[index]) {
                _ if face.label == Label::Incorrect => {}
                Some(detection) if detection.rect.side() >= min_side => found.push((face.label, detection)),
                Some(_) => {}
                None => not_found += u64::from(face.rect.side() >= min_side),
            }
        }
        let rects: Vec<Rect> = found.iter().map(|(_, detection)| detection.rect).collect();
        let answers = faces::ask(networks.classify, pixels, &rects)?;
        let mut examiner = Examiner::default();
        let asked = found.into_iter().zip(answers).map(|((label, Detection { rect, .. }), answer)| {
            let landmarks = (networks.locate)(pixels, rect)?;
            Ok(ExaminedFace {
                masked: label == Label::Mask,
                p_mask: answer.mask,
                side: rect.side(),
                quality: examiner.examine(pixels, rect, &landmarks),
            })
        });
        Ok::<_, EvalError>((asked.collect::<Result<Vec<_>, EvalError>>()?, not_found))
    });
    let not_found = results.iter().map(|(_, not_found)| not_found).sum();
    let asked = results.into_iter().flat_map(|(asked, _)| asked).collect();
    Evaluation { report: GatesReport::of(asked, not_found), mistakes: Vec::new(), failures }
}

impl Display for GatesReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} faces; {} more were not found", self.faces, self.not_found)?;
        let usual = ("usual gates".to_owned(), vec![self.usual_gates]);
        for (name, rows) in self.gates.0.iter().chain([&usual]) {
            write!(out, "\n{name:<16}{:>12}{:>9}{:>9}", "let through", "wrong", "risk")?;
            writeln!(
                out,
                "{:>18}{:>15}{:>16}{:>16}",
                "missed unmasked", "false alarms", "right stopped", "wrong stopped"
            )?;
            for row in rows {
                write!(out, "{:<16.4}{:>12}", row.threshold, table::fraction(row.let_through.fraction()))?;
                write!(out, "{:>9}{:>9}", row.wrong.hits, table::fraction(row.wrong.fraction()))?;
                let rest = [row.missed_unmasked, row.false_alarms, row.right_stopped, row.wrong_stopped];
                for (share, width) in rest.iter().zip([18, 15, 16, 16]) {
                    write!(out, "{:>width$}", table::fraction(share.fraction()))?;
                }
                writeln!(out)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pictures::{group, tests::row};
    use crate::eval::faces::tests::{paint, read_off};
    use maskwatch::geometry::Point;
    use maskwatch::vision::detector::Detection;
    use proptest::prelude::*;

    fn asked(masked: bool, p_mask: f32, sharpness: f32) -> ExaminedFace {
        let quality = Quality { sharpness, brightness: 0.5, contrast: 0.2, clipped: 0.0, yaw: 0.0 };
        ExaminedFace { masked, p_mask, side: 40.0, quality }
    }

    #[test]
    fn a_row_counts_what_is_let_through_and_what_is_stopped() {
        let faces =
            [asked(true, 0.9, 1.0), asked(true, 0.2, 0.1), asked(false, 0.7, 2.0), asked(false, 0.1, 0.1)];
        let row = GateRow::of(&faces, 0.5, |face| face.quality.sharpness >= 0.5);
        let share = |hits, of| Proportion { hits, of };
        let expected = GateRow {
            threshold: 0.5,
            let_through: share(2, 4),
            wrong: share(1, 2),
            missed_unmasked: share(1, 2),
            false_alarms: share(0, 2),
            right_stopped: share(1, 2),
            wrong_stopped: share(1, 2),
        };
        assert_eq!(row, expected);
        assert_eq!(
            risk_over_coverage(&faces, 8),
            [(0.125, 0.0), (0.25, 0.0), (0.375, 1.0 / 3.0), (0.5, 0.5)]
        );
        assert_eq!(missed_over_false_alarms(&faces, 4), [(0.0, 0.5)]);
    }

    #[test]
    fn found_faces_are_asked_about_and_the_others_counted() {
        let folder = tempfile::tempdir().unwrap();
        let square = |x: f32| [x, 10.0, 30.0, 30.0];
        paint(&folder.path().join("a.png"), &[(square(0.0), 255), (square(40.0), 255), (square(80.0), 255)]);
        let labels =
            [(0.0, Label::Mask), (40.0, Label::NoMask), (80.0, Label::Mask), (120.0, Label::Incorrect)];
        let rows = labels.map(|(x, label)| row("a.png", square(x), label)).to_vec();
        let detect = |_: &RgbImage| {
            let found = |x: f32| Detection {
                rect: Rect::new(x, 10.0, 30.0, 30.0),
                landmarks: [Point { x, y: 10.0 }; 5],
                score: 0.9,
            };
            Ok([0.0, 40.0, 120.0].map(found).to_vec())
        };
        let locate = |_: &RgbImage, rect: &Rect| {
            let at = |x: f32, y: f32| Point { x: rect.x + x, y: rect.y + y };
            Ok([at(8.0, 10.0), at(22.0, 10.0), at(15.0, 15.0), at(10.0, 20.0), at(20.0, 20.0)])
        };
        let networks = EvalNetworks { detect: &detect, classify: &read_off, locate: &locate };
        let run = |min_side| evaluate(&group(rows.clone()), folder.path(), min_side, &networks, &|_| ());
        let Evaluation { report, failures, .. } = run(24.0);
        assert_eq!(failures, []);
        assert_eq!((report.faces, report.not_found), (2, 1));
        let certain = report.gates.get("certainty").unwrap();
        assert_eq!(certain[0].missed_unmasked, Proportion { hits: 1, of: 1 });
        assert_eq!(report.gates.get("min_face_side").unwrap()[0].threshold, 30.0);
        assert_eq!(report.curves().dimensions(), (1520, 480));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["gates"]["max_yaw"][0]["let_through"]["hits"], 2);
        assert!(report.to_string().contains("missed unmasked"));
        assert_eq!(run(31.0).report.faces, 0);
    }

    proptest! {
        #[test]
        fn every_face_is_let_through_or_stopped(
            faces in prop::collection::vec((any::<bool>(), 0f32..=1.0, 0f32..3.0), 0..60),
        ) {
            let faces: Vec<ExaminedFace> = faces.into_iter().map(|(masked, p, sharp)| asked(masked, p, sharp)).collect();
            let report = GatesReport::of(faces.clone(), 0);
            for (name, rows) in &report.gates.0 {
                let mut before = u64::MAX;
                for row in rows {
                    let stopped = row.right_stopped.hits + row.wrong_stopped.hits;
                    prop_assert_eq!(row.let_through.hits + stopped, faces.len() as u64);
                    prop_assert_eq!(row.wrong.hits, row.missed_unmasked.hits + row.false_alarms.hits);
                    prop_assert!(row.let_through.hits <= before, "{}", name);
                    before = row.let_through.hits;
                }
            }
            let curve = risk_over_coverage(&faces, faces.len());
            prop_assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0));
            if let (Some(last), Some(rows)) = (curve.last(), report.gates.get("min_sharpness")) {
                prop_assert!((last.1 - rows[0].wrong.fraction().unwrap_or(0.0)).abs() < 1e-9);
            }
        }
    }
}
