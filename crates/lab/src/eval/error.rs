//! Why a picture or a clip could not be measured.

use maskwatch::daemon::DaemonError;
use maskwatch::nn::NetworkError;
use maskwatch::outputs::OutputError;
use std::path::PathBuf;

/// Why a picture or a clip could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A network could not be made or run.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A picture could not be looked at.
    #[error("{0}")]
    Vision(maskwatch::vision::VisionError),
    /// The classifier's answers are not probabilities, or some are missing.
    #[error("the classifier does not give a probability for each face; its weights may be damaged")]
    Answers,
    /// The simulated outputs failed.
    #[error(transparent)]
    Outputs(#[from] OutputError),
    /// The daemon ended with an error.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The daemon reported a fault.
    #[error("{0}")]
    Fault(String),
    /// A clip cannot be decoded.
    #[error("{} cannot be shown: {problem}", path.display())]
    Clip {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Pictures of a clip could not be written.
    #[error("cannot write {}; check that its folder exists and may be written to", path.display())]
    Strip {
        /// The file.
        path: PathBuf,
        /// What the encoder or the system says.
        source: image::ImageError,
    },
}
