//! Kernels for 64-bit Arm, where values are stored as signed bytes: 128 less.

mod dot;
mod neon;
mod requantize;
mod strip;
