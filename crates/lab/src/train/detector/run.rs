//! `maskwatch-lab train detector` from its arguments to its weight file.

use super::data::{self, PictureSampler, TrainingPicture};
use super::fitting::{DetectorFitting, DetectorPlan};
use super::history::{self, DetectorEntry};
use super::ranking::{Ranking, Working};
use super::{Args, Outcome, teacher};
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::blend::blended;
use anyhow::Context as _;
use maskwatch::nn::weights::Weights;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// At most so many pictures of each source are kept for choosing.
const SELECTION: usize = 40;
/// The scores are shifted by at most this, in units of the objectness logit.
const MOST_SHIFT: f32 = 2.0;
const SHIFT_STEPS: u32 = 7;
/// Shares of the fitted weights that are tried.
const SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Fits the detector and writes `detector.safetensors`, `checkpoint.safetensors`, `history.csv` and
/// `curves.png`.
///
/// # Errors
/// Data, weights or folder cannot be used, the run to be resumed had other options, or fitting diverges.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let checkpoint = args.output.join("checkpoint.safetensors");
    anyhow::ensure!(
        args.resume || !checkpoint.exists(),
        "{} is there already; give --resume to go on with it or another --output to start anew",
        checkpoint.display()
    );
    let start = Weights::load(&args.weights)?;
    std::fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot make the folder {}", args.output.display()))?;
    let (sampler, selection) = pictures(args, &start)?;
    let plan = DetectorPlan {
        epochs: args.epochs,
        batches: args.examples.div_ceil(args.batch),
        batch: args.batch,
        learning_rate: args.learning_rate,
        seed: args.seed,
        pictures: sampler.checksum(),
        start: start.checksum()?,
    };
    let mut run = Run {
        args,
        fitting: DetectorFitting::new(&start, plan)?,
        rows: Vec::new(),
        best: start.clone(),
        start,
        best_epoch: 0,
        checkpoint,
    };
    if args.resume && run.checkpoint.exists() {
        run.restore()?;
    }
    run.fit(&sampler, &selection)?;
    run.finish(&sampler, &selection)
}

fn pictures(args: &Args, teacher: &Weights) -> anyhow::Result<(PictureSampler, Vec<TrainingPicture>)> {
    let mut pictures = data::read(&args.data, &args.table, &args.weight)?;
    {
        let progress =
            Progress::new("landmarks from the starting network", "pictures", pictures.len() as u64, 0);
        teacher::teach(teacher, &mut pictures, || progress.advance(1))?;
    }
    let (training, selection) = data::carve(pictures, SELECTION, &mut stream(args.seed, Purpose::Subsets, 0));
    anyhow::ensure!(
        !selection.is_empty(),
        "there are too few pictures to keep some apart for choosing the best weights; label at least five"
    );
    Ok((PictureSampler::new(training, args.scenes), selection))
}

/// A run under way.
struct Run<'a> {
    args: &'a Args,
    fitting: DetectorFitting,
    rows: Vec<DetectorEntry>,
    start: Weights,
    best: Weights,
    best_epoch: u64,
    checkpoint: PathBuf,
}

/// What a checkpoint says besides the state of the fitting.
#[derive(serde::Serialize, serde::Deserialize)]
struct Reached {
    rows: Vec<DetectorEntry>,
    best_epoch: u64,
}

impl Run<'_> {
    fn fit(&mut self, sampler: &PictureSampler, selection: &[TrainingPicture]) -> anyhow::Result<()> {
        let &DetectorPlan { epochs, batches, .. } = self.fitting.plan();
        let done = (self.rows.len() as u64).saturating_sub(1) * batches;
        let progress = Progress::new("fitting", "steps", epochs * batches, done);
        if self.rows.is_empty() {
            let start = Ranking::new(&self.best, selection)?;
            self.record(0, None, &start, &progress);
        }
        while (self.rows.len() as u64) <= epochs {
            let epoch = self.rows.len() as u64;
            let losses = self.fitting.epoch(epoch - 1, sampler, self.args.threads, |_| {
                progress.advance(1);
            })?;
            let averaged = self.fitting.averaged()?;
            let ranking = Ranking::new(&averaged, selection)?;
            if self.record(epoch, Some(losses), &ranking, &progress) {
                (self.best, self.best_epoch) = (averaged, epoch);
            }
            self.save()?;
            history::write(&self.args.output, &self.rows, epochs)?;
        }
        Ok(())
    }

    /// Adds a row; tells whether it is the best so far.
    fn record(
        &mut self,
        epoch: u64,
        losses: Option<[f64; 4]>,
        ranking: &Ranking,
        progress: &Progress,
    ) -> bool {
        let figure = ranking.figure();
        let working = ranking.at(self.args.score_threshold);
        let best = self.rows.iter().all(|row| figure > row.figure);
        progress.note(&format!(
            "epoch {epoch}{}: mean recall {figure:.4}; at score {} recall {:.4} (bare {:.4}), {:.3} \
             false positives per picture, landmarks below masks {:.3} off{}",
            losses.map_or_else(String::new, |losses| format!(", loss {:.3}", losses.iter().sum::<f64>())),
            self.args.score_threshold,
            working.recall,
            working.bare_recall,
            working.false_positives,
            working.landmark_error,
            if best && epoch > 0 { ", the best so far" } else { "" }
        ));
        self.rows.push(DetectorEntry { epoch, losses, figure, working });
        best
    }

    fn save(&self) -> anyhow::Result<()> {
        let mut state = self.fitting.state()?;
        for (name, tensor) in self.best.tensors() {
            state.insert(format!("best.{name}"), tensor.clone());
        }
        let reached = Reached { rows: self.rows.clone(), best_epoch: self.best_epoch };
        state.metadata.insert("reached".to_owned(), serde_json::to_string(&reached)?);
        Ok(state.save(&self.checkpoint)?)
    }

    fn restore(&mut self) -> anyhow::Result<()> {
        let state = Weights::load(&self.checkpoint)?;
        self.fitting.restore(&state)?;
        let reached = state.metadata.get("reached").and_then(|text| serde_json::from_str(text).ok());
        let Reached { rows, best_epoch } =
            reached.with_context(|| format!("{} does not say how far it is", self.checkpoint.display()))?;
        let mut best = BTreeMap::new();
        for (name, tensor) in self.best.tensors() {
            best.insert(name.clone(), state.get(&format!("best.{name}"), tensor.dims())?);
        }
        self.best = Weights::new(best, BTreeMap::new());
        (self.rows, self.best_epoch) = (rows, best_epoch);
        Ok(())
    }

    /// Blends the best weights with the starting ones, shifts their scores so that the threshold means what
    /// it meant, and writes them.
    fn finish(self, sampler: &PictureSampler, selection: &[TrainingPicture]) -> anyhow::Result<Outcome> {
        let start = self.rows.first().map(|row| row.working).context("no epoch was measured")?;
        let threshold = self.args.score_threshold;
        let (mut weights, share) = self.blend(selection)?;
        let shift = if self.best_epoch == 0 {
            0.0
        } else {
            let allowed = start.false_positives;
            level_scores(&mut weights, |weights| {
                Ok(Ranking::new(weights, selection)?.at(threshold).false_positives <= allowed)
            })?
        };
        let ranking = Ranking::new(&weights, selection)?;
        let (figure, fitted) = (ranking.figure(), ranking.at(threshold));
        weights.metadata = self.metadata(sampler, selection, (share, shift), (figure, fitted))?;
        let path = self.args.output.join("detector.safetensors");
        weights.save(&path)?;
        Ok(Outcome {
            weights: path,
            epoch: self.best_epoch,
            start_recall: start.recall,
            start_false_positives: start.false_positives,
            recall: fitted.recall,
            false_positives: fitted.false_positives,
        })
    }

    /// The best weights blended with the starting ones, and their share: the wanted one, or that which finds
    /// most faces.
    fn blend(&self, selection: &[TrainingPicture]) -> anyhow::Result<(Weights, f64)> {
        let shares: &[f64] = self.args.blend.as_ref().map_or(&SHARES, std::slice::from_ref);
        let progress = Progress::new("blending", "shares", shares.len() as u64, 0);
        let mut best: Option<(f64, Weights, f64)> = None;
        for &share in shares {
            let weights = blended(&self.start, &self.best, share)?;
            let ranking = Ranking::new(&weights, selection)?;
            let figure = ranking.figure();
            progress.note(&format!("{share} of the fitted weights: mean recall {figure:.4}"));
            progress.advance(1);
            if best.as_ref().is_none_or(|(least, ..)| figure > *least) {
                best = Some((figure, weights, share));
            }
        }
        best.map(|(_, weights, share)| (weights, share)).context("there is no share to blend with")
    }

    fn metadata(
        &self,
        sampler: &PictureSampler,
        selection: &[TrainingPicture],
        (share, shift): (f64, f32),
        (figure, fitted): (f64, Working),
    ) -> anyhow::Result<BTreeMap<String, String>> {
        let command: Vec<String> = std::env::args().skip(1).collect();
        let start = self.rows.first().map(|row| (row.figure, row.working));
        let figures = serde_json::json!({
            "on": "pictures of split train that were kept apart; they chose the epoch and the scores' shift",
            "score_threshold": self.args.score_threshold,
            "froc": figure,
            "recall": fitted.recall,
            "bare_recall": fitted.bare_recall,
            "false_positives_per_image": fitted.false_positives,
            "landmark_error_below_drawn_masks": fitted.landmark_error,
            "start": start.map(|(figure, working)| serde_json::json!({
                "froc": figure,
                "recall": working.recall,
                "bare_recall": working.bare_recall,
                "false_positives_per_image": working.false_positives,
                "landmark_error_below_drawn_masks": working.landmark_error,
            })),
        });
        let data = serde_json::json!({
            "training": summary(sampler.pictures()),
            "selection": summary(selection),
        });
        let origin = self.args.weights.file_name().unwrap_or_default().to_string_lossy();
        Ok(BTreeMap::from(
            [
                ("network", "YuNet-n, batch norms folded".to_owned()),
                ("input", "BGR, 0 to 255, height and width multiples of 32".to_owned()),
                ("started_from", origin.into_owned()),
                ("command", format!("maskwatch {}", command.join(" "))),
                ("maskwatch", env!("CARGO_PKG_VERSION").to_owned()),
                ("seed", self.args.seed.to_string()),
                ("epoch", format!("{} of {}", self.best_epoch, self.args.epochs)),
                ("blend", share.to_string()),
                ("score_shift", format!("{shift:.4}")),
                ("data", serde_json::to_string(&data)?),
                ("figures", serde_json::to_string(&figures)?),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        ))
    }
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

/// Adds the largest shift to all objectness logits for which `allowed` holds (it must hold for ever lower
/// ones), within [`MOST_SHIFT`], by halving. Returns the shift.
fn level_scores(
    weights: &mut Weights,
    mut allowed: impl FnMut(&Weights) -> anyhow::Result<bool>,
) -> anyhow::Result<f32> {
    let original = weights.clone();
    let shifted = |shift: f32| -> anyhow::Result<Weights> {
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
