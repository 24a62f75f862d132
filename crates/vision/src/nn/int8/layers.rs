//! The layers of a unit, of which quantized networks are made.

use maskwatch_kernels::int8::{Depthwise, Pointwise};

/// The first convolution of a network.
#[derive(Debug)]
pub(super) struct Stem {
    pub layer: Pointwise,
    /// The pixel beyond the picture's edges: the mean that the network was trained with.
    pub padding: [u8; 3],
}

/// The layers of a unit. There is a `stem` or an `expand` layer, or both.
#[derive(Debug)]
pub(super) struct UnitLayers {
    pub stem: Option<Stem>,
    pub expand: Option<Pointwise>,
    pub depthwise: Depthwise,
    pub stride: usize,
    pub finish: Finish,
    /// Zero point of the depthwise convolution's input.
    pub hidden_zero_point: u8,
}

/// What follows the depthwise convolution.
#[derive(Debug)]
pub(super) enum Finish {
    /// Nothing.
    Plain,
    /// Nothing, and the depthwise convolution's results are real numbers: the network's last layer.
    Real,
    /// The maximum of 2×2 values, stride 2.
    MaxPool,
    /// A 1×1 convolution.
    Project(Pointwise),
    /// A 1×1 convolution to whose results the unit's input is added, with a multiplier and a zero point as in
    /// [`Residual`](maskwatch_kernels::int8::Residual).
    ProjectAndAdd(Pointwise, f32, u8),
}
