//! Kernels on rows of 8-bit pixels: the two passes of resampling, and Y′CbCr → RGB. All instruction sets give
//! the same bytes: sums are exact integers.

#[cfg(target_arch = "x86_64")]
mod avx2;
pub mod convert;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

/// Rows in memory: row y begins at byte (y modulo `count`) × `stride`.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// All bytes of all rows.
    pub bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
    /// How many rows there are, at least 1.
    pub count: usize,
}

impl<'a> Rows<'a> {
    /// The rows from `y` on, cyclic; each slice runs to the buffer's end.
    #[inline]
    pub fn from(self, y: usize) -> impl Iterator<Item = &'a [u8]> {
        let mut place = y % self.count;
        std::iter::repeat_with(move || {
            let row = &self.bytes[place * self.stride..];
            place = if place + 1 == self.count { 0 } else { place + 1 };
            row
        })
    }
}

/// The source pixels `start..end` make one target pixel; their weights are `GROUP`s from `first` on.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The first source pixel.
    pub start: usize,
    /// One past the last source pixel.
    pub end: usize,
    /// Index of the first weight, in groups of [`GROUP`].
    pub first: usize,
}

/// The weights of a span are filled up with zeros to a multiple of this.
pub const GROUP: usize = 4;
/// So many bytes behind the pixels of a line are read, and count for nothing.
pub const PADDING: usize = 3 * GROUP + 4;

/// Weights as fixed point numbers with `shift` bits (at least 1) behind the point.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// All weights; a [`Span`] says which are its own.
    pub values: &'a [i16],
    /// Bits behind the point.
    pub shift: u32,
}

/// `line` becomes the weighted sum of the rows of `span`, which are at least as long.
pub fn sum_of_rows(rows: Rows<'_>, span: Span, weights: Weights<'_>, line: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has just said that it has AVX2.
        return unsafe { avx2::sum_of_rows(rows, span, weights, line) };
    }
    #[cfg(target_arch = "aarch64")]
    return neon::sum_of_rows(rows, span, weights, line);
    #[cfg(not(target_arch = "aarch64"))]
    portable::sum_of_rows(rows, span, weights, line, 0);
}

/// Each pixel of `target` becomes the weighted sum of the pixels of its span in `line`, which begins with
/// pixel `first` and has [`PADDING`] more bytes than its pixels.
pub fn sums_of_pixels(line: &[u8], first: usize, spans: &[Span], weights: Weights<'_>, target: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has just said that it has AVX2.
        return unsafe { avx2::sums_of_pixels(line, first, spans, weights, target) };
    }
    #[cfg(target_arch = "aarch64")]
    return neon::sums_of_pixels(line, first, spans, weights, target);
    #[cfg(not(target_arch = "aarch64"))]
    portable::sums_of_pixels(line, first, spans, weights, target);
}

#[cfg(test)]
mod tests {
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
            let weights = Weights { values: &values, shift };
            let (mut line, mut expected) = (vec![1; length], vec![2; length]);
            sum_of_rows(rows, span, weights, &mut line);
            portable::sum_of_rows(rows, span, weights, &mut expected, 0);
            prop_assert_eq!(line, expected);

            // Spans that move on by half a pixel, the last one up to the end of the line.
            let mut values = values;
            values[count..].fill(0);
            let weights = Weights { values: &values, shift };
            let spans: Vec<Span> =
                (0..length).map(|x| Span { start: 3 + x / 2, end: 3 + x / 2 + count, first: 0 }).collect();
            let pixels = (length - 1) / 2 + count;
            let line = &bytes[..3 * pixels + PADDING];
            let (mut target, mut expected) = (vec![1; 3 * length], vec![2; 3 * length]);
            sums_of_pixels(line, 3, &spans, weights, &mut target);
            portable::sums_of_pixels(line, 3, &spans, weights, &mut expected);
            prop_assert_eq!(target, expected);
        }
    }
}
