//! The kernels in plain Rust: what the others are compared with, and what runs where there are no others.

use super::{Rows, Span, Weights};

/// From byte `from` of the line on.
pub(super) fn sum_of_rows(rows: Rows<'_>, span: Span, weights: Weights<'_>, line: &mut [u8], from: usize) {
    for (place, to) in line.iter_mut().enumerate().skip(from) {
        let mut sum = 1 << weights.shift >> 1;
        let values = &weights.values[..span.end - span.start];
        for (&weight, row) in values.iter().zip(rows.from(span.start)) {
            sum += i32::from(row[place]) * i32::from(weight);
        }
        *to = (sum >> weights.shift).clamp(0, 255) as u8;
    }
}

#[cfg(any(test, not(target_arch = "aarch64")))]
pub(super) fn sums_of_pixels(
    line: &[u8],
    first: usize,
    spans: &[Span],
    weights: Weights<'_>,
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
