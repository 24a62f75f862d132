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

/// What kernels tell apart before they begin with a strip.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// All sums and results are small: see [`Pointwise::small`].
    pub(super) small: bool,
    /// The output's zero point is even.
    pub(super) even: bool,
    /// There is a residual.
    pub(super) add: bool,
}

impl Strip<'_> {
    pub(super) fn kind(&self) -> Kind {
        let small_residual = self.residual.is_none_or(|residual| residual.multiplier.abs() <= 32.0);
        Kind {
            small: self.layer.small() && small_residual,
            even: self.layer.zero_point().is_multiple_of(2),
            add: self.residual.is_some(),
        }
    }
}

/// Calls `run` for the panels of `groups`, so that a panel's weights stay in the first cache. Rows that lie
/// one behind the other are one row.
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
