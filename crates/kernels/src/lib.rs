//! The kernels of maskwatch: [`int8`] convolutions of quantized networks, and [`rows`] of pixels that are
//! resampled or converted from YUV. Each is written once per instruction set, and all give the same values,
//! bit for bit.

mod cpu;
pub mod int8;
pub mod rows;
