//! How a 1×1 convolution is cut up for registers: one panel of outputs at a time, of rows of pixels.

use super::pack::Pointwise;
use super::{Area, GROUP, Residual, Source, Target};
use std::ops::Range;

/// Rows of pixels and the panel of outputs that is computed of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip<'a> {
    pub(super) layer: &'a Pointwise,
    /// The panel; its outputs begin at `8 · group`.
    pub(super) group: usize,
    pub(super) area: Area,
    /// The pixels' inputs.
    pub(super) source: Source,
    /// The pixels' outputs of this panel.
    pub(super) target: Target,
    /// What is added, from the first pixel's first output of this panel on.
    pub(super) residual: Option<Residual>,
}

/// Calls `run` for the panels of `groups`, so that a panel's weights stay in the first cache. Rows that lie one behind the other
/// are one row.
#[inline]
pub(super) fn strips<'a>(
    layer: &'a Pointwise,
    groups: Range<usize>,
    mut area: Area,
    source: Source,
    target: Target,
    residual: Option<&Residual>,
    run: impl Fn(&Strip<'a>),
) {
    let joined = |pixel: usize, row: usize| row == area.columns * pixel;
    if joined(source.pixel, source.row) && joined(target.pixel, target.row) {
        area = Area { rows: 1, columns: area.rows * area.columns };
    }
    for (index, group) in groups.enumerate() {
        let at = index * GROUP;
        run(&Strip {
            layer,
            group,
            area,
            source,
            target: Target { start: target.start.wrapping_add(at), ..target },
            residual: residual
                .map(|residual| Residual { start: residual.start.wrapping_add(at), ..*residual }),
        });
    }
}
