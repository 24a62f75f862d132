//! MobileNetV2, width 1.0 (Sandler et al. 2018, <https://arxiv.org/abs/1801.04381>): inverted residuals with
//! linear bottlenecks and ReLU6, up to its 1280 features. Tensor names are torchvision's.

use super::convolution::{Convolution, ConvolutionKind, average_pool};
use super::weights::Weights;
use super::{Mode, NetworkError};
use crate::nn::ops::Activation;
use candle_core::{Result, Tensor};
use maskwatch_kernels::shapes::INVERTED_RESIDUALS;
use std::ops::Range;

/// Features per picture behind the average pooling.
pub const FEATURES: usize = 1280;
/// Number of blocks: the first convolution, 17 inverted residuals, the last 1×1 convolution; `features.0` to
/// `.18`.
pub const BLOCKS: usize = 19;

/// The inverted residuals in their order, blocks 1 to 17.
pub(super) fn residuals() -> impl Iterator<Item = InvertedResidual> {
    let repeated =
        INVERTED_RESIDUALS.into_iter().flat_map(|(expansion, outputs, repetitions, first_stride)| {
            let stride = move |repetition| if repetition == 0 { first_stride } else { 1 };
            (0..repetitions).map(move |repetition| (expansion, outputs, stride(repetition)))
        });
    repeated.scan(32, |inputs, (expansion, outputs, stride)| {
        let inputs = std::mem::replace(inputs, outputs);
        Some(InvertedResidual { expansion, inputs, outputs, stride })
    })
}

/// One inverted residual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvertedResidual {
    /// How many times as many channels there are between its 1×1 convolutions as come in.
    pub expansion: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub stride: usize,
}

impl InvertedResidual {
    /// Whether it adds its input to its output.
    pub(super) fn adds_its_input(&self) -> bool {
        self.stride == 1 && self.inputs == self.outputs
    }
}

/// Channels of what block `index` (0 to 17) gives.
pub(super) fn channels(index: usize) -> usize {
    residuals().take(index).last().map_or(32, |residual| residual.outputs)
}

/// The network up to its features; [`super::head::Head`] turns them into classes.
pub struct MobileNetV2 {
    blocks: Vec<Block>,
}

struct Block {
    convolutions: Vec<Convolution>,
    /// Input and output are of one shape and are added.
    residual: bool,
}

impl Block {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let mut map = input.clone();
        for convolution in &self.convolutions {
            map = convolution.forward(&map)?;
        }
        if self.residual { map + input } else { Ok(map) }
    }
}

impl MobileNetV2 {
    /// The network made from the tensors `features.*`.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents.
    pub fn new(weights: &Weights, mode: Mode) -> std::result::Result<Self, NetworkError> {
        let mut network = Self::front(weights, BLOCKS - 1, mode)?;
        let last = Convolution::normalised(
            weights,
            ("features.18.0", "features.18.1"),
            ConvolutionKind::Pointwise { inputs: channels(BLOCKS - 2), outputs: FEATURES },
            Activation::Relu6,
            mode,
        )?;
        network.blocks.push(Block { convolutions: vec![last], residual: false });
        Ok(network)
    }

    /// The first `count` blocks alone (18 at most: the last 1×1 convolution is none of them), for networks
    /// that go on from there.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents.
    pub fn front(weights: &Weights, count: usize, mode: Mode) -> std::result::Result<Self, NetworkError> {
        let first = Convolution::normalised(
            weights,
            ("features.0.0", "features.0.1"),
            ConvolutionKind::Full { inputs: 3, outputs: 32 },
            Activation::Relu6,
            mode,
        )?;
        let mut blocks = vec![Block { convolutions: vec![first], residual: false }];
        for residual in residuals().take(count.saturating_sub(1)) {
            let InvertedResidual { expansion, inputs, outputs, stride } = residual;
            let name = format!("features.{}.conv", blocks.len());
            let hidden = inputs * expansion;
            let mut convolutions = Vec::new();
            let mut add = |index: usize, kind: ConvolutionKind, activation: Activation| {
                let linear = activation == Activation::Identity;
                let convolution =
                    if linear { format!("{name}.{index}") } else { format!("{name}.{index}.0") };
                let norm = if linear { format!("{name}.{}", index + 1) } else { format!("{name}.{index}.1") };
                Convolution::normalised(weights, (&convolution, &norm), kind, activation, mode)
                    .map(|convolution| convolutions.push(convolution))
            };
            let mut index = 0;
            if expansion > 1 {
                add(index, ConvolutionKind::Pointwise { inputs, outputs: hidden }, Activation::Relu6)?;
                index += 1;
            }
            add(index, ConvolutionKind::Depthwise { channels: hidden, stride }, Activation::Relu6)?;
            add(index + 1, ConvolutionKind::Pointwise { inputs: hidden, outputs }, Activation::Identity)?;
            blocks.push(Block { convolutions, residual: residual.adds_its_input() });
        }
        Ok(Self { blocks })
    }

    /// The features `[N, 1280]` of pictures `[N, H, W, 3]`, RGB, normalised as [`crate::pixels::preprocess`]
    /// does.
    ///
    /// # Errors
    /// When the pictures do not have three channels.
    pub fn features(&self, pictures: &Tensor) -> Result<Tensor> {
        average_pool(&self.forward_blocks(pictures, 0..BLOCKS)?)
    }

    /// Runs only some blocks, on what the blocks before them gave: frozen ones once, the others over and
    /// over. Block k is torchvision's `features.k`; behind block 18 comes [`average_pool`].
    ///
    /// # Errors
    /// When `map` does not have the channels that the first of the blocks reads.
    ///
    /// # Panics
    /// When the range goes beyond [`BLOCKS`].
    pub fn forward_blocks(&self, map: &Tensor, blocks: Range<usize>) -> Result<Tensor> {
        self.blocks[blocks].iter().try_fold(map.clone(), |map, block| block.forward(&map))
    }

    /// All convolutions in the order of their use, each with its name: `features.0`, `features.K.expand`,
    /// `.depthwise`, `.project`, `features.18`.
    pub fn convolutions(&self) -> impl Iterator<Item = (String, &Convolution)> {
        self.blocks.iter().enumerate().flat_map(|(index, block)| {
            let parts = ["expand", "depthwise", "project"];
            let first = parts.len().saturating_sub(block.convolutions.len());
            let alone = block.convolutions.len() == 1;
            block.convolutions.iter().enumerate().map(move |(place, convolution)| {
                let name = format!("features.{index}");
                let name = if alone { name } else { format!("{name}.{}", parts[first + place]) };
                (name, convolution)
            })
        })
    }

    /// Whether block `index` adds its input to its output.
    #[must_use]
    pub fn adds_its_input(&self, index: usize) -> bool {
        self.blocks.get(index).is_some_and(|block| block.residual)
    }

    /// Runs all blocks on `pictures` and shows `observe` what each of [`MobileNetV2::convolutions`] gives, in
    /// their order, and then what each block gives, residual added, as `features.K`.
    ///
    /// # Errors
    /// When the pictures do not have three channels.
    pub fn observe(&self, pictures: &Tensor, observe: &mut dyn FnMut(&str, &Tensor)) -> Result<()> {
        let mut names = self.convolutions().map(|(name, _)| name);
        let mut map = pictures.clone();
        for (index, block) in self.blocks.iter().enumerate() {
            let input = map.clone();
            for convolution in &block.convolutions {
                map = convolution.forward(&map)?;
                observe(&names.next().unwrap_or_default(), &map);
            }
            if block.convolutions.len() > 1 {
                map = if block.residual { (map + input)? } else { map };
                observe(&format!("features.{index}"), &map);
            }
        }
        Ok(())
    }

    /// The running statistics of live batch norms under their names in the weight file, to be saved with the
    /// weights.
    #[must_use]
    pub fn running_statistics(&self) -> Vec<(String, Tensor)> {
        let convolutions = self.blocks.iter().flat_map(|block| &block.convolutions);
        convolutions.flat_map(Convolution::running_statistics).collect()
    }
}

/// The block that a tensor named `features.K.*` belongs to; none for the tensors of a head.
#[must_use]
pub fn block_of(name: &str) -> Option<usize> {
    name.strip_prefix("features.")?.split('.').next()?.parse().ok()
}
