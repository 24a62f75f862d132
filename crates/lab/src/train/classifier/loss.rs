//! Losses of the classifier's outputs, and dropout.

use crate::data::labels::Label;
use crate::data::non_faces::NonFaceKind;
use candle_core::{Device, Tensor};
use maskwatch::nn::head::{FRONT, HIDDEN, Logits, MASK, PERSON};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What one crop of a batch shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::train) enum Target {
    /// A face, and how it wears its mask.
    Face(Label),
    /// No face, or none of which anything could be said.
    NonFace(NonFaceKind),
}

impl Target {
    /// How the face wears its mask; `None` where there is no face.
    pub(super) fn label(self) -> Option<Label> {
        match self {
            Self::Face(label) => Some(label),
            Self::NonFace(_) => None,
        }
    }

    /// Whether a human head is there, and whether it is seen from where nose and mouth would show.
    pub(in crate::train) fn presence(self) -> [bool; 2] {
        match self {
            Self::Face(_) => [true, true],
            Self::NonFace(NonFaceKind::Hidden) => [true, false],
            Self::NonFace(NonFaceKind::Nobody) => [false, false],
        }
    }
}

/// Mean cross-entropy of logits `[N, 2]` over the faces that are of one of the two classes, a share
/// `smoothing` of each label given to both alike.
pub(super) fn cross_entropy(
    logits: &Tensor,
    targets: &[Target],
    smoothing: f64,
) -> candle_core::Result<Tensor> {
    let (own, other) = ((1.0 - smoothing / 2.0) as f32, (smoothing / 2.0) as f32);
    let class = |target: &Target| target.label().and_then(Label::class);
    let wanted = |target: &Target| match class(target) {
        Some(MASK) => [own, other],
        Some(_) => [other, own],
        None => [0.0; 2],
    };
    let values: Vec<f32> = targets.iter().flat_map(wanted).collect();
    let values = Tensor::from_vec(values, (targets.len(), 2), logits.device())?;
    let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?;
    let count = targets.iter().filter_map(class).count().max(1);
    (log_probabilities * values)?.sum_all()? / -(count as f64)
}

/// Mean binary cross-entropy of logits `[N, 1]` over the crops whose truth is `wanted`, smoothed likewise.
pub(in crate::train) fn binary(
    logits: &Tensor,
    wanted: &[Option<bool>],
    smoothing: f64,
) -> candle_core::Result<Tensor> {
    let (own, other) = ((1.0 - smoothing / 2.0) as f32, (smoothing / 2.0) as f32);
    let value = |wanted: &Option<bool>| match wanted {
        Some(true) => [own, other],
        Some(false) => [other, own],
        None => [0.0; 2],
    };
    let values: Vec<f32> = wanted.iter().flat_map(value).collect();
    let values = Tensor::from_vec(values, (wanted.len(), 2), logits.device())?;
    // As a softmax of the logit beside 0, which cannot overflow.
    let both = Tensor::cat(&[logits, &logits.zeros_like()?], 1)?;
    let log_probabilities = candle_nn::ops::log_softmax(&both, 1)?;
    let count = wanted.iter().flatten().count().max(1);
    (log_probabilities * values)?.sum_all()? / -(count as f64)
}

/// The loss of all outputs: [`cross_entropy`] of the two classes, and the mean binary cross-entropy of
/// *incorrect* over all faces and of both logits of *presence* over all crops. Where no face is labelled
/// *incorrect* that output is left alone, and *presence* where every crop shows a face.
pub(super) fn loss(logits: &Logits, targets: &[Target], smoothing: f64) -> candle_core::Result<Tensor> {
    let mut loss = cross_entropy(&logits.classes, targets, smoothing)?;
    let incorrect = |target: &Target| target.label().map(|label| label == Label::Incorrect);
    let wanted: Vec<Option<bool>> = targets.iter().map(incorrect).collect();
    if let Some(logits) = logits.incorrect.as_ref().filter(|_| wanted.contains(&Some(true))) {
        loss = (loss + binary(logits, &wanted, smoothing)?)?;
    }
    if let Some(logits) = logits.presence.as_ref().filter(|_| wanted.contains(&None)) {
        for output in [PERSON, FRONT] {
            let wanted: Vec<Option<bool>> =
                targets.iter().map(|target| Some(target.presence()[output])).collect();
            loss = (loss + binary(&logits.narrow(1, output, 1)?, &wanted, smoothing)?)?;
        }
    }
    Ok(loss)
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
