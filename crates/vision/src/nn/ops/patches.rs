//! The 3×3 neighbourhoods of a picture as rows, so that a full convolution is a matrix product (im2col).

use super::contiguous;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType};

/// The 3×3 patches of `input` `[N, H, W, C]` at stride 2 with one pixel of zero padding:
/// `[N, ⌈H/2⌉, ⌈W/2⌉, 9·C]`, a patch row by row, channels innermost.
///
/// It only serves the first convolution, whose input is a picture: it has no gradient.
///
/// # Errors
/// When `input` is not a contiguous f32 tensor of rank 4.
pub fn patches3x3(input: &Tensor) -> Result<Tensor> {
    input.apply_op1(Patches)
}

struct Patches;

impl CustomOp1 for Patches {
    fn name(&self) -> &'static str {
        "patches3x3"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = layout.shape().dims4()?;
        let values = contiguous(self.name(), input, layout)?;
        let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
        let mut patches = vec![0.0f32; batch * rows * columns * 9 * channels];
        for (index, patch) in patches.chunks_exact_mut(9 * channels).enumerate() {
            let (column, row) = (index % columns, index / columns % rows);
            let picture = &values[index / (columns * rows) * height * width * channels..];
            let left = (2 * column).saturating_sub(1);
            let right = (2 * column + 2).min(width);
            let skipped = left + 1 - 2 * column;
            for (tap_row, target) in patch.chunks_exact_mut(3 * channels).enumerate() {
                let Some(y) = (2 * row + tap_row).checked_sub(1).filter(|y| *y < height) else { continue };
                let source = &picture[(y * width + left) * channels..(y * width + right) * channels];
                target[skipped * channels..skipped * channels + source.len()].copy_from_slice(source);
            }
        }
        Ok((f32::to_cpu_storage_owned(patches), Shape::from((batch, rows, columns, 9 * channels))))
    }
}
