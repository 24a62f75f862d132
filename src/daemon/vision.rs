//! The two networks as the loop sees them: pictures in, faces and probabilities out.

use crate::classify::{Classifier, Probabilities};
use crate::config::Config;
use crate::detect::{Detection, Detector};
use crate::geometry::Rect;
use crate::models::Models;
use crate::nn::NetworkError;
use crate::pixels::picture::View;
use crate::quality::{Examiner, Quality};
use std::error::Error;
use std::sync::Arc;

/// Why a picture could not be looked at.
pub type VisionError = Box<dyn Error + Send + Sync>;

/// What can look at pictures. The real one is [`Networks`]; tests script others.
pub trait Vision {
    /// The faces of `picture`, in its pixels.
    ///
    /// # Errors
    /// When the network cannot be run.
    fn faces(&mut self, picture: View<'_>) -> Result<Vec<Rect>, VisionError>;

    /// How well one of the faces that were found in `picture` last can be seen; `None` where that is not known.
    fn quality(&mut self, _picture: View<'_>, _face: &Rect) -> Option<Quality> {
        None
    }

    /// What the classifier says of each of `faces` in `picture`, in the same order.
    ///
    /// # Errors
    /// When the network cannot be run.
    fn masks(&mut self, picture: View<'_>, faces: &[Rect]) -> Result<Vec<Probabilities>, VisionError>;
}

/// Detector and classifier.
pub struct Networks {
    detector: Arc<Detector>,
    classifier: Arc<Classifier>,
    examiner: Examiner,
    found: Vec<Detection>,
}

/// The same networks, for other pictures; those in 8 bits do one picture at a time.
impl Clone for Networks {
    fn clone(&self) -> Self {
        let (detector, classifier) = (self.detector.clone(), self.classifier.clone());
        Self { detector, classifier, examiner: Examiner::default(), found: Vec::new() }
    }
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
            detector: Arc::new(models.detector(input, config.detector.score_threshold)?),
            classifier: Arc::new(models.classifier()?),
            examiner: Examiner::default(),
            found: Vec::new(),
        })
    }
}

impl Vision for Networks {
    fn faces(&mut self, picture: View<'_>) -> Result<Vec<Rect>, VisionError> {
        self.found = self.detector.detect(picture)?;
        Ok(self.found.iter().map(|face| face.rect).collect())
    }

    fn quality(&mut self, picture: View<'_>, face: &Rect) -> Option<Quality> {
        let found = self.found.iter().find(|found| found.rect == *face)?;
        Some(self.examiner.examine(picture, found))
    }

    fn masks(&mut self, picture: View<'_>, faces: &[Rect]) -> Result<Vec<Probabilities>, VisionError> {
        Ok(self.classifier.classify(picture, faces)?)
    }
}
