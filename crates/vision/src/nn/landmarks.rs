//! A network of our own for the five landmarks of a face that the detector has found: the first blocks of
//! MobileNetV2 on a square crop, then a small linear layer that sees the whole map, so that what is covered
//! is told from what is not.
//!
//! The detector gives landmarks too, from one cell of a map for faces of all sizes; below masks they are
//! guesses. Where the head points is told by these.

use super::convolution::{Convolution, ConvolutionKind};
use super::mobilenet_v2::{MobileNetV2, channels};
use super::weights::Weights;
use super::{Mode, NetworkError};
use crate::nn::ops::{Activation, pointwise};
use candle_core::{Result, Tensor};

/// Side of the crop in pixels.
pub const INPUT: usize = 96;
/// Side of the crop as a multiple of the face's longer side.
pub const MARGIN: f32 = 1.2;
/// Blocks of MobileNetV2, `features.0` to `.13`: up to a map of stride 16.
pub const BLOCKS: usize = 14;
/// Rows and columns of the map.
pub(super) const MAP: usize = INPUT / 16;
/// Channels of the map that the linear layer reads.
pub(super) const REDUCED: usize = 32;
/// Coordinates of five landmarks.
pub const VALUES: usize = 10;
/// A value of 1 is this share of the crop's side away from its middle.
pub const UNIT: f32 = 0.1;

/// Names and extents of the tensors behind the blocks: a 1×1 convolution with ReLU6, and a linear layer
/// `[out, in]`, in the order rows, columns, channels.
pub const TENSORS: [(&str, &[usize]); 4] = [
    ("landmarks.0.weight", &[REDUCED, 96, 1, 1]),
    ("landmarks.0.bias", &[REDUCED]),
    ("landmarks.1.weight", &[VALUES, MAP * MAP * REDUCED]),
    ("landmarks.1.bias", &[VALUES]),
];

/// The network in f32.
pub struct Landmarks {
    front: MobileNetV2,
    reduce: Convolution,
    linear: (Tensor, Tensor),
}

impl Landmarks {
    /// The network made from the tensors `features.0.*` to `.13.*` and [`TENSORS`].
    ///
    /// # Errors
    /// When a tensor is missing or has other extents.
    pub fn new(weights: &Weights, mode: Mode) -> std::result::Result<Self, NetworkError> {
        let kind = ConvolutionKind::Pointwise { inputs: channels(BLOCKS - 1), outputs: REDUCED };
        let [_, _, (weight, weight_shape), (bias, bias_shape)] = TENSORS;
        Ok(Self {
            front: MobileNetV2::front(weights, BLOCKS, mode)?,
            reduce: Convolution::biased(weights, "landmarks.0", kind, Activation::Relu6, mode)?,
            linear: (weights.get(weight, weight_shape)?, weights.get(bias, bias_shape)?),
        })
    }

    /// The landmarks `[N, 10]` on crops `[N, 96, 96, 3]`, RGB, normalised as [`crate::pixels::preprocess`]
    /// does: x and y of the right eye, the left eye, the tip of the nose, the right and the left corner of
    /// the mouth, in units of [`UNIT`].
    ///
    /// # Errors
    /// When the crops have other extents.
    pub fn forward(&self, crops: &Tensor) -> Result<Tensor> {
        self.forward_from(crops, 0)
    }

    /// As [`forward`](Self::forward), from the map that the blocks before `block` give.
    ///
    /// # Errors
    /// When the map has other extents.
    pub fn forward_from(&self, map: &Tensor, block: usize) -> Result<Tensor> {
        let (weight, bias) = &self.linear;
        let map = self.front.forward_blocks(map, block..BLOCKS)?;
        let reduced = self.reduce.forward(&map)?.flatten_from(1)?;
        pointwise(&reduced, &weight.t()?, bias, Activation::Identity)
    }

    /// The blocks.
    #[must_use]
    pub fn front(&self) -> &MobileNetV2 {
        &self.front
    }

    /// The 1×1 convolution behind them.
    #[must_use]
    pub fn reduce(&self) -> &Convolution {
        &self.reduce
    }

    /// Runs the network on `crops` and shows `observe` what each convolution gives, as
    /// [`MobileNetV2::observe`] does; that of the last is called `landmarks.0`.
    ///
    /// # Errors
    /// When the crops have other extents.
    pub fn observe(&self, crops: &Tensor, observe: &mut dyn FnMut(&str, &Tensor)) -> Result<()> {
        let mut last = None;
        self.front.observe(crops, &mut |name, map| {
            observe(name, map);
            last = Some(map.clone());
        })?;
        if let Some(map) = last {
            observe("landmarks.0", &self.reduce.forward(&map)?);
        }
        Ok(())
    }
}
