//! YuNet-n, quantized. The four parts of a level's head are one unit of 16 channels.

use super::file::QuantizedWeights;
use super::layers::{Finish, UnitLayers};
use super::plan::Extent;
use super::prepared::Prepared;
use super::program::{MapId, Program, ReadFrom, Sum, WriteTo};
use super::reader::LayerReader;
use super::team::SharedTeam;
use crate::nn::NetworkError;
use crate::nn::yunet::STRIDES;
use maskwatch_kernels::int8::{Kernels, maps::Term};
use std::sync::Arc;

/// Tensors of the network that finds faces of any size: `detector.*`.
pub const DETECTOR: &str = "detector";
/// Tensors of the network that finds close faces at a small input: `close_detector.*`.
pub const CLOSE_DETECTOR: &str = "close_detector";

/// Values per cell: class, objectness, box (4), landmarks (10), as of [`crate::nn::yunet::FeatureLevel`].
pub const VALUES: usize = 16;
/// Units before the neck, in order: name, inputs, outputs, and whether a pooling is part of the unit.
pub const BACKBONE: [(&str, usize, usize, bool); 11] = [
    ("model0.conv2", 16, 16, true),
    ("model1.conv1", 16, 16, false),
    ("model1.conv2", 16, 64, false),
    ("model2.conv1", 64, 64, false),
    ("model2.conv2", 64, 64, true),
    ("model3.conv1", 64, 64, false),
    ("model3.conv2", 64, 64, false),
    ("model4.conv1", 64, 64, false),
    ("model4.conv2", 64, 64, false),
    ("model5.conv1", 64, 64, false),
    ("model5.conv2", 64, 64, false),
];

/// The units of the backbone whose maps the neck reads: strides 8, 16 and 32.
pub const LEVELS: [&str; 3] = ["model3.conv2", "model4.conv2", "model5.conv2"];

/// The layers, packed for the kernels of this CPU.
#[derive(Debug)]
pub struct YuNet {
    kernels: &'static dyn Kernels,
    backbone: Vec<Arc<UnitLayers>>,
    lateral: [Arc<UnitLayers>; 3],
    shared: [Arc<UnitLayers>; 3],
    parts: [Arc<UnitLayers>; 3],
    /// For the levels of stride 8 and 16.
    sums: [Sum; 2],
}

impl YuNet {
    /// The network made from the tensors `{network}.*`, of [`DETECTOR`] or [`CLOSE_DETECTOR`].
    ///
    /// # Errors
    /// When a tensor is missing or has other extents, or a layer cannot be packed.
    pub fn new(
        weights: &QuantizedWeights,
        network: &str,
        kernels: &'static dyn Kernels,
    ) -> Result<Self, NetworkError> {
        let layers = LayerReader { weights, kernels };
        let unit = |name: &str, (inputs, outputs): (usize, usize), stem, finish| {
            let (depthwise, hidden_zero_point) =
                layers.depthwise(&format!("{network}.{name}.depthwise"), outputs)?;
            let (expand, _) = layers.pointwise(&format!("{network}.{name}.pointwise"), inputs, outputs)?;
            let expand = Some(expand);
            let unit = UnitLayers { stem, expand, depthwise, stride: 1, finish, hidden_zero_point };
            Ok::<_, NetworkError>(Arc::new(unit))
        };
        let mut stem = Some(layers.stem(&format!("{network}.stem"), 16)?);
        let backbone = BACKBONE
            .iter()
            .map(|(name, inputs, outputs, pooled)| {
                let finish = if *pooled { Finish::MaxPool } else { Finish::Plain };
                unit(name, (*inputs, *outputs), stem.take(), finish)
            })
            .collect::<Result<_, _>>()?;
        let plain =
            |name: &str, level: usize| unit(&format!("{name}.{level}"), (64, 64), None, Finish::Plain);
        let parts = |level: usize| unit(&format!("head.{level}"), (64, VALUES), None, Finish::Real);
        let sum = |level: usize| {
            let multipliers = weights.reals(&format!("{network}.sum.{level}.multipliers"), &[2])?;
            let zero_points =
                |index: usize| weights.byte(&format!("{network}.sum.{level}.zero_point.{index}"));
            Ok::<_, NetworkError>(Sum {
                term: Term { multiplier: multipliers[0], zero_point: zero_points(0)? },
                half: Term { multiplier: multipliers[1], zero_point: zero_points(1)? },
                zero_point: zero_points(2)?,
            })
        };
        Ok(Self {
            kernels,
            backbone,
            lateral: [plain("lateral", 0)?, plain("lateral", 1)?, plain("lateral", 2)?],
            shared: [plain("shared", 0)?, plain("shared", 1)?, plain("shared", 2)?],
            parts: [parts(0)?, parts(1)?, parts(2)?],
            sums: [sum(0)?, sum(1)?],
        })
    }

    /// Name of the kernels.
    #[must_use]
    pub fn kernels(&self) -> &'static str {
        self.kernels.name()
    }
}

/// The quantized detector at one input size, with its memory.
pub struct QuantizedDetector {
    levels: [Cells; 3],
    prepared: Prepared,
}

/// Where the cells of one level are among the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    /// Pixels between neighbouring cells.
    pub stride: usize,
    /// Cells per row.
    pub columns: usize,
    /// Rows of cells.
    pub rows: usize,
    /// The first value of the first cell.
    start: usize,
}

// The maps of the program: two that take turns, and six that are read again later.
const TURNS: [MapId; 2] = [MapId(0), MapId(1)];
const LEVEL_MAPS: [MapId; 3] = [MapId(2), MapId(3), MapId(4)];
const LATERAL: [MapId; 3] = [MapId(5), MapId(6), MapId(7)];

impl QuantizedDetector {
    /// Prepares `network` for pictures of `width` × `height` pixels, multiples of 32.
    ///
    /// # Errors
    /// When candle cannot allocate the results.
    pub fn new(
        network: &YuNet,
        (width, height): (usize, usize),
        team: SharedTeam,
    ) -> Result<Self, NetworkError> {
        let mut program = Program::new(network.kernels, team.count());
        let mut extent = Extent { rows: height, columns: width, channels: 3 };
        let mut from = ReadFrom::Picture;
        let mut level_extents = Vec::new();
        for (index, (unit, (name, ..))) in network.backbone.iter().zip(BACKBONE).enumerate() {
            let level = LEVELS.iter().position(|last| *last == name);
            let to = level.map_or(TURNS[index % 2], |level| LEVEL_MAPS[level]);
            extent = program.unit(unit, extent, from, WriteTo::Map(to));
            from = ReadFrom::Map(to);
            if level.is_some() {
                level_extents.push(extent);
                if level_extents.len() < 3 {
                    let pooled = TURNS[index % 2];
                    extent = program.max_pool(extent, to, pooled);
                    from = ReadFrom::Map(pooled);
                }
            }
        }
        let mut length = 0;
        let mut levels = [Cells { stride: 0, columns: 0, rows: 0, start: 0 }; 3];
        for level in [2, 1, 0] {
            let extent = level_extents[level];
            let input = if level == 2 {
                LEVEL_MAPS[2]
            } else {
                let maps = (LEVEL_MAPS[level], LATERAL[level + 1]);
                program.upsample_add(extent, maps, TURNS[0], network.sums[level]);
                TURNS[0]
            };
            program.unit(&network.lateral[level], extent, ReadFrom::Map(input), WriteTo::Map(LATERAL[level]));
            program.unit(
                &network.shared[level],
                extent,
                ReadFrom::Map(LATERAL[level]),
                WriteTo::Map(TURNS[1]),
            );
            program.unit(&network.parts[level], extent, ReadFrom::Map(TURNS[1]), WriteTo::Results(length));
            let Extent { rows, columns, .. } = extent;
            levels[level] = Cells { stride: STRIDES[level], columns, rows, start: length };
            length += rows * columns * VALUES;
        }
        let prepared = Prepared::new("quantized YuNet", program, team, (width, height), length)?;
        Ok(Self { levels, prepared })
    }

    /// Runs the network on `picture`, RGB bytes `[height, width, 3]`, and calls `read` for each level with
    /// its cells, row by row, [`VALUES`] values each.
    ///
    /// # Errors
    /// When the picture has another length.
    pub fn run(&self, picture: &[u8], mut read: impl FnMut(&Cells, &[f32])) -> Result<(), NetworkError> {
        self.prepared.run(picture, |_, _, _| {})?;
        self.prepared.read(|values| {
            for cells in &self.levels {
                read(cells, &values[cells.start..][..cells.rows * cells.columns * VALUES]);
            }
        })
    }
}
