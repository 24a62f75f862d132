//! 1×1 convolution as one matrix product, with bias and activation.

use super::activation::{Activation, bias_gradient};
use super::contiguous;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

/// 1×1 convolution of `input` `[.., in]` with `weight` `[in, out]`, plus `bias` `[out]`, then `activation`:
/// `[.., out]`.
///
/// A linear layer is the same thing, and so is a full convolution on [`super::patches3x3`].
///
/// # Errors
/// When the shapes do not fit each other or a tensor is not f32.
pub fn pointwise(input: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    let (inputs, outputs) = weight.dims2()?;
    let mut shape = input.dims().to_vec();
    let Some(last) = shape.last_mut().filter(|last| **last == inputs) else {
        bail!("pointwise convolution: input {:?} does not fit weight {:?}", input.shape(), weight.shape());
    };
    *last = outputs;
    let rows = input.contiguous()?.reshape(((), inputs))?;
    rows.apply_op3(weight, bias, PointwiseOp { activation })?.reshape(shape)
}

struct PointwiseOp {
    activation: Activation,
}

impl CustomOp3 for PointwiseOp {
    fn name(&self) -> &'static str {
        "pointwise"
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
        let (rows, inputs) = input_layout.shape().dims2()?;
        let outputs = weight_layout.shape().dims2()?.1;
        let bias = contiguous(self.name(), bias, bias_layout)?;
        if bias.len() != outputs {
            bail!("pointwise convolution: {} biases for {outputs} outputs", bias.len());
        }
        let product = input.matmul(weight, (1, rows, outputs, inputs), input_layout, weight_layout)?;
        let CpuStorage::F32(mut product) = product else { bail!("pointwise convolution needs f32") };
        // Rows in blocks of some 64 KiB: large enough to share out, small enough to stay in the cache.
        let block = (16_384 / outputs).max(1) * outputs;
        product.par_chunks_mut(block).for_each(|rows| self.activation.apply(rows, bias));
        Ok((f32::to_cpu_storage_owned(product), Shape::from((rows, outputs))))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = self.activation.gradient(result, &gradient.contiguous()?)?;
        let of_input = input.track_op().then(|| gradient.matmul(&weight.t()?)).transpose()?;
        let of_weight = weight.track_op().then(|| input.t()?.matmul(&gradient)).transpose()?;
        let of_bias = bias.track_op().then(|| bias_gradient(&gradient)).transpose()?;
        Ok((of_input, of_weight, of_bias))
    }
}
