//! Kernels on 8-bit integers: 1×1 convolution, depthwise 3×3, and the small ones that go with them; one
//! trait, one file per instruction set, chosen at run time.
//!
//! **Values.** Maps are NHWC, `real = scale · (value − zero_point)` (Jacob et al. 2018,
//! <https://arxiv.org/abs/1712.05877>). A value is a number from 0 to 255. x86 multiplies unsigned bytes by
//! signed ones, Arm signed by signed: there the very same value is stored 128 lower ([`Kernels::offset`]),
//! and the difference is folded into the biases. So one set of weights serves all, and all give the same
//! values.
//!
//! **Rounding**, once for all instruction sets: with `sum` the exact 32-bit sum of bias and products,
//! `value = clamp(round(f32(sum) · multiplier + f32(residual − its zero point) · its multiplier) + zero
//! point)`, where every operation is one IEEE operation in f32 that rounds to nearest even (none fused), and
//! the clamp is to 0..=255. ReLU and ReLU6 need nothing beyond that clamp: their zero point is 0, and 255
//! stands for 6 or less.
//!
//! **Sums in 16 bits.** Weights are such that the products of four taps that a kernel adds up in 16 bits
//! cannot overflow ([`pack`] checks it): that is what makes AVX2, and NEON without dot product, fast and
//! exact at once.
//!
//! Nothing here knows a network.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_depthwise;
#[cfg(target_arch = "aarch64")]
mod dot;
#[cfg(target_arch = "aarch64")]
mod dot_depthwise;
#[cfg(target_arch = "aarch64")]
mod dot_depthwise_row;
pub mod maps;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_depthwise;
#[cfg(target_arch = "aarch64")]
mod neon_pointwise;
pub mod pack;
mod reference;
#[cfg(target_arch = "aarch64")]
mod requantize;
#[cfg(target_arch = "aarch64")]
mod strip;
#[cfg(target_arch = "x86_64")]
mod vnni;

pub use pack::{Depthwise, Pointwise};
pub use reference::Reference;

use std::ops::Range;

/// Channels that belong together: every map has a multiple of this many, and slices of channels begin and end
/// at one.
pub const GROUP: usize = 8;

/// How the pixels of a part of a map lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map<Pointer> {
    /// The first channel concerned of the first pixel.
    pub start: Pointer,
    /// Values from one pixel of a row to the next.
    pub pixel: usize,
    /// Values from one row to the next.
    pub row: usize,
}

/// A map to be read.
pub type Source = Map<*const u8>;
/// A map to be written.
pub type Target = Map<*mut u8>;

/// How many pixels of a map are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Rows of pixels.
    pub rows: usize,
    /// Pixels per row.
    pub columns: usize,
}

/// What is added to the result of a 1×1 convolution before it is rounded: the input of an inverted residual.
#[derive(Debug, Clone, Copy)]
pub struct Residual {
    /// Its first channel concerned; its pixels lie as those of the target.
    pub start: *const u8,
    /// Its zero point, 0 to 255.
    pub zero_point: u8,
    /// Its scale over that of the target.
    pub multiplier: f32,
}

/// The three rows of pixels below a row of windows of 3×3.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// The first channel concerned of the leftmost pixel below the first window; padding is part of the rows.
    pub rows: [*const u8; 3],
    /// Bytes from one pixel to the next.
    pub pixel: usize,
    /// Pixels from one window to the next, 1 or 2.
    pub stride: usize,
    /// Number of windows.
    pub columns: usize,
}

/// One instruction set's kernels.
///
/// Maps are given by pointers, and all is unsafe, because several threads write different channels of one
/// map.
pub trait Kernels: std::fmt::Debug + Send + Sync {
    /// The instruction set, as `maskwatch bench` prints it.
    fn name(&self) -> &'static str;

    /// What is subtracted from a value (0 to 255) before it is stored: 0 where bytes are unsigned, 128 where
    /// they are signed.
    fn offset(&self) -> u8;

    /// Outputs per panel of packed 1×1 weights: 8 or 16.
    fn panel(&self) -> usize {
        GROUP
    }

    /// Where output `output` of a panel lies in it.
    fn lane(&self, output: usize) -> usize {
        output
    }

    /// What [`Kernels::depthwise`] shall find in [`Depthwise::prepared`]: whatever it needs of `layer` in an
    /// order of its own.
    fn prepare(&self, layer: &Depthwise) -> Vec<pack::Line> {
        let _ = layer;
        Vec::new()
    }

    /// 1×1 convolution of the pixels of `area`: the outputs of groups `groups` (eight each) to `target`,
    /// whose first byte is that of output `8 · groups.start`.
    ///
    /// # Safety
    /// `layer` was packed for these kernels, the CPU has their instructions, `groups` lies within the layer
    /// and begins at a panel. Each pixel of `area` has the layer's inputs as readable bytes in `source` and
    /// room for the groups' outputs in `target`, readable ones in `residual`. While this runs nobody else
    /// writes what is read or touches what is written; `residual` may be `target`.
    unsafe fn pointwise(
        &self,
        layer: &Pointwise,
        groups: Range<usize>,
        area: Area,
        source: Source,
        target: Target,
        residual: Option<&Residual>,
    );

    /// Depthwise 3×3 convolution of a row of windows: the channels of groups `groups` (eight each) of
    /// `layer`, to pixels that lie `pixel` bytes apart from `target` on.
    ///
    /// # Safety
    /// As for [`Kernels::pointwise`]; each row of `windows` has `stride · (columns − 1) + 3` readable pixels.
    unsafe fn depthwise(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut u8,
        pixel: usize,
    );

    /// As [`Kernels::depthwise`], with `f32(sum) · multiplier` as results: the last layer of a network.
    ///
    /// # Safety
    /// As for [`Kernels::depthwise`]; `pixel` counts f32 values.
    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        // SAFETY: the caller's promises are those of the reference.
        unsafe { reference::depthwise_real(self.offset(), layer, groups, windows, target, pixel) }
    }
}

/// The kernels that this CPU can run, the fastest first; the last one is the plain [`Reference`].
#[must_use]
pub fn available() -> Vec<&'static dyn Kernels> {
    let mut kernels: Vec<&'static dyn Kernels> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    if let Some(vnni) = vnni::Avx512Vnni::new() {
        kernels.push(vnni);
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        kernels.push(&avx2::Avx2);
    }
    #[cfg(target_arch = "aarch64")]
    {
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            kernels.push(&dot::Dot);
        }
        kernels.push(&neon::Neon);
    }
    kernels.push(&Reference::UNSIGNED);
    kernels
}

/// The fastest kernels that this CPU can run.
#[must_use]
pub fn fastest() -> &'static dyn Kernels {
    available().into_iter().next().unwrap_or(&Reference::UNSIGNED)
}
