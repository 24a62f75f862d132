//! Post-training quantization of the networks: ranges are learned from training pictures
//! ([`ranges`]), weights rounded within what the kernels can add up ([`rounding`]), biases corrected for what
//! the rounding does on average.
//!
//! Maps that only a depthwise convolution reads have a scale per channel: it never mixes channels, so each
//! may be coded as it needs, and ReLU6's narrow channels keep all 8 bits. So may those that one 1×1
//! convolution reads, within what its weights can take up ([`ranges::balanced`]); linear bottlenecks, which
//! are added to one another, have one scale. The head's first layer is quantized like a 1×1 convolution, the
//! few weights behind it stay real.

pub mod choices;
pub mod classifier;
mod coding;
mod compare;
pub mod detector;
mod error;
mod front;
pub mod landmarks;
mod networks;
mod observe;
pub mod ranges;
pub mod rounding;

pub use choices::Choices;
pub use compare::{Comparison, compare};
pub use error::QuantizeError;
pub use networks::{NETWORKS, NetworkSource, NetworkSources, quantize};
