//! The results of a network: a candle tensor that an op fills in place.

use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Tensor, bail};

/// A network's results: an f32 tensor that a custom op fills in place at each inference.
#[derive(Debug)]
pub(super) struct Results {
    values: Tensor,
    /// A view of the first value alone, on the same storage, which the op is given. candle collects the axes
    /// longer than 1 of an in-place op's tensor in a list; this view has none, so nothing is allocated.
    handle: Tensor,
}

impl Results {
    pub(super) fn new(length: usize) -> candle_core::Result<Self> {
        let values = Tensor::zeros(length, DType::F32, &Device::Cpu)?;
        Ok(Self { handle: values.narrow(0, 0, 1)?, values })
    }

    /// Runs `fill` on all values, as the custom op `name`.
    pub(super) fn fill(
        &self,
        name: &'static str,
        fill: impl Fn(&mut [f32]) -> candle_core::Result<()>,
    ) -> candle_core::Result<()> {
        self.handle.inplace_op1(&Fill(name, fill))
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&[f32]) -> R) -> candle_core::Result<R> {
        read_values(&self.values, read)
    }
}

/// Runs a function on all values of a tensor's storage.
struct Fill<F>(&'static str, F);

impl<F: Fn(&mut [f32]) -> candle_core::Result<()>> InplaceOp1 for Fill<F> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        match storage {
            CpuStorage::F32(values) => (self.1)(values),
            _ => bail!("{} writes f32 tensors only", self.0),
        }
    }
}

/// Calls `read` with the values of a contiguous f32 tensor.
fn read_values<R>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> R) -> candle_core::Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (candle_core::Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => {
            Ok(read(&values[start..end]))
        }
        _ => bail!("the results of a quantized network are contiguous f32"),
    }
}

/// Points at the first value of the results, for all members of a team.
#[derive(Clone, Copy)]
pub(super) struct ResultsPointer(pub(super) *mut f32);

// SAFETY: it is only a pointer. Members write what is theirs and meet before anyone reads it.
unsafe impl Sync for ResultsPointer {}

impl ResultsPointer {
    pub(super) fn pointer(&self) -> *mut f32 {
        self.0
    }
}
