//! Y′CbCr → RGB for rows whose pixels share chroma in pairs, eight pairs at a time.

use super::dispatch::fastest;
use super::samples::PAIRS;
pub use super::samples::{FRACTION_BITS, Factors, Samples};

/// Converts a row of pixels to RGB, from pixel `skip` (0 or 1) on: as many pixels as the row has and `rgb`
/// has room for.
pub fn convert(factors: Factors, samples: Samples<'_>, skip: usize, rgb: &mut [u8]) {
    let (first, rgb) = rgb.split_at_mut(if skip == 1 { rgb.len().min(3) } else { 0 });
    if let (Ok(first), Some([_, cb, y, cr])) = (<&mut [u8; 3]>::try_from(first), samples.pair(0)) {
        *first = factors.pixel(y, cb, cr);
    }
    let (chunks, _) = rgb.as_chunks_mut::<{ 6 * PAIRS }>();
    let done = chunks.len() * PAIRS;
    fastest().convert_eights(&factors, &samples, skip, chunks);
    for (index, pixels) in rgb.chunks_mut(6).enumerate().skip(done) {
        let Some([y0, cb, y1, cr]) = samples.pair(skip + index) else { return };
        for (pixel, y) in pixels.chunks_exact_mut(3).zip([y0, y1]) {
            pixel.copy_from_slice(&factors.pixel(y, cb, cr));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::portable;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_pixel_is_that_of_its_samples(
            bytes in prop::collection::vec(any::<u8>(), 400), width in 1usize..90, kind in 0usize..4, skip in 0usize..2,
            factors: [u16; 4],
        ) {
            let [luma, red, green, blue] = factors.map(|factor| i32::from(factor) * 3);
            let factors = Factors {
                luma, luma_offset: 16, red_from_cr: red, green_from_cb: -green, green_from_cr: -red / 2, blue_from_cb: blue,
            };
            let pairs = width.div_ceil(2);
            let (plane, rest) = bytes.split_at(if kind < 2 { 4 * pairs } else { width });
            let samples = match kind {
                0 => Samples::Yuyv(plane),
                1 => Samples::Uyvy(plane),
                2 => Samples::Interleaved(plane, &rest[..2 * pairs]),
                _ => Samples::Planar(plane, &rest[..pairs], &rest[pairs..2 * pairs]),
            };
            let expected = |x: usize| {
                let (y, cb, cr) = match kind {
                    0 => (plane[2 * x], plane[x / 2 * 4 + 1], plane[x / 2 * 4 + 3]),
                    1 => (plane[2 * x + 1], plane[x / 2 * 4], plane[x / 2 * 4 + 2]),
                    2 => (plane[x], rest[x / 2 * 2], rest[x / 2 * 2 + 1]),
                    _ => (plane[x], rest[x / 2], rest[pairs + x / 2]),
                };
                factors.pixel(y, cb, cr)
            };
            let skip = skip.min(width - 1);
            let mut rgb = vec![0; 3 * (width - skip)];
            convert(factors, samples, skip, &mut rgb);
            for (x, pixel) in rgb.chunks_exact(3).enumerate() {
                prop_assert_eq!(pixel, expected(skip + x), "pixel {} of {}", skip + x, width);
            }
            let mut portable = rgb.clone();
            let (chunks, _) = portable[3 * skip..].as_chunks_mut();
            portable::convert_eights(&factors, &samples, skip, chunks);
            prop_assert_eq!(portable, rgb);
        }
    }
}
