//! MobileNetV2 1.0 with the paper's head, quantized, from the tensors `classifier.*`.

use super::file::QuantizedWeights;
use super::layers::{Finish, UnitLayers};
use super::linear::dot;
use super::plan::Extent;
use super::prepared::Prepared;
use super::program::{MapId, Program, ReadFrom, WriteTo};
use super::reader::LayerReader;
use super::team::SharedTeam;
use crate::nn::head::{FRONT, HIDDEN, INCORRECT_TENSORS, PERSON, PRESENCE_TENSORS, has};
use crate::nn::mobilenet_v2::{BLOCKS, FEATURES, InvertedResidual, channels, residuals};
use crate::nn::{NetworkError, head};
use maskwatch_kernels::int8::{Area, GROUP, Kernels, Map, Pointwise, maps};
use std::sync::Arc;

/// Channels of the last map that are computed at once.
const SLICE: usize = 64;

/// The layers, packed for the kernels of this CPU.
#[derive(Debug)]
pub struct MobileNetV2 {
    kernels: &'static dyn Kernels,
    units: Vec<Arc<UnitLayers>>,
    last: Pointwise,
    /// Scale of each channel of the last map.
    scale: Vec<f32>,
    head: QuantizedHead,
}

/// The linear layers. The first has nearly all of the weights and runs on bytes, too; its few results become
/// real numbers.
#[derive(Debug)]
struct QuantizedHead {
    /// Scale of each pooled feature.
    pooled: Vec<f32>,
    hidden: Pointwise,
    /// Scale of each hidden value.
    hidden_scale: Vec<f32>,
    /// Weights and biases of the two classes, then of *incorrect* and *presence* if the file has these
    /// outputs.
    logits: (Vec<f32>, Vec<f32>),
    /// Weights and biases of *presence*, which reads the features, if the file has that output.
    presence: Option<(Vec<f32>, Vec<f32>)>,
}

impl MobileNetV2 {
    /// The network made from the tensors `classifier.*`.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents, or a layer cannot be packed.
    pub fn new(weights: &QuantizedWeights, kernels: &'static dyn Kernels) -> Result<Self, NetworkError> {
        let layers = LayerReader { weights, kernels };
        let units = front("classifier", &layers, BLOCKS - 2)?;
        let inputs = channels(BLOCKS - 2);
        let linear = |name: &str, outputs: usize, inputs: usize| {
            let weight = weights.reals(&format!("classifier.{name}.weight"), &[outputs, inputs])?;
            Ok::<_, NetworkError>((weight, weights.reals(&format!("classifier.{name}.bias"), &[outputs])?))
        };
        let (last, _) = layers.pointwise("classifier.features.18", inputs, FEATURES)?;
        let (hidden, _) = layers.pointwise("classifier.head.0", FEATURES, HIDDEN)?;
        let mut logits = linear("head.3", 2, HIDDEN)?;
        let optional = |tensors: [(&str, &[usize]); 2]| {
            if !has(&tensors, |name| weights.contains(&format!("classifier.{name}"))) {
                return Ok::<_, NetworkError>(None);
            }
            let [weight, bias] =
                tensors.map(|(name, shape)| weights.reals(&format!("classifier.{name}"), shape));
            Ok(Some((weight?, bias?)))
        };
        if let Some((weight, bias)) = optional(INCORRECT_TENSORS)? {
            logits.0.extend(weight);
            logits.1.extend(bias);
        }
        Ok(Self {
            kernels,
            units,
            last,
            scale: weights.reals("classifier.features.18.scale", &[FEATURES])?,
            head: QuantizedHead {
                pooled: weights.reals("classifier.pooled.scale", &[FEATURES])?,
                hidden,
                hidden_scale: weights.reals("classifier.head.0.scale", &[HIDDEN])?,
                logits,
                presence: optional(PRESENCE_TENSORS)?,
            },
        })
    }

    /// Name of the kernels.
    #[must_use]
    pub fn kernels(&self) -> &'static str {
        self.kernels.name()
    }
}

/// The first convolution and the first `count` inverted residuals, from the tensors `{network}.features.*`:
/// one unit each, the convolution being part of the first.
///
/// # Errors
/// When a tensor is missing or has other extents, or a layer cannot be packed.
pub(super) fn front(
    network: &str,
    layers: &LayerReader<'_>,
    count: usize,
) -> Result<Vec<Arc<UnitLayers>>, NetworkError> {
    let unit = |(index, residual): (usize, InvertedResidual)| {
        let InvertedResidual { expansion, inputs, outputs, stride } = residual;
        let name = format!("{network}.features.{}", index + 1);
        let hidden = inputs * expansion;
        let (depthwise, hidden_zero_point) = layers.depthwise(&format!("{name}.depthwise"), hidden)?;
        let (project, _) = layers.pointwise(&format!("{name}.project"), hidden, outputs)?;
        let (stem, expand, zero_point) = if expansion == 1 {
            (Some(layers.stem(&format!("{network}.features.0"), hidden)?), None, 0)
        } else {
            let (expand, zero_point) = layers.pointwise(&format!("{name}.expand"), inputs, hidden)?;
            (None, Some(expand), zero_point)
        };
        let finish = if residual.adds_its_input() {
            let multiplier = layers.weights.reals(&format!("{name}.residual"), &[1])?[0];
            Finish::ProjectAndAdd(project, multiplier, zero_point)
        } else {
            Finish::Project(project)
        };
        Ok(Arc::new(UnitLayers { stem, expand, depthwise, stride, finish, hidden_zero_point }))
    };
    residuals().take(count).enumerate().map(unit).collect()
}

/// What the head gives for one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifierLogits {
    /// In the order of [`head::CLASSES`].
    pub classes: [f32; 2],
    /// The logit of *incorrect*, if the weights have that output.
    pub incorrect: Option<f32>,
    /// In the order of [`PERSON`] and [`FRONT`], if the weights have that output.
    pub presence: Option<[f32; 2]>,
}

/// The quantized classifier at one input size, with its memory.
pub struct QuantizedClassifier {
    network: Arc<MobileNetV2>,
    last: Extent,
    prepared: Prepared,
}

// The results: features, hidden values, logits: two classes, *incorrect*, two of *presence*.
const HIDDEN_AT: usize = FEATURES;
const LOGITS_AT: usize = FEATURES + HIDDEN;
const INCORRECT_AT: usize = LOGITS_AT + 2;
const PRESENCE_AT: usize = LOGITS_AT + 3;
const RESULTS: usize = PRESENCE_AT + 2;

impl QuantizedClassifier {
    /// Prepares `network` for pictures of `side` × `side` pixels.
    ///
    /// # Errors
    /// When candle cannot allocate the results.
    pub fn new(network: Arc<MobileNetV2>, side: usize, team: SharedTeam) -> Result<Self, NetworkError> {
        let mut program = Program::new(network.kernels, team.count());
        let mut extent = Extent { rows: side, columns: side, channels: 3 };
        for (index, unit) in network.units.iter().enumerate() {
            let from = if index == 0 { ReadFrom::Picture } else { ReadFrom::Map(MapId((index + 1) % 2)) };
            extent = program.unit(unit, extent, from, WriteTo::Map(MapId(index % 2)));
        }
        program.reserve_scratch(extent.rows * extent.columns * SLICE);
        let free = MapId(network.units.len() % 2);
        program.reserve(free, Extent { rows: 1, columns: 1, channels: FEATURES + HIDDEN });
        let prepared = Prepared::new("quantized MobileNetV2", program, team, (side, side), RESULTS)?;
        Ok(Self { network, last: extent, prepared })
    }

    /// Side of the pictures, in pixels.
    #[must_use]
    pub fn side(&self) -> usize {
        self.prepared.size().0
    }

    /// The logits of `picture`, RGB bytes `[side, side, 3]`.
    ///
    /// # Errors
    /// When the picture has another length.
    pub fn logits(&self, picture: &[u8]) -> Result<ClassifierLogits, NetworkError> {
        self.run(picture)?;
        let head = &self.network.head;
        self.prepared.read(|values| {
            let presence = || [values[PRESENCE_AT + PERSON], values[PRESENCE_AT + FRONT]];
            ClassifierLogits {
                classes: [values[LOGITS_AT + head::MASK], values[LOGITS_AT + head::NO_MASK]],
                incorrect: (head.logits.1.len() > 2).then(|| values[INCORRECT_AT]),
                presence: head.presence.is_some().then(presence),
            }
        })
    }

    /// The pooled features `[1280]` of `picture`.
    ///
    /// # Errors
    /// When the picture has another length.
    pub fn features(&self, picture: &[u8]) -> Result<Vec<f32>, NetworkError> {
        self.run(picture)?;
        self.prepared.read(|values| values[..FEATURES].to_vec())
    }

    fn run(&self, picture: &[u8]) -> Result<(), NetworkError> {
        self.prepared.run(picture, |member, memory, results| {
            // SAFETY: all members come here after the last unit, with the memory and results of this program.
            unsafe { self.finish(member, memory, results) }
        })
    }

    /// Computes the last convolution, the average pooling and the head.
    ///
    /// # Safety
    /// As for [`Program::run`]; the last unit has been run.
    unsafe fn finish(
        &self,
        member: super::team::Member<'_>,
        memory: &super::program::Pointers,
        results: *mut f32,
    ) {
        let network = &*self.network;
        let head = &network.head;
        let offset = network.kernels.offset();
        let pixels = self.last.rows * self.last.columns;
        let map = memory.map(MapId((network.units.len() + 1) % 2));
        // The map that the last unit read is free now: it takes the pooled features as bytes, then the hidden
        // values.
        let pooled = memory.map(MapId(network.units.len() % 2));
        let scratch = memory.scratch(member);
        let mine = member.share(FEATURES / GROUP, SLICE / GROUP);
        for start in mine.clone().step_by(SLICE / GROUP) {
            let groups = start..(start + SLICE / GROUP).min(mine.end);
            let channels = groups.len() * GROUP;
            let area = Area { rows: 1, columns: pixels };
            let source = Map { start: map.cast_const(), pixel: self.last.channels, row: 0 };
            let target = Map { start: scratch, pixel: channels, row: 0 };
            let mut sums = [0u32; SLICE];
            let first = start * GROUP;
            // SAFETY: scratch memory was reserved for a slice of all pixels, the map has room for the
            // features as bytes, and this slice of both is this member's.
            unsafe {
                network.kernels.pointwise(&network.last, groups, area, source, target, None);
                let values = std::slice::from_raw_parts(scratch, pixels * channels);
                maps::add_up(values, offset, &mut sums[..channels]);
                let features = std::slice::from_raw_parts_mut(results.add(first), channels);
                let bytes = std::slice::from_raw_parts_mut(pooled.add(first), channels);
                let scales = network.scale[first..].iter().zip(&head.pooled[first..]);
                for (((feature, byte), sum), (scale, step)) in
                    features.iter_mut().zip(bytes).zip(&sums).zip(scales)
                {
                    *feature = *sum as f32 * (scale / pixels as f32);
                    *byte = maps::stored(*feature / step, offset);
                }
            }
        }
        member.meet();
        // SAFETY: the members meet after all pooled bytes and again after all hidden values are written; each
        // of these has one member that writes it.
        unsafe {
            let hidden = pooled.add(FEATURES);
            let groups = member.share(HIDDEN / GROUP, network.kernels.panel() / GROUP);
            if !groups.is_empty() {
                let source = Map { start: pooled.cast_const(), pixel: FEATURES, row: 0 };
                let target = Map { start: hidden.add(groups.start * GROUP), pixel: HIDDEN, row: 0 };
                network.kernels.pointwise(
                    &head.hidden,
                    groups,
                    Area { rows: 1, columns: 1 },
                    source,
                    target,
                    None,
                );
            }
            member.meet();
            if member.index == 0 {
                let values = std::slice::from_raw_parts_mut(results.add(HIDDEN_AT), HIDDEN);
                let bytes = std::slice::from_raw_parts(hidden, HIDDEN);
                for ((value, byte), scale) in values.iter_mut().zip(bytes).zip(&head.hidden_scale) {
                    *value = f32::from(byte.wrapping_add(offset)) * scale;
                }
                let (weight, bias) = &head.logits;
                for class in 0..bias.len() {
                    let value = dot(values, &weight[class * HIDDEN..][..HIDDEN]) + bias[class];
                    *results.add(LOGITS_AT + class) = value;
                }
                if let Some((weight, bias)) = &head.presence {
                    let features = std::slice::from_raw_parts(results, FEATURES);
                    for (output, (weight, bias)) in weight.chunks_exact(FEATURES).zip(bias).enumerate() {
                        *results.add(PRESENCE_AT + output) = dot(features, weight) + bias;
                    }
                }
            }
        }
    }
}
