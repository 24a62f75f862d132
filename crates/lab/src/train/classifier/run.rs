//! A classifier run from its data set to its weight file.

use super::finetune::Finetune;
use super::head::HeadFitter;
use super::history::{ClassifierEntry, Figures};
use super::job::ClassifierJob;
use super::non_faces::NonFaces;
use super::settings::{ClassifierSettings, Depth};
use super::start::with_head;
use super::{calibrate, measure};
use crate::data::dataset::Dataset;
use crate::train::blend::blended;
use crate::train::error::TrainError;
use crate::train::run::{Course, Finished, Session, describe, fit, json};
use maskwatch::nn::Mode;
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::nn::weights::Weights;
use maskwatch::vision::classifier::Preprocessing;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a finished run reached, measured on the pictures with the weights that were written.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierReport {
    /// The weight file.
    pub weights: PathBuf,
    /// The epoch or step whose weights these are.
    pub best: ClassifierEntry,
    /// Figures over `selection` and `val`, and over each table in them (`val scenes`).
    pub figures: BTreeMap<String, Figures>,
}

/// Fits the classifier, starting at `weights` (torchvision's, or a classifier of our own), and writes
/// `classifier.safetensors`, `history.csv` and `curves.png` into the output folder. An unfinished run in that
/// folder can be resumed and goes on exactly as if it had not been interrupted.
///
/// The weights are those of the epoch with the lowest loss on [`Dataset::chosen_by`]. `None` when the session
/// stops before the run's end.
///
/// # Errors
/// Settings out of range, pictures or weights that cannot be used, a folder that cannot be written, a
/// checkpoint in the output folder without `resume` or of other settings.
pub fn run(
    dataset: &Dataset,
    weights: &Weights,
    settings: &ClassifierSettings,
    session: &Session,
) -> Result<Option<ClassifierReport>, TrainError> {
    settings.check()?;
    // Says which file and tensor do not fit, before anything is done.
    MobileNetV2::new(weights, Mode::Inference)?;
    let checkpoint = session.begin()?;
    session.make_folder()?;
    let start = with_head(weights, settings.seed, settings.depth != Depth::Head)?;
    let non_faces = if settings.non_faces > 0.0 {
        NonFaces::find(&dataset.folder, settings.heads.as_deref(), settings.seed, settings.threads)?
    } else {
        NonFaces::default()
    };
    let job = ClassifierJob { dataset, settings, non_faces: &non_faces };
    let course = job.course(&start.checksum()?);
    let finished = match settings.depth {
        Depth::Head => {
            let (mut fitter, fitted) = HeadFitter::new(job, &start)?;
            fit(&mut fitter, &course, session, (&start, fitted), checkpoint)?
        }
        Depth::From(block) => {
            let (mut fitter, fitted) = Finetune::new(job, &start, block)?;
            fit(&mut fitter, &course, session, (&start, fitted), checkpoint)?
        }
    };
    let Some(Finished { best, weights: mut result, .. }) = finished else { return Ok(None) };
    if settings.blend < 1.0 {
        result = blended(&start, &result, settings.blend)?;
    }
    calibrate::calibrate(&job, &mut result)?;
    Preprocessing { margin: settings.margin, inputs: settings.inputs.clone() }.write(&mut result.metadata);
    let figures = measure::figures(&job, &result)?;
    let entries = metadata(&job, &course, &weights.checksum()?, &best, &figures);
    describe(&mut result, session, settings.seed, entries);
    let file = session.file("classifier.safetensors");
    result.save(&file)?;
    Ok(Some(ClassifierReport { weights: file, best, figures }))
}

fn metadata(
    job: &ClassifierJob<'_>,
    course: &Course,
    start: &str,
    best: &ClassifierEntry,
    figures: &BTreeMap<String, Figures>,
) -> [(&'static str, String); 8] {
    let ClassifierJob { dataset, settings, non_faces } = job;
    let preprocessing = format!(
        "square around the face, its seen side {} times the longer side, edge pixels repeated; RGB; resized to {}, middle \
         {} of it; (x / 255 - mean) / deviation, mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225",
        settings.margin,
        maskwatch::pixels::preprocess::resized_side(settings.input()),
        settings.input(),
    );
    let best = serde_json::json!({
        "unit": course.unit, "at": best.at, "of": course.total,
        "chosen_by": if settings.keep_last {
            "being the last".to_owned()
        } else {
            format!("loss on {}", dataset.chosen_by().name())
        },
    });
    [
        ("architecture", "MobileNetV2 1.0, head 1280-128-2".to_owned()),
        ("preprocessing", preprocessing),
        ("data", json(&dataset.summary())),
        ("non_faces", json(&non_faces.summary())),
        ("settings", json(settings)),
        ("starting_weights_crc32", start.to_owned()),
        ("best", best.to_string()),
        ("figures", json(figures)),
    ]
}
