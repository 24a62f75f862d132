//! The fitting itself: the blocks from [`FITTED`] on and the layers behind them. The blocks before, which see
//! edges and colours, stay those of the classifier and run without gradients.

use super::batch::{Known, LandmarksBatch};
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::fitted::Fitted;
use crate::train::optimizer::{OptimizerSettings, Rule, learning_rate};
use crate::train::prefetch::in_order;
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

/// How the network is fitted. Runs with equal plans give equal weights.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct LandmarksPlan {
    pub(super) steps: u64,
    pub(super) batch: u64,
    pub(super) learning_rate: f64,
    pub(super) seed: u64,
    /// Checksum of the faces and of what is known of them.
    pub(super) faces: String,
    /// Checksum of the starting weights.
    pub(super) start: String,
}

/// A network under way.
pub(super) struct LandmarksFitting {
    plan: LandmarksPlan,
    front: MobileNetV2,
    network: Landmarks,
    /// Tensors that stay as they are.
    fixed: Weights,
    fitted: Fitted,
}

impl LandmarksFitting {
    /// Starts from weights that have the blocks and the layers behind them.
    pub(super) fn new(start: &Weights, plan: LandmarksPlan) -> anyhow::Result<Self> {
        let mut weights = start.clone();
        let front = MobileNetV2::front(&weights, FITTED, Mode::Inference)?;
        let variables = weights.unfreeze(moves)?;
        let network = Landmarks::new(&weights, Mode::Training(BatchNorm::Frozen))?;
        let settings = OptimizerSettings {
            weight_decay: WEIGHT_DECAY,
            clip: Some(CLIP),
            ..OptimizerSettings::new(Rule::AdamW)
        };
        let factor = |name: &str, _: &_| Ok(if block_of(name).is_some() { 1.0 } else { NEW });
        let fitted = Fitted::new(variables, settings, AVERAGE, factor)?;
        Ok(Self { plan, front, network, fixed: start.clone(), fitted })
    }

    /// Takes `steps`; batches are made on `threads` threads of their own. `after` is called after each with
    /// its loss.
    pub(super) fn fit(
        &mut self,
        steps: Range<u64>,
        faces: &[Known],
        threads: usize,
        mut after: impl FnMut(f64),
    ) -> Result<(), TrainError> {
        let LandmarksPlan { steps: all, batch, learning_rate: peak, seed, .. } = self.plan;
        let make = |step| LandmarksBatch::make(faces, batch, seed, step);
        in_order(steps, threads, make, |step, batch| {
            let map = self.front.forward_blocks(&batch.crops, 0..FITTED)?.detach();
            let loss = batch.loss(&self.network.forward_from(&map, FITTED)?)?;
            let value = loss.to_scalar::<f32>()?;
            if !value.is_finite() {
                return Err(TrainError::Diverged { step });
            }
            let rate = learning_rate(step, all, (all as f64 * WARM_UP) as u64, peak);
            self.fitted.step(&loss.backward()?, rate)?;
            after(f64::from(value));
            Ok(())
        })
    }

    /// All weights, those that are fitted averaged: what is measured and shipped.
    pub(super) fn averaged(&mut self) -> anyhow::Result<Weights> {
        let mut weights = self.fixed.clone();
        for (name, tensor) in self.fitted.averaged()?.tensors() {
            weights.insert(name.clone(), tensor.clone());
        }
        Ok(weights)
    }

    /// Everything that a later run needs to go on from here.
    pub(super) fn state(&self) -> anyhow::Result<Weights> {
        self.fitted.state(&self.plan)
    }

    /// Goes on from a state of the same plan.
    pub(super) fn restore(&mut self, state: &Weights) -> anyhow::Result<()> {
        self.fitted.restore(state, &self.plan)
    }
}

fn moves(name: &str) -> bool {
    let statistic = name.ends_with(".running_mean") || name.ends_with(".running_var");
    !statistic && block_of(name).is_none_or(|block| block >= FITTED)
}

/// The blocks of a classifier's `weights`, and layers behind them that begin at random.
pub(super) fn start(weights: &Weights, seed: u64) -> anyhow::Result<Weights> {
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
