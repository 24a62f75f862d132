//! The row kernels in plain Rust: what the others are compared with, and what CPUs without kernels of their
//! own run.

use super::kernels::RowKernels;
use super::layout::{RowWeights, Rows, Span};
use super::samples::{EightPairs, FRACTION_BITS, Factors, PAIRS, ROUND, Samples};

/// Plain kernels. They run on every CPU.
#[derive(Debug)]
pub(super) struct Portable;

impl RowKernels for Portable {
    fn sum_of_rows(&self, rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]) {
        sum_of_rows(rows, span, weights, line, 0);
    }

    fn sums_of_pixels(
        &self,
        line: &[u8],
        first: usize,
        spans: &[Span],
        weights: RowWeights<'_>,
        target: &mut [u8],
    ) {
        for (span, to) in spans.iter().zip(target.chunks_exact_mut(3)) {
            let mut sums = [1 << weights.shift >> 1; 3];
            let pixels = line[3 * (span.start - first)..3 * (span.end - first)].chunks_exact(3);
            for (&weight, pixel) in weights.values[span.first..].iter().zip(pixels) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * i32::from(weight);
                }
            }
            for (to, sum) in to.iter_mut().zip(sums) {
                *to = (sum >> weights.shift).clamp(0, 255) as u8;
            }
        }
    }

    fn convert_eights(
        &self,
        factors: &Factors,
        samples: &Samples<'_>,
        first: usize,
        chunks: &mut [EightPairs],
    ) {
        convert_eights(factors, samples, first, chunks);
    }
}

/// As [`RowKernels::sum_of_rows`], from byte `from` of the line on.
pub(super) fn sum_of_rows(rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8], from: usize) {
    for (place, to) in line.iter_mut().enumerate().skip(from) {
        let mut sum = 1 << weights.shift >> 1;
        let values = &weights.values[..span.end - span.start];
        for (&weight, row) in values.iter().zip(rows.from(span.start)) {
            sum += i32::from(row[place]) * i32::from(weight);
        }
        *to = (sum >> weights.shift).clamp(0, 255) as u8;
    }
}

/// As [`RowKernels::convert_eights`], in loops that compilers vectorise for NEON.
pub(super) fn convert_eights(
    factors: &Factors,
    samples: &Samples<'_>,
    first: usize,
    chunks: &mut [EightPairs],
) {
    for (index, rgb) in chunks.iter_mut().enumerate() {
        let Some([y0, cb, y1, cr]) = samples.eight(first + PAIRS * index) else { return };
        let mut planes = [[0u8; 2 * PAIRS]; 3];
        let mut chroma = [[0i32; PAIRS]; 3];
        for i in 0..PAIRS {
            let (cb, cr) = (i32::from(cb[i]) - 128, i32::from(cr[i]) - 128);
            chroma[0][i] = factors.red_from_cr * cr + ROUND;
            chroma[1][i] = factors.green_from_cb * cb + factors.green_from_cr * cr + ROUND;
            chroma[2][i] = factors.blue_from_cb * cb + ROUND;
        }
        for (plane, chroma) in planes.iter_mut().zip(&chroma) {
            let (mut even, mut odd) = ([0u8; PAIRS], [0u8; PAIRS]);
            for i in 0..PAIRS {
                let luma = (i32::from(y0[i]) - factors.luma_offset) * factors.luma;
                even[i] = ((luma + chroma[i]) >> FRACTION_BITS).clamp(0, 255) as u8;
                let luma = (i32::from(y1[i]) - factors.luma_offset) * factors.luma;
                odd[i] = ((luma + chroma[i]) >> FRACTION_BITS).clamp(0, 255) as u8;
            }
            for i in 0..PAIRS {
                plane[2 * i] = even[i];
                plane[2 * i + 1] = odd[i];
            }
        }
        for i in 0..2 * PAIRS {
            rgb[3 * i] = planes[0][i];
            rgb[3 * i + 1] = planes[1][i];
            rgb[3 * i + 2] = planes[2][i];
        }
    }
}
