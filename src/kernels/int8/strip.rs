//! How a 1×1 convolution is cut up for registers: strips of neighbouring pixels, one panel of outputs each.

use super::pack::Pointwise;
use super::{Area, GROUP, Residual, Source, Target};
use std::ops::Range;

/// Neighbouring pixels and the panel that is computed of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip<'a> {
    pub(super) layer: &'a Pointwise,
    /// The panel; its outputs begin at `8 · group`.
    pub(super) group: usize,
    pub(super) pixels: usize,
    /// The first pixel's inputs, and bytes to the next pixel's.
    pub(super) input: *const i8,
    pub(super) input_pixel: usize,
    /// The first pixel's outputs of this panel, and bytes to the next pixel's.
    pub(super) output: *mut i8,
    pub(super) output_pixel: usize,
    /// What is added, from the first pixel on.
    pub(super) residual: Option<Residual>,
}

/// Calls `run` for the strips of an area: panels outside, so that a panel's weights stay in the first cache; rows that lie one behind the
/// other are one strip.
#[inline]
pub(super) fn strips<'a>(
    layer: &'a Pointwise,
    groups: Range<usize>,
    area: Area,
    source: Source,
    target: Target,
    residual: Option<&Residual>,
    run: impl Fn(&Strip<'a>),
) {
    let Area { mut rows, mut columns } = area;
    let joined = |pixel: usize, row: usize| row == columns * pixel;
    if joined(source.pixel, source.row) && joined(target.pixel, target.row) {
        (rows, columns) = (1, rows * columns);
    }
    for (index, group) in groups.enumerate() {
        for row in 0..rows {
            let at = row * target.row + index * GROUP;
            run(&Strip {
                layer,
                group,
                pixels: columns,
                input: source.start.wrapping_add(row * source.row).cast(),
                input_pixel: source.pixel,
                output: target.start.wrapping_add(at).cast(),
                output_pixel: target.pixel,
                residual: residual
                    .map(|residual| Residual { start: residual.start.wrapping_add(at), ..*residual }),
            });
        }
    }
}
