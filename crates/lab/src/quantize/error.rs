//! Why networks could not be quantized.

use crate::data::dataset::DatasetError;
use maskwatch::nn::NetworkError;

/// Why networks could not be quantized.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The data cannot be used.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Weights cannot be used, or a network could not be run.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl From<candle_core::Error> for QuantizeError {
    fn from(error: candle_core::Error) -> Self {
        Self::Network(error.into())
    }
}
