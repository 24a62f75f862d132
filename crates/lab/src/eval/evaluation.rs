//! The result of a measurement: figures, wrong answers and failures.

use super::mistakes::Mistake;
use crate::data::pictures::Failure;

/// The result of a measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation<Report> {
    /// The figures, over the pictures that could be measured.
    pub report: Report,
    /// The faces behind the wrong answers.
    pub mistakes: Vec<Mistake>,
    /// The pictures that could not be measured.
    pub failures: Vec<Failure>,
}
