//! The two networks as the loop sees them: pictures in, faces and probabilities out.

use crate::classify::{Classifier, Probabilities};
use crate::config::Config;
use crate::detect::Detector;
use crate::geometry::Rect;
use crate::models::Models;
use crate::nn::NetworkError;
use crate::pixels::picture::View;
use std::error::Error;

/// Why a picture could not be looked at.
pub type VisionError = Box<dyn Error + Send + Sync>;

/// What can look at pictures. The real one is [`Networks`]; tests script others.
pub trait Vision {
    /// The faces of `picture`, in its pixels.
    ///
    /// # Errors
    /// When the network cannot be run.
    fn faces(&mut self, picture: View<'_>) -> Result<Vec<Rect>, VisionError>;

    /// What the classifier says of each of `faces` in `picture`, in the same order.
    ///
    /// # Errors
    /// When the network cannot be run.
    fn masks(&mut self, picture: View<'_>, faces: &[Rect]) -> Result<Vec<Probabilities>, VisionError>;
}

/// Detector and classifier.
pub struct Networks {
    detector: Detector,
    classifier: Classifier,
}

impl Networks {
    /// Loads both networks as configured.
    ///
    /// # Errors
    /// When a weight file is missing or damaged; the error names it.
    pub fn load(config: &Config) -> Result<Self, NetworkError> {
        let models = Models::open(&config.models)?;
        let input = (config.detector.width, config.detector.height);
        Ok(Self {
            detector: models.detector(input, config.detector.score_threshold)?,
            classifier: models.classifier()?,
        })
    }
}

impl Vision for Networks {
    fn faces(&mut self, picture: View<'_>) -> Result<Vec<Rect>, VisionError> {
        Ok(self.detector.detect(picture)?.into_iter().map(|face| face.rect).collect())
    }

    fn masks(&mut self, picture: View<'_>, faces: &[Rect]) -> Result<Vec<Probabilities>, VisionError> {
        Ok(self.classifier.classify(picture, faces)?)
    }
}
