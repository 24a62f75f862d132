//! Why a network could not be fitted.

use maskwatch::nn::NetworkError;
use std::path::PathBuf;

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
    /// The run cannot be resumed, or must not be overwritten.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// A file that an earlier run left is damaged.
    #[error("{} is damaged; delete it, then the run makes it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The data has too little to fit to.
    #[error("{0}")]
    Data(String),
    /// Settings contradict each other or are out of range.
    #[error("{0}")]
    Settings(String),
    /// The loss is not finite.
    #[error("the loss is no longer finite at step {step}; use a lower learning rate")]
    Diverged {
        /// Steps taken before.
        step: u64,
    },
}
