//! Packs quantized layers for some kernels: weights in panels, zero points folded into biases, and the proof
//! that no sum overflows.

use super::kernels::Kernels;
use super::layers::{CacheLines, Depthwise, PackedRequantization, Pointwise, SPARE, TAPS};
use super::layout::GROUP;

/// Largest multiplier of a layer, the factor from a sum to a step of the output's scale.
pub const LARGEST_MULTIPLIER: f32 = 4.0;

/// Most inputs of a 1×1 convolution. Within [`LIMIT`], the products of so many inputs add up to less than
/// 2²⁵.
pub const LARGEST_INPUTS: usize = 2048;

/// Limit for the weights whose products are added up in 16 bits: the positive ones may sum up to 128, the
/// negative ones to −128.
///
/// With unsigned inputs such a sum is at most 255 · 128, with signed ones 128 · 128 + 127 · 128: both are
/// 32,640, less than 2¹⁵.
pub const LIMIT: i32 = 128;

/// Positions within eight neighbouring inputs of a 1×1 convolution whose products are added up in 16 bits.
pub const POINTWISE_SUMS: [[usize; 4]; 2] = [[0, 1, 4, 5], [2, 3, 6, 7]];

/// Taps of a depthwise filter whose products are added up in 16 bits: its columns.
pub const DEPTHWISE_SUMS: [[usize; 3]; 3] = [[0, 3, 6], [1, 4, 7], [2, 5, 8]];

/// Why a layer cannot be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The lengths of weights, biases and multipliers do not match, or there are none.
    #[error("its weights, biases and multipliers have lengths that do not match")]
    Lengths,
    /// The number of outputs, or of depthwise channels, is not a multiple of [`GROUP`].
    #[error("{0} channels are not a multiple of {GROUP}")]
    Channels(usize),
    /// There are more than [`LARGEST_INPUTS`] inputs.
    #[error("{0} inputs are more than {LARGEST_INPUTS}")]
    Inputs(usize),
    /// Some weights exceed [`LIMIT`], so sums in 16 bits could overflow.
    #[error("the weights of output {output} are too large to be summed in 16 bits")]
    Overflow {
        /// The output whose weights they are.
        output: usize,
    },
    /// A bias is beyond ±2²⁶, or a multiplier is not from 0 to [`LARGEST_MULTIPLIER`].
    #[error("the bias or multiplier of output {output} is out of range")]
    Range {
        /// The output that it belongs to.
        output: usize,
    },
}

/// What turns the sums of a layer into values; see the formula in [`super`].
#[derive(Debug, Clone, PartialEq)]
pub struct Requantization {
    /// Added to the sum of each output, in units of input scale · weight scale. The input's zero point is not
    /// folded in: packing does that.
    pub bias: Vec<i32>,
    /// Input scale · weight scale / output scale, of each output; 0 to [`LARGEST_MULTIPLIER`].
    pub multiplier: Vec<f32>,
    /// Zero point of the input, 0 to 255.
    pub input_zero_point: u8,
    /// Zero point of the output, 0 to 255.
    pub output_zero_point: u8,
}

impl Pointwise {
    /// Packs a 1×1 convolution with weights `[outputs, inputs]` for `kernels`.
    ///
    /// Inputs are padded to a multiple of [`GROUP`] with zero weights. The pixels must have as many bytes, of
    /// any value. Outputs are padded to whole panels, which no pixel gets.
    ///
    /// # Errors
    /// When lengths do not match, `outputs` is not a multiple of [`GROUP`], or a sum could overflow.
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
        if inputs > LARGEST_INPUTS {
            return Err(PackError::Inputs(given));
        }
        let panel = kernels.panel();
        let padded = outputs.next_multiple_of(panel);
        let mut packed = CacheLines::zeros(padded * inputs);
        for (output, row) in weights.chunks_exact(given).enumerate() {
            if !pointwise_fits(row) {
                return Err(PackError::Overflow { output });
            }
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
            requantization: PackedRequantization {
                bias: folded(kernels, requantization, sums, padded)?,
                multiplier: padded_with(multiplier, padded),
                zero_point: requantization.output_zero_point,
                small: small(kernels, requantization, weights.chunks_exact(given)),
            },
        })
    }
}

impl Depthwise {
    /// Packs a depthwise 3×3 convolution with weights `[channels, 9]`, taps row by row, for `kernels`.
    ///
    /// # Errors
    /// When lengths do not match, there are not a multiple of [`GROUP`] channels, or a sum could overflow.
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
        let mut packed = CacheLines::zeros(TAPS * channels + SPARE);
        for (channel, filter) in weights.chunks_exact(TAPS).enumerate() {
            if !depthwise_fits(filter) {
                return Err(PackError::Overflow { output: channel });
            }
            for (tap, weight) in filter.iter().enumerate() {
                packed.set(tap * channels + channel, *weight);
            }
        }
        let sums = weights.chunks_exact(TAPS).map(|filter| filter.iter().map(|w| i32::from(*w)).sum());
        let padded = channels.next_multiple_of(32);
        let mut layer = Self {
            channels,
            weights: packed,
            requantization: PackedRequantization {
                bias: folded(kernels, requantization, sums, padded)?,
                multiplier: padded_with(multiplier, padded),
                zero_point: requantization.output_zero_point,
                small: small(kernels, requantization, weights.chunks_exact(TAPS)),
            },
            prepared: Vec::new(),
        };
        layer.prepared = kernels.prepare(&layer);
        Ok(layer)
    }
}

/// Whether products of these weights can be added up in 16 bits.
fn fits(weights: impl Iterator<Item = i8>) -> bool {
    let (mut positive, mut negative) = (0, 0);
    for weight in weights.map(i32::from) {
        positive += weight.max(0);
        negative += weight.min(0);
    }
    positive <= LIMIT && negative >= -LIMIT
}

fn pointwise_fits(row: &[i8]) -> bool {
    let octet_fits =
        |octet: &[i8; GROUP]| POINTWISE_SUMS.iter().all(|sum| fits(sum.iter().map(|at| octet[*at])));
    let (octets, rest) = row.as_chunks::<GROUP>();
    let mut last = [0; GROUP];
    last[..rest.len()].copy_from_slice(rest);
    octets.iter().all(octet_fits) && octet_fits(&last)
}

fn depthwise_fits(filter: &[i8]) -> bool {
    DEPTHWISE_SUMS.iter().all(|column| fits(column.iter().map(|tap| filter[*tap])))
}

/// See [`Pointwise::small`]. `rows` has the weights of each output.
fn small<'a>(
    kernels: &dyn Kernels,
    requantization: &Requantization,
    rows: impl Iterator<Item = &'a [i8]>,
) -> bool {
    // The largest stored byte in magnitude, and the same fold of the zero point as in `folded`.
    let largest = if kernels.offset() == 0 { 255 } else { 128 };
    let shift = i64::from(kernels.offset()) - i64::from(requantization.input_zero_point);
    rows.enumerate().all(|(output, row)| {
        let magnitude: i64 = row.iter().map(|weight| i64::from(weight.unsigned_abs())).sum();
        let sum: i64 = row.iter().map(|weight| i64::from(*weight)).sum();
        let bias = i64::from(requantization.bias[output]) + shift * sum;
        let largest = bias.abs() + largest * magnitude;
        let multiplier = requantization.multiplier[output];
        // Far from subnormal numbers, which have fewer digits.
        let usual = multiplier == 0.0 || multiplier > 1e-20;
        largest < 1 << 22 && largest as f32 * multiplier < 16384.0 && usual
    })
}

/// The biases for bytes as `kernels` store them. Since a value is `stored + offset`, the sum
/// `bias + Σ (stored + offset − zero point) · w` is `bias + (offset − zero point) · Σ w + Σ stored · w`.
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
        // With the products, below 2²⁵, a sum stays below 2²⁷ and its result below 2²⁹: no conversion
        // overflows.
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
