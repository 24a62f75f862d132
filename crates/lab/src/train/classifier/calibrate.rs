//! Calibrates probabilities on the faces set aside. The logits of the two classes are divided by one number
//! (temperature scaling, Guo et al. 2017, <https://arxiv.org/abs/1706.04599>). The logit of *incorrect* is
//! scaled and shifted (Platt 1999, "Probabilistic outputs for support vector machines"): batches hold far
//! more masks worn wrongly than a door sees, which a factor alone cannot undo. It is found on photographs
//! alone, since drawn ones are many and easy to tell. Both are folded into the last layers, so that nobody
//! who runs the network has to know them.

use super::batch::set_aside;
use super::job::ClassifierJob;
use super::loss::{Target, pairs};
use crate::data::augment::FaceView;
use crate::data::dataset::{Subset, open_picture};
use crate::data::labels::Label;
use crate::train::error::TrainError;
use candle_core::{Device, Tensor};
use image::RgbImage;
use maskwatch::nn::Mode;
use maskwatch::nn::head::{self, Head, INCORRECT_TENSORS, PERSON, PRESENCE_TENSORS, TENSORS};
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::nn::weights::Weights;
use maskwatch::pixels::preprocess;
use std::fmt;

/// Crops that go through the network at once.
const BATCH: usize = 32;
/// Temperatures that are tried, as their logarithms.
const RANGE: (f64, f64) = (-2.3, 2.3);
/// Newton's method needs about ten.
const NEWTON_STEPS: usize = 100;

/// Scales the logits of `weights` for the least loss and notes how in the metadata. A logit whose faces set
/// aside are all of one kind is left as it is.
pub(super) fn calibrate(job: &ClassifierJob<'_>, weights: &mut Weights) -> Result<(), TrainError> {
    let SetAsideLogits { classes, incorrect, presence } = SetAsideLogits::by(job, weights)?;
    if let Some(temperature) = temperature(&classes) {
        for (name, shape) in [TENSORS[2], TENSORS[3]] {
            let scaled = (weights.get(name, shape)? / temperature)?;
            weights.insert(name.to_owned(), scaled);
        }
        note(weights, "temperature", format!("{temperature:.4}"), classes.len());
    }
    if let Some(mut platt) = Platt::fit(&incorrect) {
        platt.intercept += job.settings.incorrect_odds.ln();
        scale(weights, INCORRECT_TENSORS, &[platt])?;
        note(weights, "incorrect_scaling", platt.to_string(), incorrect.len());
    }
    if let [Some(person), Some(front)] = presence.each_ref().map(|logits| Platt::fit(logits)) {
        scale(weights, PRESENCE_TENSORS, &[person, front])?;
        let found = format!("person {person}; front {front}");
        note(weights, "presence_scaling", found, presence[PERSON].len());
    }
    Ok(())
}

/// Logits of what is set aside, each with whether what it stands for is there. The first is *mask* less
/// *no_mask*.
#[derive(Default)]
struct SetAsideLogits {
    classes: Vec<(f64, bool)>,
    incorrect: Vec<(f64, bool)>,
    presence: [Vec<(f64, bool)>; 2],
}

impl SetAsideLogits {
    fn by(job: &ClassifierJob<'_>, weights: &Weights) -> Result<Self, TrainError> {
        let (network, head) = (MobileNetV2::new(weights, Mode::Inference)?, Head::new(weights)?);
        let logits =
            |crops: &[RgbImage]| head.forward(&network.features(&preprocess::normalised(crops)?)?, None);
        let values = |logits: &Tensor| logits.detach().to_vec2::<f32>();
        let mut seen = Self::default();
        let faces = set_aside(job)?;
        for faces in faces.chunks(BATCH) {
            let crops: Vec<RgbImage> = faces.iter().map(|face| face.crop.clone()).collect();
            let logits = logits(&crops)?;
            for (row, face) in pairs(&logits.classes)?.into_iter().zip(faces) {
                if face.label.class().is_some() {
                    let difference = f64::from(row[head::MASK] - row[head::NO_MASK]);
                    seen.classes.push((difference, face.label == Label::Mask));
                }
            }
            let photographed = |rows: Vec<Vec<f32>>| {
                rows.into_iter().zip(faces).filter(|(_, face)| !face.drawn).collect::<Vec<_>>()
            };
            for (row, face) in
                logits.incorrect.as_ref().map(values).transpose()?.into_iter().flat_map(photographed)
            {
                seen.incorrect.push((f64::from(row[0]), face.label == Label::Incorrect));
            }
            for (row, _) in
                logits.presence.as_ref().map(values).transpose()?.into_iter().flat_map(photographed)
            {
                seen.add_presence(&row, [true; 2]);
            }
        }
        let view = FaceView::plain(job.settings.margin);
        for one in job.non_faces.of(Subset::Selection) {
            let crop = view.render(&open_picture(&one.picture)?, &one.rect, job.settings.input());
            for row in logits(&[crop])?.presence.as_ref().map(values).transpose()?.into_iter().flatten() {
                seen.add_presence(&row, Target::NonFace(one.kind).presence());
            }
        }
        Ok(seen)
    }

    fn add_presence(&mut self, logits: &[f32], is_there: [bool; 2]) {
        for ((seen, logit), is_there) in self.presence.iter_mut().zip(logits).zip(is_there) {
            seen.push((f64::from(*logit), is_there));
        }
    }
}

/// Applies a scaling to each row of an output's last layer.
fn scale(weights: &mut Weights, tensors: [(&str, &[usize]); 2], rows: &[Platt]) -> Result<(), TrainError> {
    let [(weight, weight_shape), (bias, bias_shape)] = tensors;
    let column = |value: fn(&Platt) -> f64| {
        let values: Vec<f32> = rows.iter().map(|platt| value(platt) as f32).collect();
        Tensor::from_vec(values, rows.len(), &Device::Cpu)
    };
    let (slope, intercept) = (column(|platt| platt.slope)?, column(|platt| platt.intercept)?);
    let scaled = weights.get(weight, weight_shape)?.broadcast_mul(&slope.unsqueeze(1)?)?;
    let moved = ((weights.get(bias, bias_shape)? * slope)? + intercept)?;
    weights.insert(weight.to_owned(), scaled);
    weights.insert(bias.to_owned(), moved);
    Ok(())
}

fn note(weights: &mut Weights, key: &str, found: String, faces: usize) {
    weights.metadata.insert(key.to_owned(), format!("{found}, from {faces} faces set aside"));
}

/// The probability of a logit is the sigmoid of `slope` · logit + `intercept`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Platt {
    slope: f64,
    intercept: f64,
}

impl fmt::Display for Platt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "slope {:.4}, intercept {:.4}", self.slope, self.intercept)
    }
}

impl Platt {
    /// The scaling with the least loss, by Newton's method, of which each step is halved until it lowers the
    /// loss (Lin, Lin and Weng 2007). Targets lie as far from 0 and 1 as Platt puts them, so that there is a
    /// least one however well the logits tell the kinds apart. `None` where there are not both positives and
    /// negatives.
    fn fit(logits: &[(f64, bool)]) -> Option<Self> {
        let positives = logits.iter().filter(|(_, positive)| *positive).count() as f64;
        let negatives = logits.len() as f64 - positives;
        if positives == 0.0 || negatives == 0.0 {
            return None;
        }
        let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
        let target = |positive: bool| if positive { high } else { low };
        let loss = |Self { slope, intercept }: &Self| -> f64 {
            let one = |(logit, positive): &(f64, bool)| {
                let value = slope * logit + intercept;
                value.max(0.0) + (-value.abs()).exp().ln_1p() - target(*positive) * value
            };
            logits.iter().map(one).sum()
        };
        let mut best = Self { slope: 1.0, intercept: 0.0 };
        let mut least = loss(&best);
        for _ in 0..NEWTON_STEPS {
            let (mut gradient, mut curvature) = ([0.0; 2], [1e-9, 0.0, 1e-9]);
            for (logit, positive) in logits {
                let probability = 1.0 / (1.0 + (-(best.slope * logit + best.intercept)).exp());
                let (off, spread) = (probability - target(*positive), probability * (1.0 - probability));
                gradient = [gradient[0] + off * logit, gradient[1] + off];
                let [both, mixed, alone] = curvature;
                curvature = [both + spread * logit * logit, mixed + spread * logit, alone + spread];
            }
            let [both, mixed, alone] = curvature;
            let determinant = both * alone - mixed * mixed;
            let step = [
                (alone * gradient[0] - mixed * gradient[1]) / determinant,
                (both * gradient[1] - mixed * gradient[0]) / determinant,
            ];
            let lower = (0..20).find_map(|halvings| {
                let part = 0.5f64.powi(halvings);
                let next =
                    Self { slope: best.slope - part * step[0], intercept: best.intercept - part * step[1] };
                let loss = loss(&next);
                (loss < least).then_some((next, loss))
            });
            let Some((next, loss)) = lower else { break };
            (best, least) = (next, loss);
        }
        // A logit that speaks against what it stands for is worse than one that is left alone.
        (best.slope > 0.0).then_some(best)
    }
}

/// Mean loss of a sigmoid over logits divided by `temperature`, in nats.
fn loss(logits: &[(f64, bool)], temperature: f64) -> f64 {
    let one = |(logit, positive): &(f64, bool)| {
        let wrong = if *positive { -logit } else { *logit } / temperature;
        wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
    };
    logits.iter().map(one).sum::<f64>() / logits.len().max(1) as f64
}

/// The temperature with the least loss, by golden-section search: the loss has one minimum over 1 /
/// temperature. `None` where there are not both positives and negatives.
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
    // The search comes near an end of the range, but never quite there.
    let ends = [f64::midpoint(low, high), RANGE.0, RANGE.1].map(f64::exp);
    ends.into_iter().min_by(|one, other| loss(logits, *one).total_cmp(&loss(logits, *other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
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

    #[test]
    fn what_made_logits_too_bold_and_too_rare_is_found() {
        let mut generator = stream(4, Purpose::Weights, 0);
        for (slope, intercept) in [(0.5, -1.0), (1.0, 0.0), (2.0, 3.0)] {
            let logits: Vec<_> = (0..40_000)
                .map(|_| {
                    let value: f64 = generator.random_range(-4.0..4.0);
                    ((value - intercept) / slope, generator.random_bool(1.0 / (1.0 + (-value).exp())))
                })
                .collect();
            let found = Platt::fit(&logits).unwrap();
            assert!((found.slope / slope - 1.0).abs() < 0.06, "{found:?} {slope}");
            assert!((found.intercept - intercept).abs() < 0.12, "{found:?} {intercept}");
            // As many are expected as there are.
            let expected: f64 = logits
                .iter()
                .map(|(logit, _)| 1.0 / (1.0 + (-(found.slope * logit + found.intercept)).exp()))
                .sum();
            let there = logits.iter().filter(|(_, positive)| *positive).count() as f64;
            assert!((expected / there - 1.0).abs() < 1e-3, "{expected} {there}");
        }
        let apart = [(-1.0, false), (-2.0, false), (3.0, true)];
        let found = Platt::fit(&apart).unwrap();
        assert!(found.slope.is_finite() && found.intercept.is_finite(), "{found:?}");
        assert_eq!(
            Platt::fit(&[(1.0, false), (-1.0, true)]),
            None,
            "the logit would have to be turned around"
        );
        assert_eq!(Platt::fit(&[(1.0, true), (-1.0, true)]), None);
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
