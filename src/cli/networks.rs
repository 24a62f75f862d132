//! Arguments that name the networks and what is made of their answers, shared by the subcommands that work on
//! pictures.

use crate::decide::{Rules, Verdict};
use crate::geometry::Rect;
use crate::models::{ModelOptions, Models, Precision};
use crate::nn::NetworkError;
use crate::vision::classifier::{Input, Probabilities};
use crate::vision::detector::Detector;
use std::path::PathBuf;

/// Which weights, and how they are run.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelArgs {
    /// Arithmetic of the networks: the built-in int8 ones, or the f32 reference
    #[arg(long, value_enum, default_value_t, help_heading = "Networks")]
    pub precision: Precision,
    /// int8 weights of all networks, as `maskwatch-lab quantize` writes them, instead of the built-in ones
    #[arg(long, value_name = "FILE", help_heading = "Networks")]
    int8: Option<PathBuf>,
    /// f32 weights of the classifier [default: classifier.safetensors in $MASKWATCH_MODELS, ./models or
    /// /usr/share/maskwatch/models]
    #[arg(long, value_name = "FILE", help_heading = "Networks")]
    classifier: Option<PathBuf>,
    /// f32 weights of the detector [default: detector.safetensors, found like those of the classifier]
    #[arg(long, value_name = "FILE", help_heading = "Networks")]
    detector: Option<PathBuf>,
    /// f32 weights of the landmark network [default: landmarks.safetensors, found like those of the
    /// classifier]
    #[arg(long, value_name = "FILE", help_heading = "Networks")]
    landmarks: Option<PathBuf>,
    /// Side of the classifier's input in pixels, 32 to 512, or auto: of those that the weights were trained
    /// for the smallest from 128 on that shows all of a face; 224 is the paper's
    #[arg(long, value_name = "PX", default_value_t, help_heading = "Networks")]
    pub input: Input,
    /// Threads of the networks [default: one per core, four at most]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Networks")]
    pub threads: Option<u16>,
}

impl ModelArgs {
    /// What these arguments ask to be run.
    #[must_use]
    pub fn options(&self) -> ModelOptions {
        ModelOptions {
            precision: self.precision,
            int8: self.int8.clone(),
            classifier: self.classifier.clone(),
            detector: self.detector.clone(),
            landmarks: self.landmarks.clone(),
            classifier_input: self.input,
            threads: self.threads,
        }
    }

    /// The weights that these arguments name.
    ///
    /// # Errors
    /// As [`Models::open`].
    pub fn open(&self) -> Result<Models, NetworkError> {
        Models::open(&self.options())
    }
}

/// How the detector looks at a picture.
#[derive(Debug, Clone, clap::Args)]
pub struct DetectorArgs {
    /// Size to which a picture is fitted for the detector, small ones enlarged, the rest black; multiples of
    /// 32
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x640", value_parser = super::size)]
    pub detector_input: (u32, u32),
    /// Score from which a detection counts as a face, 0 to 1
    #[arg(long, value_name = "SCORE", default_value = "0.5", value_parser = fraction)]
    pub score_threshold: f32,
}

impl DetectorArgs {
    /// The detector that these arguments describe.
    ///
    /// # Errors
    /// As [`Models::detector`].
    pub fn make(&self, models: &Models) -> Result<Detector, NetworkError> {
        models.detector(self.detector_input, self.score_threshold)
    }
}

/// When a face is *unsure*; the daemon's rules for one sighting.
#[derive(Debug, Clone, clap::Args)]
pub struct VerdictArgs {
    /// How probable a mask, or the lack of a rightly worn one, has to be; less for both is unsure, 0.5 to 1
    #[arg(long, value_name = "P", default_value_t = Rules::default().certainty, value_parser = certainty)]
    pub certainty: f32,
    /// Faces whose shorter side is below this many pixels are unsure
    #[arg(long, value_name = "PX", default_value_t = Rules::default().min_face_side, value_parser = pixels)]
    pub min_face_side: f32,
}

impl VerdictArgs {
    /// The daemon's rules with these limits.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules { certainty: self.certainty, min_face_side: self.min_face_side, ..Rules::default() }
    }
}

/// What one sighting of a face says by `rules`: its vote, or unsure where the face is too small to be asked.
#[must_use]
pub fn verdict(rules: &Rules, face: &Rect, answer: &Probabilities) -> Verdict {
    let side = face.side();
    if side < rules.min_face_side { Verdict::Unsure } else { rules.vote(answer, side) }
}

fn number_in(text: &str, range: std::ops::RangeInclusive<f32>, what: &str) -> Result<f32, String> {
    text.parse().ok().filter(|value| range.contains(value)).ok_or_else(|| format!("it must be {what}"))
}

/// Reads a number from 0 to 1.
///
/// # Errors
/// With a sentence that says what to give.
pub fn fraction(text: &str) -> Result<f32, String> {
    number_in(text, 0.0..=1.0, "a number from 0 to 1")
}

fn certainty(text: &str) -> Result<f32, String> {
    number_in(text, 0.5..=1.0, "a number from 0.5 to 1")
}

/// Reads a number of pixels, 0 or more.
///
/// # Errors
/// With a sentence that says what to give.
pub fn pixels(text: &str) -> Result<f32, String> {
    number_in(text, 0.0..=100_000.0, "a number of pixels from 0 on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(fraction("0.5"), Ok(0.5));
        for text in ["-0.1", "1.1", "nan", "inf", "", "half"] {
            assert!(fraction(text).is_err(), "{text}");
        }
        assert!(certainty("0.4").is_err() && pixels("-1").is_err());
    }

    #[test]
    fn small_faces_are_unsure_whatever_the_classifier_says() {
        let sure = Probabilities::of_mask(1.0);
        let rules = Rules { min_face_side: 20.0, ..Rules::default() };
        assert_eq!(verdict(&rules, &Rect::new(0.0, 0.0, 40.0, 19.0), &sure), Verdict::Unsure);
        assert_eq!(verdict(&rules, &Rect::new(0.0, 0.0, 40.0, 20.0), &sure), Verdict::Masked);
    }
}
