//! Converts Y′CbCr to RGB in fixed point, for the layouts that cameras deliver. [`super::picture`] checks the
//! lengths before it calls this; nothing here knows JPEG.
//!
//! With `Kr`, `Kb` the weights of red and blue in luma (ITU-R BT.601: 0.299, 0.114), `y` = (Y − 16) / 219 and
//! `b`, `r` = (Cb, Cr − 128) / 224 in limited range, or Y / 255 and (Cb, Cr − 128) / 255 in full range:
//!
//! ```text
//! R = 255 · (y + 2 (1 − Kr) r)
//! G = 255 · (y − 2 Kb (1 − Kb) / Kg · b − 2 Kr (1 − Kr) / Kg · r)       Kg = 1 − Kr − Kb
//! B = 255 · (y + 2 (1 − Kb) b)
//! ```
//!
//! (ITU-R BT.601-7 §2.5, BT.709-6 §3; the kernel's *Colorspaces* chapter of the V4L2 documentation.)

use maskwatch_kernels::rows::convert::{FRACTION_BITS, Factors, Samples, convert};

/// The weights of red, green and blue in luma (V4L2: `ycbcr_enc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matrix {
    /// ITU-R BT.601, the default of the USB Video Class and of JPEG.
    #[default]
    Bt601,
    /// ITU-R BT.709, high definition television.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
    /// SMPTE 240M.
    Smpte240m,
}

impl Matrix {
    /// The weights of red and blue in luma.
    #[must_use]
    pub const fn weights(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
            Self::Smpte240m => (0.212, 0.087),
        }
    }
}

/// The range of the values (V4L2: `quantization`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// Luma 16–235, chroma 16–240: V4L2's default for Y′CbCr outside JPEG.
    #[default]
    Limited,
    /// 0–255, as in JPEG.
    Full,
}

/// How colours are coded in a frame without compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Colours {
    /// The luma weights.
    pub matrix: Matrix,
    /// The range of values.
    pub range: Range,
}

/// The formula of this module with its five factors as 16.16 fixed-point numbers. Before rounding, results
/// differ from the formula by less than 0.01.
#[derive(Debug, Clone, Copy)]
pub struct Converter(Factors);

impl Converter {
    /// Computes the factors for one coding of colours.
    #[must_use]
    pub fn new(colours: Colours) -> Self {
        let (red, blue) = colours.matrix.weights();
        let green = 1.0 - red - blue;
        let (luma, chroma, luma_offset) = match colours.range {
            Range::Limited => (255.0 / 219.0, 255.0 / 224.0, 16),
            Range::Full => (1.0, 1.0, 0),
        };
        let fixed = |factor: f64| (factor * f64::from(1u32 << FRACTION_BITS)).round() as i32;
        Self(Factors {
            luma: fixed(luma),
            luma_offset,
            red_from_cr: fixed(2.0 * (1.0 - red) * chroma),
            green_from_cb: fixed(-2.0 * blue * (1.0 - blue) / green * chroma),
            green_from_cr: fixed(-2.0 * red * (1.0 - red) / green * chroma),
            blue_from_cb: fixed(2.0 * (1.0 - blue) * chroma),
        })
    }

    /// The converter that takes Cr for Cb and the other way round, and gives blue, green, red.
    pub(super) fn crossed(self) -> Self {
        let Self(factors) = self;
        Self(Factors {
            red_from_cr: factors.blue_from_cb,
            blue_from_cb: factors.red_from_cr,
            green_from_cb: factors.green_from_cr,
            green_from_cr: factors.green_from_cb,
            ..factors
        })
    }

    /// Converts one pixel.
    #[must_use]
    pub fn pixel(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        self.0.pixel(y, cb, cr)
    }

    /// Converts a row whose pixels share chroma in pairs, without its first `skip` pixels (0 or 1).
    pub(super) fn row(&self, samples: Samples<'_>, skip: usize, rgb: &mut [u8]) {
        convert(self.0, samples, skip, rgb);
    }

    /// Converts a row of grey values.
    pub(super) fn grey_row(&self, luma: &[u8], rgb: &mut [u8]) {
        for (&y, pixel) in luma.iter().zip(rgb.chunks_exact_mut(3)) {
            // Without chroma red, green and blue are the same.
            pixel.fill(self.pixel(y, 128, 128)[0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The module's formula, written down once more in plain floating point.
    fn formula(colours: Colours, y: u8, cb: u8, cr: u8) -> [f64; 3] {
        let (kr, kb) = colours.matrix.weights();
        let kg = 1.0 - kr - kb;
        let (y, cb, cr) = (f64::from(y), f64::from(cb), f64::from(cr));
        let (y, b, r) = match colours.range {
            Range::Limited => ((y - 16.0) / 219.0, (cb - 128.0) / 224.0, (cr - 128.0) / 224.0),
            Range::Full => (y / 255.0, (cb - 128.0) / 255.0, (cr - 128.0) / 255.0),
        };
        [
            255.0 * (y + 2.0 * (1.0 - kr) * r),
            255.0 * (y - 2.0 * kb * (1.0 - kb) / kg * b - 2.0 * kr * (1.0 - kr) / kg * r),
            255.0 * (y + 2.0 * (1.0 - kb) * b),
        ]
        .map(|value| value.clamp(0.0, 255.0))
    }

    fn all_colours() -> impl Iterator<Item = Colours> {
        [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m].into_iter().flat_map(|matrix| {
            [Range::Limited, Range::Full].into_iter().map(move |range| Colours { matrix, range })
        })
    }

    #[test]
    fn known_colours_come_out() {
        let limited = Converter::new(Colours::default());
        assert_eq!(limited.pixel(16, 128, 128), [0, 0, 0]);
        assert_eq!(limited.pixel(235, 128, 128), [255, 255, 255]);
        // 100 % colour bars of BT.601: red, green, blue.
        assert_eq!(limited.pixel(81, 90, 240), [254, 0, 0]);
        assert_eq!(limited.pixel(145, 54, 34), [0, 255, 1]);
        assert_eq!(limited.pixel(41, 240, 110), [0, 0, 255]);
        let full = Converter::new(Colours { range: Range::Full, ..Colours::default() });
        assert_eq!(full.pixel(0, 128, 128), [0, 0, 0]);
        assert_eq!(full.pixel(255, 128, 128), [255, 255, 255]);
        assert_eq!(full.pixel(76, 85, 255), [254, 0, 0]);
    }

    #[test]
    fn every_luma_and_a_grid_of_chroma_agree_with_the_formula() {
        for colours in all_colours() {
            let converter = Converter::new(colours);
            for y in 0..=255 {
                for cb in (0..=255).step_by(15) {
                    for cr in (0..=255).step_by(15) {
                        for (got, exact) in
                            converter.pixel(y, cb, cr).into_iter().zip(formula(colours, y, cb, cr))
                        {
                            assert!(
                                (f64::from(got) - exact).abs() <= 0.51,
                                "{colours:?} {y} {cb} {cr}: {got} for {exact}"
                            );
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_pixel_agrees_with_the_formula(y: u8, cb: u8, cr: u8) {
            for colours in all_colours() {
                let pixel = Converter::new(colours).pixel(y, cb, cr);
                for (got, exact) in pixel.into_iter().zip(formula(colours, y, cb, cr)) {
                    prop_assert!((f64::from(got) - exact).abs() <= 0.51);
                }
            }
        }
    }
}
