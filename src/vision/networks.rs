//! The networks as the loop sees them: pictures in, faces and probabilities out.

use crate::config::Config;
use crate::geometry::Rect;
use crate::models::Models;
use crate::nn::NetworkError;
use crate::pixels::picture::View;
use crate::vision::classifier::{Classifier, Probabilities};
use crate::vision::detector::Detector;
use crate::vision::landmarks::Locator;
use crate::vision::quality::{Examiner, Quality};
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

    /// How well one of the faces of `picture` can be seen; `None` where that is not known.
    ///
    /// # Errors
    /// When the network cannot be run.
    fn quality(&mut self, _picture: View<'_>, _face: &Rect) -> Result<Option<Quality>, VisionError> {
        Ok(None)
    }

    /// What the classifier says of each of `faces` in `picture`, in the same order.
    ///
    /// # Errors
    /// When the network cannot be run.
    fn masks(&mut self, picture: View<'_>, faces: &[Rect]) -> Result<Vec<Probabilities>, VisionError>;
}

/// Detector, landmark network and classifier.
pub struct Networks {
    detector: Arc<Detector>,
    locator: Arc<Locator>,
    classifier: Arc<Classifier>,
    examiner: Examiner,
}

/// The same networks, for other pictures; those in 8 bits do one picture at a time.
impl Clone for Networks {
    fn clone(&self) -> Self {
        let Self { detector, locator, classifier, .. } = self;
        let (detector, locator, classifier) = (detector.clone(), locator.clone(), classifier.clone());
        Self { detector, locator, classifier, examiner: Examiner::default() }
    }
}

impl Networks {
    /// Loads the networks as configured.
    ///
    /// # Errors
    /// When a weight file is missing or damaged; the error names it.
    pub fn load(config: &Config) -> Result<Self, NetworkError> {
        let models = Models::open(&config.models)?;
        let input = (config.detector.width, config.detector.height);
        Ok(Self {
            detector: Arc::new(models.detector(input, config.detector.score_threshold)?),
            locator: Arc::new(models.locator()?),
            classifier: Arc::new(models.classifier()?),
            examiner: Examiner::default(),
        })
    }
}

impl Vision for Networks {
    fn faces(&mut self, picture: View<'_>) -> Result<Vec<Rect>, VisionError> {
        Ok(self.detector.detect(picture)?.iter().map(|face| face.rect).collect())
    }

    fn quality(&mut self, picture: View<'_>, face: &Rect) -> Result<Option<Quality>, VisionError> {
        let landmarks = self.locator.locate(picture, face)?;
        Ok(Some(self.examiner.examine(picture, face, &landmarks)))
    }

    fn masks(&mut self, picture: View<'_>, faces: &[Rect]) -> Result<Vec<Probabilities>, VisionError> {
        Ok(self.classifier.classify(picture, faces)?)
    }
}
