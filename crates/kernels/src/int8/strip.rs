//! How a 1×1 convolution is cut up for Arm's registers: strips of pixels, one panel of outputs each.

use super::layers::Pointwise;
use super::layout::{Area, GROUP, Residual, SourceMap, TargetMap};
use std::ops::Range;

/// Rows of pixels and the panel of outputs that is computed for them.
#[derive(Debug, Clone, Copy)]
pub(super) struct PanelStrip<'a> {
    pub(super) layer: &'a Pointwise,
    /// Index of the panel; its outputs begin at `8 · group`.
    pub(super) group: usize,
    pub(super) area: Area,
    /// Where the inputs lie.
    pub(super) source: SourceMap,
    /// Where the outputs of this panel go.
    pub(super) target: TargetMap,
    /// What is added, from the first pixel's first output of this panel on.
    pub(super) residual: Option<Residual>,
}

impl PanelStrip<'_> {
    /// Whether all sums and results are small, with what is added; see [`Pointwise::small`].
    pub(super) fn small(&self) -> bool {
        self.layer.small() && self.residual.is_none_or(|residual| residual.multiplier.abs() <= 32.0)
    }
}

/// Calls `run` for each panel of `groups`: panels outside, pixels inside, so that a panel's weights stay in
/// the first cache. Rows without a gap between them become one row.
#[inline]
pub(super) fn strips<'a>(
    layer: &'a Pointwise,
    groups: Range<usize>,
    mut area: Area,
    source: SourceMap,
    target: TargetMap,
    residual: Option<&Residual>,
    run: impl Fn(&PanelStrip<'a>),
) {
    let joined = |pixel: usize, row: usize| row == area.columns * pixel;
    if joined(source.pixel, source.row) && joined(target.pixel, target.row) {
        area = Area { rows: 1, columns: area.rows * area.columns };
    }
    for (index, group) in groups.enumerate() {
        let at = index * GROUP;
        run(&PanelStrip {
            layer,
            group,
            area,
            source,
            target: TargetMap { start: target.start.wrapping_add(at), ..target },
            residual: residual
                .map(|residual| Residual { start: residual.start.wrapping_add(at), ..*residual }),
        });
    }
}
