//! The networks in candle, their weights, and their two ways of being run: for inference, with batch norms
//! folded into the convolutions, and for training, with gradients.
//!
//! All maps are NHWC (see [`crate::nn::ops`]); weights keep the names and layouts of their files and are laid
//! out for the kernels when a network is made. What is done with the outputs is up to
//! [`crate::detector`], [`crate::landmarks`] and [`crate::classifier`].

pub mod convolution;
pub mod head;
pub mod int8;
pub mod landmarks;
pub mod mobilenet_v2;
pub mod ops;
mod storage;
pub mod weights;
pub mod yunet;

use std::path::PathBuf;

/// Why a network could not be made or run.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The file could not be read or written.
    #[error("{path}: {error}; check that the file exists and may be read, or name another one", path = path.display())]
    File {
        /// The weight file.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The file is no safetensors file, or is damaged.
    #[error("{path} is not a sound weight file: {reason}; fetch or train it again", path = path.display())]
    Damaged {
        /// The weight file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is sound but holds another network.
    #[error("{origin} does not hold the weights of this network: {reason}; name the file made for it")]
    Mismatch {
        /// Where the weights came from.
        origin: String,
        /// The tensor or entry that does not fit.
        reason: String,
    },
    /// f32 weights are named where int8 networks are to be run.
    #[error(
        "{path} is named as f32 weights, but the networks run in int8; choose the precision f32, or quantize these weights",
        path = path.display()
    )]
    Precision {
        /// The weight file.
        path: PathBuf,
    },
    /// candle refused an operation.
    #[error("the network could not be run: {0}")]
    Run(#[from] candle_core::Error),
}

/// How a network is going to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch norms folded and weights laid out once; the tensors given are no longer needed.
    Inference,
    /// Weights laid out at each pass, so that gradients reach those given as variables; batch norms as said.
    Training(BatchNorm),
}

/// What batch normalisation (Ioffe & Szegedy 2015) does while training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum BatchNorm {
    /// Normalise by the running statistics of the weight file, which stay as they are.
    Frozen,
    /// Normalise by the statistics of the batch and move the running ones by a tenth towards them.
    Live,
}
