//! Decodes what sources deliver: frames of a camera or a command ([`frame`]) and whole picture files
//! ([`picture`]). Every length is checked. Input that is broken, cut off, empty or too large is an error; it
//! never panics and never gives a picture whose rest is grey.

use std::io::Cursor;

use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::buffer::{Bytes, Pool};
use super::format::{FrameFormat, PictureError, PixelFormat, check_size};
use super::jpeg;
use super::picture::{Picture, View};

/// What a decoder may allocate beside the picture itself, in bytes.
const MAX_ALLOCATION: u64 = 512 << 20;

/// An APP0 segment that says "Motion JPEG": it makes the decoder supply the Huffman tables that such frames
/// leave out.
const MOTION_JPEG_MARK: &[u8] = &[0xFF, 0xE0, 0x00, 0x07, b'A', b'V', b'I', b'1', 0x00];

/// Turns a frame that a source delivered as `bytes` in `format` into a picture. JPEG is decoded into memory
/// of `pool`; the bytes of any other format stay as they are.
///
/// # Errors
/// [`PictureError::ShortFrame`] for fewer bytes than the frame takes, the errors of [`picture`] for a bad
/// JPEG picture, and those of [`FrameFormat::bytes`] for an impossible format.
pub fn frame(bytes: Bytes, format: &FrameFormat, pool: &Pool) -> Result<Picture, PictureError> {
    if format.pixels != PixelFormat::Mjpeg {
        return Picture::new(bytes, format);
    }
    jpeg_frame(&bytes, format, pool)
}

fn jpeg_frame(bytes: &[u8], format: &FrameFormat, pool: &Pool) -> Result<Picture, PictureError> {
    let mut rgb = pool.take();
    let (width, height) = jpeg_into(bytes, (format.width, format.height), rgb.as_mut_vec())?;
    Picture::new(rgb, &FrameFormat::new(PixelFormat::Rgb24, width, height))
}

/// Converts one frame to 8-bit RGB. Bytes beyond those that the frame takes are ignored.
///
/// # Errors
/// As [`frame`].
///
/// ```
/// use maskwatch_vision::pixels::decode::frame_to_rgb;
/// use maskwatch_vision::pixels::format::{FrameFormat, PixelFormat};
/// let picture = frame_to_rgb(&[16, 128, 235, 128], &FrameFormat::new(PixelFormat::Yuyv422, 2, 1)).unwrap();
/// assert_eq!(picture.as_raw(), &[0, 0, 0, 255, 255, 255]);
/// ```
pub fn frame_to_rgb(bytes: &[u8], format: &FrameFormat) -> Result<RgbImage, PictureError> {
    match format.pixels {
        PixelFormat::Mjpeg => jpeg_picture(bytes, (format.width, format.height)),
        _ => Ok(View::new(bytes, format)?.to_rgb()),
    }
}

/// Decodes a whole JPEG or PNG picture to 8-bit RGB and turns it upright as its EXIF data says. Transparency
/// is dropped.
///
/// # Errors
/// [`PictureError`] names the defect.
pub fn picture(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    match reader.ok().and_then(|reader| reader.format()) {
        Some(ImageFormat::Jpeg) => jpeg_picture(bytes, (0, 0)),
        Some(ImageFormat::Png) => png_picture(bytes),
        _ => Err(other_format(bytes).map_or(PictureError::UnknownFormat, PictureError::OtherFormat)),
    }
}

/// What bytes that are neither JPEG nor PNG probably are.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    let brand = |brands: &[&[u8]]| {
        bytes.get(4..8) == Some(b"ftyp") && bytes.get(8..12).is_some_and(|brand| brands.contains(&brand))
    };
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("a WebP picture"),
        _ if brand(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"]) => {
            Some("a HEIC picture")
        }
        _ if brand(&[b"avif", b"avis"]) => Some("an AVIF picture"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("a video"),
        [b'G', b'I', b'F', b'8', ..] => Some("a GIF picture"),
        [b'B', b'M', ..] => Some("a BMP picture"),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some("a TIFF or raw picture"),
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some("a JPEG XL picture"),
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => Some("a JPEG 2000 picture"),
        _ => None,
    }
}

/// The width and height of a picture file that begins with `bytes`, as its header says.
#[must_use]
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    reader.into_dimensions().ok()
}

fn jpeg_picture(bytes: &[u8], expected: (u32, u32)) -> Result<RgbImage, PictureError> {
    let mut rgb = Vec::new();
    let (width, height) = jpeg_into(bytes, expected, &mut rgb)?;
    RgbImage::from_raw(width, height, rgb)
        .ok_or_else(|| PictureError::Damaged("its pixels do not fill its size".to_owned()))
}

/// Decodes a JPEG picture into `rgb`, whose memory is reused, and returns its width and height. It is turned
/// upright as its EXIF data says. A picture of more than twice the `expected` area is refused before it fills
/// the memory; an `expected` size of 0 allows any.
fn jpeg_into(bytes: &[u8], expected: (u32, u32), rgb: &mut Vec<u8>) -> Result<(u32, u32), PictureError> {
    let checked = check_jpeg(bytes, expected, &mut Vec::new())?;
    decode_checked(bytes, &checked, rgb)
}

/// Checks a JPEG picture as for [`jpeg_into`]. `means` gets what [`jpeg::check_with_means`] gives.
pub(super) fn check_jpeg(
    bytes: &[u8],
    expected: (u32, u32),
    means: &mut Vec<u8>,
) -> Result<jpeg::Checked, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let accept = |width, height| {
        check_size(width, height)?;
        let far_larger = area(expected) > 0 && area((width, height)) > 2 * area(expected);
        if far_larger { Err(PictureError::OtherSize { width, height, expected }) } else { Ok(()) }
    };
    let checked = jpeg::check_with_means(bytes, accept, means)?;
    refuse_misread(&checked)?;
    Ok(checked)
}

/// Decodes a JPEG picture that was `checked`, as [`jpeg_into`].
pub(super) fn decode_checked(
    bytes: &[u8],
    checked: &jpeg::Checked,
    rgb: &mut Vec<u8>,
) -> Result<(u32, u32), PictureError> {
    let bytes = &bytes[..checked.length];
    let marked = checked.lacks_huffman_tables.then(|| [&bytes[..2], MOTION_JPEG_MARK, &bytes[2..]].concat());
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let input = ZCursor::new(marked.as_deref().unwrap_or(bytes));
    let mut decoder = JpegDecoder::new_with_options(input, options);
    let (width, height) = (checked.width, checked.height);
    rgb.clear();
    rgb.resize(3 * width as usize * height as usize, 0);
    decoder.decode_into(rgb).map_err(damaged_jpeg)?;
    // Without EXIF data, or with damaged data, the picture is not turned.
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

/// Refuses the kinds of JPEG pictures for which the decoder gives other pixels, or panics. No camera is known
/// to send them.
fn refuse_misread(checked: &jpeg::Checked) -> Result<(), PictureError> {
    let [luma, chroma @ ..] = checked.samplings.as_slice() else { return Ok(()) };
    let unread = |what: &str| Err(PictureError::UnreadKind(what.to_owned()));
    if chroma.iter().any(|chroma| chroma.0 > luma.0 || chroma.1 > luma.1) {
        return unread("its brightness is coarser than its colour");
    }
    if checked.samplings.iter().any(|sampling| sampling.0 == 3 || sampling.1 == 3) {
        return unread("its sampling is in thirds");
    }
    if !checked.is_progressive && checked.scans > 1 {
        return unread("each colour component stands by itself");
    }
    Ok(())
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
mod kinds;
#[cfg(test)]
mod tests;
