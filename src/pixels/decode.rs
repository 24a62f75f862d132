//! Bytes → [`RgbImage`], with every length checked: frames as a camera or a pipe delivers them ([`frame`])
//! and whole picture files ([`picture`]). Broken, cut, empty and oversized input is an error, never a panic
//! and never a grey rest.

use std::io::Cursor;

use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::jpeg;
use super::picture::View;
use super::yuv::Colours;

/// No decoded picture may have more pixels than this (8192 × 8192): 192 MiB as RGB.
pub const MAX_PIXELS: u64 = 64 << 20;
/// What a decoder may allocate beside the picture itself, in bytes.
const MAX_ALLOCATION: u64 = 512 << 20;

/// An APP0 segment that says "Motion JPEG": behind it the decoder fills in the Huffman tables that such
/// frames leave out.
const MOTION_JPEG_MARK: &[u8] = &[0xFF, 0xE0, 0x00, 0x07, b'A', b'V', b'I', b'1', 0x00];

/// Why bytes did not become a picture. The texts fit behind "NAME: ".
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// No bytes at all.
    #[error("it is empty")]
    Empty,
    /// Neither JPEG nor PNG.
    #[error("it is neither a JPEG nor a PNG picture")]
    UnknownFormat,
    /// Width or height is 0.
    #[error("it has no pixels ({width}x{height})")]
    NoPixels {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// More than [`MAX_PIXELS`].
    #[error("it is too large ({width}x{height}; the limit is {} million pixels)", MAX_PIXELS / 1_000_000)]
    TooLarge {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The data ends before the picture does.
    #[error("it is cut off (the end of the JPEG picture is missing)")]
    CutOff,
    /// The decoder gave up.
    #[error("it is damaged ({0})")]
    Damaged(String),
    /// A frame without compression has fewer bytes than its size takes.
    #[error("the frame is short ({got} bytes, {width}x{height} {format} takes {needed})")]
    ShortFrame {
        /// Bytes that came.
        got: usize,
        /// Bytes that the format takes.
        needed: usize,
        /// Pixels across.
        width: u32,
        /// Pixels down.
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
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// A JPEG frame says that it is far larger than was agreed on: its header is damaged, or there is another
    /// camera.
    #[error("the frame is of another size ({width}x{height} instead of {}x{})", expected.0, expected.1)]
    OtherSize {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// Pixels across and down that were agreed on.
        expected: (u32, u32),
    },
    /// JPEG where pixels were expected.
    #[error("it is compressed and has to be decoded first")]
    Compressed,
    /// The distance between two rows is smaller than a row.
    #[error("rows of {stride} bytes cannot hold {width} pixels of {format}")]
    NarrowRows {
        /// Bytes from one row to the next.
        stride: usize,
        /// Pixels across.
        width: u32,
        /// The pixel format.
        format: PixelFormat,
    },
}

/// How the pixels of a frame lie in memory. The names shown are those of ffmpeg's `-pix_fmt`.
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
    /// Luma, then interleaved Cb Cr at half the width and height (V4L2 `NV12`).
    Nv12,
    /// Luma, then Cb, then Cr at half the width and height (I420, V4L2 `YU12`; what
    /// `rpicam-vid --codec yuv420` writes).
    Yuv420p,
    /// Luma alone (V4L2 `GREY`).
    Gray,
    /// Each frame is a JPEG picture.
    Mjpeg,
}

impl PixelFormat {
    /// All formats.
    pub const ALL: [Self; 8] = [
        Self::Rgb24,
        Self::Bgr24,
        Self::Yuyv422,
        Self::Uyvy422,
        Self::Nv12,
        Self::Yuv420p,
        Self::Gray,
        Self::Mjpeg,
    ];

    /// The name, as ffmpeg writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb24 => "rgb24",
            Self::Bgr24 => "bgr24",
            Self::Yuyv422 => "yuyv422",
            Self::Uyvy422 => "uyvy422",
            Self::Nv12 => "nv12",
            Self::Yuv420p => "yuv420p",
            Self::Gray => "gray",
            Self::Mjpeg => "mjpeg",
        }
    }
}

impl std::fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Everything that must be known about a frame to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFormat {
    /// The layout of the pixels.
    pub pixels: PixelFormat,
    /// Pixels across. MJPEG frames carry their own size: for them it is what was agreed on, or 0 where
    /// nothing was.
    pub width: u32,
    /// Pixels down (as `width`).
    pub height: u32,
    /// Bytes from one row to the next, in the luma plane where there are several; 0 where rows follow without
    /// a gap.
    pub stride: usize,
    /// How colours are coded, for the Y′CbCr formats.
    pub colours: Colours,
}

impl FrameFormat {
    /// Rows without gaps, BT.601 in limited range.
    #[must_use]
    pub fn new(pixels: PixelFormat, width: u32, height: u32) -> Self {
        Self { pixels, width, height, stride: 0, colours: Colours::default() }
    }

    /// The number of bytes that a frame takes; `None` for MJPEG, whose frames have no fixed length.
    ///
    /// # Errors
    /// For a size of 0 or above [`MAX_PIXELS`], and for rows that are too narrow.
    pub fn bytes(&self) -> Result<Option<usize>, PictureError> {
        if self.pixels == PixelFormat::Mjpeg {
            return Ok(None);
        }
        Ok(Some(self.layout()?.total))
    }

    pub(super) fn layout(&self) -> Result<Layout, PictureError> {
        let Self { pixels, width, height, .. } = *self;
        check_size(width, height)?;
        let (columns, rows) = (width as usize, height as usize);
        let pairs = columns.div_ceil(2);
        let row = match pixels {
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => columns * 3,
            PixelFormat::Yuyv422 | PixelFormat::Uyvy422 => pairs * 4,
            PixelFormat::Nv12 | PixelFormat::Yuv420p | PixelFormat::Gray => columns,
            PixelFormat::Mjpeg => return Err(PictureError::Compressed),
        };
        let stride = if self.stride == 0 { row } else { self.stride };
        // A row of 1 GiB is no camera's: this keeps the sums below far from overflow.
        if stride < row || stride > 1 << 30 {
            return Err(PictureError::NarrowRows { stride, width, format: pixels });
        }
        let chroma_rows = rows.div_ceil(2);
        let plane = stride.saturating_mul(rows);
        let total = match pixels {
            PixelFormat::Nv12 => {
                let chroma_stride = stride.next_multiple_of(2);
                plane.saturating_add(chroma_stride.saturating_mul(chroma_rows - 1)).saturating_add(pairs * 2)
            }
            PixelFormat::Yuv420p => {
                let chroma_stride = stride.div_ceil(2);
                plane.saturating_add(chroma_stride.saturating_mul(2 * chroma_rows - 1)).saturating_add(pairs)
            }
            // The gap behind the last row need not be there.
            _ => stride.saturating_mul(rows - 1).saturating_add(row),
        };
        Ok(Layout { row, stride, plane, total })
    }
}

/// Byte counts of a frame without compression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The pixels of one row, without the gap behind it.
    pub(super) row: usize,
    /// From one row to the next.
    pub(super) stride: usize,
    /// The first plane, with its gaps.
    pub(super) plane: usize,
    /// All that is read.
    pub(super) total: usize,
}

fn check_size(width: u32, height: u32) -> Result<(), PictureError> {
    if width == 0 || height == 0 {
        return Err(PictureError::NoPixels { width, height });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    Ok(())
}

/// One frame → RGB. `bytes` is what the device says it has filled; more than the frame takes is ignored.
///
/// # Errors
/// [`PictureError::ShortFrame`] for fewer bytes than the frame takes, what [`picture`] says of a bad JPEG
/// picture, and what [`FrameFormat::bytes`] says of an impossible format.
///
/// ```
/// use maskwatch::pixels::decode::{FrameFormat, PixelFormat, frame};
/// let picture = frame(&[16, 128, 235, 128], &FrameFormat::new(PixelFormat::Yuyv422, 2, 1)).unwrap();
/// assert_eq!(picture.as_raw(), &[0, 0, 0, 255, 255, 255]);
/// ```
pub fn frame(bytes: &[u8], format: &FrameFormat) -> Result<RgbImage, PictureError> {
    match format.pixels {
        PixelFormat::Mjpeg => jpeg_picture(bytes, (format.width, format.height)),
        _ => Ok(View::new(bytes, format)?.to_rgb()),
    }
}

/// A whole JPEG or PNG picture → RGB, turned upright as its EXIF data says. Transparency is dropped.
///
/// # Errors
/// One per kind of defect; see [`PictureError`].
pub fn picture(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    match reader.ok().and_then(|reader| reader.format()) {
        Some(ImageFormat::Jpeg) => jpeg_picture(bytes, (0, 0)),
        Some(ImageFormat::Png) => png_picture(bytes),
        _ => Err(PictureError::UnknownFormat),
    }
}

fn jpeg_picture(bytes: &[u8], expected: (u32, u32)) -> Result<RgbImage, PictureError> {
    let mut rgb = Vec::new();
    let (width, height) = jpeg_into(bytes, expected, &mut rgb)?;
    RgbImage::from_raw(width, height, rgb)
        .ok_or_else(|| PictureError::Damaged("its size is not what it says".to_owned()))
}

/// One JPEG picture → RGB in `rgb`, whose memory is used again; gives width and height. It is turned upright
/// as its EXIF data says. One that is much larger than `expected` is refused before it fills the memory,
/// unless that is 0.
///
/// # Errors
/// As [`picture`].
pub(super) fn jpeg_into(
    bytes: &[u8],
    expected: (u32, u32),
    rgb: &mut Vec<u8>,
) -> Result<(u32, u32), PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let marked =
        jpeg::lacks_huffman_tables(bytes).then(|| [&bytes[..2], MOTION_JPEG_MARK, &bytes[2..]].concat());
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let input = ZCursor::new(marked.as_deref().unwrap_or(bytes));
    let mut decoder = JpegDecoder::new_with_options(input, options);
    decoder.decode_headers().map_err(damaged_jpeg)?;
    // The decoder fills what is missing with grey and says nothing.
    if !jpeg::is_whole(bytes) {
        return Err(PictureError::CutOff);
    }
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let (width, height) = (width as u32, height as u32);
    check_size(width, height)?;
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    if area(expected) > 0 && area((width, height)) > 2 * area(expected) {
        return Err(PictureError::OtherSize { width, height, expected });
    }
    rgb.clear();
    rgb.resize(3 * width as usize * height as usize, 0);
    decoder.decode_into(rgb).map_err(damaged_jpeg)?;
    // A picture without (or with odd) EXIF data is taken as it lies.
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    match orientation.unwrap_or(Orientation::NoTransforms) {
        Orientation::NoTransforms => Ok((width, height)),
        orientation => {
            let picture = RgbImage::from_raw(width, height, std::mem::take(rgb)).unwrap_or_default();
            let mut picture = DynamicImage::ImageRgb8(picture);
            picture.apply_orientation(orientation);
            let dimensions = (picture.width(), picture.height());
            *rgb = picture.into_rgb8().into_raw();
            Ok(dimensions)
        }
    }
}

fn damaged_jpeg(error: DecodeErrors) -> PictureError {
    PictureError::Damaged(match error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => "it ends too early".to_owned(),
        DecodeErrors::Format(text) => text,
        DecodeErrors::FormatStatic(text) => text.to_owned(),
        error => format!("{error:?}"),
    })
}

fn png_picture(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    let mut decoder = PngDecoder::with_limits(Cursor::new(bytes), limits()).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_limits(limits()).map_err(damaged)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    limits
}

fn damaged(error: image::ImageError) -> PictureError {
    match error {
        image::ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Damaged("it ends too early".to_owned())
        }
        image::ImageError::Limits(_) => PictureError::Damaged("it takes too much memory".to_owned()),
        error => PictureError::Damaged(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
