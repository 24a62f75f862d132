//! CPU kernels in f32 as candle custom ops, forward and backward. Those of the quantized networks are in
//! [`maskwatch_kernels::int8`].
//!
//! Tensors are NHWC: `[batch, height, width, channels]`, channels contiguous. So a 1×1 convolution is one
//! matrix product, and a depthwise convolution runs along the channels, where every CPU has vector
//! instructions. candle itself is NCHW and splits a grouped convolution into one convolution per group, which
//! leaves MobileNetV2 at a tenth of its speed.
//!
//! A convolution, its bias and its activation are one op: the values before the activation are neither
//! written nor kept for the gradient. What networks are made of these ops is [`crate::nn`]'s business.

mod activation;
mod depthwise;
mod patches;
mod pointwise;
mod pooling;

pub use activation::Activation;
pub use depthwise::{DepthwiseShape, depthwise3x3, depthwise3x3_reference};
pub use patches::patches3x3;
pub use pointwise::pointwise;
pub use pooling::{max_pool2, upsample2};

use candle_core::{CpuStorage, Layout, Result, Tensor, WithDType, bail};

/// The values of a contiguous f32 tensor inside a custom op.
fn contiguous<'a>(op: &'static str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&f32::cpu_storage_as_slice(storage)?[start..end]),
        None => bail!("{op} needs a contiguous tensor, not strides {:?}", layout.stride()),
    }
}

/// Runs `kernel` on the values of a contiguous copy of `tensor` (no copy is made where it is contiguous
/// already).
fn with_values<R>(tensor: &Tensor, kernel: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => Ok(kernel(contiguous("kernel", storage, layout)?)),
        _ => bail!("these kernels run on the CPU only"),
    }
}
