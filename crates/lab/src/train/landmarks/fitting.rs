//! The fitting itself: the blocks from [`FITTED`] on and the layers behind them. The blocks before, which see
//! edges and colours, stay those of the classifier and run without gradients.

use super::batch::{Known, LandmarksBatch};
use super::history::LandmarksEntry;
use super::measure::measure;
use super::settings::LandmarksSettings;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::optimizer::{OptimizerSettings, Rule, learning_rate};
use crate::train::prefetch::in_order;
use crate::train::run::{Fitted, Fitter, is_statistic};
use candle_core::{Device, Tensor};
use maskwatch::nn::landmarks::{BLOCKS, Landmarks, TENSORS};
use maskwatch::nn::mobilenet_v2::{MobileNetV2, block_of};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::{BatchNorm, Mode};
use rand::RngExt;
use std::collections::BTreeMap;
use std::ops::Range;

/// The first block that is fitted.
pub(super) const FITTED: usize = 4;
/// Share of all steps over which the learning rate rises.
const WARM_UP: f64 = 0.1;
/// Decay of the moving average of the weights.
const AVERAGE: f64 = 0.99;
const WEIGHT_DECAY: f64 = 0.01;
/// Layers that begin at random move faster than those that know something.
const NEW: f64 = 3.0;
const CLIP: f64 = 2.0;

/// Fits the landmark network to faces, and measures it on others.
pub(super) struct LandmarksFitter<'a> {
    settings: &'a LandmarksSettings,
    front: MobileNetV2,
    /// Follows the fitted weights.
    network: Landmarks,
    faces: Vec<Known>,
    /// What chooses the best weights.
    selection: Vec<Known>,
}

impl<'a> LandmarksFitter<'a> {
    /// The network with the weights `start`, which have the blocks and the layers behind them, and its
    /// optimiser.
    pub(super) fn new(
        settings: &'a LandmarksSettings,
        start: &Weights,
        [faces, selection]: [Vec<Known>; 2],
    ) -> Result<(Self, Fitted), TrainError> {
        let mut weights = start.clone();
        let front = MobileNetV2::front(&weights, FITTED, Mode::Inference)?;
        let variables = weights.unfreeze(moves)?;
        let network = Landmarks::new(&weights, Mode::Training(BatchNorm::Frozen))?;
        let optimizer = OptimizerSettings {
            weight_decay: WEIGHT_DECAY,
            clip: Some(CLIP),
            ..OptimizerSettings::new(Rule::AdamW)
        };
        let factor = |name: &str, _: &_| Ok(if block_of(name).is_some() { 1.0 } else { NEW });
        let fitted = Fitted::new(variables, optimizer, AVERAGE, factor)?;
        Ok((Self { settings, front, network, faces, selection }, fitted))
    }
}

impl Fitter for LandmarksFitter<'_> {
    type Entry = LandmarksEntry;
    /// Mean over the steps.
    type Losses = f64;

    fn fit(&mut self, fitted: &mut Fitted, steps: Range<u64>, bar: &Progress) -> Result<f64, TrainError> {
        let LandmarksSettings { steps: all, batch, learning_rate: peak, seed, threads, .. } = *self.settings;
        let (count, mut sum) = (steps.end - steps.start, 0.0);
        let make = |step| LandmarksBatch::make(&self.faces, batch, seed, step);
        in_order(steps, threads, make, |step, batch| {
            let map = self.front.forward_blocks(&batch.crops, 0..FITTED)?.detach();
            let loss = batch.loss(&self.network.forward_from(&map, FITTED)?)?;
            let value = loss.to_scalar::<f32>()?;
            if !value.is_finite() {
                return Err(TrainError::Diverged { step });
            }
            let rate = learning_rate(step, all, (all as f64 * WARM_UP) as u64, peak);
            fitted.step(&loss.backward()?, rate, Vec::new())?;
            sum += f64::from(value);
            bar.advance(1);
            Ok(())
        })?;
        Ok(sum / count.max(1) as f64)
    }

    fn measure(
        &mut self,
        done: u64,
        weights: &Weights,
        losses: Option<f64>,
    ) -> Result<LandmarksEntry, TrainError> {
        let errors = measure(weights, &self.selection, self.settings.threads)?;
        Ok(LandmarksEntry { step: done, loss: losses.unwrap_or_default(), errors })
    }
}

fn moves(name: &str) -> bool {
    !is_statistic(name) && block_of(name).is_none_or(|block| block >= FITTED)
}

/// The blocks of a classifier's `weights`, and layers behind them that begin at random.
pub(super) fn start(weights: &Weights, seed: u64) -> Result<Weights, TrainError> {
    let blocks =
        weights.tensors().iter().filter(|(name, _)| block_of(name).is_some_and(|block| block < BLOCKS));
    let mut tensors: BTreeMap<String, Tensor> =
        blocks.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
    let mut generator = stream(seed, Purpose::Weights, 1);
    for (name, shape) in TENSORS {
        let count: usize = shape.iter().product();
        let inputs = if shape.len() > 1 { count / shape[0] } else { 0 };
        let limit = if inputs > 0 { (inputs as f32).sqrt().recip() } else { f32::MIN_POSITIVE };
        let values: Vec<f32> = (0..count).map(|_| generator.random_range(-limit..limit)).collect();
        tensors.insert(name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    let start = Weights::new(tensors, BTreeMap::new());
    Landmarks::new(&start, Mode::Inference)?;
    Ok(start)
}
