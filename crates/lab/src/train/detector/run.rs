//! A detector run from its settings to its weight file.

use super::data::{self, PictureSampler, TrainingPicture};
use super::fitting::DetectorFitter;
use super::history::DetectorEntry;
use super::ranking::{Ranking, Working};
use super::settings::DetectorSettings;
use super::teacher;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::blend::blended;
use crate::train::error::TrainError;
use crate::train::run::{Finished, Session, describe, fit};
use maskwatch::nn::weights::Weights;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// At most so many pictures of each source are kept for choosing.
const SELECTION: usize = 40;
/// The scores are shifted by at most this, in units of the objectness logit.
const MOST_SHIFT: f32 = 2.0;
const SHIFT_STEPS: u32 = 7;
/// Shares of the fitted weights that are tried.
const SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// The result of a run: the written weights, and recall before and after on the pictures set aside.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedDetector {
    /// The weight file.
    pub weights: PathBuf,
    /// The epoch of these weights; 0 if no epoch was better than the start.
    pub epoch: u64,
    /// Share of the faces that the starting weights find.
    pub start_recall: f64,
    /// False positives per picture of the starting weights.
    pub start_false_positives: f64,
    /// Share of the faces that the written weights find.
    pub recall: f64,
    /// False positives per picture of the written weights.
    pub false_positives: f64,
}

impl fmt::Display for FittedDetector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: epoch {}, recall {:.4} (start {:.4}) with {:.3} false positives per picture (start {:.3}) on the \
             pictures kept apart",
            self.weights.display(),
            self.epoch,
            self.recall,
            self.start_recall,
            self.false_positives,
            self.start_false_positives
        )
    }
}

/// Fits the detector and writes `detector.safetensors`, `history.csv` and `curves.png` into the session's
/// folder. `None` when the session stops before the run's end.
///
/// # Errors
/// Data, weights or folder cannot be used, the run to be resumed had other settings, or fitting diverges.
pub fn run(settings: &DetectorSettings, session: &Session) -> Result<Option<FittedDetector>, TrainError> {
    settings.check()?;
    let checkpoint = session.begin()?;
    let start = Weights::load(&settings.weights)?;
    session.make_folder()?;
    let (sampler, selection) = pictures(settings, &start)?;
    let (mut fitter, fitted) = DetectorFitter::new(settings, &start, (sampler, selection))?;
    let course = settings.course(&fitter.sampler.checksum(), &start.checksum()?);
    let finished = fit(&mut fitter, &course, session, (&start, fitted), checkpoint)?;
    finished.map(|finished| finish(&fitter, &start, &finished, session)).transpose()
}

/// The pictures to fit to and those kept apart, with what the starting network adds to their labels.
fn pictures(
    settings: &DetectorSettings,
    start: &Weights,
) -> Result<(PictureSampler, Vec<TrainingPicture>), TrainError> {
    let mut pictures = data::read(&settings.data, &settings.tables, settings.negatives, &settings.factors)?;
    {
        let progress =
            Progress::new("landmarks from the starting network", "pictures", pictures.len() as u64, 0);
        teacher::teach(start, &mut pictures, || progress.advance(1))?;
    }
    let mut generator = stream(settings.seed, Purpose::Subsets, 0);
    let (training, selection) = data::carve(pictures, SELECTION, &mut generator);
    if selection.is_empty() {
        return Err(TrainError::Data(
            "there are too few pictures to set some aside that choose the best weights; label at least five"
                .to_owned(),
        ));
    }
    Ok((PictureSampler::new(training, settings.scenes), selection))
}

/// Blends the best weights with the starting ones, shifts their scores so that the threshold means what it
/// meant, and writes them.
fn finish(
    fitter: &DetectorFitter<'_>,
    start: &Weights,
    finished: &Finished<DetectorEntry>,
    session: &Session,
) -> Result<FittedDetector, TrainError> {
    let (settings, selection) = (fitter.settings, &fitter.selection);
    let first = finished.entries.first().unwrap_or(&finished.best);
    let threshold = settings.score_threshold;
    let (mut weights, share) = blend(settings, (start, &finished.weights), selection)?;
    let shift = if finished.best.epoch == 0 {
        0.0
    } else {
        let allowed = first.working.false_positives;
        level_scores(&mut weights, |weights| {
            Ok(Ranking::new(weights, selection, settings.close)?.at(threshold).false_positives <= allowed)
        })?
    };
    let ranking = Ranking::new(&weights, selection, settings.close)?;
    let (figure, fitted) = (ranking.figure(), ranking.at(threshold));
    let on = "pictures of split train that were kept apart; they chose the epoch and the scores' shift";
    let mut figures = figures(figure, &fitted);
    figures["on"] = on.into();
    figures["score_threshold"] = threshold.into();
    figures["start"] = self::figures(first.figure, &first.working);
    let data = serde_json::json!({
        "training": summary(fitter.sampler.pictures()),
        "selection": summary(selection),
    });
    let origin = settings.weights.file_name().unwrap_or_default().to_string_lossy();
    let entries = [
        ("network", "YuNet-n, batch norms folded".to_owned()),
        ("input", "BGR, 0 to 255, height and width multiples of 32".to_owned()),
        ("started_from", origin.into_owned()),
        ("maskwatch", env!("CARGO_PKG_VERSION").to_owned()),
        ("epoch", format!("{} of {}", finished.best.epoch, settings.epochs)),
        ("blend", share.to_string()),
        ("score_shift", format!("{shift:.4}")),
        ("data", data.to_string()),
        ("figures", figures.to_string()),
    ];
    describe(&mut weights, session, settings.seed, entries);
    let path = session.file("detector.safetensors");
    weights.save(&path)?;
    Ok(FittedDetector {
        weights: path,
        epoch: finished.best.epoch,
        start_recall: first.working.recall,
        start_false_positives: first.working.false_positives,
        recall: fitted.recall,
        false_positives: fitted.false_positives,
    })
}

fn figures(figure: f64, working: &Working) -> serde_json::Value {
    serde_json::json!({
        "froc": figure,
        "recall": working.recall,
        "bare_recall": working.bare_recall,
        "false_positives_per_image": working.false_positives,
        "landmark_error_below_drawn_masks": working.landmark_error,
    })
}

/// The fitted weights blended with the starting ones, and their share: the wanted one, or that which finds
/// most faces.
fn blend(
    settings: &DetectorSettings,
    (start, fitted): (&Weights, &Weights),
    selection: &[TrainingPicture],
) -> Result<(Weights, f64), TrainError> {
    let shares: &[f64] = settings.blend.as_ref().map_or(&SHARES, std::slice::from_ref);
    let progress = Progress::new("blending", "shares", shares.len() as u64, 0);
    let mut best: Option<(f64, Weights, f64)> = None;
    for &share in shares {
        let weights = blended(start, fitted, share)?;
        let ranking = Ranking::new(&weights, selection, settings.close)?;
        let figure = ranking.figure();
        progress.note(&format!("{share} of the fitted weights: mean recall {figure:.4}"));
        progress.advance(1);
        if best.as_ref().is_none_or(|(least, ..)| figure > *least) {
            best = Some((figure, weights, share));
        }
    }
    best.map(|(_, weights, share)| (weights, share))
        .ok_or_else(|| TrainError::Settings("there is no share to blend the weights with".to_owned()))
}

/// Pictures and faces per source.
fn summary(pictures: &[TrainingPicture]) -> BTreeMap<String, BTreeMap<&'static str, usize>> {
    let mut sources: BTreeMap<String, BTreeMap<&'static str, usize>> = BTreeMap::new();
    for picture in pictures {
        let counts = sources.entry(picture.source.clone()).or_default();
        *counts.entry("pictures").or_default() += 1;
        *counts.entry("faces").or_default() += picture.truth.faces.len();
    }
    sources
}

/// Adds the largest shift to all objectness logits for which `allowed` holds (it must also hold for all lower
/// ones), within [`MOST_SHIFT`], by halving. Returns the shift.
fn level_scores(
    weights: &mut Weights,
    mut allowed: impl FnMut(&Weights) -> Result<bool, TrainError>,
) -> Result<f32, TrainError> {
    let original = weights.clone();
    let shifted = |shift: f32| -> Result<Weights, TrainError> {
        let mut shifted = original.clone();
        for level in 0..3 {
            let name = format!("head.multi_level_obj.{level}.conv2.bias");
            let bias = original.get(&name, &[1])?;
            shifted.insert(name, bias.affine(1.0, f64::from(shift))?);
        }
        Ok(shifted)
    };
    let (mut low, mut high) = (-MOST_SHIFT, MOST_SHIFT);
    for _ in 0..SHIFT_STEPS {
        let middle = f32::midpoint(low, high);
        if allowed(&shifted(middle)?)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    *weights = shifted(low)?;
    Ok(low)
}
