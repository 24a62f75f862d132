//! The networks in 8-bit integers: what the daemon runs.
//!
//! Each network is one candle op on memory that is allocated once: an inference allocates nothing. The map
//! between a 1×1 convolution and the depthwise one behind it is never whole (`unit`). The arithmetic is that
//! of [`maskwatch_kernels::int8`], the same on every CPU. The weights come from one file ([`mod@file`]),
//! which `maskwatch-lab quantize` makes from the f32 ones.
//!
//! ```text
//! file, reader                       tensors of a weight file; layers of them, packed for some kernels
//! layers, plan, ring, unit           1×1 → depthwise → 1×1, a few rows at a time
//! team                               threads
//! program                            the units of a network at one input size, and their memory
//! results, prepared                  a candle tensor that an op fills in place; a program ready to run
//! linear                             linear layers in f32
//! mobilenet_v2, landmarks, yunet     the networks as programs
//! ```

pub mod file;
pub mod landmarks;
mod layers;
mod linear;
pub mod mobilenet_v2;
mod plan;
mod prepared;
mod program;
mod reader;
mod results;
mod ring;
mod team;
mod unit;
pub mod yunet;

pub use file::{QuantizedWeights, embedded_bytes};
pub use team::SharedTeam;
