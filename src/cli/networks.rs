//! Arguments that name the networks and what is made of their answers, shared by the subcommands that work on
//! pictures.

use super::values::{certainty, fraction, one_of, pixels, size, threads};
use crate::decide::Rules;
use crate::nn::NetworkError;
use crate::vision::classifier::Input;
use crate::vision::detector::Detector;
use crate::vision::models::{ModelOptions, Models, Precision};
use crate::vision::quality::Gates;
use crate::vision::zones::Zones;
use crate::vision::{Chain, ChainOptions};
use clap::builder::TypedValueParser;
use std::path::PathBuf;

/// Which weights, and how they are run.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelArgs {
    /// Arithmetic of the networks: the built-in int8 ones, or the f32 reference
    #[arg(long, value_parser = precision(), default_value = Precision::default().name(), help_heading = "Networks")]
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
    /// Side of the classifier's input in pixels, 32 to 512, or auto: the smallest trained side from 128 on
    /// that shows all of a face. The paper uses 224
    #[arg(long, value_name = "PX", default_value_t, help_heading = "Networks")]
    pub input: Input,
    /// Threads of the networks [default: one per core, four at most]
    #[arg(long, value_parser = threads(), help_heading = "Networks")]
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
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x640", value_parser = size)]
    pub detector_input: (u32, u32),
    /// Do not search a second time, at 160x128, for faces that fill much of the picture
    #[arg(long)]
    pub no_close_faces: bool,
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
        if self.no_close_faces {
            return models.detector(self.detector_input, self.score_threshold);
        }
        models.detector_with_close(self.detector_input, self.score_threshold)
    }
}

/// The chain that these arguments describe, with these gates and zones.
///
/// # Errors
/// As [`Chain::load`].
pub fn chain(
    models: &ModelArgs,
    detector: &DetectorArgs,
    gates: Gates,
    zones: Zones,
) -> Result<Chain, NetworkError> {
    Chain::load(&ChainOptions {
        models: models.options(),
        detector_input: detector.detector_input,
        close_faces: !detector.no_close_faces,
        score_threshold: detector.score_threshold,
        gates,
        zones,
    })
}

/// When a face is *unsure*; the daemon's rules for one sighting.
#[derive(Debug, Clone, clap::Args)]
pub struct VerdictArgs {
    /// Minimum probability of mask, or of no_mask plus incorrect; below both the answer is unsure. 0.5 to 1
    #[arg(long, value_name = "P", default_value_t = Rules::default().certainty, value_parser = certainty)]
    pub certainty: f32,
    /// Faces whose shorter side is below this many pixels are unsure
    #[arg(long, value_name = "PX", default_value_t = Rules::default().min_face_side, value_parser = pixels)]
    pub min_face_side: f32,
    /// Also classify faces that the daemon does not: blurred, dark or turned away
    #[arg(long)]
    pub ungated: bool,
}

impl VerdictArgs {
    /// The daemon's rules with these limits.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules { certainty: self.certainty, min_face_side: self.min_face_side, ..Rules::default() }
    }

    /// The daemon's usual gates, or open ones.
    #[must_use]
    pub fn gates(&self) -> Gates {
        if self.ungated { Gates::OPEN } else { Gates::default() }
    }
}

fn precision() -> impl TypedValueParser<Value = Precision> {
    one_of(Precision::NAMES.map(|(name, precision)| {
        let help = match precision {
            Precision::Int8 => "8-bit integers, on the project's own kernels",
            Precision::F32 => "32-bit floating point, the reference",
        };
        (name, help, precision)
    }))
}
