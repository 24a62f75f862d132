//! How the pixels of a frame lie in memory, how large a frame may be, and what can be wrong with one. Nothing
//! here reads a pixel.

use super::yuv::Colours;
use crate::names::named;

/// No picture may have more pixels than this (8192 × 8192): 192 MiB as RGB.
pub const MAX_PIXELS: u64 = 64 << 20;

/// Why bytes are not a picture. The texts follow the name of a file or source: "NAME: it is empty".
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// There are no bytes.
    #[error("it is empty")]
    Empty,
    /// The bytes are neither JPEG nor PNG.
    #[error("it is neither a JPEG nor a PNG picture")]
    UnknownFormat,
    /// The bytes are a picture or video of this other kind.
    #[error(
        "it is {0}, and maskwatch reads JPEG and PNG; convert it, for example with `magick FILE FILE.jpg`"
    )]
    OtherFormat(&'static str),
    /// The file cannot be read.
    #[error("it cannot be read ({0})")]
    Unreadable(String),
    /// Width or height is 0.
    #[error("it has no pixels ({width}x{height})")]
    NoPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// There are more than [`MAX_PIXELS`] pixels.
    #[error("it is too large ({width}x{height}; the limit is {} million pixels)", MAX_PIXELS / 1_000_000)]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The data ends before the end of the picture.
    #[error("it is cut off (the end of the JPEG picture is missing)")]
    CutOff,
    /// The decoder reports damaged data.
    #[error("it is damaged ({0})")]
    Damaged(String),
    /// A JPEG picture of a kind that is not read.
    #[error("it is a kind of JPEG picture that maskwatch does not read ({0}); save it again as a usual one")]
    UnreadKind(String),
    /// A frame without compression has fewer bytes than its size takes.
    #[error("the frame is short ({got} bytes, {width}x{height} {format} takes {needed})")]
    ShortFrame {
        /// Bytes that came.
        got: usize,
        /// Bytes that the format takes.
        needed: usize,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The pixel format.
        format: PixelFormat,
    },
    /// A frame without compression has far more bytes than its size takes.
    #[error("the frame is of another size ({got} bytes, {width}x{height} takes {expected})")]
    LongFrame {
        /// Bytes that came.
        got: usize,
        /// Bytes that the format takes.
        expected: usize,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The header of a JPEG frame states a size far above the one agreed on: the header is damaged, or
    /// another camera sent it.
    #[error("the frame is of another size ({width}x{height} instead of {}x{})", expected.0, expected.1)]
    OtherSize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The width and height that were agreed on.
        expected: (u32, u32),
    },
    /// The bytes are JPEG where pixels were expected.
    #[error("it is compressed and has to be decoded first")]
    Compressed,
    /// The distance between two rows is smaller than a row.
    #[error("rows of {stride} bytes cannot hold {width} pixels of {format}")]
    NarrowRows {
        /// Bytes from one row to the next.
        stride: usize,
        /// Width in pixels.
        width: u32,
        /// The pixel format.
        format: PixelFormat,
    },
}

/// How the pixels of a frame lie in memory. The names are those of ffmpeg's `-pix_fmt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// R, G, B bytes.
    Rgb24,
    /// B, G, R bytes.
    Bgr24,
    /// Packed 4:2:2: Y0 Cb Y1 Cr (V4L2 `YUYV`).
    Yuyv422,
    /// Packed 4:2:2: Cb Y0 Cr Y1 (V4L2 `UYVY`).
    Uyvy422,
    /// Packed 4:2:2: Y0 Cr Y1 Cb (V4L2 `YVYU`).
    Yvyu422,
    /// Luma, then interleaved Cb Cr at half the width and height (V4L2 `NV12`).
    Nv12,
    /// As `Nv12`, but Cr before Cb (V4L2 `NV21`).
    Nv21,
    /// Luma, then Cb, then Cr at half the width and height (I420, V4L2 `YU12`; what
    /// `rpicam-vid --codec yuv420` writes).
    Yuv420p,
    /// As `Yuv420p`, but Cr before Cb (V4L2 `YV12`; ffmpeg has no name for it).
    Yvu420p,
    /// Luma alone (V4L2 `GREY`).
    Gray,
    /// Each frame is a JPEG picture.
    Mjpeg,
}

named!(PixelFormat {
    Rgb24 => "rgb24",
    Bgr24 => "bgr24",
    Yuyv422 => "yuyv422",
    Uyvy422 => "uyvy422",
    Yvyu422 => "yvyu422",
    Nv12 => "nv12",
    Nv21 => "nv21",
    Yuv420p => "yuv420p",
    Yvu420p => "yvu420p",
    Gray => "gray",
    Mjpeg => "mjpeg",
});

impl std::fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// All that is needed to read the bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFormat {
    /// The layout of the pixels.
    pub pixels: PixelFormat,
    /// Width in pixels. MJPEG frames state their own size: for them this is the size agreed on, or 0 for any.
    pub width: u32,
    /// Height in pixels, as `width`.
    pub height: u32,
    /// Bytes from the start of one row to the start of the next, in the luma plane if there are several
    /// planes. 0 for rows without gaps.
    pub stride: usize,
    /// How the Y′CbCr formats code colours.
    pub colours: Colours,
}

impl FrameFormat {
    /// A format with rows without gaps, and colours by BT.601 in limited range.
    #[must_use]
    pub fn new(pixels: PixelFormat, width: u32, height: u32) -> Self {
        Self { pixels, width, height, stride: 0, colours: Colours::default() }
    }

    /// How many bytes a frame takes. `None` for MJPEG, whose frames have no fixed length.
    ///
    /// # Errors
    /// For a size of 0 or above [`MAX_PIXELS`], and for rows that are too narrow.
    pub fn bytes(&self) -> Result<Option<usize>, PictureError> {
        if self.pixels == PixelFormat::Mjpeg {
            return Ok(None);
        }
        Ok(Some(self.layout()?.total))
    }

    /// As [`bytes`](Self::bytes), with the gap behind the last row, which a stream of frames has.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn bytes_in_stream(&self) -> Result<Option<usize>, PictureError> {
        if self.pixels == PixelFormat::Mjpeg {
            return Ok(None);
        }
        Ok(Some(self.layout()?.padded))
    }

    pub(super) fn layout(&self) -> Result<Layout, PictureError> {
        let Self { pixels, width, height, .. } = *self;
        check_size(width, height)?;
        let (columns, rows) = (width as usize, height as usize);
        let pairs = columns.div_ceil(2);
        let row = match pixels {
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => columns * 3,
            PixelFormat::Yuyv422 | PixelFormat::Uyvy422 | PixelFormat::Yvyu422 => pairs * 4,
            PixelFormat::Nv12
            | PixelFormat::Nv21
            | PixelFormat::Yuv420p
            | PixelFormat::Yvu420p
            | PixelFormat::Gray => columns,
            PixelFormat::Mjpeg => return Err(PictureError::Compressed),
        };
        let stride = if self.stride == 0 { row } else { self.stride };
        // No camera has rows of 1 GiB; the limit keeps the sums below far from overflow.
        if stride < row || stride > 1 << 30 {
            return Err(PictureError::NarrowRows { stride, width, format: pixels });
        }
        let chroma_rows = rows.div_ceil(2);
        let plane = stride.saturating_mul(rows);
        // The first planes, the distance of two rows behind them, the number of these rows, and the pixels of
        // the last one, which may lack its gap.
        let (before, distance, behind, last) = match pixels {
            PixelFormat::Nv12 | PixelFormat::Nv21 => {
                (plane, stride.next_multiple_of(2), chroma_rows, pairs * 2)
            }
            PixelFormat::Yuv420p | PixelFormat::Yvu420p => {
                (plane, stride.div_ceil(2), 2 * chroma_rows, pairs)
            }
            _ => (0, stride, rows, row),
        };
        let total = before.saturating_add(distance.saturating_mul(behind - 1)).saturating_add(last);
        let padded = before.saturating_add(distance.saturating_mul(behind));
        Ok(Layout { row, stride, plane, total, padded })
    }
}

/// Byte counts of a frame without compression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Pixels of one row, without its gap.
    pub(super) row: usize,
    /// Distance of two rows.
    pub(super) stride: usize,
    /// The first plane, with its gaps.
    pub(super) plane: usize,
    /// The whole frame, without the gap behind its last row.
    pub(super) total: usize,
    /// The whole frame with that gap.
    pub(super) padded: usize,
}

/// Refuses pictures without pixels and those that are too large.
///
/// # Errors
/// [`PictureError::NoPixels`] or [`PictureError::TooLarge`].
pub(super) fn check_size(width: u32, height: u32) -> Result<(), PictureError> {
    if width == 0 || height == 0 {
        return Err(PictureError::NoPixels { width, height });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    Ok(())
}
