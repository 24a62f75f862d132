//! What a measurement prints about itself: data, networks, limits.

use crate::data::labels::Split;
use crate::data::matching::MIN_IOU;
use maskwatch::cli::networks::{DetectorArgs, ModelArgs};
use maskwatch::decide::{IncorrectMeans, Rules};
use maskwatch::vision::classifier::Input;
use maskwatch::vision::models::{ModelOptions, Models};
use maskwatch::vision::quality::Gates;
use serde::Serialize;
use std::fmt::{self, Display};
use std::path::PathBuf;

/// What was measured, and how; printed with the figures.
#[derive(Debug, Serialize)]
pub(super) struct EvalSettings {
    pub(super) labels: PathBuf,
    pub(super) images: PathBuf,
    pub(super) split: Split,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) set_aside: bool,
    pub(super) min_side: f32,
    pub(super) precision: &'static str,
    pub(super) weights: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) classifier_input: Option<Input>,
    #[serde(flatten)]
    pub(super) detector: Option<MeasuredDetector>,
    #[serde(flatten)]
    pub(super) verdict: Option<VerdictSettings>,
    #[serde(flatten)]
    pub(super) door: Option<DoorSettings>,
}

#[derive(Debug, Serialize)]
pub(super) struct MeasuredDetector {
    pub(super) detector_input: [u32; 2],
    pub(super) close_faces: bool,
    pub(super) score_threshold: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_iou: Option<f32>,
}

#[derive(Debug, Serialize)]
pub(super) struct VerdictSettings {
    pub(super) certainty: f32,
    pub(super) min_face_side: f32,
}

/// What was shown; printed with the figures.
#[derive(Debug, Serialize)]
pub(super) struct DoorSettings {
    pub(super) seed: u64,
    pub(super) masked_persons: usize,
    pub(super) unmasked_persons: usize,
    pub(super) persons_with_mask_worn_wrongly: usize,
    pub(super) rules: RulesSettings,
}

#[derive(Debug, Serialize)]
pub(super) struct RulesSettings {
    pub(super) min_face_side: f32,
    pub(super) certainty: f32,
    pub(super) evidence_seconds: f64,
    pub(super) window_seconds: f64,
    pub(super) gates: Gates,
    pub(super) incorrect: &'static str,
}

impl DoorSettings {
    /// For people to read.
    fn lines(&self) -> String {
        let Self { seed, masked_persons, unmasked_persons, persons_with_mask_worn_wrongly: wrongly, rules } =
            self;
        format!(
            "seed {seed}: {masked_persons} masked and {unmasked_persons} unmasked persons, {wrongly} with the mask worn incorrectly, each once \
             in every kind of gathering\n\
             {rules}\n"
        )
    }
}

impl Display for RulesSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min_face_side, certainty, evidence_seconds, window_seconds, gates, incorrect } = self;
        let gates = gates.summary();
        write!(
            out,
            "votes for {evidence_seconds} of {window_seconds} s with a probability of {certainty}, faces of at least {min_face_side} px\n\
             gates: {gates}; a mask worn incorrectly: {incorrect}"
        )
    }
}

impl RulesSettings {
    pub(super) fn of(rules: &Rules, gates: Gates) -> Self {
        let Rules { min_face_side, certainty, evidence, window, incorrect, .. } = *rules;
        let name = |(name, means)| (means == incorrect).then_some(name);
        let incorrect = IncorrectMeans::NAMES.into_iter().find_map(name).unwrap_or_default();
        let (evidence_seconds, window_seconds) = (evidence.as_secs_f64(), window.as_secs_f64());
        Self { min_face_side, certainty, evidence_seconds, window_seconds, gates, incorrect }
    }
}

/// What clips were shown, and how; printed with the figures.
#[derive(Debug, Serialize)]
pub(super) struct VideoSettings {
    pub(super) clips: PathBuf,
    pub(super) precision: &'static str,
    pub(super) detector_input: [u32; 2],
    pub(super) rules: RulesSettings,
}

impl Display for VideoSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clips, precision, detector_input: [width, height], rules } = self;
        writeln!(out, "clips of {}\n{precision}, detector input {width}x{height}\n{rules}", clips.display())
    }
}

/// The pictures are shared among the threads, not the work of a network.
pub(super) fn open(args: &ModelArgs) -> anyhow::Result<Models> {
    Ok(Models::open(&ModelOptions { threads: Some(1), ..args.options() })?)
}

impl MeasuredDetector {
    pub(super) fn of(args: &DetectorArgs) -> Self {
        Self {
            detector_input: args.detector_input.into(),
            close_faces: !args.no_close_faces,
            score_threshold: args.score_threshold,
            min_iou: Some(MIN_IOU),
        }
    }
}

impl Display for EvalSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (labels, images) = (self.labels.display(), self.images.display());
        if self.set_aside {
            out.write_str("what training sets aside of ")?;
        }
        writeln!(out, "split {} of {labels}, pictures in {images}", self.split)?;
        if self.min_side > 0.0 {
            writeln!(out, "faces of at least {} px (shorter side)", self.min_side)?;
        }
        writeln!(out, "{}, {}", self.precision, self.weights)?;
        if let Some(input) = self.classifier_input {
            writeln!(out, "classifier input {input}")?;
        }
        if let Some(detector) = &self.detector {
            let [width, height] = detector.detector_input;
            let matched =
                detector.min_iou.map_or_else(String::new, |iou| format!(", matched at IoU {iou} or more"));
            let threshold = detector.score_threshold;
            writeln!(out, "detector input {width}x{height}, score threshold {threshold}{matched}")?;
        }
        if let Some(verdict) = &self.verdict {
            let VerdictSettings { certainty, min_face_side } = verdict;
            writeln!(
                out,
                "unsure below a probability of {certainty} or a shorter side of {min_face_side} px"
            )?;
        }
        if let Some(door) = &self.door {
            out.write_str(&door.lines())?;
        }
        Ok(())
    }
}
