//! Losses of the classifier's two outputs, and dropout.

use crate::data::labels::Label;
use candle_core::{Device, Tensor};
use maskwatch::nn::head::{HIDDEN, Logits, MASK};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Mean cross-entropy of logits `[N, 2]` over the faces that are of one of the two classes, a share
/// `smoothing` of each label given to both alike.
pub(super) fn cross_entropy(
    logits: &Tensor,
    labels: &[Label],
    smoothing: f64,
) -> candle_core::Result<Tensor> {
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
pub(super) fn loss(logits: &Logits, labels: &[Label], smoothing: f64) -> candle_core::Result<Tensor> {
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
pub(super) fn dropout(
    rows: usize,
    rate: f64,
    generator: &mut ChaCha8Rng,
) -> candle_core::Result<Option<Tensor>> {
    if rate == 0.0 {
        return Ok(None);
    }
    let kept = (1.0 / (1.0 - rate)) as f32;
    let values: Vec<f32> =
        (0..rows * HIDDEN).map(|_| if generator.random_bool(rate) { 0.0 } else { kept }).collect();
    Tensor::from_vec(values, (rows, HIDDEN), &Device::Cpu).map(Some)
}

/// The logits `[N, 2]` as pairs.
pub(super) fn pairs(logits: &Tensor) -> candle_core::Result<Vec<[f32; 2]>> {
    let values = logits.detach().to_vec2::<f32>()?;
    Ok(values.into_iter().map(|row| [row[0], row[1]]).collect())
}
