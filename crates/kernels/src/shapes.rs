//! The layers of three networks as the int8 kernels run them, for tests and measurements of the kernels.
//!
//! The networks themselves are elsewhere; their tests compare these tables with the calls that an inference
//! makes.

/// One layer at one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerShape {
    /// What the layer does in its network: `stem`, `expand`, `depthwise`, `project` and the like.
    pub name: &'static str,
    /// What it computes.
    pub operation: Operation,
    /// Rows of the output.
    pub rows: usize,
    /// Columns of the output.
    pub columns: usize,
}

/// What a layer computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A 1×1 convolution.
    Pointwise {
        /// Inputs per pixel, before they are padded to a multiple of [`GROUP`](crate::int8::GROUP).
        inputs: usize,
        /// Outputs per pixel.
        outputs: usize,
        /// Whether the input of an inverted residual is added.
        residual: bool,
        /// Whether the output's rows lie apart: they go into a ring of rows with padding at both ends.
        apart: bool,
    },
    /// A depthwise 3×3 convolution.
    Depthwise {
        /// Channels of input and output.
        channels: usize,
        /// Pixels from a window to the next one, 1 or 2.
        stride: usize,
        /// Whether the results are real numbers.
        real: bool,
    },
}

impl LayerShape {
    /// Multiplications of a whole layer, without those of padded inputs.
    #[must_use]
    pub fn multiplications(&self) -> usize {
        let per_pixel = match self.operation {
            Operation::Pointwise { inputs, outputs, .. } => inputs * outputs,
            Operation::Depthwise { channels, .. } => 9 * channels,
        };
        self.rows * self.columns * per_pixel
    }
}

/// Rows and columns of a map, while layers are added.
type MapSize = [usize; 2];

fn pointwise(name: &'static str, size: MapSize, inputs: usize, outputs: usize) -> LayerShape {
    let operation = Operation::Pointwise { inputs, outputs, residual: false, apart: false };
    LayerShape { name, operation, rows: size[0], columns: size[1] }
}

/// A 1×1 convolution in front of a depthwise one.
fn expansion(name: &'static str, size: MapSize, inputs: usize, outputs: usize) -> LayerShape {
    let operation = Operation::Pointwise { inputs, outputs, residual: false, apart: true };
    LayerShape { name, operation, rows: size[0], columns: size[1] }
}

fn depthwise(size: MapSize, channels: usize, stride: usize, real: bool) -> LayerShape {
    let operation = Operation::Depthwise { channels, stride, real };
    LayerShape { name: "depthwise", operation, rows: size[0], columns: size[1] }
}

/// The inverted residuals of MobileNetV2 1.0 (Sandler et al. 2018, table 2,
/// <https://arxiv.org/abs/1801.04381>): expansion factor, outputs, repetitions, stride of the first
/// repetition.
pub const INVERTED_RESIDUALS: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// Taps of a first convolution over RGB, 3×3.
const STEM: usize = 27;

/// The stem and the first `count` inverted residuals of MobileNetV2 on pictures of `side` × `side` pixels;
/// with them, rows and columns of the last map.
fn inverted_residuals(side: usize, count: usize) -> (Vec<LayerShape>, MapSize) {
    let mut size = [side.div_ceil(2); 2];
    let mut layers = vec![expansion("stem", size, STEM, 32)];
    let repeated = INVERTED_RESIDUALS.iter().flat_map(|(factor, outputs, repetitions, stride)| {
        (0..*repetitions)
            .map(move |repetition| (*factor, *outputs, if repetition == 0 { *stride } else { 1 }))
    });
    let mut inputs = 32;
    for (factor, outputs, stride) in repeated.take(count) {
        let hidden = inputs * factor;
        if factor > 1 {
            layers.push(expansion("expand", size, inputs, hidden));
        }
        size = size.map(|length| length.div_ceil(stride));
        layers.push(depthwise(size, hidden, stride, false));
        let residual = stride == 1 && inputs == outputs;
        let operation = Operation::Pointwise { inputs: hidden, outputs, residual, apart: false };
        layers.push(LayerShape { name: "project", operation, rows: size[0], columns: size[1] });
        inputs = outputs;
    }
    (layers, size)
}

/// MobileNetV2 1.0 on pictures of `side` × `side` pixels, with a hidden layer of 128 outputs on its 1280
/// pooled features.
#[must_use]
pub fn mobilenet_v2(side: usize) -> Vec<LayerShape> {
    let (mut layers, size) = inverted_residuals(side, 17);
    layers.push(pointwise("last", size, 320, 1280));
    layers.push(pointwise("hidden", [1, 1], 1280, HIDDEN));
    layers
}

/// Outputs of the classifier's hidden layer.
const HIDDEN: usize = 128;

/// A network for the landmarks of a face on pictures of 96 × 96 pixels: the first 13 inverted residuals of
/// MobileNetV2 and a 1×1 convolution to 32 channels.
#[must_use]
pub fn landmarks() -> Vec<LayerShape> {
    let (mut layers, size) = inverted_residuals(96, 13);
    layers.push(pointwise("reduce", size, 96, 32));
    layers
}

/// YuNet-n (Wu, Peng & Yu 2023, <https://doi.org/10.1007/s11633-023-1423-y>) on pictures of `width` ×
/// `height` pixels, multiples of 32. The four parts of a level's head are one unit of 16 channels.
#[must_use]
pub fn yunet(width: usize, height: usize) -> Vec<LayerShape> {
    let mut size = [height / 2, width / 2];
    let mut layers = vec![expansion("stem", size, STEM, 16)];
    let mut unit = |size: MapSize, inputs: usize, outputs: usize, real: bool| {
        layers.push(expansion("pointwise", size, inputs, outputs));
        layers.push(depthwise(size, outputs, 1, real));
    };
    unit(size, 16, 16, false);
    size = size.map(|length| length / 2);
    for (inputs, outputs) in [(16, 16), (16, 64), (64, 64), (64, 64)] {
        unit(size, inputs, outputs, false);
    }
    for _level in 0..3 {
        size = size.map(|length| length / 2);
        // Two units of the backbone, one of the neck, one that the head's parts share, and the parts.
        for _ in 0..4 {
            unit(size, 64, 64, false);
        }
        unit(size, 64, 16, true);
    }
    layers
}
