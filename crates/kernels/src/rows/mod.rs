//! Kernels on rows of 8-bit pixels: the two passes of resampling, and Y′CbCr → RGB
//! ([`convert`](mod@convert)).
//!
//! The functions choose the fastest kernels that this CPU can run: AVX2, NEON or plain Rust. All give the
//! same bytes, since sums are exact integers.

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(all(target_arch = "arm", target_os = "linux"))]
mod arm32;
pub mod convert;
mod dispatch;
mod kernels;
mod layout;
mod portable;
mod resample;
mod samples;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use layout::{GROUP, PADDING, RowWeights, Rows, Span};
pub use resample::{sum_of_rows, sums_of_pixels};
