//! Everything that decides what a classifier run does.

use crate::data::augment::Augmentation;
use crate::drawn::DrawnKind;
use crate::train::error::TrainError;
use crate::train::optimizer::{OptimizerSettings, Rule};
use maskwatch::nn::BatchNorm;
use maskwatch::nn::mobilenet_v2::BLOCKS;
use std::path::PathBuf;
use std::str::FromStr;

/// How much of the network is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Depth {
    /// The head alone.
    Head,
    /// The head and the backbone from this block (torchvision's `features.K`) on.
    From(usize),
}

impl FromStr for Depth {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let block = word.strip_prefix("features.").and_then(|number| number.parse().ok());
        match (word, block) {
            ("head", _) => Ok(Self::Head),
            ("all", _) => Ok(Self::From(0)),
            (_, Some(block)) if block < BLOCKS => Ok(Self::From(block)),
            _ => Err(format!("it must be head, features.K with K from 0 to {}, or all", BLOCKS - 1)),
        }
    }
}

/// Everything that decides what a run does. [`ClassifierSettings::new`] gives the values that served best.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ClassifierSettings {
    /// How much of the network is fitted.
    pub depth: Depth,
    /// Sides of the network's input in pixels; the first is the one the classifier will use, the others are
    /// mixed in while fine-tuning.
    pub inputs: Vec<u32>,
    /// In use, the side of the square that the network sees, as a multiple of the face's longer side.
    pub margin: f32,
    /// How pictures are changed in training.
    pub augmentation: Augmentation,
    /// In fine-tuning, the share of each batch whose faces wear their mask incorrectly.
    pub incorrect: f64,
    /// In fine-tuning, the share of each batch that shows no face, or none of which anything could be said.
    pub non_faces: f64,
    /// Table of such boxes that were looked at ([`crate::data::non_faces::read`]); none for those alone that
    /// the detector finds in pictures without people. Its content counts, not its name.
    #[serde(skip)]
    pub heads: Option<PathBuf>,
    /// How many times as often as set aside, *incorrect* is expected at a door: with more it is said sooner.
    pub incorrect_odds: f64,
    /// In fine-tuning, the share of each batch that are bare faces with something drawn on them.
    pub drawn: f64,
    /// How much of what leaves a label true ([`DrawnKind::suits_masked`]) is drawn on masked faces instead of
    /// bare ones, 0 to 1: drawn on bare ones alone, a hood or a dark side may come to speak against a mask.
    /// Above 0 they are drawn twice as often.
    pub around_masked: f64,
    /// Kinds of things that are not drawn.
    pub without: Vec<DrawnKind>,
    /// Views of every face whose features are computed ([`Depth::Head`] only).
    pub views: usize,
    /// Length of the run: epochs for [`Depth::Head`], else steps.
    pub length: u64,
    /// Faces in a batch.
    pub batch: usize,
    /// How gradients change weights.
    pub optimizer: Rule,
    /// In fine-tuning, what the batch norms of the fitted blocks do; those of the others are frozen.
    pub batch_norm: BatchNorm,
    /// Highest learning rate of the backbone, and of the head where it is fitted alone.
    pub learning_rate: f64,
    /// In fine-tuning the head's learning rate is that of the backbone times this.
    pub head_factor: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Steps over which the learning rate rises.
    pub warm_up: u64,
    /// Share of the label given to both classes alike.
    pub label_smoothing: f64,
    /// Share of the head's hidden values dropped.
    pub dropout: f64,
    /// Longest gradient; longer ones are shortened.
    pub clip: f64,
    /// Decay of the weights' moving average; 0 for none.
    pub average: f64,
    /// In fine-tuning, the share of the fitted weights in the written ones, above 0 to 1; the rest is of the
    /// starting weights.
    pub blend: f64,
    /// Whether the last weights are kept, instead of those with the least loss on what is set aside: that is
    /// the loss of the two classes alone, which says nothing about the outputs beside them. Does not change
    /// what is fitted.
    #[serde(skip)]
    pub keep_last: bool,
    /// In fine-tuning, steps between measurements; a checkpoint is written after each.
    pub every: u64,
    /// Seed of all random choices.
    pub seed: u64,
    /// Threads that read and change pictures; does not change the result.
    #[serde(skip)]
    pub threads: usize,
    /// Folder of features that several runs can share; does not change the result ([`Depth::Head`] only).
    #[serde(skip)]
    pub cache: PathBuf,
}

impl ClassifierSettings {
    /// The usual settings.
    #[must_use]
    pub fn new(depth: Depth, optimizer: Rule) -> Self {
        let alone = depth == Depth::Head;
        // The decay is times the learning rate, so that the greater rates of SGD want a smaller one.
        let (learning_rate, weight_decay) = match (optimizer, alone) {
            (Rule::AdamW, true) => (1e-3, 0.01),
            (Rule::AdamW, false) => (3e-4, 0.01),
            (Rule::Sgd, true) => (0.1, 5e-4),
            (Rule::Sgd, false) => (0.01, 5e-4),
        };
        Self {
            depth,
            inputs: vec![128],
            margin: 1.1,
            augmentation: Augmentation::default(),
            incorrect: 0.06,
            non_faces: 0.0,
            heads: None,
            incorrect_odds: 1.0,
            drawn: 0.25,
            around_masked: 0.0,
            without: Vec::new(),
            views: 4,
            length: if alone { 30 } else { 400 },
            batch: if alone { 256 } else { 64 },
            optimizer,
            batch_norm: BatchNorm::Frozen,
            learning_rate,
            head_factor: 5.0,
            weight_decay,
            warm_up: 30,
            label_smoothing: 0.05,
            dropout: 0.2,
            clip: 2.0,
            average: 0.998,
            blend: 1.0,
            keep_last: false,
            every: 50,
            seed: 1,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            cache: "runs/features".into(),
        }
    }

    /// The side of the network's input in use.
    pub(super) fn input(&self) -> u32 {
        self.inputs.first().copied().unwrap_or_default()
    }

    /// The settings of the optimiser.
    pub(super) fn optimizer_settings(&self) -> OptimizerSettings {
        OptimizerSettings {
            weight_decay: self.weight_decay,
            clip: Some(self.clip),
            ..OptimizerSettings::new(self.optimizer)
        }
    }

    pub(super) fn check(&self) -> Result<(), TrainError> {
        let fail = |problem: &str| Err(TrainError::Settings(problem.to_owned()));
        if self.inputs.is_empty() || self.inputs.iter().any(|input| !(32..=512).contains(input)) {
            return fail("the input's side must be between 32 and 512 pixels");
        }
        if self.depth == Depth::Head && self.inputs.len() > 1 {
            return fail(
                "several input sizes can be mixed in fine-tuning only; give one, or unfreeze more than the head",
            );
        }
        if self.depth == Depth::Head && self.batch_norm == BatchNorm::Live {
            return fail(
                "batch norms can be live in fine-tuning only; leave them frozen, or unfreeze more than the head",
            );
        }
        if !(0.0..=0.5).contains(&self.drawn) || !(0.0..=0.4).contains(&self.incorrect) {
            return fail(
                "the share of drawn faces must lie between 0 and 0.5, that of incorrect ones between 0 and 0.4",
            );
        }
        if !(0.0..=0.4).contains(&self.non_faces) || (self.depth == Depth::Head && self.non_faces > 0.0) {
            return fail(
                "the share of boxes without a face must lie between 0 and 0.4, and be 0 where the head is fitted alone",
            );
        }
        if !(0.1..=10.0).contains(&self.incorrect_odds) {
            return fail("the odds of incorrect must lie between 0.1 and 10");
        }
        if !(0.0..=1.0).contains(&self.around_masked) {
            return fail("the share of hoods and lights drawn on masked faces must lie between 0 and 1");
        }
        if !(self.blend > 0.0 && self.blend <= 1.0) {
            return fail(
                "the share of the fitted weights in the written ones must lie above 0 and at most at 1",
            );
        }
        if self.depth == Depth::Head && self.blend < 1.0 {
            return fail(
                "weights can be blended in fine-tuning only: a head that is fitted alone may start anew",
            );
        }
        if !(0.5..=3.0).contains(&self.margin) {
            return fail("the margin must be between 0.5 and 3");
        }
        if self.length == 0 || self.batch < 2 || self.views == 0 || self.every == 0 {
            return fail("epochs, steps, views and measurements must be 1 or more, the batch 2 or more");
        }
        if !(0.0..1.0).contains(&self.dropout)
            || !(0.0..1.0).contains(&self.label_smoothing)
            || !(0.0..1.0).contains(&self.average)
        {
            return fail("dropout, label smoothing and the average's decay must be at least 0 and below 1");
        }
        if !(self.learning_rate > 0.0
            && self.learning_rate < 1.0
            && self.weight_decay >= 0.0
            && self.clip > 0.0)
        {
            return fail(
                "the learning rate must lie between 0 and 1, the weight decay at 0 or above, the clip above 0",
            );
        }
        Ok(())
    }
}
