//! The landmark network, quantized, from the tensors `landmarks.*`. The linear layer after the last map stays
//! in f32.

use super::file::QuantizedWeights;
use super::linear::dot;
use super::mobilenet_v2::front;
use super::plan::Extent;
use super::prepared::Prepared;
use super::program::{MapId, Program, ReadFrom, WriteTo};
use super::reader::LayerReader;
use super::team::SharedTeam;
use crate::nn::NetworkError;
use crate::nn::landmarks::{BLOCKS, INPUT, MAP, REDUCED, VALUES};
use crate::nn::mobilenet_v2::channels;
use maskwatch_kernels::int8::{Area, GROUP, Kernels, Map, Pointwise};

/// Values that the linear layer reads.
const FLAT: usize = MAP * MAP * REDUCED;

/// The quantized landmark network with its memory.
pub struct QuantizedLandmarks {
    kernels: &'static dyn Kernels,
    /// The map that the last unit writes.
    last: MapId,
    reduce: Pointwise,
    /// Weights of the linear layer, `[10, 6 · 6 · 32]`, each multiplied by the scale of the value it reads.
    weight: Vec<f32>,
    bias: Vec<f32>,
    prepared: Prepared,
}

impl QuantizedLandmarks {
    /// The network made from the tensors `landmarks.*`.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents, or a layer cannot be packed.
    pub fn new(
        weights: &QuantizedWeights,
        kernels: &'static dyn Kernels,
        team: SharedTeam,
    ) -> Result<Self, NetworkError> {
        let layers = LayerReader { weights, kernels };
        let units = front("landmarks", &layers, BLOCKS - 1)?;
        let (reduce, _) = layers.pointwise("landmarks.0", channels(BLOCKS - 1), REDUCED)?;
        let scale = weights.reals("landmarks.0.scale", &[REDUCED])?;
        let mut weight = weights.reals("landmarks.1.weight", &[VALUES, FLAT])?;
        for pixel in weight.chunks_exact_mut(REDUCED) {
            pixel.iter_mut().zip(&scale).for_each(|(weight, scale)| *weight *= scale);
        }
        let bias = weights.reals("landmarks.1.bias", &[VALUES])?;

        let mut program = Program::new(kernels, team.count());
        let mut extent = Extent { rows: INPUT, columns: INPUT, channels: 3 };
        for (index, unit) in units.iter().enumerate() {
            let from = if index == 0 { ReadFrom::Picture } else { ReadFrom::Map(MapId((index + 1) % 2)) };
            extent = program.unit(unit, extent, from, WriteTo::Map(MapId(index % 2)));
        }
        debug_assert_eq!((extent.rows, extent.columns), (MAP, MAP));
        program.reserve_scratch(FLAT);
        let last = MapId((units.len() + 1) % 2);
        let prepared = Prepared::new("quantized landmarks", program, team, (INPUT, INPUT), VALUES)?;
        Ok(Self { kernels, last, reduce, weight, bias, prepared })
    }

    /// The landmarks on `crop`, RGB bytes `[96, 96, 3]`, as of [`crate::nn::landmarks::Landmarks::forward`].
    ///
    /// # Errors
    /// When the crop has another length.
    pub fn values(&self, crop: &[u8]) -> Result<[f32; VALUES], NetworkError> {
        self.prepared.run(crop, |member, memory, results| {
            if member.index == 0 {
                // SAFETY: the last unit has been run, the scratch memory was reserved, and only this member
                // uses them.
                unsafe { self.finish(memory.map(self.last), memory.scratch(member), results) }
            }
        })?;
        self.prepared.read(|values| std::array::from_fn(|index| values[index]))
    }

    /// Computes the 1×1 convolution and the linear layer: so little work that one member does it.
    ///
    /// # Safety
    /// `map` is what the last unit wrote; `scratch` has room for [`FLAT`] bytes, `results` for [`VALUES`]
    /// numbers; nobody else uses them meanwhile.
    unsafe fn finish(&self, map: *const u8, scratch: *mut u8, results: *mut f32) {
        let offset = self.kernels.offset();
        let area = Area { rows: 1, columns: MAP * MAP };
        let source = Map { start: map, pixel: channels(BLOCKS - 1), row: 0 };
        let target = Map { start: scratch, pixel: REDUCED, row: 0 };
        // SAFETY: the caller promises all three.
        unsafe {
            self.kernels.pointwise(&self.reduce, 0..REDUCED / GROUP, area, source, target, None);
            let mut values = [0.0; FLAT];
            let bytes = std::slice::from_raw_parts(scratch, FLAT);
            for (value, byte) in values.iter_mut().zip(bytes) {
                *value = f32::from(byte.wrapping_add(offset));
            }
            for (index, (weight, bias)) in self.weight.chunks_exact(FLAT).zip(&self.bias).enumerate() {
                *results.add(index) = dot(&values, weight) + bias;
            }
        }
    }
}
