//! A run from a finished classifier to the same with another output.

use super::settings::PresenceSettings;
use super::views::Views;
use crate::data::dataset::{Dataset, DatasetOptions, Subset};
use crate::random::{Purpose, stream};
use crate::train::classifier::{NonFaces, binary};
use crate::train::error::TrainError;
use crate::train::optimizer::{OptimizerSettings, Rule, learning_rate};
use crate::train::run::{Fitted, Session, json};
use candle_core::{Device, Tensor, Var};
use maskwatch::nn::Mode;
use maskwatch::nn::head::{FRONT, PERSON, PRESENCE_TENSORS};
use maskwatch::nn::mobilenet_v2::{FEATURES, MobileNetV2};
use maskwatch::nn::weights::Weights;
use maskwatch::vision::classifier::{Input, Preprocessing};
use rand::RngExt;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// What a run reached on what was set aside, at a probability of 0.5.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FittedPresence {
    /// The file of the weights.
    #[serde(skip)]
    pub weights: PathBuf,
    /// Faces that count as nobody's, and as hidden; of so many.
    pub faces_rejected: [usize; 2],
    /// Faces that were set aside.
    pub faces: usize,
    /// Boxes without a head that count as somebody's, and heads that count as seen from the front.
    pub let_through: [usize; 2],
    /// Boxes without a head, and heads without a face.
    pub non_faces: [usize; 2],
}

impl fmt::Display for FittedPresence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { weights, faces_rejected: [nobody, hidden], faces, let_through, non_faces } = self;
        writeln!(out, "set aside, at a probability of 0.5:")?;
        writeln!(out, "  {nobody} of {faces} faces count as nobody's, {hidden} as hidden")?;
        writeln!(out, "  {} of {} boxes without a head count as somebody's", let_through[0], non_faces[0])?;
        writeln!(
            out,
            "  {} of {} heads without a face count as seen from the front",
            let_through[1], non_faces[1]
        )?;
        write!(out, "written: {}", weights.display())
    }
}

/// Fits the output and writes `classifier.safetensors` into the session's folder. A run takes minutes and
/// keeps no checkpoint.
///
/// # Errors
/// Data, weights or folder cannot be used, or fitting diverges.
pub fn run(
    weights: &Weights,
    settings: &PresenceSettings,
    session: &Session,
) -> Result<FittedPresence, TrainError> {
    if settings.steps == 0 || !(0.0..0.5).contains(&settings.rejected) {
        return Err(TrainError::Settings("steps must be 1 or more, the share rejected below 0.5".to_owned()));
    }
    session.make_folder()?;
    let options = DatasetOptions { seed: settings.seed, ..DatasetOptions::default() };
    let dataset = Dataset::load(&settings.data, &options)?;
    let non_faces =
        NonFaces::find(&settings.data, settings.heads.as_deref(), settings.seed, settings.threads)?;
    let network = MobileNetV2::new(weights, Mode::Inference)?;
    let Preprocessing { margin, inputs } =
        Preprocessing::of(&weights.metadata, weights.origin(), Input::Auto)?;
    let views = |subset| Views::of(subset, (&dataset, &non_faces), &network, (margin, &inputs), settings);
    let (training, aside) = (views(Subset::Train)?, views(dataset.chosen_by())?);

    let mut result = weights.clone();
    let mut generator = stream(settings.seed, Purpose::Weights, 1);
    let [(weight, weight_shape), (bias, bias_shape)] = PRESENCE_TENSORS;
    let limit = 1.0 / (FEATURES as f32).sqrt();
    let first: Vec<f32> = (0..2 * FEATURES).map(|_| generator.random_range(-limit..limit)).collect();
    let variables: BTreeMap<String, Var> = [
        (weight.to_owned(), Var::from_tensor(&Tensor::from_vec(first, weight_shape, &Device::Cpu)?)?),
        (bias.to_owned(), Var::zeros(bias_shape, candle_core::DType::F32, &Device::Cpu)?),
    ]
    .into();
    fit(&training, &variables, settings)?;
    let (fitted, shift) = (variables[weight].as_tensor(), variables[bias].as_tensor());
    let logits = aside.features.matmul(&fitted.t()?)?.broadcast_add(shift)?.to_vec2::<f32>()?;
    let shifts = [PERSON, FRONT].map(|output| rejecting(&logits, &aside.presence, output, settings.rejected));
    result.insert(weight.to_owned(), fitted.copy()?);
    result.insert(bias.to_owned(), (shift - Tensor::new(&shifts, &Device::Cpu)?)?);
    let mut reached = reached(&logits, &aside.presence, shifts);
    let entries = [
        ("presence_settings", json(settings)),
        ("presence_about", json(&session.about)),
        ("presence_non_faces", json(&non_faces.summary())),
        ("presence_figures", json(&reached)),
        ("presence_base_crc32", weights.checksum()?),
    ];
    // The command and the seed that the classifier was made with stay those of its own run.
    result.metadata.extend(entries.map(|(key, value)| (key.to_owned(), value)));
    reached.weights = session.file("classifier.safetensors");
    result.save(&reached.weights)?;
    Ok(reached)
}

/// Steps of AdamW over all views; faces count as much as boxes without one.
fn fit(
    training: &Views,
    variables: &BTreeMap<String, Var>,
    settings: &PresenceSettings,
) -> Result<(), TrainError> {
    let optimizer =
        OptimizerSettings { weight_decay: settings.weight_decay, ..OptimizerSettings::new(Rule::AdamW) };
    let mut fitted = Fitted::new(variables.clone(), optimizer, 0.0, |_, _| Ok(1.0))?;
    let [weight, bias] = PRESENCE_TENSORS.map(|(name, _)| variables[name].as_tensor());
    let wanted =
        |output: usize| training.presence.iter().map(|presence| Some(presence[output])).collect::<Vec<_>>();
    let wanted = [wanted(PERSON), wanted(FRONT)];
    for step in 0..settings.steps {
        let logits = training.features.matmul(&weight.t()?)?.broadcast_add(bias)?;
        let person = binary(&logits.narrow(1, PERSON, 1)?, &wanted[PERSON], 0.0)?;
        let front = binary(&logits.narrow(1, FRONT, 1)?, &wanted[FRONT], 0.0)?;
        let loss = (person + front)?;
        if !loss.to_scalar::<f32>()?.is_finite() {
            return Err(TrainError::Diverged { step });
        }
        let rate = learning_rate(step, settings.steps, 20, settings.learning_rate);
        fitted.step(&loss.backward()?, rate, Vec::new())?;
    }
    Ok(())
}

/// The logit below which a share `rejected` of the faces lies.
fn rejecting(logits: &[Vec<f32>], presence: &[[bool; 2]], output: usize, rejected: f64) -> f32 {
    let mut faces: Vec<f32> =
        logits.iter().zip(presence).filter(|(_, there)| there[FRONT]).map(|(row, _)| row[output]).collect();
    faces.sort_by(f32::total_cmp);
    let place = (faces.len() as f64 * rejected) as usize;
    faces.get(place).copied().unwrap_or_default()
}

/// What the shifted logits say of what was set aside.
fn reached(logits: &[Vec<f32>], presence: &[[bool; 2]], shifts: [f32; 2]) -> FittedPresence {
    let rows = || logits.iter().zip(presence);
    let count = |wanted: &dyn Fn(&[bool; 2]) -> bool, hit: &dyn Fn(&[f32]) -> bool| {
        rows().filter(|(row, there)| wanted(there) && hit(row)).count()
    };
    let (face, nobody) = (|there: &[bool; 2]| there[FRONT], |there: &[bool; 2]| !there[PERSON]);
    let head = |there: &[bool; 2]| there[PERSON] && !there[FRONT];
    let is_above = |row: &[f32], output: usize| row[output] >= shifts[output];
    FittedPresence {
        weights: PathBuf::new(),
        faces_rejected: [PERSON, FRONT].map(|output| count(&face, &|row| !is_above(row, output))),
        faces: count(&face, &|_| true),
        let_through: [
            count(&nobody, &|row| is_above(row, PERSON)),
            count(&head, &|row| is_above(row, FRONT)),
        ],
        non_faces: [count(&nobody, &|_| true), count(&head, &|_| true)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_rejects_the_share_that_was_asked_for() {
        let mut logits: Vec<Vec<f32>> = (0..100u8).map(|k| vec![f32::from(k), f32::from(2 * k)]).collect();
        let mut presence = vec![[true, true]; 100];
        logits.extend([vec![1.0, 1.0], vec![50.0, 3.0]]);
        presence.extend([[false, false], [true, false]]);
        let shifts = [PERSON, FRONT].map(|output| rejecting(&logits, &presence, output, 0.02));
        assert_eq!(shifts, [2.0, 4.0]);
        let reached = reached(&logits, &presence, shifts);
        assert_eq!((reached.faces_rejected, reached.faces), ([2, 2], 100));
        assert_eq!((reached.let_through, reached.non_faces), ([0, 0], [1, 1]));
    }
}
