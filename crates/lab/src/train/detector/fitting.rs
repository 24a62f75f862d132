//! Fits the detector: batches in, steps of the optimiser out. [`run`](super::run) decides which weights are
//! kept.

use super::canvas;
use super::cells::grid;
use super::close;
use super::data::{PictureSampler, TrainingPicture};
use super::history::DetectorEntry;
use super::laid::Example;
use super::loss::{CellOutputs, Losses, Targets};
use super::ranking::Ranking;
use super::settings::DetectorSettings;
use super::truth::Truth;
use crate::data::dataset::DatasetError;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::optimizer::{OptimizerSettings, Rule, learning_rate};
use crate::train::prefetch::in_order;
use crate::train::run::{Fitted, Fitter};
use candle_core::{Tensor, Var};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::yunet::{FeatureLevel, YuNet};
use maskwatch::nn::{BatchNorm, Mode};
use maskwatch::pixels::preprocess;
use rand::RngExt;
use std::ops::Range;

/// Sides of the training input, in pixels; each batch has one of them.
const SIDES: [u32; 4] = [256, 320, 320, 384];
/// Share of all steps over which the learning rate rises.
const WARM_UP: f64 = 0.05;
/// Decay of the moving average of the weights.
const AVERAGE: f64 = 0.995;
const WEIGHT_DECAY: f64 = 0.01;
/// Weights and biases below these magnitudes are moved as if they had them, so that what is 0 can move at
/// all.
const LEAST_WEIGHT: f64 = 1e-4;
const LEAST_BIAS: f64 = 0.05;
/// The heads for landmarks have the most to learn and disturb nothing else, so they move faster.
const LANDMARK_HEADS: &str = "multi_level_kps";
const LANDMARK_RATE: f64 = 3.0;
/// Longest gradient that is followed as it is. Its usual length is a few units; a picture with one odd face
/// sends it far off.
const CLIP: f64 = 10.0;

/// Fits the detector to pictures, and measures it on others.
pub(super) struct DetectorFitter<'a> {
    pub(super) settings: &'a DetectorSettings,
    /// Follows the fitted weights.
    network: YuNet,
    /// What is fitted to.
    pub(super) sampler: PictureSampler,
    /// What chooses the best weights.
    pub(super) selection: Vec<TrainingPicture>,
}

impl<'a> DetectorFitter<'a> {
    /// The network with the weights `start`, and its optimiser.
    ///
    /// # Errors
    /// They are not the detector's.
    pub(super) fn new(
        settings: &'a DetectorSettings,
        start: &Weights,
        (sampler, selection): (PictureSampler, Vec<TrainingPicture>),
    ) -> Result<(Self, Fitted), TrainError> {
        let mut weights = start.clone();
        let variables = weights.unfreeze(|_| true)?;
        let network = YuNet::new(&weights, Mode::Training(BatchNorm::Frozen))?;
        let optimizer = OptimizerSettings {
            weight_decay: WEIGHT_DECAY,
            clip: Some(CLIP),
            ..OptimizerSettings::new(Rule::AdamW)
        };
        let fitted = Fitted::new(variables, optimizer, AVERAGE, |name, variable| {
            let heads = if name.contains(LANDMARK_HEADS) { LANDMARK_RATE } else { 1.0 };
            Ok(magnitude(variable)? * heads)
        })?;
        Ok((Self { settings, network, sampler, selection }, fitted))
    }

    /// The losses over one batch.
    fn losses(&self, batch: &DetectorBatch) -> Result<Losses, TrainError> {
        let outputs = join(&self.network.forward(&batch.pictures)?)?;
        let (_, height, width, _) = batch.pictures.dims4()?;
        let targets = Targets::new(&outputs, &grid(width, height), &batch.truths)?;
        Ok(Losses::new(&outputs, &targets)?)
    }
}

impl Fitter for DetectorFitter<'_> {
    type Entry = DetectorEntry;
    /// Class, objectness, box and landmark loss, averaged over the steps.
    type Losses = [f64; 4];

    fn fit(
        &mut self,
        fitted: &mut Fitted,
        epochs: Range<u64>,
        bar: &Progress,
    ) -> Result<[f64; 4], TrainError> {
        let batches = self.settings.batches();
        let range = epochs.start * batches..epochs.end * batches;
        let (count, all) = (range.end - range.start, self.settings.epochs * batches);
        let warm_up = (all as f64 * WARM_UP) as u64;
        let mut sums = [0.0; 4];
        in_order(
            range,
            self.settings.threads,
            |step| DetectorBatch::new(self.settings, &self.sampler, step),
            |step, batch| {
                let losses = self.losses(&batch)?;
                let values = losses.values()?;
                if values.iter().any(|value| !value.is_finite()) {
                    return Err(TrainError::Diverged { step });
                }
                let rate = learning_rate(step, all, warm_up, self.settings.learning_rate);
                fitted.step(&losses.total()?.backward()?, rate, Vec::new())?;
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += f64::from(value);
                }
                bar.advance(1);
                Ok(())
            },
        )?;
        Ok(sums.map(|sum| sum / count.max(1) as f64))
    }

    fn measure(
        &mut self,
        done: u64,
        weights: &Weights,
        losses: Option<[f64; 4]>,
    ) -> Result<DetectorEntry, TrainError> {
        let ranking = Ranking::new(weights, &self.selection, self.settings.close)?;
        let score_threshold = self.settings.score_threshold;
        let (figure, working) = (ranking.figure(), ranking.at(score_threshold));
        Ok(DetectorEntry { epoch: done, losses, figure, working, score_threshold })
    }
}

/// The root mean square of a tensor's values, which its learning rate is multiplied by: a step changes all
/// tensors by the same share. With batch norms folded, magnitudes differ a thousandfold (the first layer
/// takes pixels up to 255), and one rate for all would wreck the small ones before it moved the large ones.
fn magnitude(variable: &Var) -> candle_core::Result<f64> {
    let mean = variable.sqr()?.mean_all()?.to_scalar::<f32>()?;
    let least = if variable.rank() >= 2 { LEAST_WEIGHT } else { LEAST_BIAS };
    Ok(f64::from(mean).sqrt().max(least))
}

struct DetectorBatch {
    pictures: Tensor,
    truths: Vec<Truth>,
}

impl DetectorBatch {
    fn new(settings: &DetectorSettings, sampler: &PictureSampler, index: u64) -> Result<Self, TrainError> {
        let mut random = stream(settings.seed, Purpose::Batch, index);
        let side = SIDES[random.random_range(0..SIDES.len())];
        let examples = (0..settings.batch).map(|example| {
            let mut random = stream(settings.seed, Purpose::View, index * settings.batch + example);
            if settings.close {
                close::example(sampler, settings.webcam, &mut random)
            } else {
                canvas::example(sampler, side, settings.webcam, &mut random)
            }
        });
        let examples = examples.collect::<Result<Vec<Example>, DatasetError>>()?;
        let (pictures, truths): (Vec<_>, Vec<_>) =
            examples.into_iter().map(|Example { picture, truth }| (picture, truth)).unzip();
        Ok(Self { pictures: preprocess::bgr(&pictures)?, truths })
    }
}

/// Joins the cells of the three levels.
fn join(levels: &[FeatureLevel; 3]) -> candle_core::Result<CellOutputs> {
    let joined = |part: fn(&FeatureLevel) -> &Tensor| {
        let maps = levels.iter().map(|level| part(level).flatten(1, 2));
        Tensor::cat(&maps.collect::<candle_core::Result<Vec<_>>>()?, 1)
    };
    Ok(CellOutputs {
        class: joined(|level| &level.class)?.squeeze(2)?,
        objectness: joined(|level| &level.objectness)?.squeeze(2)?,
        boxes: joined(|level| &level.boxes)?,
        landmarks: joined(|level| &level.landmarks)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::truth::TrueFace;
    use super::*;
    use crate::train::run::{Session, fit};
    use candle_core::Device;
    use image::{Rgb, RgbImage};
    use maskwatch::geometry::{Point, Rect};
    use rand::Rng;

    /// Weights with which signals neither die out nor blow up, though they find nothing.
    fn random_weights(random: &mut impl Rng) -> Weights {
        let mut weights = Weights::default();
        let mut add = |name: &str, shape: [usize; 4], bound: f32| {
            let mut tensor = |shape: &[usize], bound: f32| {
                let uniform = (0..shape.iter().product()).map(|_| random.random_range(-bound..bound));
                Tensor::from_vec(uniform.collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
            };
            let (weight, bias) = (tensor(&shape, bound), tensor(&shape[..1], 0.01));
            weights.insert(format!("{name}.weight"), weight);
            weights.insert(format!("{name}.bias"), bias);
        };
        // Pixels go up to 255.
        add("backbone.model0.conv1", [16, 3, 3, 3], 0.003);
        let mut separable = |name: &str, inputs: usize, outputs: usize, bound: f32| {
            add(&format!("{name}.conv1"), [outputs, inputs, 1, 1], (3.0 / inputs as f32).sqrt());
            add(&format!("{name}.conv2"), [outputs, 1, 3, 3], bound);
        };
        // Twice the variance where a ReLU takes half of it, little where outputs become exponents.
        let (inner, last) = ((6.0f32 / 9.0).sqrt(), 0.02);
        separable("backbone.model0.conv2", 16, 16, inner);
        for (model, inputs, middle) in [(1, 16, 16), (2, 64, 64), (3, 64, 64), (4, 64, 64), (5, 64, 64)] {
            separable(&format!("backbone.model{model}.conv1"), inputs, middle, inner);
            separable(&format!("backbone.model{model}.conv2"), middle, 64, inner);
        }
        for level in 0..3 {
            separable(&format!("neck.lateral_convs.{level}"), 64, 64, inner);
            separable(&format!("head.multi_level_share_convs.{level}.0"), 64, 64, inner);
            for (part, outputs) in [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)] {
                separable(&format!("head.multi_level_{part}.{level}"), 64, outputs, last);
            }
        }
        weights
    }

    /// One picture with a face-like blot.
    fn sampler(folder: &std::path::Path) -> PictureSampler {
        let path = folder.join("picture.png");
        RgbImage::from_fn(160, 120, |x, y| {
            let inside = (60..100).contains(&x) && (30..80).contains(&y);
            Rgb([if inside { 220 } else { (x / 4) as u8 + 60 }, if inside { 160 } else { 90 }, 100])
        })
        .save(&path)
        .unwrap();
        let landmarks = [(70.0, 45.0), (90.0, 45.0), (80.0, 55.0), (72.0, 68.0), (88.0, 68.0)];
        let face = TrueFace {
            rect: Rect::new(60.0, 30.0, 40.0, 50.0),
            is_bare: true,
            landmarks: Some(landmarks.map(|(x, y)| Point { x, y })),
        };
        let picture = TrainingPicture {
            name: "picture".into(),
            path,
            table: String::new(),
            source: String::new(),
            truth: Truth { faces: vec![face], ignored: vec![] },
            annotated: true,
            weight: 1.0,
        };
        PictureSampler::new(vec![picture], 1.0)
    }

    fn settings(steps: u64) -> DetectorSettings {
        let settings = DetectorSettings::new("data".as_ref(), "weights".as_ref());
        DetectorSettings {
            epochs: 2,
            examples: 2 * steps,
            batch: 2,
            learning_rate: 0.02,
            seed: 5,
            ..settings
        }
    }

    fn start() -> Weights {
        random_weights(&mut stream(1, Purpose::Weights, 0))
    }

    fn bar() -> Progress {
        Progress::new("", "", 1, 0)
    }

    #[test]
    fn a_step_changes_no_tensor_out_of_proportion() {
        let folder = tempfile::tempdir().unwrap();
        let start = start();
        let settings = DetectorSettings { epochs: 1, learning_rate: 0.01, ..settings(1) };
        let pictures = (sampler(folder.path()), Vec::new());
        let (mut fitter, mut fitted) = DetectorFitter::new(&settings, &start, pictures).unwrap();
        fitter.fit(&mut fitted, 0..1, &bar()).unwrap();
        for (name, before) in start.tensors() {
            let after = fitted.variables()[name].as_tensor();
            let square =
                |tensor: &Tensor| tensor.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
            let moved = square(&(after - before).unwrap()).sqrt();
            let least = if before.rank() == 1 { 0.05 } else { 0.0 };
            let rate = if name.contains(LANDMARK_HEADS) { 0.0102 * LANDMARK_RATE as f32 } else { 0.0102 };
            assert!(moved <= rate * square(before).sqrt().max(least), "{name}: {moved}");
        }
    }

    #[test]
    fn fitting_lowers_the_losses() {
        let folder = tempfile::tempdir().unwrap();
        // Each epoch is one step.
        let settings = DetectorSettings { epochs: 12, ..settings(1) };
        let pictures = (sampler(folder.path()), Vec::new());
        let (mut fitter, mut fitted) = DetectorFitter::new(&settings, &start(), pictures).unwrap();
        let totals: Vec<f64> = (0..12)
            .map(|epoch| fitter.fit(&mut fitted, epoch..epoch + 1, &bar()).unwrap().iter().sum())
            .collect();
        let mean = |totals: &[f64]| totals.iter().sum::<f64>() / totals.len() as f64;
        assert!(mean(&totals[8..]) < 0.8 * mean(&totals[..4]), "{totals:?}");
    }

    #[test]
    fn a_resumed_run_ends_as_one_that_was_not_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let start = start();
        let run = |settings: &DetectorSettings, session: &Session| {
            let sampler = sampler(folder.path());
            let selection = sampler.pictures().to_vec();
            let (mut fitter, fitted) = DetectorFitter::new(settings, &start, (sampler, selection))?;
            let course = settings.course("", "");
            session.make_folder()?;
            fit(&mut fitter, &course, session, (&start, fitted), session.begin()?)
        };
        let in_folder = |name: &str| Session::new(&folder.path().join(name));
        let settings = settings(2);
        let whole = run(&settings, &in_folder("whole")).unwrap().unwrap();
        assert_eq!(whole.entries.len(), 3, "the start is measured too");

        let first = Session { stop_after: Some(1), ..in_folder("parts") };
        assert!(run(&settings, &first).unwrap().is_none());
        let second = Session { resume: true, ..in_folder("parts") };
        let other = DetectorSettings { learning_rate: 0.01, ..settings.clone() };
        let error = run(&other, &second).err().unwrap().to_string();
        assert!(error.contains("(learning_rate); give the same options"), "{error}");
        let parts = run(&DetectorSettings { threads: 2, ..settings }, &second).unwrap().unwrap();
        assert_eq!(parts.entries, whole.entries);
        for name in ["checkpoint.safetensors", "history.csv", "curves.png"] {
            let read = |folder_name: &str| std::fs::read(folder.path().join(folder_name).join(name)).unwrap();
            assert!(read("whole") == read("parts"), "{name}");
        }
    }
}
