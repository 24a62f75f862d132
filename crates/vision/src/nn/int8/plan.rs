//! How a unit runs at one size: extents of its maps, rows per step, and the memory that it takes.

use super::layers::{Finish, UnitLayers};
use maskwatch_kernels::int8::{GROUP, Kernels, maps};

/// Intended size of a ring in bytes. With the weights it fills about one core's share of a small second-level
/// cache.
const RING: usize = 96 << 10;
/// With fewer rows per member of a team, the members share a unit by channels instead of rows.
const ROWS_EACH: usize = 14;

/// Rows, columns and channels of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub rows: usize,
    pub columns: usize,
    pub channels: usize,
}

impl Extent {
    pub(super) fn bytes(self) -> usize {
        self.rows * self.columns * self.channels
    }
}

/// One unit at one input size.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnitPlan {
    /// What the unit reads.
    pub(super) input: Extent,
    /// What the depthwise convolution reads.
    pub(super) hidden: Extent,
    /// What the depthwise convolution writes.
    pub(super) convolved: Extent,
    /// What the unit writes.
    pub(super) output: Extent,
    /// Whether the members of the team share channels, not rows.
    pub(super) by_channels: bool,
    /// Rows of depthwise results per step.
    pub(super) step: usize,
    /// Rows that a ring has room for.
    pub(super) slots: usize,
    /// Channels of a ring.
    slice: usize,
}

impl UnitPlan {
    /// How `layers` run on a map of extent `input` with a team of `members`.
    pub(super) fn new(kernels: &dyn Kernels, layers: &UnitLayers, input: Extent, members: usize) -> Self {
        let shrink = |length: usize, stride: usize| length.div_ceil(stride);
        let channels = layers.depthwise.channels();
        let first = if layers.stem.is_some() { 2 } else { 1 };
        let hidden =
            Extent { rows: shrink(input.rows, first), columns: shrink(input.columns, first), channels };
        let convolved = Extent {
            rows: shrink(hidden.rows, layers.stride),
            columns: shrink(hidden.columns, layers.stride),
            channels,
        };
        let output = match &layers.finish {
            Finish::Plain | Finish::Real => convolved,
            Finish::MaxPool => Extent { rows: convolved.rows / 2, columns: convolved.columns / 2, channels },
            Finish::Project(layer) | Finish::ProjectAndAdd(layer, ..) => {
                Extent { channels: layer.outputs(), ..convolved }
            }
        };
        let by_channels =
            members > 1 && convolved.rows < members * ROWS_EACH && channels / GROUP >= 2 * members;
        let slice = if by_channels {
            channels.div_ceil(kernels.panel()).div_ceil(members) * kernels.panel()
        } else {
            channels
        };
        let row = (hidden.columns + 2) * slice;
        let fitting = (RING / row).saturating_sub(3) / layers.stride + 1;
        // Whole pairs of rows for the pooling, and no more rows than there are.
        let step = fitting.next_multiple_of(2).min(convolved.rows.next_multiple_of(2));
        let slots = (step - 1) * layers.stride + 3;
        Self { input, hidden, convolved, output, by_channels, step, slots, slice }
    }

    /// Bytes of a row of the ring, with its padding.
    pub(super) fn row(&self) -> usize {
        (self.hidden.columns + 2) * self.slice
    }

    /// Bytes of scratch memory per member: the pieces of a [`Ring`](super::ring::Ring) and, if it has its
    /// own, the results of a step.
    pub(super) fn scratch(&self, layers: &UnitLayers) -> usize {
        let stem =
            layers.stem.as_ref().map_or(0, |stem| self.hidden.columns * (maps::PATCH + stem.layer.outputs()));
        let own = if self.by_channels { 0 } else { self.results() };
        (self.slots + 1) * self.row() + stem + own + 8 * 64
    }

    /// Bytes of the depthwise results of one step.
    pub(super) fn results(&self) -> usize {
        self.step * self.convolved.columns * self.convolved.channels
    }

    /// Bytes of memory that the members share: the results of two steps, so that one can be read while the
    /// next is written.
    pub(super) fn shared(&self) -> usize {
        if self.by_channels { 2 * self.results() } else { 0 }
    }
}
