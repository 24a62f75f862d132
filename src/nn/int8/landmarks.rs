//! The landmark network, quantized; tensors are called `landmarks.*`. The linear layer behind the last map
//! stays real.

use super::mobilenet_v2::front;
use super::prepared::Prepared;
use super::program::{From, MapId, Program, SharedTeam, To};
use super::unit::Extent;
use super::{Layers, QuantizedWeights};
use crate::nn::NetworkError;
use crate::nn::landmarks::{BLOCKS, INPUT, MAP, REDUCED, VALUES};
use crate::nn::mobilenet_v2::channels;
use maskwatch_kernels::int8::{Area, GROUP, Kernels, Map, Pointwise};

/// Values that the linear layer reads.
const FLAT: usize = MAP * MAP * REDUCED;

/// The network with all memory that it needs.
pub struct Landmarks {
    kernels: &'static dyn Kernels,
    /// The map that the last unit writes.
    last: MapId,
    reduce: Pointwise,
    /// `[10, 6 · 6 · 32]`: the linear layer, each weight already times the scale of what it reads.
    weight: Vec<f32>,
    bias: Vec<f32>,
    prepared: Prepared,
}

impl Landmarks {
    /// The network made from the tensors `landmarks.*`.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents, or a layer cannot be packed.
    pub fn new(
        weights: &QuantizedWeights,
        kernels: &'static dyn Kernels,
        team: SharedTeam,
    ) -> Result<Self, NetworkError> {
        let layers = Layers { weights, kernels };
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
            let from = if index == 0 { From::Picture } else { From::Map(MapId((index + 1) % 2)) };
            extent = program.unit(unit, extent, from, To::Map(MapId(index % 2)));
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
                // SAFETY: the last unit has been run, the scratch was reserved, and only this member takes
                // them.
                unsafe { self.finish(memory.map(self.last), memory.scratch(member), results) }
            }
        })?;
        self.prepared.read(|values| std::array::from_fn(|index| values[index]))
    }

    /// The 1×1 convolution and the linear layer: so little that one member does it.
    ///
    /// # Safety
    /// `map` is what the last unit wrote, `scratch` has room for [`FLAT`] bytes, `results` for [`VALUES`];
    /// none is used otherwise.
    unsafe fn finish(&self, map: *const u8, scratch: *mut u8, results: *mut f32) {
        let offset = self.kernels.offset();
        let area = Area { rows: 1, columns: MAP * MAP };
        let source = Map { start: map, pixel: channels(BLOCKS - 1), row: 0 };
        let target = Map { start: scratch, pixel: REDUCED, row: 0 };
        // SAFETY: as promised.
        unsafe {
            self.kernels.pointwise(&self.reduce, 0..REDUCED / GROUP, area, source, target, None);
            let mut values = [0.0; FLAT];
            let bytes = std::slice::from_raw_parts(scratch, FLAT);
            for (value, byte) in values.iter_mut().zip(bytes) {
                *value = f32::from(byte.wrapping_add(offset));
            }
            for (index, (weight, bias)) in self.weight.chunks_exact(FLAT).zip(&self.bias).enumerate() {
                *results.add(index) = super::dot(&values, weight) + bias;
            }
        }
    }
}
