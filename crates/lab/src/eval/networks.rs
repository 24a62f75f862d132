//! The networks as functions, as measurements call them.

use super::error::EvalError;
use image::RgbImage;
use maskwatch::geometry::{Point, Rect};
use maskwatch::vision::classifier::Probabilities;
use maskwatch::vision::detector::Detection;
use maskwatch::vision::{JudgedFace, Vision};

/// Finds the faces of a picture, in its own pixels; see [`maskwatch::vision::detector::Detector::detect`].
pub type Detect<'a> = dyn Fn(&RgbImage) -> Result<Vec<Detection>, EvalError> + Sync + 'a;

/// Finds and judges all faces of a picture, gates included; see [`maskwatch::vision::Vision::look`].
pub type Look<'a> = dyn Fn(&RgbImage) -> Result<Vec<JudgedFace>, EvalError> + Sync + 'a;

/// Classifies the faces in some boxes of a picture; see
/// [`maskwatch::vision::classifier::Classifier::classify`].
pub type Classify<'a> = dyn Fn(&RgbImage, &[Rect]) -> Result<Vec<Probabilities>, EvalError> + Sync + 'a;

/// Finds the landmarks of the face in a box, in the picture's pixels; see
/// [`maskwatch::vision::landmarks::Locator::locate`].
pub type Locate<'a> = dyn Fn(&RgbImage, &Rect) -> Result<[Point; 5], EvalError> + Sync + 'a;

/// All networks.
#[derive(Clone, Copy)]
pub struct EvalNetworks<'a> {
    /// Finds faces.
    pub detect: &'a Detect<'a>,
    /// Classifies them.
    pub classify: &'a Classify<'a>,
    /// Finds their landmarks.
    pub locate: &'a Locate<'a>,
}

/// Makes the networks for one clip; called on the thread that uses them.
pub type MakeVision<'a> = dyn Fn() -> Result<Box<dyn Vision>, EvalError> + Sync + 'a;
