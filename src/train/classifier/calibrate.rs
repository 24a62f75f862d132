//! Temperature scaling (Guo et al. 2017, <https://arxiv.org/abs/1706.04599>): logits are divided by one number, found on the
//! faces set aside, so that probabilities mean what they say. The number is folded into the last layers, so that nobody who
//! runs the network has to know it.

use super::batch::set_aside;
use super::{Run, TrainError, pairs};
use crate::eval::labels::Label;
use crate::nn::Mode;
use crate::nn::head::{self, Head, INCORRECT_TENSORS, TENSORS};
use crate::nn::mobilenet_v2::MobileNetV2;
use crate::nn::weights::Weights;
use crate::pixels::preprocess;
use image::RgbImage;

/// Crops that go through the network at once.
const BATCH: usize = 32;
/// Temperatures that are tried, as their logarithms.
const RANGE: (f64, f64) = (-2.3, 2.3);

/// Divides the logits of `weights` by the temperatures with the least loss and notes them in the metadata. A logit whose
/// faces set aside are all of one kind is left as it is.
pub(super) fn calibrate(run: &Run<'_>, weights: &mut Weights) -> Result<(), TrainError> {
    let (network, head) = (MobileNetV2::new(weights, Mode::Inference)?, Head::new(weights)?);
    let (mut classes, mut incorrect) = (Vec::new(), Vec::new());
    let faces = set_aside(run)?;
    for faces in faces.chunks(BATCH) {
        let crops: Vec<RgbImage> = faces.iter().map(|(crop, _)| crop.clone()).collect();
        let logits = head.forward(&network.features(&preprocess::normalised(&crops)?)?, None)?;
        for (row, (_, label)) in pairs(&logits.classes)?.into_iter().zip(faces) {
            if label.class().is_some() {
                let difference = f64::from(row[head::MASK] - row[head::NO_MASK]);
                classes.push((difference, *label == Label::Mask));
            }
        }
        if let Some(logits) = logits.incorrect {
            let values = logits.detach().flatten_all()?.to_vec1::<f32>()?;
            let labelled = values.into_iter().zip(faces);
            incorrect
                .extend(labelled.map(|(logit, (_, label))| (f64::from(logit), *label == Label::Incorrect)));
        }
    }
    let outputs = [
        ("temperature", &classes, [TENSORS[2], TENSORS[3]]),
        ("incorrect_temperature", &incorrect, INCORRECT_TENSORS),
    ];
    for (key, logits, tensors) in outputs {
        let Some(temperature) = temperature(logits) else { continue };
        for (name, shape) in tensors {
            let scaled = (weights.get(name, shape)? / temperature)?;
            weights.insert(name.to_owned(), scaled);
        }
        weights
            .metadata
            .insert(key.to_owned(), format!("{temperature:.4}, from {} faces set aside", logits.len()));
    }
    Ok(())
}

/// Mean loss of a sigmoid over logits divided by `temperature`, in nats.
fn loss(logits: &[(f64, bool)], temperature: f64) -> f64 {
    let one = |(logit, positive): &(f64, bool)| {
        let wrong = if *positive { -logit } else { *logit } / temperature;
        wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
    };
    logits.iter().map(one).sum::<f64>() / logits.len().max(1) as f64
}

/// The temperature with the least loss, by golden-section search: the loss has one minimum over 1 / temperature. `None`
/// where there are not both positives and negatives.
fn temperature(logits: &[(f64, bool)]) -> Option<f64> {
    let positives = logits.iter().filter(|(_, positive)| *positive).count();
    if positives == 0 || positives == logits.len() {
        return None;
    }
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = RANGE;
    while high - low > 1e-4 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if loss(logits, left.exp()) <= loss(logits, right.exp()) { high = right } else { low = left }
    }
    Some(f64::midpoint(low, high).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::random::{Purpose, stream};
    use proptest::prelude::*;
    use rand::RngExt;

    #[test]
    fn the_temperature_of_logits_that_were_made_too_bold_is_found() {
        let mut generator = stream(3, Purpose::Weights, 0);
        for wanted in [0.4, 1.0, 3.0] {
            let logits: Vec<_> = (0..20_000)
                .map(|_| {
                    let logit: f64 = generator.random_range(-4.0..4.0);
                    (logit * wanted, generator.random_bool(1.0 / (1.0 + (-logit).exp())))
                })
                .collect();
            let found = temperature(&logits).unwrap();
            assert!((found / wanted - 1.0).abs() < 0.06, "{found} {wanted}");
        }
    }

    proptest! {
        #[test]
        fn no_temperature_in_range_is_better(
            logits in prop::collection::vec((-20f64..20.0, any::<bool>()), 2..60), other in -2.3f64..2.3,
        ) {
            match temperature(&logits) {
                Some(found) => prop_assert!(loss(&logits, found) <= loss(&logits, other.exp()) + 1e-6),
                None => prop_assert!(logits.iter().all(|(_, positive)| *positive == logits[0].1)),
            }
        }
    }
}
