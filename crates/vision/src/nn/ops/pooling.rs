//! The detector's two ways to change resolution: 2×2 maximum pooling down, nearest neighbour up.

use super::{contiguous, with_values};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType, bail};

/// The maximum of each 2×2 block of `input` `[N, H, W, C]`, H and W even: `[N, H/2, W/2, C]`.
///
/// # Errors
/// When `input` is not a contiguous f32 tensor of rank 4, or H or W is odd.
pub fn max_pool2(input: &Tensor) -> Result<Tensor> {
    input.apply_op1(MaxPool2)
}

/// Each cell of `input` `[N, H, W, C]` repeated in a 2×2 block (nearest neighbour): `[N, 2H, 2W, C]`.
///
/// # Errors
/// When `input` is not a contiguous f32 tensor of rank 4.
pub fn upsample2(input: &Tensor) -> Result<Tensor> {
    input.apply_op1(Upsample2)
}

/// Where the 2×2 blocks of a `[N, 2·rows, 2·columns, C]` tensor start, block by block, and how far apart a
/// block's rows are.
struct Blocks {
    count: usize,
    columns: usize,
    channels: usize,
}

impl Blocks {
    fn row_stride(&self) -> usize {
        2 * self.columns * self.channels
    }

    /// Offset of the block's top left cell; its neighbours are one `channels` and one `row_stride` further
    /// on.
    fn start(&self, block: usize) -> usize {
        (block / self.columns) * 2 * self.row_stride() + (block % self.columns) * 2 * self.channels
    }

    fn corners(&self, block: usize) -> [usize; 4] {
        let start = self.start(block);
        [start, start + self.channels, start + self.row_stride(), start + self.row_stride() + self.channels]
    }
}

struct MaxPool2;

impl CustomOp1 for MaxPool2 {
    fn name(&self) -> &'static str {
        "max_pool2"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = layout.shape().dims4()?;
        if height % 2 == 1 || width % 2 == 1 {
            bail!("max_pool2 needs an even height and width, not {height}×{width}");
        }
        let values = contiguous(self.name(), input, layout)?;
        let blocks = Blocks { count: batch * height * width / 4, columns: width / 2, channels };
        let mut output = Vec::with_capacity(blocks.count * channels);
        for block in 0..blocks.count {
            let [a, b, c, d] = blocks.corners(block).map(|start| &values[start..start + channels]);
            output.extend(
                (0..channels).map(|channel| a[channel].max(b[channel]).max(c[channel]).max(d[channel])),
            );
        }
        Ok((f32::to_cpu_storage_owned(output), Shape::from((batch, height / 2, width / 2, channels))))
    }

    fn bwd(&self, input: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (batch, rows, columns, channels) = result.dims4()?;
        let blocks = Blocks { count: batch * rows * columns, columns, channels };
        let mut slopes = vec![0.0f32; blocks.count * 4 * channels];
        with_values(input, |values| {
            with_values(gradient, |gradient| {
                for block in 0..blocks.count {
                    let corners = blocks.corners(block);
                    for channel in 0..channels {
                        // The first of equal maxima gets the whole gradient.
                        let mut winner = corners[0] + channel;
                        for corner in &corners[1..] {
                            if values[corner + channel] > values[winner] {
                                winner = corner + channel;
                            }
                        }
                        slopes[winner] = gradient[block * channels + channel];
                    }
                }
            })
        })??;
        Tensor::from_vec(slopes, input.shape(), input.device()).map(Some)
    }
}

struct Upsample2;

impl CustomOp1 for Upsample2 {
    fn name(&self) -> &'static str {
        "upsample2"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = layout.shape().dims4()?;
        let values = contiguous(self.name(), input, layout)?;
        let blocks = Blocks { count: batch * height * width, columns: width, channels };
        let mut output = vec![0.0f32; 4 * values.len()];
        for (block, source) in values.chunks_exact(channels).enumerate() {
            for start in blocks.corners(block) {
                output[start..start + channels].copy_from_slice(source);
            }
        }
        Ok((f32::to_cpu_storage_owned(output), Shape::from((batch, 2 * height, 2 * width, channels))))
    }

    fn bwd(&self, input: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (batch, rows, columns, channels) = input.dims4()?;
        let blocks = Blocks { count: batch * rows * columns, columns, channels };
        let slopes = with_values(gradient, |gradient| {
            let mut slopes = vec![0.0f32; blocks.count * channels];
            for (block, target) in slopes.chunks_exact_mut(channels).enumerate() {
                for start in blocks.corners(block) {
                    for (slope, value) in target.iter_mut().zip(&gradient[start..start + channels]) {
                        *slope += value;
                    }
                }
            }
            slopes
        })?;
        Tensor::from_vec(slopes, input.shape(), input.device()).map(Some)
    }
}
