//! The fitting itself: batches in, steps of the optimiser, a moving average of the weights, and the whole
//! state in and out of a checkpoint. What is done after each epoch is decided in [`run`](super::run).

use super::canvas::{self, Example};
use super::cells::grid;
use super::data::PictureSampler;
use super::loss::{CellOutputs, Losses, Targets};
use super::truth::Truth;
use crate::random::{Purpose, stream};
use crate::train::fitted::Fitted;
use crate::train::optimizer::{OptimizerSettings, Rule, learning_rate};
use crate::train::prefetch::in_order;
use candle_core::{Tensor, Var};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::yunet::{Level, YuNet};
use maskwatch::nn::{BatchNorm, Mode};
use maskwatch::pixels::preprocess;
use rand::RngExt;

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

/// How the network is fitted. Runs with equal plans give equal weights.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct DetectorPlan {
    pub(super) epochs: u64,
    /// Steps per epoch.
    pub(super) batches: u64,
    /// Examples per step.
    pub(super) batch: u64,
    pub(super) learning_rate: f64,
    pub(super) seed: u64,
    /// Checksum of the pictures and of how often each is drawn.
    pub(super) pictures: String,
    /// Checksum of the starting weights.
    pub(super) start: String,
}

/// A network under way.
pub(super) struct DetectorFitting {
    plan: DetectorPlan,
    network: YuNet,
    fitted: Fitted,
}

impl DetectorFitting {
    /// Starts from the given weights.
    ///
    /// # Errors
    /// They are not the detector's.
    pub(super) fn new(start: &Weights, plan: DetectorPlan) -> anyhow::Result<Self> {
        let mut weights = start.clone();
        let variables = weights.unfreeze(|_| true)?;
        let network = YuNet::new(&weights, Mode::Training(BatchNorm::Frozen))?;
        let settings = OptimizerSettings {
            weight_decay: WEIGHT_DECAY,
            clip: Some(CLIP),
            ..OptimizerSettings::new(Rule::AdamW)
        };
        let fitted = Fitted::new(variables, settings, AVERAGE, |name, variable| {
            let heads = if name.contains(LANDMARK_HEADS) { LANDMARK_RATE } else { 1.0 };
            Ok(magnitude(variable)? * heads)
        })?;
        Ok(Self { plan, network, fitted })
    }

    /// How it is fitted.
    pub(super) fn plan(&self) -> &DetectorPlan {
        &self.plan
    }

    /// Fits for one epoch (counted from 0). Batches are made on `threads` threads of their own. `after` is
    /// called after each step with its four losses. Returns their means.
    ///
    /// # Errors
    /// A picture cannot be opened, or the losses are no longer finite.
    pub(super) fn epoch(
        &mut self,
        epoch: u64,
        sampler: &PictureSampler,
        threads: usize,
        mut after: impl FnMut([f32; 4]),
    ) -> anyhow::Result<[f64; 4]> {
        let plan = self.plan.clone();
        let range = epoch * plan.batches..(epoch + 1) * plan.batches;
        let mut sums = [0.0; 4];
        in_order(
            range,
            threads,
            |index| DetectorBatch::new(&plan, sampler, index),
            |index, batch| {
                let losses = self.step(index, &batch)?;
                for (sum, loss) in sums.iter_mut().zip(losses) {
                    *sum += f64::from(loss);
                }
                after(losses);
                Ok(())
            },
        )?;
        Ok(sums.map(|sum| sum / plan.batches.max(1) as f64))
    }

    fn step(&mut self, index: u64, batch: &DetectorBatch) -> anyhow::Result<[f32; 4]> {
        let outputs = join(&self.network.forward(&batch.pictures)?)?;
        let (_, height, width, _) = batch.pictures.dims4()?;
        let targets = Targets::new(&outputs, &grid(width, height), &batch.truths)?;
        let losses = Losses::new(&outputs, &targets)?;
        let values = losses.values()?;
        anyhow::ensure!(
            values.iter().all(|value| value.is_finite()),
            "the losses are no longer finite after {index} steps; start again with a lower --learning-rate"
        );
        let gradients = losses.total()?.backward()?;
        let DetectorPlan { epochs, batches, learning_rate: peak, .. } = self.plan;
        let steps = epochs * batches;
        let rate = learning_rate(index, steps, (steps as f64 * WARM_UP) as u64, peak);
        self.fitted.step(&gradients, rate)?;
        Ok(values)
    }

    /// The moving average of the weights: what is measured and shipped.
    ///
    /// # Errors
    /// None in practice: the tensors are copies of the network's own.
    pub(super) fn averaged(&mut self) -> anyhow::Result<Weights> {
        Ok(self.fitted.averaged()?)
    }

    /// Everything that a later run needs to go on from here.
    ///
    /// # Errors
    /// None in practice: the tensors are copies of the network's own.
    pub(super) fn state(&self) -> anyhow::Result<Weights> {
        self.fitted.state(&self.plan)
    }

    /// Goes on from a state of the same plan.
    ///
    /// # Errors
    /// The state is of another plan or network.
    pub(super) fn restore(&mut self, state: &Weights) -> anyhow::Result<()> {
        self.fitted.restore(state, &self.plan)
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
    fn new(plan: &DetectorPlan, sampler: &PictureSampler, index: u64) -> anyhow::Result<Self> {
        let mut random = stream(plan.seed, Purpose::Batch, index);
        let side = SIDES[random.random_range(0..SIDES.len())];
        let examples = (0..plan.batch).map(|example| {
            let mut random = stream(plan.seed, Purpose::View, index * plan.batch + example);
            canvas::example(sampler, side, &mut random)
        });
        let examples = examples.collect::<anyhow::Result<Vec<Example>>>()?;
        let (pictures, truths): (Vec<_>, Vec<_>) =
            examples.into_iter().map(|Example { picture, truth }| (picture, truth)).unzip();
        Ok(Self { pictures: preprocess::bgr(&pictures)?, truths })
    }
}

/// Joins the cells of the three levels.
fn join(levels: &[Level; 3]) -> candle_core::Result<CellOutputs> {
    let joined = |part: fn(&Level) -> &Tensor| {
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
    use super::super::data::TrainingPicture;
    use super::super::truth::TrueFace;
    use super::*;
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

    fn plan(batches: u64) -> DetectorPlan {
        let (pictures, start) = (String::new(), String::new());
        DetectorPlan { epochs: 2, batches, batch: 2, learning_rate: 0.02, seed: 5, pictures, start }
    }

    fn values(weights: &Weights) -> Vec<f32> {
        weights.tensors().values().flat_map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
    }

    #[test]
    fn a_step_changes_no_tensor_out_of_proportion() {
        let folder = tempfile::tempdir().unwrap();
        let start = random_weights(&mut stream(1, Purpose::Weights, 0));
        let plan = DetectorPlan { epochs: 1, learning_rate: 0.01, ..plan(1) };
        let mut fitting = DetectorFitting::new(&start, plan).unwrap();
        fitting.epoch(0, &sampler(folder.path()), 1, |_| {}).unwrap();
        for (name, before) in start.tensors() {
            let after = fitting.fitted.variables()[name].as_tensor();
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
        let start = random_weights(&mut stream(1, Purpose::Weights, 0));
        let mut fitting = DetectorFitting::new(&start, plan(6)).unwrap();
        let sampler = sampler(folder.path());
        let mut totals = Vec::new();
        for epoch in 0..2 {
            fitting.epoch(epoch, &sampler, 1, |losses| totals.push(losses.iter().sum::<f32>())).unwrap();
        }
        assert_eq!(totals.len(), 12);
        let mean = |totals: &[f32]| totals.iter().sum::<f32>() / totals.len() as f32;
        assert!(mean(&totals[8..]) < 0.8 * mean(&totals[..4]), "{totals:?}");
    }

    #[test]
    fn a_resumed_run_ends_as_one_that_was_not_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let start = random_weights(&mut stream(1, Purpose::Weights, 0));
        let sampler = sampler(folder.path());
        let path = folder.path().join("checkpoint.safetensors");
        let mut whole = DetectorFitting::new(&start, plan(2)).unwrap();
        whole.epoch(0, &sampler, 1, |_| {}).unwrap();
        whole.state().unwrap().save(&path).unwrap();
        let halfway = values(&whole.averaged().unwrap());
        whole.epoch(1, &sampler, 1, |_| {}).unwrap();

        let mut resumed = DetectorFitting::new(&start, plan(2)).unwrap();
        resumed.restore(&Weights::load(&path).unwrap()).unwrap();
        assert_eq!(values(&resumed.averaged().unwrap()), halfway);
        resumed.epoch(1, &sampler, 2, |_| {}).unwrap();
        assert_eq!(values(&resumed.state().unwrap()), values(&whole.state().unwrap()));
        assert_ne!(values(&resumed.averaged().unwrap()), halfway);

        let mut other = DetectorFitting::new(&start, plan(3)).unwrap();
        let error = other.restore(&Weights::load(&path).unwrap()).unwrap_err();
        assert!(error.to_string().contains("give the same options"), "{error}");
    }
}
