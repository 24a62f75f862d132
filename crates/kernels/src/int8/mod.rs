//! Convolutions on 8-bit integers: 1×1, depthwise 3×3, and the small operations around them ([`maps`]).
//!
//! [`Kernels`] is implemented once per instruction set, and by [`Reference`] in plain scalar Rust.
//! [`fastest`] chooses at run time. [`Pointwise`] and [`Depthwise`] are layers, packed for one set of kernels
//! ([`pack`]). Nothing here knows a network.
//!
//! # Values
//! A map `[row, column, channel]` (NHWC with a single picture) has values from 0 to 255. A value stands for
//! the real number `scale · (value − zero_point)` (Jacob et al. 2018, <https://arxiv.org/abs/1712.05877>).
//! Weights are signed bytes whose zero point is 0, with one scale per output.
//!
//! # Storage
//! x86 multiplies unsigned bytes by signed ones: a value is stored as it is. Arm multiplies signed bytes by
//! signed ones: a value is stored minus 128. [`Kernels::offset`] is that difference, and packing folds it
//! into the biases. So one set of weights serves all CPUs, and all compute the same values.
//!
//! # Rounding
//! With `sum` the exact 32-bit sum of the bias and all products,
//!
//! ```text
//! real  = f32(sum) · multiplier  [ + f32(residual − residual's zero point) · residual's multiplier ]
//! value = clamp(round(real) + zero_point, 0, 255)
//! ```
//!
//! where each operation is one f32 operation of IEEE 754, rounded to nearest, ties to even, and none is
//! fused. `round` rounds to the nearest integer, ties to even. This holds on all instruction sets, so their
//! values are equal bit for bit. ReLU and ReLU6 need nothing but the clamp: their outputs have the zero point
//! 0 and a scale at which 255 stands for 6 or less.
//!
//! # Sums in 16 bits
//! AVX2, and NEON without dot product, add up the products of three or four weights in 16 bits before they
//! widen them. Packing refuses weights whose sums could overflow ([`pack::LIMIT`]). So these kernels are both
//! fast and exact.

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(all(target_arch = "arm", target_os = "linux"))]
mod arm32;
mod dispatch;
mod kernels;
mod layers;
mod layout;
pub mod maps;
pub mod pack;
mod reference;
#[cfg(any(target_arch = "aarch64", all(target_arch = "arm", target_os = "linux")))]
mod strip;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use dispatch::{available, fastest};
pub use kernels::Kernels;
pub use layers::{CacheLine, Depthwise, Pointwise};
pub use layout::{Area, GROUP, Map, Residual, SourceMap, TargetMap, Windows};
pub use reference::Reference;
