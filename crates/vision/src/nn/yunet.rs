//! YuNet-n, the face detector (Wu, Peng & Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"): 74
//! thousand parameters, three strides, a box and five landmarks per cell. Batch norms are folded in its
//! weight files, also for training.

use super::convolution::{Convolution, ConvolutionKind};
use super::weights::Weights;
use super::{Mode, NetworkError};
use crate::nn::ops::{Activation, max_pool2, upsample2};
use candle_core::{D, Result, Tensor};

/// Pixels between neighbouring cells of the three levels.
pub const STRIDES: [usize; 3] = [8, 16, 32];
/// Height and width of an input must be multiples of this.
pub const MULTIPLE: usize = 32;
/// Values per cell and part of a level's output.
const PARTS: [(&str, usize); 4] = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];

/// The detector network.
pub struct YuNet {
    stem: Convolution,
    stages: [Vec<Separable>; 6],
    lateral: [Separable; 3],
    heads: [LevelHead; 3],
}

/// What one level says about each of its cells; all maps are `[N, rows, columns, values]`.
pub struct FeatureLevel {
    /// Pixels between neighbouring cells.
    pub stride: usize,
    /// Logit of "this is a face, not background"; 1 value.
    pub class: Tensor,
    /// Logit of "a box here fits well"; 1 value.
    pub objectness: Tensor,
    /// Box: centre relative to the cell's corner in cells, then logarithm of width and height in cells; 4
    /// values.
    pub boxes: Tensor,
    /// Landmarks relative to the cell's corner in cells, x and y of five points; 10 values.
    pub landmarks: Tensor,
}

/// Is shown what each convolution gives, under the name of its tensors.
pub type Observe<'a> = dyn FnMut(&str, &Tensor) + 'a;

/// 1×1 convolution, then depthwise 3×3.
struct Separable {
    name: String,
    layers: [Convolution; 2],
}

impl Separable {
    fn new(
        weights: &Weights,
        name: &str,
        (inputs, outputs): (usize, usize),
        activation: Activation,
        mode: Mode,
    ) -> std::result::Result<Self, NetworkError> {
        let pointwise = ConvolutionKind::Pointwise { inputs, outputs };
        let depthwise = ConvolutionKind::Depthwise { channels: outputs, stride: 1 };
        let layers = [
            Convolution::biased(weights, &format!("{name}.conv1"), pointwise, Activation::Identity, mode)?,
            Convolution::biased(weights, &format!("{name}.conv2"), depthwise, activation, mode)?,
        ];
        Ok(Self { name: name.to_owned(), layers })
    }

    fn forward(&self, map: &Tensor, observe: &mut Observe<'_>) -> Result<Tensor> {
        let between = self.layers[0].forward(map)?;
        observe(&format!("{}.conv1", self.name), &between);
        let map = self.layers[1].forward(&between)?;
        observe(&format!("{}.conv2", self.name), &map);
        Ok(map)
    }
}

struct LevelHead {
    shared: Separable,
    parts: [Separable; 4],
}

impl YuNet {
    /// The network made from the tensors of its weight file.
    ///
    /// # Errors
    /// When a tensor is missing or has other extents.
    pub fn new(weights: &Weights, mode: Mode) -> std::result::Result<Self, NetworkError> {
        let relu = Activation::Relu;
        let separable = |name: &str, channels| Separable::new(weights, name, channels, relu, mode);
        let stage = |model: usize, inputs: usize, middle: usize, outputs: usize| {
            Ok::<_, NetworkError>(vec![
                separable(&format!("backbone.model{model}.conv1"), (inputs, middle))?,
                separable(&format!("backbone.model{model}.conv2"), (middle, outputs))?,
            ])
        };
        let head = |level: usize| {
            let part = |index: usize| {
                let (part, values) = PARTS[index];
                let name = format!("head.multi_level_{part}.{level}");
                Separable::new(weights, &name, (64, values), Activation::Identity, mode)
            };
            let shared = separable(&format!("head.multi_level_share_convs.{level}.0"), (64, 64))?;
            Ok::<_, NetworkError>(LevelHead { shared, parts: [part(0)?, part(1)?, part(2)?, part(3)?] })
        };
        let lateral = |level: usize| separable(&format!("neck.lateral_convs.{level}"), (64, 64));
        let stem = ConvolutionKind::Full { inputs: 3, outputs: 16 };
        Ok(Self {
            stem: Convolution::biased(weights, "backbone.model0.conv1", stem, relu, mode)?,
            stages: [
                vec![separable("backbone.model0.conv2", (16, 16))?],
                stage(1, 16, 16, 64)?,
                stage(2, 64, 64, 64)?,
                stage(3, 64, 64, 64)?,
                stage(4, 64, 64, 64)?,
                stage(5, 64, 64, 64)?,
            ],
            lateral: [lateral(0)?, lateral(1)?, lateral(2)?],
            heads: [head(0)?, head(1)?, head(2)?],
        })
    }

    /// Runs the network on pictures `[N, H, W, 3]`, **BGR**, 0 to 255, H and W multiples of [`MULTIPLE`].
    ///
    /// # Errors
    /// When the pictures have other extents.
    pub fn forward(&self, pictures: &Tensor) -> Result<[FeatureLevel; 3]> {
        self.observe(pictures, &mut |_, _| {})
    }

    /// As [`YuNet::forward`], and shows `observe` what each of [`YuNet::convolutions`] gives, and the sums of
    /// the neck as `neck.sum.0` (stride 8) and `neck.sum.1` (stride 16).
    ///
    /// # Errors
    /// When the pictures have other extents.
    pub fn observe(&self, pictures: &Tensor, observe: &mut Observe<'_>) -> Result<[FeatureLevel; 3]> {
        let mut run = |map: Tensor, stage: &[Separable]| {
            stage.iter().try_fold(map, |map, layer| layer.forward(&map, observe))
        };
        let [first, second, third, fourth, fifth, sixth] = &self.stages;
        let stem = self.stem.forward(pictures)?;
        let map = run(stem.clone(), first)?;
        let map = run(max_pool2(&map)?, second)?;
        let map = run(map, third)?;
        let at_8 = run(max_pool2(&map)?, fourth)?;
        let at_16 = run(max_pool2(&at_8)?, fifth)?;
        let at_32 = run(max_pool2(&at_16)?, sixth)?;

        observe("backbone.model0.conv1", &stem);
        let at_32 = self.lateral[2].forward(&at_32, observe)?;
        let at_16 = (at_16 + upsample2(&at_32)?)?;
        observe("neck.sum.1", &at_16);
        let at_16 = self.lateral[1].forward(&at_16, observe)?;
        let at_8 = (at_8 + upsample2(&at_16)?)?;
        observe("neck.sum.0", &at_8);
        let at_8 = self.lateral[0].forward(&at_8, observe)?;
        let mut level = |index: usize, map: &Tensor| {
            let head = &self.heads[index];
            let map = head.shared.forward(map, observe)?;
            let [class, objectness, boxes, landmarks] = &head.parts;
            Ok::<_, candle_core::Error>(FeatureLevel {
                stride: STRIDES[index],
                class: class.forward(&map, observe)?,
                objectness: objectness.forward(&map, observe)?,
                boxes: boxes.forward(&map, observe)?,
                landmarks: landmarks.forward(&map, observe)?,
            })
        };
        Ok([level(0, &at_8)?, level(1, &at_16)?, level(2, &at_32)?])
    }

    /// All convolutions by the names of their tensors.
    pub fn convolutions(&self) -> impl Iterator<Item = (String, &Convolution)> {
        let heads = self.heads.iter().flat_map(|head| std::iter::once(&head.shared).chain(&head.parts));
        let separable = self.stages.iter().flatten().chain(&self.lateral).chain(heads);
        let stem = std::iter::once(("backbone.model0.conv1".to_owned(), &self.stem));
        stem.chain(separable.flat_map(|separable| {
            separable
                .layers
                .iter()
                .zip(["conv1", "conv2"])
                .map(|(layer, part)| (format!("{}.{part}", separable.name), layer))
        }))
    }
}

impl FeatureLevel {
    /// Score of each cell, `[N, rows, columns, 1]`: the geometric mean of the two probabilities, 0 to 1.
    ///
    /// # Errors
    /// When candle cannot compute it.
    pub fn scores(&self) -> Result<Tensor> {
        (candle_nn::ops::sigmoid(&self.class)? * candle_nn::ops::sigmoid(&self.objectness)?)?.sqrt()
    }

    /// Rows and columns of cells.
    ///
    /// # Errors
    /// Never for the outputs of [`YuNet::forward`].
    pub fn cells(&self) -> Result<(usize, usize)> {
        Ok((self.class.dim(D::Minus(3))?, self.class.dim(D::Minus2)?))
    }
}
