//! Packed layers: what the kernels read. [`super::pack`] makes them.

/// Taps of a depthwise filter.
pub(super) const TAPS: usize = 9;
/// Bytes behind the last depthwise weight that kernels may read.
pub(super) const SPARE: usize = 64;

/// 64 bytes that share a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct CacheLine(pub [i8; 64]);

impl CacheLine {
    /// All bytes 0.
    pub const ZERO: Self = Self([0; 64]);
}

/// Bytes that begin at a cache line.
#[derive(Debug)]
pub(super) struct CacheLines(Vec<CacheLine>);

impl CacheLines {
    pub(super) fn zeros(length: usize) -> Self {
        Self(vec![CacheLine::ZERO; length.div_ceil(64)])
    }

    fn pointer(&self) -> *const i8 {
        self.0.as_ptr().cast()
    }

    pub(super) fn set(&mut self, index: usize, value: i8) {
        self.0[index / 64].0[index % 64] = value;
    }

    /// Sets up to four neighbours from `index` on, a multiple of four.
    pub(super) fn set_quad(&mut self, index: usize, values: &[i8]) {
        self.0[index / 64].0[index % 64..][..values.len()].copy_from_slice(values);
    }
}

/// What all layers have beside their weights.
#[derive(Debug)]
pub(super) struct PackedRequantization {
    /// Per output, with the input's zero point folded in; zeros behind the last output.
    pub(super) bias: Vec<i32>,
    /// Per output; zeros behind the last output.
    pub(super) multiplier: Vec<f32>,
    pub(super) zero_point: u8,
    pub(super) small: bool,
}

/// A packed 1×1 convolution.
///
/// The weights are cut into panels of 8 or 16 outputs ([`panel`](Self::panel)) and lie as
/// `[outputs / panel][inputs / 4][panel][4]`: for each panel and each four neighbouring inputs, the four
/// weights of each of the panel's outputs. The outputs of a panel are in the order of
/// [`Kernels::lane`](super::Kernels::lane).
#[derive(Debug)]
pub struct Pointwise {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) panel: usize,
    pub(super) weights: CacheLines,
    pub(super) requantization: PackedRequantization,
}

impl Pointwise {
    /// Bytes read of each pixel: the inputs, padded to a multiple of 8.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Bytes written of each pixel, if all groups are computed.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Outputs per panel.
    #[must_use]
    pub fn panel(&self) -> usize {
        self.panel
    }

    /// Zero point of the output, 0 to 255.
    #[must_use]
    pub fn zero_point(&self) -> u8 {
        self.requantization.zero_point
    }

    /// The weights of panel `index`, `[inputs / 4][panel][4]`.
    ///
    /// # Panics
    /// When there is no such panel.
    #[must_use]
    pub fn weights(&self, index: usize) -> *const i8 {
        assert!(index * self.panel < self.bias().len(), "no such panel");
        // SAFETY: each panel has panel · inputs weights, and panels were laid out for all outputs.
        unsafe { self.weights.pointer().add(index * self.panel * self.inputs) }
    }

    /// The biases, with the input's zero point folded in, of whole panels.
    #[must_use]
    pub fn bias(&self) -> &[i32] {
        &self.requantization.bias
    }

    /// The multipliers of whole panels.
    #[must_use]
    pub fn multiplier(&self) -> &[f32] {
        &self.requantization.multiplier
    }

    /// Whether sums and results stay small, as those of real networks do: for any input, every sum is below
    /// 2²² and every result below 2¹⁴ in magnitude before the clamp, and each multiplier is 0 or above 10⁻²⁰.
    #[must_use]
    pub fn small(&self) -> bool {
        self.requantization.small
    }
}

/// A packed depthwise 3×3 convolution, its weights `[9, channels]`, taps row by row.
#[derive(Debug)]
pub struct Depthwise {
    pub(super) channels: usize,
    pub(super) weights: CacheLines,
    pub(super) requantization: PackedRequantization,
    pub(super) prepared: Vec<CacheLine>,
}

impl Depthwise {
    /// Channels of input and output.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The weights of `tap` (0 to 8, row by row) from `channel` on. 64 bytes behind the last weight are
    /// readable.
    ///
    /// # Panics
    /// When there is no such tap or channel.
    #[must_use]
    pub fn weights(&self, tap: usize, channel: usize) -> *const i8 {
        assert!(tap < TAPS && channel < self.channels, "no such weight");
        // SAFETY: there are 9 · channels weights.
        unsafe { self.weights.pointer().add(tap * self.channels + channel) }
    }

    /// The biases, with the input's zero point folded in, padded to a multiple of 32.
    #[must_use]
    pub fn bias(&self) -> &[i32] {
        &self.requantization.bias
    }

    /// The multipliers, padded to a multiple of 32.
    #[must_use]
    pub fn multiplier(&self) -> &[f32] {
        &self.requantization.multiplier
    }

    /// Zero point of the output, 0 to 255.
    #[must_use]
    pub fn zero_point(&self) -> u8 {
        self.requantization.zero_point
    }

    /// What [`Kernels::prepare`](super::Kernels::prepare) made of the layer.
    #[must_use]
    pub fn prepared(&self) -> &[CacheLine] {
        &self.prepared
    }

    /// Whether sums and results stay small; see [`Pointwise::small`].
    #[must_use]
    pub fn small(&self) -> bool {
        self.requantization.small
    }
}
