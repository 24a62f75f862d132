//! NEON on 32-bit Arm: four pixels' colours, or sixteen bytes of a row, per step, added up in 32 bits. In
//! assembly, for the reasons told in [`crate::assembly`].

mod convert;
mod resample;

use super::kernels::RowKernels;
use super::layout::{RowWeights, Rows, Span};
use super::samples::{EightPairs, Factors, Samples};
use crate::cpu::Neon;

impl RowKernels for Neon {
    fn sum_of_rows(&self, rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]) {
        // SAFETY: `self` proves the instructions.
        unsafe { resample::sum_of_rows(rows, span, weights, line) }
    }

    fn sums_of_pixels(
        &self,
        line: &[u8],
        first: usize,
        spans: &[Span],
        weights: RowWeights<'_>,
        target: &mut [u8],
    ) {
        // SAFETY: `self` proves the instructions.
        unsafe { resample::sums_of_pixels(line, first, spans, weights, target) }
    }

    fn convert_eights(
        &self,
        factors: &Factors,
        samples: &Samples<'_>,
        first: usize,
        chunks: &mut [EightPairs],
    ) {
        // SAFETY: `self` proves the instructions.
        unsafe { convert::convert_eights(factors, samples, first, chunks) }
    }
}
