//! Depthwise 3×3 convolution, stride 1 or 2, one pixel of zero padding, with bias and activation; forward and backward.
//!
//! With taps t = (ky, kx) and stride s:
//! `out[n, y, x, c] = activation(bias[c] + Σ_t in[n, s·y + ky − 1, s·x + kx − 1, c] · weight[t, c])`.
//! Taps are summed in the order of t on every CPU, multiplied and added separately: results are equal bit for bit.

use super::activation::{Activation, bias_gradient};
use super::{contiguous, with_values};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

/// Channels that one pass over a row works on: a register of AVX, two of NEON or SSE; the nine taps stay in registers.
const LANES: usize = 8;

/// Depthwise 3×3 convolution of `input` `[N, H, W, C]` with `weight` `[9, C]` (taps row by row) and `bias` `[C]`, stride 1
/// or 2, one pixel of zero padding, then `activation`: `[N, ⌈H/stride⌉, ⌈W/stride⌉, C]`.
///
/// # Errors
/// When the shapes do not fit each other or a tensor is not contiguous f32.
pub fn depthwise3x3(
    input: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    stride: usize,
    activation: Activation,
) -> Result<Tensor> {
    input.apply_op3(weight, bias, Depthwise3x3 { stride, activation })
}

/// The extents of one depthwise convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthwiseShape {
    /// Pictures.
    pub batch: usize,
    /// Input rows.
    pub height: usize,
    /// Input columns.
    pub width: usize,
    /// Channels of input and output.
    pub channels: usize,
    /// Step of the window, 1 or 2, in both directions.
    pub stride: usize,
}

impl DepthwiseShape {
    /// Output rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.height.div_ceil(self.stride)
    }

    /// Output columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.width.div_ceil(self.stride)
    }

    fn picture(&self) -> usize {
        self.height * self.width * self.channels
    }

    fn output_row(&self) -> usize {
        self.columns() * self.channels
    }

    /// The input rows below an output row's three taps; none where the window reaches into the padding.
    fn input_rows<'a>(&self, picture: &'a [f32], row: usize) -> [Option<&'a [f32]>; 3] {
        let length = self.width * self.channels;
        [0, 1, 2].map(|tap| {
            let y = (row * self.stride + tap).checked_sub(1).filter(|y| *y < self.height)?;
            Some(&picture[y * length..(y + 1) * length])
        })
    }
}

struct Depthwise3x3 {
    stride: usize,
    activation: Activation,
}

impl Depthwise3x3 {
    fn shape(&self, input: &Shape, weight: &Shape) -> Result<DepthwiseShape> {
        let (batch, height, width, channels) = input.dims4()?;
        if weight.dims() != [9, channels] || !(1..=2).contains(&self.stride) {
            bail!("depthwise3x3: input {input:?} does not fit weight {weight:?} at stride {}", self.stride);
        }
        Ok(DepthwiseShape { batch, height, width, channels, stride: self.stride })
    }
}

impl CustomOp3 for Depthwise3x3 {
    fn name(&self) -> &'static str {
        "depthwise3x3"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = self.shape(input_layout.shape(), weight_layout.shape())?;
        let input = contiguous(self.name(), input, input_layout)?;
        let weight = contiguous(self.name(), weight, weight_layout)?;
        let bias = contiguous(self.name(), bias, bias_layout)?;
        if bias.len() != shape.channels {
            bail!("depthwise3x3: {} biases for {} channels", bias.len(), shape.channels);
        }
        let mut output = vec![0.0f32; shape.batch * shape.rows() * shape.output_row()];
        for_each_row(&shape, &mut output, |picture, row, output| {
            let rows = shape.input_rows(&input[picture * shape.picture()..][..shape.picture()], row);
            convolve_row(&shape, rows, weight, output);
            self.activation.apply(output, bias);
        });
        let dims = (shape.batch, shape.rows(), shape.columns(), shape.channels);
        Ok((f32::to_cpu_storage_owned(output), Shape::from(dims)))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let shape = self.shape(input.shape(), weight.shape())?;
        let gradient = self.activation.gradient(result, &gradient.contiguous()?)?;
        let of_input = input
            .track_op()
            .then(|| -> Result<Tensor> {
                let values = with_values(weight, |weight| {
                    with_values(&gradient, |gradient| input_gradient(&shape, weight, gradient))
                })??;
                Tensor::from_vec(values, input.shape(), input.device())
            })
            .transpose()?;
        let of_weight = weight
            .track_op()
            .then(|| -> Result<Tensor> {
                let values = with_values(input, |input| {
                    with_values(&gradient, |gradient| weight_gradient(&shape, input, gradient))
                })??;
                Tensor::from_vec(values, weight.shape(), weight.device())
            })
            .transpose()?;
        let of_bias = bias.track_op().then(|| bias_gradient(&gradient)).transpose()?;
        Ok((of_input, of_weight, of_bias))
    }
}

/// Calls `kernel(picture, row, output row)` for every output row, on all threads.
fn for_each_row(
    shape: &DepthwiseShape,
    output: &mut [f32],
    kernel: impl Fn(usize, usize, &mut [f32]) + Sync,
) {
    let rows = shape.rows();
    // A job is at least some 10 µs of work, so that handing it out does not cost more than doing it.
    let jobs = (16_384 / shape.output_row().max(1)).clamp(1, rows);
    output.par_chunks_mut(shape.output_row()).enumerate().with_min_len(jobs).for_each(|(index, output)| {
        kernel(index / rows, index % rows, output);
    });
}

/// One output row without bias, by the widest vectors that the CPU announces.
fn convolve_row(shape: &DepthwiseShape, rows: [Option<&[f32]>; 3], weight: &[f32], output: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has just been asked for AVX2.
        return unsafe { convolve_row_avx2(shape, rows, weight, output) };
    }
    convolve_row_portable(shape, rows, weight, output);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn convolve_row_avx2(shape: &DepthwiseShape, rows: [Option<&[f32]>; 3], weight: &[f32], output: &mut [f32]) {
    convolve_row_portable(shape, rows, weight, output);
}

#[inline(always)]
fn convolve_row_portable(
    shape: &DepthwiseShape,
    rows: [Option<&[f32]>; 3],
    weight: &[f32],
    output: &mut [f32],
) {
    let whole = shape.channels / LANES * LANES;
    for channel in (0..whole).step_by(LANES) {
        convolve_lanes::<LANES>(shape, rows, weight, output, channel);
    }
    for channel in whole..shape.channels {
        convolve_lanes::<1>(shape, rows, weight, output, channel);
    }
}

/// `N` channels of one output row: the interior without a branch, then the columns whose window reaches into the padding.
#[inline(always)]
fn convolve_lanes<const N: usize>(
    shape: &DepthwiseShape,
    rows: [Option<&[f32]>; 3],
    weight: &[f32],
    output: &mut [f32],
    channel: usize,
) {
    let &DepthwiseShape { width, channels, stride, .. } = shape;
    for (ky, row) in rows.into_iter().enumerate() {
        let Some(row) = row else { continue };
        let taps: [[f32; N]; 3] = std::array::from_fn(|kx| lanes(weight, (ky * 3 + kx) * channels + channel));
        for (x, output) in output.chunks_exact_mut(channels).enumerate() {
            let output = &mut output[channel..channel + N];
            let mut sums: [f32; N] = lanes(output, 0);
            let centre = x * stride;
            if centre > 0 {
                accumulate(&mut sums, &lanes(row, (centre - 1) * channels + channel), &taps[0]);
            }
            accumulate(&mut sums, &lanes(row, centre * channels + channel), &taps[1]);
            if centre + 1 < width {
                accumulate(&mut sums, &lanes(row, (centre + 1) * channels + channel), &taps[2]);
            }
            output.copy_from_slice(&sums);
        }
    }
}

#[inline(always)]
fn lanes<const N: usize>(values: &[f32], start: usize) -> [f32; N] {
    let values = &values[start..start + N];
    std::array::from_fn(|lane| values[lane])
}

#[inline(always)]
fn accumulate<const N: usize>(sums: &mut [f32; N], values: &[f32; N], taps: &[f32; N]) {
    for lane in 0..N {
        sums[lane] += values[lane] * taps[lane];
    }
}

/// The forward pass as its formula says, one output at a time, without bias and activation: what the kernels are held to.
///
/// `input` is `[N, H, W, C]`, `weight` `[9, C]`; returns `[N, ⌈H/stride⌉, ⌈W/stride⌉, C]`.
#[must_use]
pub fn depthwise3x3_reference(shape: &DepthwiseShape, input: &[f32], weight: &[f32]) -> Vec<f32> {
    let &DepthwiseShape { batch, height, width, channels, stride } = shape;
    let mut output = Vec::with_capacity(batch * shape.rows() * shape.output_row());
    for n in 0..batch {
        for (y, x) in (0..shape.rows()).flat_map(|y| (0..shape.columns()).map(move |x| (y, x))) {
            for c in 0..channels {
                let mut sum = 0.0f32;
                for tap in 0..9 {
                    let (row, column) = (y * stride + tap / 3, x * stride + tap % 3);
                    if (1..=height).contains(&row) && (1..=width).contains(&column) {
                        let at = ((n * height + row - 1) * width + column - 1) * channels + c;
                        sum += input[at] * weight[tap * channels + c];
                    }
                }
                output.push(sum);
            }
        }
    }
    output
}

/// Gradient of the input: each output's gradient spread over its window. Pictures are independent, so threads share them.
fn input_gradient(shape: &DepthwiseShape, weight: &[f32], gradient: &[f32]) -> Vec<f32> {
    let mut result = vec![0.0f32; shape.batch * shape.picture()];
    let per_picture = shape.rows() * shape.output_row();
    result.par_chunks_mut(shape.picture()).zip(gradient.par_chunks(per_picture)).for_each(
        |(result, gradient)| {
            for (y, row) in gradient.chunks_exact(shape.output_row()).enumerate() {
                for_each_tap(shape, y, |tap, x, at| {
                    let slopes = &row[x * shape.channels..][..shape.channels];
                    let taps = &weight[tap * shape.channels..][..shape.channels];
                    multiply_add(&mut result[at..at + shape.channels], slopes, taps);
                });
            }
        },
    );
    result
}

/// Gradient of the weight: for each tap the products of inputs and output gradients, summed over all positions. Pictures
/// are summed apart and then in their order, so that the sum does not depend on the threads.
fn weight_gradient(shape: &DepthwiseShape, input: &[f32], gradient: &[f32]) -> Vec<f32> {
    let per_picture = shape.rows() * shape.output_row();
    let partial: Vec<Vec<f32>> = input
        .par_chunks(shape.picture())
        .zip(gradient.par_chunks(per_picture))
        .map(|(input, gradient)| {
            let mut sums = vec![0.0f32; 9 * shape.channels];
            for (y, row) in gradient.chunks_exact(shape.output_row()).enumerate() {
                for_each_tap(shape, y, |tap, x, at| {
                    let slopes = &row[x * shape.channels..][..shape.channels];
                    let values = &input[at..at + shape.channels];
                    multiply_add(&mut sums[tap * shape.channels..][..shape.channels], slopes, values);
                });
            }
            sums
        })
        .collect();
    let mut total = vec![0.0f32; 9 * shape.channels];
    for sums in partial {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    total
}

/// Calls `visit(tap, output column, offset of the input pixel in its picture)` for all taps of output row `y` that lie on
/// the picture.
#[inline(always)]
fn for_each_tap(shape: &DepthwiseShape, y: usize, mut visit: impl FnMut(usize, usize, usize)) {
    for x in 0..shape.columns() {
        for tap in 0..9 {
            let (row, column) = (y * shape.stride + tap / 3, x * shape.stride + tap % 3);
            if (1..=shape.height).contains(&row) && (1..=shape.width).contains(&column) {
                visit(tap, x, ((row - 1) * shape.width + column - 1) * shape.channels);
            }
        }
    }
}

#[inline(always)]
fn multiply_add(sums: &mut [f32], left: &[f32], right: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has just been asked for AVX2.
        return unsafe { multiply_add_avx2(sums, left, right) };
    }
    multiply_add_portable(sums, left, right);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn multiply_add_avx2(sums: &mut [f32], left: &[f32], right: &[f32]) {
    multiply_add_portable(sums, left, right);
}

#[inline(always)]
fn multiply_add_portable(sums: &mut [f32], left: &[f32], right: &[f32]) {
    for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
        *sum += left * right;
    }
}
