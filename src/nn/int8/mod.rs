//! The networks in 8-bit integers: what the daemon runs.
//!
//! Each network is one candle op over preallocated memory: nothing is allocated per inference, and no map is
//! ever whole between a 1×1 convolution and the depthwise one behind it (`unit`). The arithmetic is
//! [`maskwatch_kernels::int8`]'s, the same on every CPU; the weights come from one file ([`mod@file`]), which
//! `maskwatch-lab quantize` makes from the f32 ones.
//!
//! ```text
//! file ── weights        unit ── 1×1 → depthwise → 1×1, a few rows at a time
//! team ── threads        program ── the units of a network at one input size        prepared ── a program, its memory and results
//! mobilenet_v2, landmarks, yunet ── the networks as programs
//! ```

pub mod file;
pub mod landmarks;
pub mod mobilenet_v2;
mod prepared;
mod program;
mod team;
mod unit;
pub mod yunet;

pub use file::QuantizedWeights;
pub use program::SharedTeam;

use super::NetworkError;
use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Tensor, bail};
use maskwatch_kernels::int8::{Depthwise, GROUP, Kernels, Pointwise};

/// A network's results: an f32 tensor that a custom op fills in place, again and again.
#[derive(Debug)]
struct Results {
    values: Tensor,
    /// The first value alone. candle lists the axes of an in-place op's tensor that are longer than 1, which
    /// would cost an allocation per inference; this view of the same storage has none.
    handle: Tensor,
}

impl Results {
    fn new(length: usize) -> candle_core::Result<Self> {
        let values = Tensor::zeros(length, DType::F32, &Device::Cpu)?;
        Ok(Self { handle: values.narrow(0, 0, 1)?, values })
    }

    /// Runs `fill` on all values, as the custom op `name`.
    fn fill(
        &self,
        name: &'static str,
        fill: impl Fn(&mut [f32]) -> candle_core::Result<()>,
    ) -> candle_core::Result<()> {
        self.handle.inplace_op1(&Fill(name, fill))
    }

    fn read<R>(&self, read: impl FnOnce(&[f32]) -> R) -> candle_core::Result<R> {
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

/// The first value of the results, for all members of a team.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: only a pointer; members write what is theirs and meet before anyone reads it.
unsafe impl Sync for Shared {}

impl Shared {
    fn pointer(&self) -> *mut f32 {
        self.0
    }
}

/// Σ a · b in eight lanes, whose order is the same on every CPU.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Reads layers from a file and packs them for some kernels.
struct Layers<'a> {
    weights: &'a QuantizedWeights,
    kernels: &'static dyn Kernels,
}

impl Layers<'_> {
    /// A 1×1 convolution, with the zero point of its input.
    fn pointwise(&self, name: &str, inputs: usize, outputs: usize) -> Result<(Pointwise, u8), NetworkError> {
        let (weights, requantization) = self.weights.layer(name, outputs, inputs)?;
        let layer = Pointwise::new(self.kernels, &weights, outputs, &requantization);
        Ok((self.weights.packed(name, layer)?, requantization.input_zero_point))
    }

    /// A depthwise convolution, with the zero point of its input.
    fn depthwise(&self, name: &str, channels: usize) -> Result<(Depthwise, u8), NetworkError> {
        debug_assert!(channels.is_multiple_of(GROUP));
        let (weights, requantization) = self.weights.layer(name, channels, 9)?;
        let layer = Depthwise::new(self.kernels, &weights, &requantization);
        Ok((self.weights.packed(name, layer)?, requantization.input_zero_point))
    }

    /// The first convolution of a network: 27 taps, row by row, RGB. Its input are the picture's bytes.
    fn stem(&self, name: &str, outputs: usize) -> Result<unit::Stem, NetworkError> {
        let (layer, _) = self.pointwise(name, 27, outputs)?;
        let padding = self.weights.reals(&format!("{name}.padding"), &[3])?;
        let byte = |index: usize| padding[index].round().clamp(0.0, 255.0) as u8;
        Ok(unit::Stem { layer, padding: [byte(0), byte(1), byte(2)] })
    }
}
