//! Which weights are run, and in which precision: the int8 networks that are built in, a file of such, or the
//! f32 ones.

use super::classifier::{Classifier, Input};
use super::detector::{CLOSE_INPUT, Detector};
use super::landmarks::Locator;
use crate::names::named;
use crate::nn::NetworkError;
use crate::nn::int8::yunet::{CLOSE_DETECTOR, DETECTOR};
use crate::nn::int8::{QuantizedWeights, SharedTeam};
use crate::nn::weights::{self, Weights};
use maskwatch_kernels::int8;
use std::path::PathBuf;

/// Threads that the networks use at most where nothing else is said: more do not help at these sizes.
const USUAL_THREADS: usize = 4;
/// Threads that can be asked for.
pub const THREADS: std::ops::RangeInclusive<u16> = 1..=64;

/// The arithmetic of the networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 8-bit integers, on the kernels of `maskwatch-kernels`.
    #[default]
    Int8,
    /// 32-bit floating point, the reference.
    F32,
}

named!(Precision { Int8 => "int8", F32 => "f32", });

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelOptions {
    /// The arithmetic.
    pub precision: Precision,
    /// int8 weights of all networks; none for the built-in ones.
    pub int8: Option<PathBuf>,
    /// f32 weights of the classifier; none for `classifier.safetensors` in the usual folders.
    pub classifier: Option<PathBuf>,
    /// f32 weights of the detector; none for `detector.safetensors` in the usual folders. Those of the
    /// detector of close faces are `close-detector.safetensors` there.
    pub detector: Option<PathBuf>,
    /// f32 weights of the landmark network; none for `landmarks.safetensors` in the usual folders.
    pub landmarks: Option<PathBuf>,
    /// The classifier's input.
    pub classifier_input: Input,
    /// Threads of the int8 networks; none for one per core, four at most.
    pub threads: Option<u16>,
}

/// Sound weights, from which classifiers and detectors can be made.
#[derive(Debug)]
pub struct Models {
    options: ModelOptions,
    int8: Option<(QuantizedWeights, SharedTeam)>,
}

impl Models {
    /// Reads the int8 weights, if they are what is to be run; f32 ones are read when they are asked for.
    ///
    /// # Errors
    /// When weights cannot be read, or f32 weights are named although int8 ones are to be run.
    pub fn open(options: &ModelOptions) -> Result<Self, NetworkError> {
        let int8 = match options.precision {
            Precision::F32 => None,
            Precision::Int8 => {
                let named = [&options.classifier, &options.detector, &options.landmarks];
                if let Some(path) = named.into_iter().flatten().next() {
                    return Err(NetworkError::Precision { path: path.clone() });
                }
                let weights = match &options.int8 {
                    Some(path) => QuantizedWeights::load(path)?,
                    None => QuantizedWeights::embedded()?,
                };
                let threads = options.threads.map_or_else(usual_threads, usize::from);
                let team = SharedTeam::new(threads).map_err(|error| {
                    NetworkError::Run(candle_core::Error::Msg(format!(
                        "{threads} threads could not be started ({error}); ask for fewer"
                    )))
                })?;
                Some((weights, team))
            }
        };
        Ok(Self { options: options.clone(), int8 })
    }

    /// The arithmetic.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.options.precision
    }

    /// The threads of the int8 networks.
    pub(crate) fn team(&self) -> Option<&SharedTeam> {
        self.int8.as_ref().map(|(_, team)| team)
    }

    /// Name of the kernels, for reports.
    #[must_use]
    pub fn kernels(&self) -> &'static str {
        match self.options.precision {
            Precision::Int8 => int8::fastest().name(),
            Precision::F32 => "f32",
        }
    }

    /// Why the networks run slower than they could, in a sentence.
    #[must_use]
    pub fn hindrance(&self) -> Option<&'static str> {
        hindrance(self.kernels())
    }

    /// Where the weights come from, for reports.
    #[must_use]
    pub fn origin(&self) -> String {
        match &self.int8 {
            Some((weights, _)) => weights.origin().to_owned(),
            None => {
                let path = |named: &Option<PathBuf>, usual: &str| {
                    let found = named.clone().or_else(|| weights::find(usual).ok());
                    found.map_or_else(|| usual.to_owned(), |path| path.display().to_string())
                };
                format!(
                    "{} and {}",
                    path(&self.options.classifier, "classifier.safetensors"),
                    path(&self.options.detector, "detector.safetensors")
                )
            }
        }
    }

    /// The classifier.
    ///
    /// # Errors
    /// When its weights are missing, damaged or of another network.
    pub fn classifier(&self) -> Result<Classifier, NetworkError> {
        let input = self.options.classifier_input;
        match &self.int8 {
            Some((weights, team)) => Classifier::quantized(weights, int8::fastest(), team, input),
            None => {
                let named = self.options.classifier.clone();
                let path = named.map_or_else(|| weights::find("classifier.safetensors"), Ok)?;
                Classifier::new(&Weights::load(&path)?, input)
            }
        }
    }

    /// The detector; arguments as of [`Detector::load`].
    ///
    /// # Errors
    /// When its weights are missing, damaged or of another network, or `input` is no multiple of 32.
    pub fn detector(&self, input: (u32, u32), score_threshold: f32) -> Result<Detector, NetworkError> {
        match &self.int8 {
            Some((weights, team)) => Detector::quantized(
                (weights, DETECTOR),
                int8::fastest(),
                team.clone(),
                input,
                score_threshold,
            ),
            None => {
                let named = self.options.detector.clone();
                let path = named.map_or_else(|| weights::find("detector.safetensors"), Ok)?;
                Detector::load(&path, input, score_threshold)
            }
        }
    }

    /// The detector for close faces, at [`CLOSE_INPUT`]. Where int8 weights or a named detector come without
    /// one, that detector searches for close faces, too.
    ///
    /// # Errors
    /// As [`detector`](Self::detector).
    pub(crate) fn close_detector(&self, score_threshold: f32) -> Result<Detector, NetworkError> {
        match &self.int8 {
            Some((weights, team)) => {
                let own = weights.contains(&format!("{CLOSE_DETECTOR}.stem.weight"));
                let network = if own { CLOSE_DETECTOR } else { DETECTOR };
                let weights = (weights, network);
                Detector::quantized(weights, int8::fastest(), team.clone(), CLOSE_INPUT, score_threshold)
            }
            None => {
                let usual = weights::find("close-detector.safetensors");
                let path = usual.or_else(|error| self.options.detector.clone().ok_or(error))?;
                Detector::load(&path, CLOSE_INPUT, score_threshold)
            }
        }
    }

    /// The detector that searches at `input` and again, for close faces, at [`CLOSE_INPUT`] if that is
    /// smaller. Arguments as of [`Detector::load`].
    ///
    /// # Errors
    /// As [`detector`](Self::detector).
    pub fn detector_with_close(
        &self,
        input: (u32, u32),
        score_threshold: f32,
    ) -> Result<Detector, NetworkError> {
        let far = self.detector(input, score_threshold)?;
        if input.0 <= CLOSE_INPUT.0 && input.1 <= CLOSE_INPUT.1 {
            return Ok(far);
        }
        Ok(far.with_close(self.close_detector(score_threshold)?))
    }

    /// The landmark network.
    ///
    /// # Errors
    /// When its weights are missing, damaged or of another network.
    pub fn locator(&self) -> Result<Locator, NetworkError> {
        match &self.int8 {
            Some((weights, team)) => Locator::quantized(weights, int8::fastest(), team.clone()),
            None => {
                let named = self.options.landmarks.clone();
                let path = named.map_or_else(|| weights::find("landmarks.safetensors"), Ok)?;
                Locator::new(&Weights::load(&path)?)
            }
        }
    }
}

/// Why networks on these kernels run slower than they could.
fn hindrance(kernels: &str) -> Option<&'static str> {
    (kernels == "scalar").then_some(
        "this CPU has none of the vector instructions that the kernels use (NEON, or AVX2), so the networks take many times as long",
    )
}

/// One per core, four at most.
#[must_use]
pub fn usual_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(USUAL_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_code_is_a_hindrance() {
        for kernels in int8::available() {
            assert_eq!(hindrance(kernels.name()).is_some(), kernels.name() == "scalar", "{}", kernels.name());
        }
        assert_eq!(hindrance("f32"), None);
        assert!(hindrance("scalar").is_some_and(|sentence| sentence.contains("NEON")));
    }
}
