//! One training run, whatever is fitted: interval by interval it fits, measures, keeps the best weights, and
//! writes checkpoint, `history.csv` and `curves.png`. A run that was stopped goes on exactly as if it had not
//! been.
//!
//! ```text
//! session ── folder, resuming      fit ── the loop over a Fitter      fitted ── weights, optimiser, average
//! history ── table and curves      checkpoint ── all of it on disk    metadata ── what the weights say
//! ```
//!
//! What is fitted to what, and by which loss, is the fitter's: [`super::classifier`], [`super::detector`],
//! [`super::landmarks`].

mod checkpoint;
mod files;
mod fit;
mod fitted;
mod history;
mod metadata;
mod session;

pub(super) use files::write_file;
pub(super) use fit::{Finished, Fitter, fit};
pub(super) use fitted::{Fitted, is_statistic};
pub(super) use history::{Course, HistoryEntry};
pub(super) use metadata::{describe, json};
pub use session::Session;
