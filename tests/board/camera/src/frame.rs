//! JPEG pictures as a camera's frames.

use anyhow::{Context, ensure};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Size of the raw frames.
const WIDTH: usize = 640;
const HEIGHT: usize = 480;
const GREY: u8 = 128;
/// A comment of four bytes in a JPEG picture.
const COMMENT: [u8; 8] = [0xFF, 0xFE, 0, 6, 0, 0, 0, 0];

/// A frame as the camera hands it over.
pub(crate) struct Frame {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) bytes: Vec<u8>,
    /// Where a byte may change without changing what is to be seen.
    stamp: usize,
}

impl Frame {
    /// Makes the frame differ from the ones before.
    pub(crate) fn stamp(&mut self, count: u8) {
        self.bytes[self.stamp] = 16 + count % 200;
    }

    /// The picture's own bytes, with a comment behind its first marker.
    pub(crate) fn mjpeg(jpeg: &[u8]) -> anyhow::Result<Self> {
        let mut decoder = JpegDecoder::new(ZCursor::new(jpeg));
        decoder.decode_headers().context("not a JPEG picture")?;
        let (width, height) = decoder.dimensions().context("a JPEG picture without size")?;
        ensure!(jpeg.starts_with(&[0xFF, 0xD8]), "not a JPEG picture");
        let bytes = [&jpeg[..2], &COMMENT, &jpeg[2..]].concat();
        Ok(Self { width, height, bytes, stamp: 2 + COMMENT.len() - 1 })
    }

    /// A grey frame with a dark edge: without any detail the lens would seem to be covered.
    pub(crate) fn grey() -> Self {
        let is_dark = |index: usize| index % 2 == 0 && index / 2 % WIDTH < 60;
        let byte = |index| if is_dark(index) { GREY / 2 } else { GREY };
        Self::raw((0..WIDTH * HEIGHT * 2).map(byte).collect())
    }

    fn raw(bytes: Vec<u8>) -> Self {
        Self { width: WIDTH, height: HEIGHT, stamp: bytes.len() - 2, bytes }
    }

    /// The picture in the middle of a raw frame, cut or with a grey border where the sizes differ.
    pub(crate) fn yuyv(jpeg: &[u8]) -> anyhow::Result<Self> {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        let rgb = decoder.decode().context("not a JPEG picture")?;
        let (width, height) = decoder.dimensions().context("a JPEG picture without size")?;
        let pixel = |x: usize, y: usize| -> [u8; 3] {
            // Wraps far beyond the picture left of it and above it.
            let x = (x + width / 2).wrapping_sub(WIDTH / 2);
            let y = (y + height / 2).wrapping_sub(HEIGHT / 2);
            if x >= width || y >= height {
                return [GREY; 3];
            }
            let at = (y * width + x) * 3;
            [rgb[at], rgb[at + 1], rgb[at + 2]]
        };
        let mut frame = Vec::with_capacity(WIDTH * HEIGHT * 2);
        for y in 0..HEIGHT {
            for x in (0..WIDTH).step_by(2) {
                let (left, right) = (pixel(x, y), pixel(x + 1, y));
                let mean = [0, 1, 2].map(|channel| left[channel].midpoint(right[channel]));
                let (blue, red) = chroma(mean);
                frame.extend([luma(left), blue, luma(right), red]);
            }
        }
        Ok(Self::raw(frame))
    }
}

/// Y of BT.601 in the range of video, 16 to 235.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    let [r, g, b] = [r, g, b].map(i32::from);
    (((66 * r + 129 * g + 25 * b + 128) >> 8) + 16) as u8
}

/// Cb and Cr of BT.601, 16 to 240.
fn chroma([r, g, b]: [u8; 3]) -> (u8, u8) {
    let [r, g, b] = [r, g, b].map(i32::from);
    let blue = ((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128;
    let red = ((112 * r - 94 * g - 18 * b + 128) >> 8) + 128;
    (blue as u8, red as u8)
}
