//! Which code computes a strip.

use crate::int8::strip::PanelStrip;

/// What decides which code computes a strip.
#[derive(Debug, Clone, Copy)]
pub(super) struct StripVariant {
    /// All sums and results are small; see [`PanelStrip::small`].
    pub(super) small: bool,
    /// The output's zero point is even.
    pub(super) even: bool,
    /// There is a residual.
    pub(super) add: bool,
}

impl StripVariant {
    pub(super) fn of(strip: &PanelStrip<'_>) -> Self {
        Self {
            small: strip.small(),
            even: strip.layer.zero_point().is_multiple_of(2),
            add: strip.residual.is_some(),
        }
    }
}
