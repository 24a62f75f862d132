use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb};
use proptest::prelude::*;

use super::*;
use crate::pixels::yuv::{Converter, Matrix, Range};

/// A smooth picture, so that JPEG keeps it.
fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let right = (x * 255 / width.max(2)) as u8;
        let down = (y * 255 / height.max(2)) as u8;
        Rgb([right, down, 255 - right])
    })
}

fn jpeg_bytes(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 92).encode_image(picture).unwrap();
    bytes
}

fn png_bytes(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// The bytes of a JPEG picture without the segments of one marker.
fn without_segments(bytes: &[u8], marker: u8) -> Vec<u8> {
    let mut kept = bytes[..2].to_vec();
    let mut rest = &bytes[2..];
    while rest[1] != 0xDA {
        let end = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[1] != marker {
            kept.extend_from_slice(&rest[..end]);
        }
        rest = &rest[end..];
    }
    kept.extend_from_slice(rest);
    kept
}

/// A JPEG picture with an EXIF block that has nothing but an orientation.
fn with_orientation(bytes: &[u8], orientation: u8) -> Vec<u8> {
    let exif: &[u8] = &[
        b'E',
        b'x',
        b'i',
        b'f',
        0,
        0,
        b'M',
        b'M',
        0,
        42,
        0,
        0,
        0,
        8,
        0,
        1,
        0x01,
        0x12,
        0,
        3,
        0,
        0,
        0,
        1,
        0,
        orientation,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    let mut out = vec![0xFF, 0xD8, 0xFF, 0xE1, 0, exif.len() as u8 + 2];
    out.extend_from_slice(exif);
    out.extend_from_slice(&bytes[2..]);
    out
}

fn format(pixels: PixelFormat, width: u32, height: u32, stride: usize) -> FrameFormat {
    FrameFormat { stride, ..FrameFormat::new(pixels, width, height) }
}

/// The three samples of pixel (x, y), by the plainest indexing there is.
fn sample(bytes: &[u8], format: &FrameFormat, x: usize, y: usize) -> (u8, u8, u8) {
    let (width, height) = (format.width as usize, format.height as usize);
    let even = width.next_multiple_of(2);
    let tight = match format.pixels {
        PixelFormat::Yuyv422 | PixelFormat::Uyvy422 | PixelFormat::Yvyu422 => even * 2,
        _ => width,
    };
    let stride = if format.stride == 0 { tight } else { format.stride };
    let pair = x / 2;
    match format.pixels {
        PixelFormat::Yuyv422 => {
            (bytes[y * stride + x * 2], bytes[y * stride + pair * 4 + 1], bytes[y * stride + pair * 4 + 3])
        }
        PixelFormat::Uyvy422 => {
            (bytes[y * stride + x * 2 + 1], bytes[y * stride + pair * 4], bytes[y * stride + pair * 4 + 2])
        }
        PixelFormat::Yvyu422 => {
            (bytes[y * stride + x * 2], bytes[y * stride + pair * 4 + 3], bytes[y * stride + pair * 4 + 1])
        }
        PixelFormat::Nv12 => {
            let chroma = stride * height + y / 2 * stride.next_multiple_of(2) + pair * 2;
            (bytes[y * stride + x], bytes[chroma], bytes[chroma + 1])
        }
        PixelFormat::Nv21 => {
            let chroma = stride * height + y / 2 * stride.next_multiple_of(2) + pair * 2;
            (bytes[y * stride + x], bytes[chroma + 1], bytes[chroma])
        }
        PixelFormat::Yvu420p => {
            let chroma_stride = stride.div_ceil(2);
            let cr = stride * height + y / 2 * chroma_stride + pair;
            (bytes[y * stride + x], bytes[cr + chroma_stride * height.div_ceil(2)], bytes[cr])
        }
        PixelFormat::Yuv420p => {
            let chroma_stride = stride.div_ceil(2);
            let cb = stride * height + y / 2 * chroma_stride + pair;
            (bytes[y * stride + x], bytes[cb], bytes[cb + chroma_stride * height.div_ceil(2)])
        }
        _ => (bytes[y * stride + x], 128, 128),
    }
}

fn yuv_formats() -> impl Strategy<Value = PixelFormat> {
    prop::sample::select(vec![
        PixelFormat::Yuyv422,
        PixelFormat::Uyvy422,
        PixelFormat::Yvyu422,
        PixelFormat::Nv12,
        PixelFormat::Nv21,
        PixelFormat::Yuv420p,
        PixelFormat::Yvu420p,
        PixelFormat::Gray,
    ])
}

proptest! {
    #[test]
    fn every_pixel_comes_from_its_samples(
        pixels in yuv_formats(), width in 1u32..12, height in 1u32..9, gap in prop::option::of(0usize..7), seed: u64,
    ) {
        let mut format = FrameFormat::new(pixels, width, height);
        format.colours.range = if seed % 2 == 0 { Range::Limited } else { Range::Full };
        format.colours.matrix = if seed % 3 == 0 { Matrix::Bt601 } else { Matrix::Bt709 };
        if let Some(gap) = gap {
            let packed = [PixelFormat::Yuyv422, PixelFormat::Uyvy422, PixelFormat::Yvyu422].contains(&pixels);
            format.stride = if packed { width.next_multiple_of(2) * 2 } else { width } as usize + gap;
        }
        let needed = format.bytes().unwrap().unwrap();
        let mut state = seed | 1;
        let bytes: Vec<u8> = (0..needed)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        let picture = frame_to_rgb(&bytes, &format).unwrap();
        let converter = Converter::new(format.colours);
        for (x, y, pixel) in picture.enumerate_pixels() {
            let (luma, cb, cr) = sample(&bytes, &format, x as usize, y as usize);
            prop_assert_eq!(pixel.0, converter.pixel(luma, cb, cr), "at {} {}", x, y);
        }
        let short = frame_to_rgb(&bytes[..needed - 1], &format);
        let told = matches!(short, Err(PictureError::ShortFrame { got, .. }) if got == needed - 1);
        prop_assert!(told);
    }

    #[test]
    fn no_bytes_make_a_frame_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0usize..PixelFormat::ALL.len(), width in 0u32..20, height in 0u32..20,
        stride in prop_oneof![Just(0usize), 0usize..80, Just(usize::MAX)],
    ) {
        let _ = frame_to_rgb(&bytes, &format(PixelFormat::ALL[kind], width, height, stride));
        let _ = frame_to_rgb(&bytes, &format(PixelFormat::ALL[kind], width << 27, height << 27, stride));
    }

    #[test]
    fn no_bytes_make_a_picture_panic(bytes: Vec<u8>) {
        prop_assert!(picture(&bytes).is_err());
    }

    #[test]
    fn damaged_pictures_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), png: bool,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let whole = if png { png_bytes(&gradient(33, 17)) } else { jpeg_bytes(&gradient(33, 17)) };
        let mut bytes = whole.clone();
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(whole.len()));
        }
        let _ = picture(&bytes);
    }
}

#[test]
fn rgb_orders() {
    let bytes = [1, 2, 3, 4, 5, 6, 9, 7, 8, 9, 10, 11, 12];
    let rgb = frame_to_rgb(&bytes, &format(PixelFormat::Rgb24, 2, 2, 7)).unwrap();
    assert_eq!(rgb.as_raw(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let bgr = frame_to_rgb(&bytes, &format(PixelFormat::Bgr24, 2, 2, 7)).unwrap();
    assert_eq!(bgr.as_raw(), &[3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10]);
}

#[test]
fn impossible_sizes_are_refused() {
    let refused = |width, height, stride| {
        frame_to_rgb(&[0; 16], &format(PixelFormat::Gray, width, height, stride)).unwrap_err()
    };
    assert!(matches!(refused(0, 4, 0), PictureError::NoPixels { .. }));
    assert!(matches!(refused(u32::MAX, u32::MAX, 0), PictureError::TooLarge { .. }));
    assert!(matches!(refused(8, 2, 7), PictureError::NarrowRows { .. }));
    assert_eq!(
        frame_to_rgb(&[0; 7], &format(PixelFormat::Yuyv422, 2, 2, 0)).unwrap_err().to_string(),
        "the frame is short (7 bytes, 2x2 yuyv422 takes 8)"
    );
}

#[test]
fn pictures_come_through() {
    let original = gradient(40, 24);
    assert_eq!(picture(&png_bytes(&original)).unwrap(), original);
    let jpeg = picture(&jpeg_bytes(&original)).unwrap();
    let worst = jpeg.as_raw().iter().zip(original.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst.unwrap() < 24, "JPEG moved a value by {worst:?}");
}

#[test]
fn motion_jpeg_without_huffman_tables_decodes() {
    let whole = jpeg_bytes(&gradient(64, 48));
    let bare = without_segments(&whole, 0xC4);
    assert!(bare.len() < whole.len(), "there was nothing to leave out");
    let format = FrameFormat::new(PixelFormat::Mjpeg, 64, 48);
    assert_eq!(frame_to_rgb(&bare, &format).unwrap(), frame_to_rgb(&whole, &format).unwrap());
}

#[test]
fn padding_behind_a_jpeg_frame_is_ignored() {
    let whole = jpeg_bytes(&gradient(64, 48));
    let mut padded = whole.clone();
    padded.extend([0; 500]);
    assert_eq!(picture(&padded).unwrap(), picture(&whole).unwrap());
}

#[test]
fn every_cut_jpeg_or_png_is_refused() {
    for whole in [jpeg_bytes(&gradient(40, 24)), png_bytes(&gradient(40, 24))] {
        // The last bytes of a PNG are a trailer that holds no pixels.
        let end = if whole[0] == 0x89 { whole.len() - 12 } else { whole.len() };
        for cut in 0..end {
            assert!(picture(&whole[..cut]).is_err(), "cut at {cut} of {}", whole.len());
        }
    }
}

#[test]
fn exif_orientation_is_applied() {
    let jpeg = jpeg_bytes(&gradient(40, 24));
    let upright = picture(&jpeg).unwrap();
    assert_eq!(picture(&with_orientation(&jpeg, 1)).unwrap(), upright);
    assert_eq!(picture(&with_orientation(&jpeg, 6)).unwrap(), image::imageops::rotate90(&upright));
    assert_eq!(picture(&with_orientation(&jpeg, 3)).unwrap(), image::imageops::rotate180(&upright));
    assert_eq!(picture(&with_orientation(&jpeg, 99)).unwrap(), upright, "an odd value changes nothing");
}

#[test]
fn bombs_are_refused_before_they_are_decoded() {
    // A PNG that claims 20 000 × 20 000 pixels in its header (the checksum is right); with more the png crate
    // itself refuses it where addresses have 32 bits.
    let mut png = png_bytes(&gradient(4, 4));
    png[16..24].copy_from_slice(&[0, 0, 0x4E, 0x20, 0, 0, 0x4E, 0x20]);
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    assert!(matches!(picture(&png), Err(PictureError::TooLarge { width: 20_000, height: 20_000 })));

    let mut jpeg = jpeg_bytes(&gradient(8, 8));
    let sof = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    assert!(matches!(picture(&jpeg), Err(PictureError::TooLarge { width: 65_500, .. })));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |mut sum, &byte| {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
        sum
    })
}

#[test]
fn defects_are_told_apart() {
    assert!(matches!(picture(&[]), Err(PictureError::Empty)));
    assert!(matches!(picture(b"text, not ours"), Err(PictureError::UnknownFormat)));
    for (bytes, kind) in [
        (&b"GIF89a; not ours"[..], "a GIF picture"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video"),
        (b"II*\0\x08\0\0\0", "a TIFF or raw picture"),
    ] {
        let error = picture(bytes).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("it is {kind}, and maskwatch reads JPEG and PNG; convert")),
            "{error}"
        );
    }
    let jpeg = jpeg_bytes(&gradient(40, 24));
    assert!(matches!(picture(&jpeg[..jpeg.len() - 20]), Err(PictureError::CutOff)));
    assert!(matches!(picture(&png_bytes(&gradient(40, 24))[..60]), Err(PictureError::Damaged(_))));
}
