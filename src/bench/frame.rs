//! The frame on which timings are taken: a public-domain portrait as a camera at an entrance would see it.

use crate::geometry::Rect;
use crate::pixels::buffer::Pool;
use crate::pixels::decode;
use crate::pixels::format::{FrameFormat, PictureError, PixelFormat};
use crate::pixels::orientation::Orientation;
use crate::pixels::picture::Picture;
use crate::pixels::preprocess;
use image::{DynamicImage, ImageFormat, RgbImage};

/// The portrait.
const PORTRAIT: &[u8] = include_bytes!("../../tests/fixtures/astronaut.jpg");
/// The face on it.
pub const FACE: Rect = Rect::new(178.0, 65.0, 91.0, 111.0);

/// The portrait, 512×512.
///
/// # Errors
/// When it cannot be decoded, which cannot be: it is built in.
pub fn portrait() -> image::ImageResult<RgbImage> {
    Ok(image::load_from_memory_with_format(PORTRAIT, ImageFormat::Jpeg)?.to_rgb8())
}

/// The portrait as a camera of 640×480 at an entrance would see it: one face, of a tenth of the width.
#[must_use]
pub fn camera_frame(portrait: &RgbImage) -> RgbImage {
    let mut frame = RgbImage::from_pixel(640, 480, image::Rgb([90, 95, 100]));
    image::imageops::replace(&mut frame, &preprocess::resize(portrait, 480, 480), 80, 0);
    frame
}

/// Gives one frame again and again, decoded as a camera's frames are.
#[derive(Debug)]
pub struct SameFrame {
    jpeg: Vec<u8>,
    orientation: Orientation,
    raw: Pool,
    decoded: Pool,
}

impl SameFrame {
    /// `frame` as the JPEG of a camera whose frames `orientation` makes upright.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn new(frame: &RgbImage, orientation: Orientation) -> image::ImageResult<Self> {
        let mut jpeg = Vec::new();
        lying(frame, orientation).write_to(&mut std::io::Cursor::new(&mut jpeg), ImageFormat::Jpeg)?;
        Ok(Self { jpeg, orientation, raw: Pool::default(), decoded: Pool::default() })
    }

    /// The frame, decoded anew.
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub fn decode(&self) -> Result<Picture, PictureError> {
        let mut bytes = self.raw.take();
        bytes.as_mut_vec().extend_from_slice(&self.jpeg);
        let picture = decode::frame(bytes, &FrameFormat::new(PixelFormat::Mjpeg, 0, 0), &self.decoded)?;
        Ok(picture.oriented(self.orientation))
    }
}

/// The frame as a camera gives it that `orientation` makes upright.
fn lying(frame: &RgbImage, orientation: Orientation) -> RgbImage {
    let back = match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        // Every other one undoes itself.
        other => other,
    };
    let mut frame = DynamicImage::ImageRgb8(frame.clone());
    frame.apply_orientation(back);
    frame.into_rgb8()
}
