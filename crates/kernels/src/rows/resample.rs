//! The two passes of resampling: rows are added up first, then the pixels of the resulting row.

use super::dispatch::fastest;
use super::layout::{RowWeights, Rows, Span};

/// Adds up rows: byte `x` of `line` becomes the weighted sum of byte `x` of the rows of `span`, rounded to
/// nearest and clamped to 0..=255.
///
/// The weights of the span are the first of `weights`; [`Span::first`] is not used.
///
/// # Panics
/// When a row is shorter than `line`, or there are fewer weights than rows.
pub fn sum_of_rows(rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]) {
    fastest().sum_of_rows(rows, span, weights, line);
}

/// Adds up pixels: RGB pixel `i` of `target` becomes the weighted sum of the pixels of `spans[i]` in `line`,
/// each colour rounded to nearest and clamped to 0..=255.
///
/// `line` begins with pixel `first` and has [`PADDING`](super::PADDING) more bytes than its pixels. The
/// weights of a span are padded with zeros to a multiple of [`GROUP`](super::GROUP).
///
/// # Panics
/// When a span begins before `first`, or `line` or `weights` are too short for it.
pub fn sums_of_pixels(line: &[u8], first: usize, spans: &[Span], weights: RowWeights<'_>, target: &mut [u8]) {
    fastest().sums_of_pixels(line, first, spans, weights, target);
}

#[cfg(test)]
mod tests {
    use super::super::kernels::RowKernels as _;
    use super::super::layout::PADDING;
    use super::super::portable::Portable;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_cpus_kernels_give_the_portable_ones_bytes(
            bytes in prop::collection::vec(any::<u8>(), 2000), count in 1usize..12, start in 0usize..20,
            length in 1usize..120, values in prop::collection::vec(any::<i16>(), 12), shift in 7u32..15,
        ) {
            let rows = Rows { bytes: &bytes, stride: 130, count: 12 };
            let span = Span { start, end: start + count, first: 0 };
            let weights = RowWeights { values: &values, shift };
            let (mut line, mut expected) = (vec![1; length], vec![2; length]);
            sum_of_rows(rows, span, weights, &mut line);
            Portable.sum_of_rows(rows, span, weights, &mut expected);
            prop_assert_eq!(line, expected);

            // Spans that move on by half a pixel, the last one up to the end of the line.
            let mut values = values;
            values[count..].fill(0);
            let weights = RowWeights { values: &values, shift };
            let spans: Vec<Span> =
                (0..length).map(|x| Span { start: 3 + x / 2, end: 3 + x / 2 + count, first: 0 }).collect();
            let pixels = (length - 1) / 2 + count;
            let line = &bytes[..3 * pixels + PADDING];
            let (mut target, mut expected) = (vec![1; 3 * length], vec![2; 3 * length]);
            sums_of_pixels(line, 3, &spans, weights, &mut target);
            Portable.sums_of_pixels(line, 3, &spans, weights, &mut expected);
            prop_assert_eq!(target, expected);
        }
    }
}
