//! The trait that each instruction set implements.

use super::layers::{CacheLine, Depthwise, Pointwise};
use super::layout::{Area, GROUP, Residual, SourceMap, TargetMap, Windows};
use std::ops::Range;

/// The kernels of one instruction set.
///
/// [`available`](super::available) and [`fastest`](super::fastest) give those that this CPU can run;
/// [`Reference`](super::Reference) runs everywhere.
///
/// # Why raw pointers
/// The threads of a team write different channels of one map at the same time, or different rows of it.
/// Their bytes alternate within each pixel, so no set of `&mut` slices can describe them. The caller
/// promises instead that nobody else touches what a call writes.
pub trait Kernels: std::fmt::Debug + Send + Sync {
    /// Short name of the instruction set: `avx2`, `avx512-vnni`, `neon`, `neon-dot` or `scalar`.
    fn name(&self) -> &'static str;

    /// What storage subtracts from a value (0 to 255), modulo 256: 0 where bytes are unsigned, 128 where they
    /// are signed.
    fn offset(&self) -> u8;

    /// Outputs per panel of packed 1×1 weights: 8 or 16.
    fn panel(&self) -> usize {
        GROUP
    }

    /// Position of an output within its panel; both count from 0 to [`panel`](Self::panel) − 1.
    fn lane(&self, output: usize) -> usize {
        output
    }

    /// The layer in an order of these kernels' own, which [`Depthwise::prepared`] keeps for
    /// [`depthwise`](Self::depthwise). Empty where they read the layer as it is.
    fn prepare(&self, layer: &Depthwise) -> Vec<CacheLine> {
        let _ = layer;
        Vec::new()
    }

    /// Computes a 1×1 convolution: for each pixel of `area`, the outputs `8 · groups.start` to
    /// `8 · groups.end − 1`.
    ///
    /// `target.start` is the place of output `8 · groups.start` of the first pixel.
    ///
    /// # Safety
    /// - `layer` was packed for these kernels. `groups` lies within the layer and begins at a panel.
    /// - Each pixel of `area` has [`Pointwise::inputs`] readable bytes in `source`, room for the outputs of
    ///   `groups` in `target`, and as many readable bytes in `residual`.
    /// - During the call nobody else writes what it reads, and nobody else reads or writes what it writes.
    ///   `residual` may be `target`.
    unsafe fn pointwise(
        &self,
        layer: &Pointwise,
        groups: Range<usize>,
        area: Area,
        source: SourceMap,
        target: TargetMap,
        residual: Option<&Residual>,
    );

    /// Computes a depthwise 3×3 convolution of a row of windows: for each window, the channels
    /// `8 · groups.start` to `8 · groups.end − 1`.
    ///
    /// `windows.rows` and `target` point at channel `8 · groups.start`. Results lie `pixel` bytes apart.
    ///
    /// # Safety
    /// - `layer` was packed for these kernels, and `groups` lies within the layer.
    /// - Each row of `windows` has `stride · (columns − 1) + 3` pixels, each with the channels of `groups` as
    ///   readable bytes; `target` has room for these channels of `columns` pixels.
    /// - During the call nobody else writes what it reads, and nobody else reads or writes what it writes.
    unsafe fn depthwise(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut u8,
        pixel: usize,
    );

    /// As [`depthwise`](Self::depthwise), but writes the real numbers `f32(sum) · multiplier`: for the last
    /// layer of a network.
    ///
    /// # Safety
    /// As for [`depthwise`](Self::depthwise), where `target` and `pixel` count f32 values.
    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    );
}
