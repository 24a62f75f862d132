//! Fitting the networks to labelled pictures. Nothing here runs on the board.
//!
//! [`classifier`] fits the classifier, [`detector`] the detector, [`landmarks`] the landmark network. Faces
//! and pictures come from [`crate::data`], what is drawn on them from [`crate::drawn`]; all three go through
//! one `run`. [`presence`] gives a finished classifier its output of that name.

mod blend;
pub mod classifier;
pub mod detector;
mod error;
pub mod landmarks;
pub mod optimizer;
pub mod prefetch;
pub mod presence;
mod run;

pub use error::TrainError;
pub use run::Session;
