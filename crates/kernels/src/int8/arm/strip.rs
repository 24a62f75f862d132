//! How a 1×1 convolution is cut up for registers: strips of pixels, one panel of outputs each.

use crate::int8::layers::Pointwise;
use crate::int8::layout::{Area, GROUP, Residual, SourceMap, TargetMap};
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

/// What decides which code computes a strip.
#[derive(Debug, Clone, Copy)]
pub(super) struct StripVariant {
    /// All sums and results are small; see [`Pointwise::small`].
    pub(super) small: bool,
    /// The output's zero point is even.
    pub(super) even: bool,
    /// There is a residual.
    pub(super) add: bool,
}

impl PanelStrip<'_> {
    pub(super) fn variant(&self) -> StripVariant {
        let small_residual = self.residual.is_none_or(|residual| residual.multiplier.abs() <= 32.0);
        StripVariant {
            small: self.layer.small() && small_residual,
            even: self.layer.zero_point().is_multiple_of(2),
            add: self.residual.is_some(),
        }
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
