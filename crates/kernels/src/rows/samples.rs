//! Y′CbCr samples of a row, and the factors that turn them into RGB.

/// Bits behind the binary point of [`Factors`].
pub const FRACTION_BITS: u32 = 16;
/// One half, so that the shift by [`FRACTION_BITS`] rounds.
pub(super) const ROUND: i32 = 1 << (FRACTION_BITS - 1);

/// Pairs of pixels that are converted at once.
pub(super) const PAIRS: usize = 8;
/// One sample of each of eight pairs.
type EightSamples = [u8; PAIRS];
/// RGB of eight pairs of pixels.
pub(super) type EightPairs = [u8; 6 * PAIRS];

/// Factors of a conversion from Y′CbCr to RGB, as fixed-point numbers with 16 bits behind the binary point.
///
/// ITU-R BT.601 and BT.709, among others, define them.
#[derive(Debug, Clone, Copy)]
pub struct Factors {
    /// What one step of luma adds to each colour.
    pub luma: i32,
    /// Luma of black: 16 in limited range, 0 in full range.
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

impl Factors {
    /// RGB of one pixel.
    #[must_use]
    pub fn pixel(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let luma = (i32::from(y) - self.luma_offset) * self.luma + ROUND;
        [self.red_from_cr * cr, self.green_from_cb * cb + self.green_from_cr * cr, self.blue_from_cb * cb]
            .map(|chroma| ((luma + chroma) >> FRACTION_BITS).clamp(0, 255) as u8)
    }
}

/// The samples of a row of pixels. Two neighbours, a pair, share Cb and Cr.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// Packed 4:2:2: Y0, Cb, Y1, Cr.
    Yuyv(&'a [u8]),
    /// Packed 4:2:2: Cb, Y0, Cr, Y1.
    Uyvy(&'a [u8]),
    /// Luma; then Cb and Cr in turns.
    Interleaved(&'a [u8], &'a [u8]),
    /// Luma, Cb, Cr.
    Planar(&'a [u8], &'a [u8], &'a [u8]),
}

impl Samples<'_> {
    /// Eight pairs from pair `first` on, as Y0, Cb, Y1, Cr. `None` if the row has fewer.
    pub(super) fn eight(&self, first: usize) -> Option<[EightSamples; 4]> {
        let two = |luma: &[u8; 2 * PAIRS]| -> [EightSamples; 2] {
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

    /// Pair `index` as Y0, Cb, Y1, Cr. A last column without a partner is its own partner.
    pub(super) fn pair(&self, index: usize) -> Option<[u8; 4]> {
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
