//! Fitting the networks to labelled pictures. Nothing here runs on the board.
//!
//! [`classifier`] fits the classifier, [`detector`] the detector, [`landmarks`] the landmark network. Faces
//! and pictures come from [`crate::data`], what is drawn on them from [`crate::drawn`].

mod blend;
pub mod classifier;
pub mod detector;
mod error;
mod files;
mod fitted;
pub mod history;
pub mod landmarks;
pub mod optimizer;
pub mod prefetch;

pub use error::TrainError;
