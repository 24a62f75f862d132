//! A run of the landmark network from its settings to its weight file.

use super::fitting::{self, LandmarksFitter};
use super::settings::LandmarksSettings;
use super::truth;
use crate::data::dataset::{Dataset, DatasetOptions};
use crate::train::error::TrainError;
use crate::train::run::{Finished, Session, describe, fit};
use maskwatch::nn::landmarks::{INPUT, MARGIN};
use maskwatch::nn::weights::{Weights, find};
use std::fmt;
use std::path::PathBuf;

/// The result of a run, measured on the faces set aside.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedLandmarks {
    /// The file of the weights.
    pub weights: PathBuf,
    /// The step whose weights these are.
    pub step: u64,
    /// Mean error of the landmarks as a share of the eyes' distance: on bare faces and below masks.
    pub errors: [f64; 2],
}

impl fmt::Display for FittedLandmarks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [bare, masked] = self.errors;
        writeln!(out, "best on the faces set aside at step {}:", self.step)?;
        writeln!(
            out,
            "  landmarks off by {bare:.4} of the eyes' distance on bare faces, {masked:.4} below masks"
        )?;
        write!(out, "written: {}", self.weights.display())
    }
}

/// Fits the landmark network and writes `landmarks.safetensors`, `known.csv`, `history.csv` and `curves.png`
/// into the session's folder. `None` when the session stops before the run's end.
///
/// # Errors
/// Data, weights or folder cannot be used, the run to be resumed had other settings, or fitting diverges.
pub fn run(settings: &LandmarksSettings, session: &Session) -> Result<Option<FittedLandmarks>, TrainError> {
    settings.check()?;
    let checkpoint = session.begin()?;
    let given = settings.weights.clone().map_or_else(|| find("classifier.safetensors"), Ok)?;
    let start = fitting::start(&Weights::load(&given)?, settings.seed)?;
    let teacher = Weights::load(&settings.teacher)?;
    session.make_folder()?;
    let options = DatasetOptions { seed: settings.seed, ..DatasetOptions::default() };
    let dataset = Dataset::load(&settings.data, &options)?;
    let [faces, selection] = truth::known(&dataset, &teacher, &session.file("known.csv"), settings.threads)?;
    if faces.is_empty() || selection.is_empty() {
        return Err(TrainError::Data(format!(
            "{} has too few bare faces (no_mask) of 32 pixels and more in split train",
            settings.data.display()
        )));
    }
    let counts = [faces.len(), selection.len()];
    let checksum = format!("{} and {} of {}", counts[0], counts[1], dataset.checksum());
    let course = settings.course(&checksum, &start.checksum()?);
    let (mut fitter, fitted) = LandmarksFitter::new(settings, &start, [faces, selection])?;
    let finished = fit(&mut fitter, &course, session, (&start, fitted), checkpoint)?;
    let Some(Finished { best, mut weights, .. }) = finished else { return Ok(None) };
    let figures = serde_json::json!({
        "on": "bare faces of split train that were set aside; they chose the step",
        "error_bare": best.errors[0],
        "error_below_drawn_masks": best.errors[1],
    });
    let input = format!(
        "{INPUT}x{INPUT} RGB, a square of {MARGIN} times the face's longer side, normalised as the classifier's"
    );
    let teacher_name = settings.teacher.file_name().unwrap_or_default().to_string_lossy();
    let entries = [
        ("architecture", "MobileNetV2 1.0 up to features.13, 1x1 to 32 channels, linear to 10".to_owned()),
        ("input", input),
        ("teacher", format!("{teacher_name} {}", teacher.checksum()?)),
        ("starting_weights_crc32", start.checksum()?),
        ("maskwatch", env!("CARGO_PKG_VERSION").to_owned()),
        ("step", format!("{} of {}", best.step, settings.steps)),
        ("data", format!("{} bare faces of split train, {} set aside", counts[0], counts[1])),
        ("figures", figures.to_string()),
    ];
    describe(&mut weights, session, settings.seed, entries);
    let file = session.file("landmarks.safetensors");
    weights.save(&file)?;
    Ok(Some(FittedLandmarks { weights: file, step: best.step, errors: best.errors }))
}
