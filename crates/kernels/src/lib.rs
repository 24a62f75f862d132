//! Kernels on 8-bit integers for small convolutional networks, and on rows of pixels.
//!
//! - [`int8`]: 1×1 and depthwise 3×3 convolutions with requantization, and the small operations around them.
//!   x86-64 with AVX-512 VNNI or AVX2, 64-bit Arm with or without dot product, 32-bit Arm with NEON, and
//!   plain Rust for all others.
//! - [`rows`]: resampling and Y′CbCr → RGB. AVX2, NEON, and plain Rust.
//! - [`shapes`]: the layers of the networks that these kernels were made for, for tests and measurements.
//!
//! The CPU decides at run time which kernels run. All give the same values, bit for bit.
//!
//! # Example
//! A 1×1 convolution from eight channels to eight, on two pixels, with the fastest kernels of this CPU:
//!
//! ```
//! use maskwatch_kernels::int8::pack::{PackError, Requantization};
//! use maskwatch_kernels::int8::{Area, GROUP, Map, Pointwise, fastest};
//!
//! let kernels = fastest();
//! // Output o is input o minus half of its neighbour: weights [outputs, inputs] in steps of 1/32.
//! let mut weights = [0i8; GROUP * GROUP];
//! for output in 0..GROUP {
//!     weights[output * GROUP + output] = 32;
//!     weights[output * GROUP + (output + 1) % GROUP] = -16;
//! }
//! let requantization = Requantization {
//!     bias: vec![0; GROUP],
//!     multiplier: vec![1.0 / 32.0; GROUP],
//!     input_zero_point: 0,
//!     output_zero_point: 10,
//! };
//! let layer = Pointwise::new(kernels, &weights, GROUP, &requantization)?;
//!
//! // Two pixels [pixel, channel], stored as these kernels want them.
//! let values: Vec<u8> = vec![20, 40, 60, 80, 100, 120, 140, 160, 0, 0, 1, 0, 3, 0, 5, 0];
//! let input: Vec<u8> = values.iter().map(|value| value.wrapping_sub(kernels.offset())).collect();
//! let mut output = vec![0u8; input.len()];
//! let source = Map { start: input.as_ptr(), pixel: GROUP, row: input.len() };
//! let target = Map { start: output.as_mut_ptr(), pixel: GROUP, row: input.len() };
//! // SAFETY: the layer was packed for these kernels and has one group; input and output have two pixels of
//! // it, and nobody else uses them.
//! unsafe { kernels.pointwise(&layer, 0..1, Area { rows: 1, columns: 2 }, source, target, None) };
//!
//! let results: Vec<u8> = output.iter().map(|byte| byte.wrapping_add(kernels.offset())).collect();
//! assert_eq!(results[..8], [10, 20, 30, 40, 50, 60, 70, 160]);
//! // Ties round to even: −0.5 to 0, −1.5 and −2.5 to −2.
//! assert_eq!(results[8..], [10, 10, 11, 8, 13, 8, 15, 10]);
//! # Ok::<(), PackError>(())
//! ```
//!
//! `examples/pointwise.rs` compares the kernels of this CPU with the reference and takes their time.

#[cfg(all(target_arch = "arm", target_os = "linux"))]
mod assembly;
mod cpu;
pub mod int8;
pub mod rows;
pub mod shapes;

/// The examples of README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;
