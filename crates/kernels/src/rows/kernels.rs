//! The trait that each instruction set implements.

use super::layout::{RowWeights, Rows, Span};
use super::samples::{EightPairs, Factors, Samples};

/// The row kernels of one instruction set. All give the same bytes, since sums are exact integers.
pub(super) trait RowKernels: std::fmt::Debug + Send + Sync {
    /// See [`sum_of_rows`](super::sum_of_rows).
    fn sum_of_rows(&self, rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]);

    /// See [`sums_of_pixels`](super::sums_of_pixels).
    fn sums_of_pixels(
        &self,
        line: &[u8],
        first: usize,
        spans: &[Span],
        weights: RowWeights<'_>,
        target: &mut [u8],
    );

    /// Converts eight pairs per chunk, from pair `first` on, and stops where the row does.
    fn convert_eights(
        &self,
        factors: &Factors,
        samples: &Samples<'_>,
        first: usize,
        chunks: &mut [EightPairs],
    );
}
