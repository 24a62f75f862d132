//! Y′CbCr → RGB for rows whose pixels share chroma in pairs, eight pairs at a time: plain loops, which the
//! compiler vectorises for NEON; x86-64, whose baseline lacks the multiplication, has its own for AVX2.

/// Bits behind the point of [`Factors`].
pub const FRACTION_BITS: u32 = 16;
pub(super) const ROUND: i32 = 1 << (FRACTION_BITS - 1);

/// The factors of the conversion, 16.16 fixed point numbers; BT.601, BT.709 and the
/// like say where they come from.
#[derive(Debug, Clone, Copy)]
pub struct Factors {
    /// What one step of luma adds to each colour.
    pub luma: i32,
    /// Subtracted from luma first: 16 in limited range, 0 in full range.
    pub luma_offset: i32,
    /// What one step of Cr above 128 adds to red.
    pub red_from_cr: i32,
    /// What one step of Cb above 128 adds to green.
    pub green_from_cb: i32,
    /// What one step of Cr above 128 adds to green.
    pub green_from_cr: i32,
    /// What one step of Cb above 128 adds to blue.
    pub blue_from_cb: i32,
}

/// Where the samples of a row lie.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// Packed 4:2:2: Y0, Cb, Y1, Cr.
    Yuyv(&'a [u8]),
    /// Packed 4:2:2: Cb, Y0, Cr, Y1.
    Uyvy(&'a [u8]),
    /// Luma, and Cb Cr in turns.
    Interleaved(&'a [u8], &'a [u8]),
    /// Luma, Cb, Cr.
    Planar(&'a [u8], &'a [u8], &'a [u8]),
}

const PAIRS: usize = 8;
type Eight = [u8; PAIRS];

impl Samples<'_> {
    /// Eight pairs from pair `first` on as Y0, Cb, Y1, Cr; none where the row has fewer.
    fn eight(&self, first: usize) -> Option<[Eight; 4]> {
        let two = |luma: &[u8; 2 * PAIRS]| -> [Eight; 2] {
            [std::array::from_fn(|i| luma[2 * i]), std::array::from_fn(|i| luma[2 * i + 1])]
        };
        match *self {
            Self::Yuyv(row) => {
                let four: &[u8; 4 * PAIRS] = row.get(4 * first..)?.first_chunk()?;
                Some(std::array::from_fn(|part| std::array::from_fn(|i| four[4 * i + part])))
            }
            Self::Uyvy(row) => {
                let four: &[u8; 4 * PAIRS] = row.get(4 * first..)?.first_chunk()?;
                Some(std::array::from_fn(|part| std::array::from_fn(|i| four[4 * i + (part ^ 1)])))
            }
            Self::Interleaved(luma, chroma) => {
                let [y0, y1] = two(luma.get(2 * first..)?.first_chunk()?);
                let [cb, cr] = two(chroma.get(2 * first..)?.first_chunk()?);
                Some([y0, cb, y1, cr])
            }
            Self::Planar(luma, cb, cr) => {
                let [y0, y1] = two(luma.get(2 * first..)?.first_chunk()?);
                Some([y0, *cb.get(first..)?.first_chunk()?, y1, *cr.get(first..)?.first_chunk()?])
            }
        }
    }

    /// Pair `index` as Y0, Cb, Y1, Cr; a last column without a partner stands for both.
    fn pair(&self, index: usize) -> Option<[u8; 4]> {
        let at = |plane: &[u8], place: usize| plane.get(place).copied();
        let partner = |luma: &[u8]| at(luma, 2 * index + 1).or_else(|| at(luma, 2 * index));
        Some(match *self {
            Self::Yuyv(row) => *row.get(4 * index..)?.first_chunk()?,
            Self::Uyvy(row) => {
                let [cb, y0, cr, y1] = *row.get(4 * index..)?.first_chunk()?;
                [y0, cb, y1, cr]
            }
            Self::Interleaved(luma, chroma) => {
                [at(luma, 2 * index)?, at(chroma, 2 * index)?, partner(luma)?, at(chroma, 2 * index + 1)?]
            }
            Self::Planar(luma, cb, cr) => {
                [at(luma, 2 * index)?, at(cb, index)?, partner(luma)?, at(cr, index)?]
            }
        })
    }
}

/// Writes the row's pixels without the first `skip` (0 or 1), as many as `rgb` has room for and the row has.
pub fn convert(factors: Factors, samples: Samples<'_>, skip: usize, rgb: &mut [u8]) {
    let (first, rgb) = rgb.split_at_mut(if skip == 1 { rgb.len().min(3) } else { 0 });
    if let (Ok(first), Some([_, cb, y, cr])) = (<&mut [u8; 3]>::try_from(first), samples.pair(0)) {
        *first = factors.pixel(y, cb, cr);
    }
    let (chunks, _) = rgb.as_chunks_mut::<{ 6 * PAIRS }>();
    let done = chunks.len() * PAIRS;
    convert_eights(factors, samples, skip, chunks);
    for (index, pixels) in rgb.chunks_mut(6).enumerate().skip(done) {
        let Some([y0, cb, y1, cr]) = samples.pair(skip + index) else { return };
        for (pixel, y) in pixels.chunks_exact_mut(3).zip([y0, y1]) {
            pixel.copy_from_slice(&factors.pixel(y, cb, cr));
        }
    }
}

fn convert_eights(factors: Factors, samples: Samples<'_>, first: usize, chunks: &mut [[u8; 6 * PAIRS]]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has just said that it has AVX2.
        return unsafe { super::avx2::convert_eights(factors, samples, first, chunks) };
    }
    eights(factors, samples, first, chunks);
}

fn eights(factors: Factors, samples: Samples<'_>, first: usize, chunks: &mut [[u8; 6 * PAIRS]]) {
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

impl Factors {
    /// One pixel.
    pub fn pixel(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let luma = (i32::from(y) - self.luma_offset) * self.luma + ROUND;
        [self.red_from_cr * cr, self.green_from_cb * cb + self.green_from_cr * cr, self.blue_from_cb * cb]
            .map(|chroma| ((luma + chroma) >> FRACTION_BITS).clamp(0, 255) as u8)
    }
}

#[cfg(test)]
mod tests {
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
            eights(factors, samples, skip, chunks);
            prop_assert_eq!(portable, rgb);
        }
    }
}
