//! Compares the quantized classifier with the f32 one on faces that no weight was fitted to.

use super::choices::Choices;
use super::error::QuantizeError;
use crate::data::augment::FaceView;
use crate::data::dataset::{Dataset, open_picture};
use crate::data::labels::Label;
use crate::progress::Progress;
use maskwatch::nn::int8::SharedTeam;
use maskwatch::nn::int8::file::Draft;
use maskwatch::nn::weights::Weights;
use maskwatch::vision::classifier::{Classifier, Input};
use maskwatch::vision::models::usual_threads;
use maskwatch_kernels::int8::fastest;

/// How the quantized classifier compares with the f32 one, at one input size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Side of the input.
    pub input: u32,
    /// Faces that both were asked about.
    pub faces: usize,
    /// Of these, the f32 one is right on.
    pub real_right: usize,
    /// The int8 one is right on.
    pub quantized_right: usize,
    /// Both give the same class.
    pub same: usize,
    /// Root of the mean square of the difference between logit differences.
    pub logit_error: f64,
}

/// Compares both classifiers on the faces that training sets aside; [`Choices`] are made by that.
///
/// # Errors
/// When weights are of another network or a picture cannot be read.
pub fn compare(
    classifier: &Weights,
    draft: &Draft,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Vec<Comparison>, QuantizeError> {
    let team = SharedTeam::new(usual_threads()).map_err(candle_core::Error::wrap)?;
    let quantized = draft.weights()?;
    let faces = dataset.subset(dataset.chosen_by());
    let mut comparisons = Vec::new();
    for &input in &choices.inputs {
        let real = Classifier::new(classifier, Input::Side(input))?;
        let int8 = Classifier::quantized(&quantized, fastest(), &team, Input::Side(input))?;
        let mut sum = Comparison {
            input,
            faces: faces.len(),
            real_right: 0,
            quantized_right: 0,
            same: 0,
            logit_error: 0.0,
        };
        let progress = Progress::new(&format!("comparing at {input} px"), "faces", faces.len() as u64, 0);
        for index in &faces {
            let face = &dataset.faces[*index];
            let picture = open_picture(&face.picture)?;
            let crop = [FaceView::plain(real.preprocessing().margin).render(&picture, &face.rect, input)];
            let [a, b] = [real.classify_crops(&crop)?[0].mask, int8.classify_crops(&crop)?[0].mask];
            let right = |p: f32| (p >= 0.5) == (face.label == Label::Mask);
            let logit = |p: f32| f64::from((p.max(1e-9) / (1.0 - p).max(1e-9)).ln());
            sum.real_right += usize::from(right(a));
            sum.quantized_right += usize::from(right(b));
            sum.same += usize::from((a >= 0.5) == (b >= 0.5));
            sum.logit_error += (logit(a) - logit(b)).powi(2) / faces.len() as f64;
            progress.advance(1);
        }
        sum.logit_error = sum.logit_error.sqrt();
        comparisons.push(sum);
    }
    Ok(comparisons)
}
