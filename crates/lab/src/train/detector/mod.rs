//! `maskwatch-lab train detector`: fine-tunes YuNet-n on boxes of masked and bare faces.
//!
//! ```text
//! labels ─▶ data ─▶ teacher ─▶ covered ─▶ canvas ─▶ fitting ─▶ ranking ─▶ detector.safetensors
//!           (which   (landmarks  (masks on  (mosaics,  (assign, loss,   (which epoch
//!            pictures) of the     bare       small      AdamW,           and blend
//!                      start)     faces)     faces)     average)         are the best)
//! ```
//!
//! The network keeps its form and starts from published weights; it is fitted gently, so that it loses
//! nothing of what it could do while it learns what masks and small faces look like. Nothing of split *val*
//! is read.

mod assign;
mod canvas;
mod cells;
mod close;
mod covered;
mod data;
mod distort;
mod fitting;
mod history;
mod laid;
mod loss;
mod placement;
mod ranking;
mod run;
mod settings;
mod teacher;
mod truth;

pub use run::{FittedDetector, run};
pub use settings::DetectorSettings;
