//! Fitting the classifier: the paper's transfer learning, and fine-tuning beyond it.
//!
//! With [`Depth::Head`] the backbone stays as it is: the features of some changed views of every face are
//! computed once (`features`) and the head is fitted to them (`head`). With [`Depth::From`] the backbone is
//! fitted too, from a block on, to newly changed pictures at each step (`batch`, `finetune`), among them
//! faces with things drawn on them; that fits the output *incorrect* too. Then probabilities are calibrated
//! (`calibrate`). Either way `state` is what a run can be taken up from, and the result is measured on the
//! pictures themselves, by the classifier as it is used (`measure`).

mod batch;
mod calibrate;
mod features;
mod finetune;
mod head;
mod measure;
mod state;

use super::blend::blended;
use super::error::TrainError;
use super::history::{ClassifierEntry, Figures, History};
use super::optimizer::Rule;
use crate::data::augment::Augmentation;
use crate::data::dataset::{Dataset, Subset};
use crate::data::labels::Label;
use crate::drawn::DrawnKind;
use crate::random::{Purpose, stream};
use candle_core::{Device, Tensor};
use maskwatch::nn::head::{HIDDEN, INCORRECT_TENSORS, Logits, MASK, TENSORS};
use maskwatch::nn::mobilenet_v2::{BLOCKS, MobileNetV2};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::{BatchNorm, Mode, NetworkError};
use maskwatch::vision::classifier::Preprocessing;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
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
    /// In fine-tuning, steps between measurements; a checkpoint is written after each.
    pub every: u64,
    /// Decides everything random.
    pub seed: u64,
    /// Threads that read and change pictures; does not change the result.
    #[serde(skip)]
    pub threads: usize,
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
            every: 50,
            seed: 1,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// The side of the network's input in use.
    fn input(&self) -> u32 {
        self.inputs.first().copied().unwrap_or_default()
    }

    fn check(&self) -> Result<(), TrainError> {
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

/// Where a run keeps its files, and how much of it is done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Folder of checkpoint, history, curves and the resulting weights.
    pub output: PathBuf,
    /// Folder of features that several runs can share.
    pub cache: PathBuf,
    /// Go on with the run in the output folder.
    pub resume: bool,
    /// Stop after this many epochs or steps (at the next measurement), to go on another time.
    pub stop_after: Option<u64>,
}

impl Session {
    /// The file of the resulting weights.
    #[must_use]
    pub fn weights(&self) -> PathBuf {
        self.output.join("classifier.safetensors")
    }

    fn checkpoint(&self) -> PathBuf {
        self.output.join("checkpoint.safetensors")
    }

    /// Where this session ends in a run of `length`, of which `done` are done, that can stop at multiples of
    /// `every`.
    fn end(&self, done: u64, length: u64, every: u64) -> u64 {
        let asked = self.stop_after.map_or(length, |count| done.saturating_add(count));
        asked.checked_next_multiple_of(every).unwrap_or(length).min(length)
    }
}

/// What a finished run reached, measured on the pictures with the weights that were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The epoch or step whose weights these are.
    pub best: ClassifierEntry,
    /// Figures over `selection` and `val`, and over each table in them (`val scenes`).
    pub figures: BTreeMap<String, Figures>,
}

/// Fits the classifier, starting at `weights` (torchvision's, or a classifier of our own), and writes
/// `classifier.safetensors`, `history.csv` and `curves.png` into the output folder. An unfinished run in that
/// folder can be resumed and goes on exactly as if it had not been interrupted. `about` is added to the
/// metadata of the weights.
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
    about: &BTreeMap<String, String>,
) -> Result<Option<Report>, TrainError> {
    settings.check()?;
    MobileNetV2::new(weights, Mode::Inference)?; // says which file and tensor do not fit, before anything is done
    for folder in [&session.output, &session.cache] {
        std::fs::create_dir_all(folder)
            .map_err(|source| TrainError::File { path: folder.clone(), source })?;
    }
    let start = with_head(weights, settings.seed, settings.depth != Depth::Head)?;
    let key = serde_json::json!({
        "settings": settings, "weights": start.checksum()?, "data": dataset.checksum(),
    })
    .to_string();
    let run = Run { dataset, settings, session, key: &key };
    let state = match settings.depth {
        Depth::Head => head::fit(&run, start.clone())?,
        Depth::From(block) => finetune::fit(&run, start.clone(), block)?,
    };
    if state.done < settings.length {
        return Ok(None);
    }
    let chosen_by = dataset.chosen_by();
    let (Some(best), Some(tensors)) = (state.history.best(chosen_by).cloned(), state.best()) else {
        return Err(TrainError::Settings("the run has no epoch that could be the best".to_owned()));
    };
    let mut result = start.clone();
    for (name, tensor) in tensors {
        result.insert(name, tensor.clone());
    }
    if settings.blend < 1.0 {
        result = blended(&start, &result, settings.blend)?;
    }
    calibrate::calibrate(&run, &mut result)?;
    Preprocessing { margin: settings.margin, inputs: settings.inputs.clone() }.write(&mut result.metadata);
    let figures = measure::figures(dataset, &result, settings)?;
    describe(&mut result, &run, weights, &state.history, &best, &figures)?;
    result.metadata.extend(about.clone());
    result.save(&session.weights())?;
    Ok(Some(Report { best, figures }))
}

/// What both ways of fitting need to know.
struct Run<'a> {
    dataset: &'a Dataset,
    settings: &'a ClassifierSettings,
    session: &'a Session,
    /// Everything that the run depends on; a checkpoint of another key is not taken up.
    key: &'a str,
}

fn describe(
    result: &mut Weights,
    run: &Run<'_>,
    start: &Weights,
    history: &History,
    best: &ClassifierEntry,
    figures: &BTreeMap<String, Figures>,
) -> Result<(), TrainError> {
    let settings = run.settings;
    let preprocessing = format!(
        "square around the face, its seen side {} times the longer side, edge pixels repeated; RGB; resized to {}, middle \
         {} of it; (x / 255 - mean) / deviation, mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225",
        settings.margin,
        maskwatch::pixels::preprocess::resized_side(settings.input()),
        settings.input(),
    );
    let best = serde_json::json!({
        "unit": history.unit, "at": best.at, "of": history.total,
        "chosen_by": format!("loss on {}", run.dataset.chosen_by().name()),
    });
    let entries = [
        ("architecture", "MobileNetV2 1.0, head 1280-128-2".to_owned()),
        ("preprocessing", preprocessing),
        ("data", json(&run.dataset.summary())),
        ("settings", json(settings)),
        ("seed", settings.seed.to_string()),
        ("starting_weights_crc32", start.checksum()?),
        ("best", best.to_string()),
        ("figures", json(figures)),
    ];
    result.metadata.extend(entries.map(|(key, value)| (key.to_owned(), value)));
    Ok(())
}

fn json(value: &impl serde::Serialize) -> String {
    // Fails only for maps whose keys are no strings, and there are none.
    serde_json::to_string(value).unwrap_or_default()
}

/// The backbone's tensors and the head's; where there is no head, one with small random weights (uniform
/// between ±1/√inputs, as is usual for linear layers). Metadata and ImageNet's own classifier are left
/// behind, and the output *incorrect* unless it is wanted: it makes no sense on hidden values that were
/// fitted without it.
fn with_head(weights: &Weights, seed: u64, incorrect: bool) -> Result<Weights, NetworkError> {
    let kept = |name: &str| {
        name.starts_with("features.")
            || (name.starts_with("head.") && (incorrect || !name.contains("incorrect")))
    };
    let tensors = weights.tensors().iter().filter(|(name, _)| kept(name));
    let mut with_head =
        Weights::new(tensors.map(|(name, tensor)| (name.clone(), tensor.clone())).collect(), BTreeMap::new());
    let mut generator = stream(seed, Purpose::Weights, 0);
    let outputs = if incorrect { &INCORRECT_TENSORS[..] } else { &[] };
    for (name, shape) in TENSORS.iter().chain(outputs).copied() {
        let inputs = if name.starts_with("head.0.") { maskwatch::nn::mobilenet_v2::FEATURES } else { HIDDEN };
        let limit = 1.0 / (inputs as f32).sqrt();
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| generator.random_range(-limit..limit)).collect();
        if with_head.contains(name) {
            weights.get(name, shape)?;
        } else {
            with_head.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
        }
    }
    Ok(with_head)
}

/// Mean cross-entropy of logits `[N, 2]` over the faces that are of one of the two classes, a share
/// `smoothing` of each label given to both alike.
fn cross_entropy(logits: &Tensor, labels: &[Label], smoothing: f64) -> candle_core::Result<Tensor> {
    let (own, other) = ((1.0 - smoothing / 2.0) as f32, (smoothing / 2.0) as f32);
    let target = |label: &Label| match label.class() {
        Some(MASK) => [own, other],
        Some(_) => [other, own],
        None => [0.0; 2],
    };
    let targets: Vec<f32> = labels.iter().flat_map(target).collect();
    let targets = Tensor::from_vec(targets, (labels.len(), 2), logits.device())?;
    let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?;
    let count = labels.iter().filter(|label| label.class().is_some()).count().max(1);
    (log_probabilities * targets)?.sum_all()? / -(count as f64)
}

/// The loss of both outputs: [`cross_entropy`] of the two classes, and the mean binary cross-entropy of
/// *incorrect* over all faces, smoothed alike. Where no face is labelled so, that output is left alone.
fn loss(logits: &Logits, labels: &[Label], smoothing: f64) -> candle_core::Result<Tensor> {
    let classes = cross_entropy(&logits.classes, labels, smoothing)?;
    let Some(incorrect) = logits.incorrect.as_ref().filter(|_| labels.contains(&Label::Incorrect)) else {
        return Ok(classes);
    };
    let target = |label: &Label| {
        let target = if *label == Label::Incorrect { 1.0 - smoothing / 2.0 } else { smoothing / 2.0 };
        target as f32
    };
    let targets: Vec<f32> = labels.iter().map(target).collect();
    let targets = Tensor::from_vec(targets, (labels.len(), 1), incorrect.device())?;
    // As a softmax of the logit beside 0, which cannot overflow.
    let both = Tensor::cat(&[incorrect, &incorrect.zeros_like()?], 1)?;
    let targets = Tensor::cat(&[&targets, &(1.0 - &targets)?], 1)?;
    let log_probabilities = candle_nn::ops::log_softmax(&both, 1)?;
    let binary = ((log_probabilities * targets)?.sum_all()? / -(labels.len() as f64))?;
    classes + binary
}

/// Which hidden values a dropout layer lets through, `[N, 128]`: 0, or 1 / (1 − rate); `None` where the rate
/// is 0.
fn dropout(rows: usize, rate: f64, generator: &mut ChaCha8Rng) -> candle_core::Result<Option<Tensor>> {
    if rate == 0.0 {
        return Ok(None);
    }
    let kept = (1.0 / (1.0 - rate)) as f32;
    let values: Vec<f32> =
        (0..rows * HIDDEN).map(|_| if generator.random_bool(rate) { 0.0 } else { kept }).collect();
    Tensor::from_vec(values, (rows, HIDDEN), &Device::Cpu).map(Some)
}

/// The logits `[N, 2]` as pairs.
fn pairs(logits: &Tensor) -> candle_core::Result<Vec<[f32; 2]>> {
    let values = logits.detach().to_vec2::<f32>()?;
    Ok(values.into_iter().map(|row| [row[0], row[1]]).collect())
}

/// The subsets that are measured, each with its faces.
fn measured(dataset: &Dataset) -> [(Subset, Vec<usize>); 2] {
    [Subset::Selection, Subset::Val].map(|subset| (subset, dataset.subset(subset)))
}

#[cfg(test)]
mod tests;
