//! Translates V4L2's format codes and colour fields for [`crate::pixels`]. Pure.

use std::fmt;

use crate::pixels::format::{FrameFormat, PixelFormat};
use crate::pixels::yuv::{Colours, Matrix, Range};

/// A four-character code, the first character in the lowest byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FourCc(pub(super) u32);

impl FourCc {
    #[cfg(test)]
    pub(super) const fn new(text: &[u8; 4]) -> Self {
        Self(u32::from_le_bytes(*text))
    }

    /// The pixel format, if it can be decoded.
    pub(super) fn pixels(self) -> Option<PixelFormat> {
        match &self.0.to_le_bytes() {
            b"YUYV" => Some(PixelFormat::Yuyv422),
            b"UYVY" => Some(PixelFormat::Uyvy422),
            b"YVYU" => Some(PixelFormat::Yvyu422),
            b"NV12" => Some(PixelFormat::Nv12),
            b"NV21" => Some(PixelFormat::Nv21),
            b"YU12" => Some(PixelFormat::Yuv420p),
            b"YV12" => Some(PixelFormat::Yvu420p),
            b"GREY" => Some(PixelFormat::Gray),
            b"RGB3" => Some(PixelFormat::Rgb24),
            b"BGR3" => Some(PixelFormat::Bgr24),
            b"MJPG" | b"JPEG" => Some(PixelFormat::Mjpeg),
            _ => None,
        }
    }

    /// Whether this is raw sensor data with one colour of the Bayer filter per pixel: the codes of
    /// linux/videodev2.h and the compressed ones of the Raspberry Pi.
    pub(super) fn is_bayer(self) -> bool {
        const CODES: [&[u8; 4]; 48] = [
            b"BA81", b"GBRG", b"GRBG", b"RGGB", b"BG10", b"GB10", b"BA10", b"RG10", b"pBAA", b"pGAA",
            b"pgAA", b"pRAA", b"aBA8", b"aGA8", b"agA8", b"aRA8", b"bBA8", b"bGA8", b"BD10", b"bRA8",
            b"ip3b", b"ip3g", b"ip3G", b"ip3r", b"BG12", b"GB12", b"BA12", b"RG12", b"pBCC", b"pGCC",
            b"pgCC", b"pRCC", b"BG14", b"GB14", b"GR14", b"RG14", b"pBEE", b"pGEE", b"pgEE", b"pREE",
            b"BYR2", b"GB16", b"GR16", b"RG16", b"PC1B", b"PC1G", b"PC1g", b"PC1R",
        ];
        CODES.contains(&&self.0.to_le_bytes())
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.to_le_bytes() {
            // The top bit of the last byte marks big-endian variants.
            let c = char::from(byte & 0x7F);
            write!(f, "{}", if c.is_ascii_graphic() { c } else { '_' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The format that the driver has set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Negotiated {
    pub(super) fourcc: FourCc,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes per line; 0 for a format without lines.
    pub(super) stride: u32,
    pub(super) colorspace: u32,
    pub(super) encoding: u32,
    pub(super) quantization: u32,
}

impl Negotiated {
    /// How to read the frames; `None` if they cannot be read.
    pub(super) fn frame_format(&self) -> Option<FrameFormat> {
        let pixels = self.fourcc.pixels()?;
        let format = FrameFormat {
            pixels,
            width: self.width,
            height: self.height,
            stride: self.stride as usize,
            colours: colours(self.colorspace, self.encoding, self.quantization),
        };
        format.bytes().is_ok().then_some(format)
    }
}

/// The colours of Y′CbCr frames by V4L2's `colorspace`, `ycbcr_enc` and `quantization`, with the defaults of
/// `V4L2_MAP_YCBCR_ENC_DEFAULT` and `V4L2_MAP_QUANTIZATION_DEFAULT` in linux/videodev2.h. USB cameras state
/// sRGB and leave the rest to the default: BT.601 in limited range, as the USB Video Class prescribes.
pub(super) fn colours(colorspace: u32, encoding: u32, quantization: u32) -> Colours {
    const SMPTE240M: u32 = 2;
    const REC709: u32 = 3;
    const JPEG: u32 = 7;
    const BT2020: u32 = 10;
    const DCI_P3: u32 = 12;
    let matrix = match (encoding, colorspace) {
        // V4L2_YCBCR_ENC_601, XV601, SYCC; then 709, XV709; BT2020 and its constant luminance variant;
        // SMPTE240M.
        (1 | 3 | 5, _) => Matrix::Bt601,
        (2 | 4, _) | (_, REC709 | DCI_P3) => Matrix::Bt709,
        (6 | 7, _) | (_, BT2020) => Matrix::Bt2020,
        (8, _) | (_, SMPTE240M) => Matrix::Smpte240m,
        _ => Matrix::Bt601,
    };
    let range = match (quantization, colorspace) {
        // V4L2_QUANTIZATION_FULL_RANGE, LIM_RANGE.
        (1, _) => Range::Full,
        (2, _) => Range::Limited,
        (_, JPEG) => Range::Full,
        _ => Range::Limited,
    };
    Colours { matrix, range }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known() {
        assert_eq!(FourCc::new(b"YUYV").pixels(), Some(PixelFormat::Yuyv422));
        assert_eq!(FourCc::new(b"MJPG").pixels(), Some(PixelFormat::Mjpeg));
        assert_eq!(FourCc::new(b"YVYU").pixels(), Some(PixelFormat::Yvyu422));
        assert_eq!(FourCc::new(b"YV12").pixels(), Some(PixelFormat::Yvu420p));
        assert_eq!(FourCc::new(b"NV21").pixels(), Some(PixelFormat::Nv21));
        assert_eq!(FourCc::new(b"H264").pixels(), None);
        assert_eq!(FourCc::new(b"YUYV").to_string(), "YUYV");
        assert_eq!(FourCc::new(b"Y16 ").to_string(), "Y16_");
    }

    #[test]
    fn raw_sensor_formats_are_told_from_pictures() {
        for code in [b"RGGB", b"BA10", b"pgAA", b"pRCC", b"RG14", b"BYR2", b"PC1g"] {
            assert!(FourCc::new(code).is_bayer(), "{}", FourCc::new(code));
        }
        for code in [b"YUYV", b"GREY", b"RGB3", b"RGBP", b"BA24", b"AR12", b"RA12", b"Y10P", b"422P", b"MJPG"]
        {
            assert!(!FourCc::new(code).is_bayer(), "{}", FourCc::new(code));
        }
    }

    #[test]
    fn colour_fields_follow_the_kernels_defaults() {
        let is = |colorspace, encoding, quantization, matrix, range| {
            assert_eq!(colours(colorspace, encoding, quantization), Colours { matrix, range });
        };
        is(8, 0, 0, Matrix::Bt601, Range::Limited); // sRGB with defaults: a USB camera
        is(0, 0, 0, Matrix::Bt601, Range::Limited);
        is(7, 0, 0, Matrix::Bt601, Range::Full); // JPEG
        is(3, 0, 0, Matrix::Bt709, Range::Limited);
        is(3, 1, 1, Matrix::Bt601, Range::Full); // what is said beats the default
        is(8, 2, 0, Matrix::Bt709, Range::Limited);
        is(10, 0, 2, Matrix::Bt2020, Range::Limited);
        is(2, 0, 0, Matrix::Smpte240m, Range::Limited);
        is(7, 0, 2, Matrix::Bt601, Range::Limited);
        is(99, 99, 99, Matrix::Bt601, Range::Limited);
    }

    #[test]
    fn impossible_answers_of_a_driver_are_refused() {
        let sane = Negotiated {
            fourcc: FourCc::new(b"YUYV"),
            width: 640,
            height: 480,
            stride: 1280,
            colorspace: 8,
            encoding: 0,
            quantization: 0,
        };
        assert_eq!(sane.frame_format().unwrap().bytes().unwrap(), Some(640 * 480 * 2));
        assert!(Negotiated { stride: 640, ..sane }.frame_format().is_none());
        assert!(Negotiated { width: 0, ..sane }.frame_format().is_none());
        assert!(Negotiated { width: u32::MAX, height: u32::MAX, ..sane }.frame_format().is_none());
        assert!(Negotiated { fourcc: FourCc::new(b"H264"), ..sane }.frame_format().is_none());
    }
}
