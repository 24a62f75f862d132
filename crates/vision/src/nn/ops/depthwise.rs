//! Depthwise 3×3 convolution, stride 1 or 2, one pixel of zero padding, with bias and activation; forward and
//! backward.
//!
//! With taps t = (ky, kx) and stride s:
//! `out[n, y, x, c] = activation(bias[c] + Σ_t in[n, s·y + ky − 1, s·x + kx − 1, c] · weight[t, c])`. Taps
//! are summed in the order of t on every CPU, multiplied and added separately: results are equal bit for bit.

use super::activation::{Activation, bias_gradient};
use super::{contiguous, with_values};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

/// Channels that one pass over a row works on: a register of AVX, two of NEON or SSE; the nine taps stay in
/// registers.
const LANES: usize = 8;

/// Depthwise 3×3 convolution of `input` `[N, H, W, C]` with `weight` `[9, C]` (taps row by row) and `bias`
/// `[C]`, stride 1 or 2, one pixel of zero padding, then `activation`: `[N, ⌈H/stride⌉, ⌈W/stride⌉, C]`.
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

/// Defines a kernel over one row that runs `$lanes` for eight channels at a time, by the widest vectors that
/// the CPU announces: the same code is compiled for AVX2 and for what every CPU of the architecture has.
macro_rules! row_kernel {
    ($(#[$doc:meta])* $name:ident by $lanes:ident($($argument:ident: $type:ty),*)) => {
        $(#[$doc])*
        fn $name(shape: &DepthwiseShape, $($argument: $type),*) {
            #[inline(always)]
            fn portable(shape: &DepthwiseShape, $($argument: $type),*) {
                let whole = shape.channels / LANES * LANES;
                for channel in (0..whole).step_by(LANES) {
                    $lanes::<LANES>(shape, channel, $($argument),*);
                }
                for channel in whole..shape.channels {
                    $lanes::<1>(shape, channel, $($argument),*);
                }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2(shape: &DepthwiseShape, $($argument: $type),*) {
                portable(shape, $($argument),*);
            }

            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the CPU has just been asked for AVX2.
                return unsafe { avx2(shape, $($argument),*) };
            }
            portable(shape, $($argument),*);
        }
    };
}

row_kernel! {
    /// One output row without bias and activation; `output` must be zero.
    convolve_row by convolve_lanes(rows: [Option<&[f32]>; 3], weight: &[f32], output: &mut [f32])
}

row_kernel! {
    /// Adds what output row `y` with the gradient `slopes` hands back to the picture's gradient.
    spread_row by spread_lanes(y: usize, slopes: &[f32], weight: &[f32], picture: &mut [f32])
}

row_kernel! {
    /// Adds what an output row with the gradient `slopes` contributes to the gradient `sums` of the taps.
    correlate_row by correlate_lanes(rows: [Option<&[f32]>; 3], slopes: &[f32], sums: &mut [f32])
}

#[inline(always)]
fn convolve_lanes<const N: usize>(
    shape: &DepthwiseShape,
    channel: usize,
    rows: [Option<&[f32]>; 3],
    weight: &[f32],
    output: &mut [f32],
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
fn spread_lanes<const N: usize>(
    shape: &DepthwiseShape,
    channel: usize,
    y: usize,
    slopes: &[f32],
    weight: &[f32],
    picture: &mut [f32],
) {
    let &DepthwiseShape { height, width, channels, stride, .. } = shape;
    for ky in 0..3 {
        let Some(row) = (y * stride + ky).checked_sub(1).filter(|row| *row < height) else { continue };
        let row = &mut picture[row * width * channels..(row + 1) * width * channels];
        let taps: [[f32; N]; 3] = std::array::from_fn(|kx| lanes(weight, (ky * 3 + kx) * channels + channel));
        for (x, slopes) in slopes.chunks_exact(channels).enumerate() {
            let slopes: [f32; N] = lanes(slopes, channel);
            for (kx, taps) in taps.iter().enumerate() {
                let Some(column) = (x * stride + kx).checked_sub(1).filter(|column| *column < width) else {
                    continue;
                };
                let target = &mut row[column * channels + channel..][..N];
                let mut sums: [f32; N] = lanes(target, 0);
                accumulate(&mut sums, &slopes, taps);
                target.copy_from_slice(&sums);
            }
        }
    }
}

#[inline(always)]
fn correlate_lanes<const N: usize>(
    shape: &DepthwiseShape,
    channel: usize,
    rows: [Option<&[f32]>; 3],
    slopes: &[f32],
    sums: &mut [f32],
) {
    let &DepthwiseShape { width, channels, stride, .. } = shape;
    for (ky, row) in rows.into_iter().enumerate() {
        let Some(row) = row else { continue };
        let mut taps = [[0.0f32; N]; 3];
        for (x, slopes) in slopes.chunks_exact(channels).enumerate() {
            let slopes: [f32; N] = lanes(slopes, channel);
            for (kx, taps) in taps.iter_mut().enumerate() {
                let Some(column) = (x * stride + kx).checked_sub(1).filter(|column| *column < width) else {
                    continue;
                };
                accumulate(taps, &lanes(row, column * channels + channel), &slopes);
            }
        }
        for (kx, taps) in taps.iter().enumerate() {
            let sums = &mut sums[(ky * 3 + kx) * channels + channel..][..N];
            sums.iter_mut().zip(taps).for_each(|(sum, tap)| *sum += tap);
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

/// The forward pass as its formula says, one output at a time, without bias and activation: what the kernels
/// are held to.
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

/// Gradient of the input: each output's gradient spread over its window. Pictures are independent, so threads
/// share them.
fn input_gradient(shape: &DepthwiseShape, weight: &[f32], gradient: &[f32]) -> Vec<f32> {
    let mut result = vec![0.0f32; shape.batch * shape.picture()];
    let per_picture = shape.rows() * shape.output_row();
    result.par_chunks_mut(shape.picture()).zip(gradient.par_chunks(per_picture)).for_each(
        |(picture, gradient)| {
            for (y, slopes) in gradient.chunks_exact(shape.output_row()).enumerate() {
                spread_row(shape, y, slopes, weight, picture);
            }
        },
    );
    result
}

/// Gradient of the weight: for each tap the products of inputs and output gradients, summed over all
/// positions. Pictures are summed apart and then in their order, so that the sum does not depend on the
/// threads.
fn weight_gradient(shape: &DepthwiseShape, input: &[f32], gradient: &[f32]) -> Vec<f32> {
    let per_picture = shape.rows() * shape.output_row();
    let partial: Vec<Vec<f32>> = input
        .par_chunks(shape.picture())
        .zip(gradient.par_chunks(per_picture))
        .map(|(picture, gradient)| {
            let mut sums = vec![0.0f32; 9 * shape.channels];
            for (y, slopes) in gradient.chunks_exact(shape.output_row()).enumerate() {
                correlate_row(shape, shape.input_rows(picture, y), slopes, &mut sums);
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
