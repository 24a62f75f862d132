//! Fitting the networks to labelled pictures. Nothing here runs on the board.
//!
//! [`dataset`] says which faces there are, [`sampler`] which of them make up a batch, [`augment`] cuts them
//! out and changes them, [`classifier`] fits the classifier to them; [`detector`] fits the detector,
//! [`landmarks`] the landmark network. Shared below: [`optimizer`], [`history`] with its [`curves`],
//! [`prefetch`] and [`random`], which make runs repeatable on any number of threads, [`progress`]. [`draw`]
//! makes the free pictures of masked faces, [`drawn`] puts masks and other things on bare faces by chance.

pub mod augment;
mod blend;
pub mod classifier;
pub mod detector;
mod fitted;
pub mod history;
pub mod landmarks;
pub mod optimizer;
pub mod prefetch;
pub mod sampler;

use maskwatch::nn::NetworkError;
use std::path::{Path, PathBuf};

/// Why a network could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data cannot be used.
    #[error(transparent)]
    Dataset(#[from] crate::data::dataset::DatasetError),
    /// Weights cannot be read or written, or do not fit.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// candle refused an operation.
    #[error("the network could not be trained: {0}")]
    Run(#[from] candle_core::Error),
    /// A file of the run cannot be read or written.
    #[error("{} cannot be read or written; check that its folder exists and may be written to", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The run cannot be taken up, or must not be overwritten.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// Settings contradict each other or are out of range.
    #[error("{0}")]
    Settings(String),
    /// The loss is no number any more.
    #[error("the loss is no longer finite at step {step}; use a lower learning rate")]
    Diverged {
        /// Steps taken before.
        step: u64,
    },
}

/// Writes a file as a whole or not at all.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|source| TrainError::File { path: path.to_owned(), source })
}
