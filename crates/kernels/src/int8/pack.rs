//! Quantized layers as the kernels want them: weights laid out in panels, zero points folded into biases, and
//! the proof that sums in 16 bits cannot overflow.

use super::{GROUP, Kernels};

/// The largest factor from a sum to a byte that the kernels' rounding can take.
pub const LARGEST_MULTIPLIER: f32 = 4.0;

/// The largest sum of the positive weights, and of the negative ones, that are summed up in 16 bits:
/// 255 · 128 and 128 · 128 + 127 · 128 are both 32640.
pub const LIMIT: i32 = 128;
/// Taps of a depthwise filter.
const TAPS: usize = 9;
/// Kernels may read this many bytes beyond the last depthwise weight.
const SPARE: usize = 64;

/// Why a layer cannot be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The lengths do not fit each other.
    #[error("its weights, biases and multipliers are of lengths that do not fit each other")]
    Lengths,
    /// Not a multiple of [`GROUP`].
    #[error("{0} channels are no multiple of {GROUP}")]
    Channels(usize),
    /// Sums in 16 bits could overflow.
    #[error("the weights of output {output} are too large to be summed in 16 bits")]
    Overflow {
        /// The output whose weights they are.
        output: usize,
    },
    /// Sums in 32 bits, or the rounding, could overflow.
    #[error("the bias or multiplier of output {output} is out of range")]
    Range {
        /// The output that it belongs to.
        output: usize,
    },
}

/// What turns the sums of a layer into values.
#[derive(Debug, Clone, PartialEq)]
pub struct Requantization {
    /// Added to the sum, in units of input scale · weight scale; the input's zero point is not part of it.
    pub bias: Vec<i32>,
    /// Input scale · weight scale / output scale, of each output.
    pub multiplier: Vec<f32>,
    /// Zero point of the input.
    pub input_zero_point: u8,
    /// Zero point of the output.
    pub output_zero_point: u8,
}

/// 64 bytes that share a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([i8; 64]);

/// Bytes that begin at a cache line.
#[derive(Debug)]
struct Lines(Vec<Line>);

impl Lines {
    fn zeros(length: usize) -> Self {
        Self(vec![Line([0; 64]); length.div_ceil(64)])
    }

    fn pointer(&self) -> *const i8 {
        self.0.as_ptr().cast()
    }

    fn set(&mut self, index: usize, value: i8) {
        self.0[index / 64].0[index % 64] = value;
    }

    /// Sets up to four neighbours from `index` on, a multiple of four.
    fn set_quad(&mut self, index: usize, values: &[i8]) {
        self.0[index / 64].0[index % 64..][..values.len()].copy_from_slice(values);
    }
}

/// A 1×1 convolution, packed.
#[derive(Debug)]
pub struct Pointwise {
    inputs: usize,
    outputs: usize,
    panel: usize,
    weights: Lines,
    bias: Vec<i32>,
    multiplier: Vec<f32>,
    zero_point: u8,
    small: bool,
}

impl Pointwise {
    /// Packs `weights` `[outputs, inputs]` into panels `[outputs / panel][inputs / 4][panel][4]`, outputs in
    /// their [`Kernels::lane`]. Inputs are padded with zero weights to a multiple of [`GROUP`] (the pixels
    /// that are read must have them), outputs to whole panels.
    ///
    /// # Errors
    /// When lengths do not fit, `outputs` is no multiple of [`GROUP`], or something could overflow.
    pub fn new(
        kernels: &dyn Kernels,
        weights: &[i8],
        outputs: usize,
        requantization: &Requantization,
    ) -> Result<Self, PackError> {
        let Requantization { bias, multiplier, .. } = requantization;
        if outputs == 0
            || weights.is_empty()
            || !weights.len().is_multiple_of(outputs)
            || [bias.len(), multiplier.len()] != [outputs; 2]
        {
            return Err(PackError::Lengths);
        }
        if !outputs.is_multiple_of(GROUP) {
            return Err(PackError::Channels(outputs));
        }
        let given = weights.len() / outputs;
        let inputs = given.next_multiple_of(GROUP);
        let panel = kernels.panel();
        let padded = outputs.next_multiple_of(panel);
        let mut packed = Lines::zeros(padded * inputs);
        for (output, row) in weights.chunks_exact(given).enumerate() {
            check_pointwise(row).map_err(|()| PackError::Overflow { output })?;
            let (block, lane) = (output / panel, kernels.lane(output % panel));
            for (quad, weights) in row.chunks(4).enumerate() {
                packed.set_quad(((block * (inputs / 4) + quad) * panel + lane) * 4, weights);
            }
        }
        let sums = weights.chunks_exact(given).map(|row| row.iter().map(|w| i32::from(*w)).sum());
        Ok(Self {
            inputs,
            outputs,
            panel,
            weights: packed,
            bias: folded(kernels, requantization, sums, padded)?,
            multiplier: padded_with(multiplier, padded),
            zero_point: requantization.output_zero_point,
            small: small(kernels, requantization, weights.chunks_exact(given)),
        })
    }

    /// Bytes read of each pixel.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Bytes written of each pixel.
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
        self.zero_point
    }

    /// The packed weights of panel `index`: `inputs / 4` times `panel` outputs of four weights.
    #[must_use]
    pub fn weights(&self, index: usize) -> *const i8 {
        assert!(index * self.panel < self.bias.len(), "no such panel");
        // SAFETY: each panel has panel · inputs weights, and panels were laid out for all outputs.
        unsafe { self.weights.pointer().add(index * self.panel * self.inputs) }
    }

    /// The biases, input zero point folded in, of whole panels.
    #[must_use]
    pub fn bias(&self) -> &[i32] {
        &self.bias
    }

    /// The multipliers, of whole panels.
    #[must_use]
    pub fn multiplier(&self) -> &[f32] {
        &self.multiplier
    }

    /// Whether no sum can reach 2²², and no result 2¹⁴ before it is clamped, whatever the inputs, nor is a
    /// multiplier tiny. True of layers as networks have them.
    #[must_use]
    pub fn small(&self) -> bool {
        self.small
    }
}

/// A depthwise 3×3 convolution, its weights `[9, channels]`, taps row by row.
#[derive(Debug)]
pub struct Depthwise {
    channels: usize,
    weights: Lines,
    bias: Vec<i32>,
    multiplier: Vec<f32>,
    zero_point: u8,
    small: bool,
    prepared: Vec<Line>,
}

impl Depthwise {
    /// Packs `weights` `[channels, 9]`, taps row by row.
    ///
    /// # Errors
    /// As [`Pointwise::new`].
    pub fn new(
        kernels: &dyn Kernels,
        weights: &[i8],
        requantization: &Requantization,
    ) -> Result<Self, PackError> {
        let channels = weights.len() / TAPS;
        let Requantization { bias, multiplier, .. } = requantization;
        if weights.is_empty()
            || !weights.len().is_multiple_of(TAPS)
            || [bias.len(), multiplier.len()] != [channels; 2]
        {
            return Err(PackError::Lengths);
        }
        if !channels.is_multiple_of(GROUP) {
            return Err(PackError::Channels(channels));
        }
        let mut packed = Lines::zeros(TAPS * channels + SPARE);
        for (channel, filter) in weights.chunks_exact(TAPS).enumerate() {
            check_depthwise(filter).map_err(|()| PackError::Overflow { output: channel })?;
            for (tap, weight) in filter.iter().enumerate() {
                packed.set(tap * channels + channel, *weight);
            }
        }
        let sums = weights.chunks_exact(TAPS).map(|filter| filter.iter().map(|w| i32::from(*w)).sum());
        let padded = channels.next_multiple_of(32);
        let mut layer = Self {
            channels,
            weights: packed,
            bias: folded(kernels, requantization, sums, padded)?,
            multiplier: padded_with(multiplier, padded),
            zero_point: requantization.output_zero_point,
            small: small(kernels, requantization, weights.chunks_exact(TAPS)),
            prepared: Vec::new(),
        };
        layer.prepared = kernels.prepare(&layer);
        Ok(layer)
    }

    /// Channels of input and output.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The weights of `tap` (0 to 8, row by row) from `channel` on; 64 bytes may be read beyond the last.
    #[must_use]
    pub fn weights(&self, tap: usize, channel: usize) -> *const i8 {
        assert!(tap < TAPS && channel < self.channels, "no such weight");
        // SAFETY: there are 9 · channels weights.
        unsafe { self.weights.pointer().add(tap * self.channels + channel) }
    }

    /// The biases, input zero point folded in, padded to a multiple of 32.
    #[must_use]
    pub fn bias(&self) -> &[i32] {
        &self.bias
    }

    /// The multipliers, padded to a multiple of 32.
    #[must_use]
    pub fn multiplier(&self) -> &[f32] {
        &self.multiplier
    }

    /// Zero point of the output, 0 to 255.
    #[must_use]
    pub fn zero_point(&self) -> u8 {
        self.zero_point
    }

    /// What [`Kernels::prepare`] made of the layer.
    #[must_use]
    pub fn prepared(&self) -> &[Line] {
        &self.prepared
    }

    /// Whether no sum can reach 2²², and no result 2¹⁴ before it is clamped, whatever the inputs, nor is a
    /// multiplier tiny. True of layers as networks have them.
    #[must_use]
    pub fn small(&self) -> bool {
        self.small
    }
}

/// The positions within eight neighbouring inputs whose products are summed up in 16 bits.
pub const POINTWISE_SUMS: [[usize; 4]; 2] = [[0, 1, 4, 5], [2, 3, 6, 7]];
/// The taps of a depthwise filter whose products are summed up in 16 bits: its columns.
pub const DEPTHWISE_SUMS: [[usize; 3]; 3] = [[0, 3, 6], [1, 4, 7], [2, 5, 8]];

fn fits(weights: impl Iterator<Item = i32>) -> bool {
    let (mut positive, mut negative) = (0, 0);
    for weight in weights {
        positive += weight.max(0);
        negative += weight.min(0);
    }
    positive <= LIMIT && negative >= -LIMIT
}

fn check_pointwise(row: &[i8]) -> Result<(), ()> {
    let octet_fits = |octet: &[i8; GROUP]| {
        POINTWISE_SUMS.iter().all(|sum| fits(sum.iter().map(|index| i32::from(octet[*index]))))
    };
    let (octets, rest) = row.as_chunks::<GROUP>();
    let mut last = [0; GROUP];
    last[..rest.len()].copy_from_slice(rest);
    if octets.iter().all(octet_fits) && octet_fits(&last) { Ok(()) } else { Err(()) }
}

fn check_depthwise(filter: &[i8]) -> Result<(), ()> {
    let fits = DEPTHWISE_SUMS.iter().all(|column| fits(column.iter().map(|tap| i32::from(filter[*tap]))));
    if fits { Ok(()) } else { Err(()) }
}

/// See [`Pointwise::small`]; `rows` are the weights of each output.
fn small<'a>(
    kernels: &dyn Kernels,
    requantization: &Requantization,
    rows: impl Iterator<Item = &'a [i8]>,
) -> bool {
    // The largest byte, and the fold of the zero point in the bias: see `folded`.
    let largest = if kernels.offset() == 0 { 255 } else { 128 };
    let shift = i64::from(kernels.offset()) - i64::from(requantization.input_zero_point);
    rows.enumerate().all(|(output, row)| {
        let magnitude: i64 = row.iter().map(|weight| i64::from(weight.unsigned_abs())).sum();
        let sum: i64 = row.iter().map(|weight| i64::from(*weight)).sum();
        let bias = i64::from(requantization.bias[output]) + shift * sum;
        let largest = bias.abs() + largest * magnitude;
        let multiplier = requantization.multiplier[output];
        // Far from where f32 has fewer digits.
        let usual = multiplier == 0.0 || multiplier > 1e-20;
        largest < 1 << 22 && largest as f32 * multiplier < 16384.0 && usual
    })
}

/// The biases for bytes as these kernels store them: Σ (stored + offset − zero point) · w + bias.
fn folded(
    kernels: &dyn Kernels,
    requantization: &Requantization,
    sums: impl Iterator<Item = i32>,
    padded: usize,
) -> Result<Vec<i32>, PackError> {
    let shift = i32::from(kernels.offset()) - i32::from(requantization.input_zero_point);
    let mut biases = Vec::with_capacity(padded);
    for (output, sum) in sums.enumerate() {
        let multiplier = requantization.multiplier[output];
        // Below 2^27 with the products (2^25 at most), and 2^30 multiplied: no conversion can overflow.
        let bias = requantization.bias[output];
        if bias.unsigned_abs() > 1 << 26 || !(0.0..=LARGEST_MULTIPLIER).contains(&multiplier) {
            return Err(PackError::Range { output });
        }
        biases.push(bias + shift * sum);
    }
    biases.resize(padded, 0);
    Ok(biases)
}

fn padded_with(values: &[f32], padded: usize) -> Vec<f32> {
    let mut values = values.to_vec();
    values.resize(padded, 0.0);
    values
}
