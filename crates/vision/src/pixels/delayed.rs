//! A frame's picture whose pixels are decoded only when somebody asks for them. At an empty door most frames
//! are only compared with the one before, and a JPEG frame that was checked shows enough for that: the mean
//! of each of its 8 × 8 blocks.

use std::sync::OnceLock;

use image::RgbImage;

use super::buffer::{Bytes, Pool};
use super::decode::{check_jpeg, decode_checked};
use super::format::{FrameFormat, PictureError, PixelFormat};
use super::jpeg::Checked;
use super::orientation::{Lie, Orientation};
use super::picture::{Picture, View};
use super::yuv::{Colours, Range};

/// A frame's picture: its pixels, or JPEG data that was checked and waits to be decoded.
#[derive(Debug, Clone)]
pub struct DelayedPicture {
    /// JPEG data that was not decoded when it came; `None` where the pixels were there at once.
    coded: Option<CheckedJpeg>,
    pixels: OnceLock<Picture>,
}

/// JPEG data that can be decoded.
#[derive(Debug, Clone)]
struct CheckedJpeg {
    bytes: Bytes,
    checked: Checked,
    /// Where the memory for its pixels comes from.
    pool: Pool,
    orientation: Orientation,
    means: Picture,
}

/// Buffers for pictures that are decoded later; clones share them.
#[derive(Debug, Clone, Default)]
pub struct DelayedPools {
    pixels: Pool,
    means: Pool,
}

impl DelayedPicture {
    /// Takes a frame that a source delivered as `bytes` in `format`. JPEG data is checked; the size in
    /// `format` is then the one agreed on, or 0 for any. Its memory comes from `pools`.
    ///
    /// # Errors
    /// As [`super::decode::frame`]; `bytes` are handed back with the error.
    pub fn new(
        bytes: Bytes,
        format: &FrameFormat,
        pools: &DelayedPools,
    ) -> Result<Self, (PictureError, Bytes)> {
        if format.pixels != PixelFormat::Mjpeg {
            return Picture::new(bytes, format).map(Self::from).map_err(|error| (error, Bytes::default()));
        }
        let mut means = pools.means.take();
        let expected = (format.width, format.height);
        let checked = match check_jpeg(&bytes, expected, means.as_mut_vec()) {
            Ok(checked) => checked,
            Err(error) => return Err((error, bytes)),
        };
        // What may be turned, and progressive pictures, which no camera sends, are decoded at once.
        let is_plain = checked.means_across > 0 && !checked.has_exif;
        let blocks = FrameFormat {
            stride: checked.means_across as usize,
            colours: Colours { range: Range::Full, ..Colours::default() },
            ..FrameFormat::new(PixelFormat::Gray, checked.width.div_ceil(8), checked.height.div_ceil(8))
        };
        match is_plain.then(|| Picture::new(means, &blocks)) {
            Some(Ok(means)) => {
                let (pool, orientation) = (pools.pixels.clone(), Orientation::NoTransforms);
                let coded = CheckedJpeg { bytes, checked, pool, orientation, means };
                Ok(Self { coded: Some(coded), pixels: OnceLock::new() })
            }
            _ => match decoded(&bytes, &checked, &pools.pixels) {
                Ok(picture) => Ok(picture.into()),
                Err(error) => Err((error, bytes)),
            },
        }
    }

    /// This picture, which `orientation` makes upright.
    #[must_use]
    pub fn oriented(mut self, orientation: Orientation) -> Self {
        if let Some(coded) = &mut self.coded {
            coded.orientation = orientation;
            coded.means = coded.means.clone().oriented(orientation);
        }
        let pixels = self.pixels.take().map(|picture| OnceLock::from(picture.oriented(orientation)));
        Self { pixels: pixels.unwrap_or_default(), ..self }
    }

    /// Its width and height in pixels.
    #[must_use]
    pub fn dimensions(&self) -> (u32, u32) {
        match (self.pixels.get(), &self.coded) {
            (Some(picture), _) => picture.dimensions(),
            (None, Some(CheckedJpeg { checked, orientation, .. })) => {
                let size = (checked.width, checked.height);
                Lie::new(*orientation).map_or(size, |lie| lie.swap(size))
            }
            (None, None) => (0, 0),
        }
    }

    /// Its pixels. JPEG data is decoded when this is first called.
    ///
    /// # Errors
    /// [`PictureError::Damaged`] for JPEG data that passed the check and still cannot be decoded.
    pub fn view(&self) -> Result<View<'_>, PictureError> {
        if let Some(picture) = self.pixels.get() {
            return Ok(picture.view());
        }
        let Some(CheckedJpeg { bytes, checked, pool, orientation, .. }) = &self.coded else {
            return Err(PictureError::Empty);
        };
        let picture = decoded(bytes, checked, pool)?.oriented(*orientation);
        Ok(self.pixels.get_or_init(|| picture).view())
    }

    /// What is known of a JPEG frame without decoding it: the mean brightness of each 8 × 8 block, as a grey
    /// picture that is eight times smaller. `None` for other frames.
    #[must_use]
    pub fn block_means(&self) -> Option<View<'_>> {
        self.coded.as_ref().map(|coded| coded.means.view())
    }
}

impl From<RgbImage> for DelayedPicture {
    fn from(picture: RgbImage) -> Self {
        Picture::from(picture).into()
    }
}

/// The pixels of JPEG data that was checked.
fn decoded(bytes: &[u8], checked: &Checked, pool: &Pool) -> Result<Picture, PictureError> {
    let mut rgb = pool.take();
    let (width, height) = decode_checked(bytes, checked, rgb.as_mut_vec())?;
    Picture::new(rgb, &FrameFormat::new(PixelFormat::Rgb24, width, height))
}

impl From<Picture> for DelayedPicture {
    fn from(picture: Picture) -> Self {
        Self { coded: None, pixels: OnceLock::from(picture) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::super::jpeg::writer::{Written, textured};
    use super::*;

    fn taken(bytes: &[u8]) -> DelayedPicture {
        let format = FrameFormat::new(PixelFormat::Mjpeg, 0, 0);
        let picture = DelayedPicture::new(bytes.to_vec().into(), &format, &DelayedPools::default());
        picture.unwrap_or_else(|(error, _)| panic!("{error}"))
    }

    fn decoded_at_once(bytes: &[u8]) -> RgbImage {
        let format = FrameFormat::new(PixelFormat::Mjpeg, 0, 0);
        decode::frame_to_rgb(bytes, &format).unwrap()
    }

    /// The mean luma of the block at this place of an upright picture.
    fn mean(picture: &RgbImage, (across, down): (u32, u32)) -> f32 {
        let pixels = (0..64).map(|place| (across * 8 + place % 8, down * 8 + place / 8));
        let inside: Vec<_> = pixels.filter(|&(x, y)| x < picture.width() && y < picture.height()).collect();
        let luma = |&(x, y): &(u32, u32)| {
            let [r, g, b] = picture.get_pixel(x, y).0.map(f32::from);
            0.299 * r + 0.587 * g + 0.114 * b
        };
        inside.iter().map(luma).sum::<f32>() / inside.len() as f32
    }

    #[test]
    fn the_means_of_blocks_are_those_of_the_decoded_picture() {
        let half = Written::new((160, 120), &[(2, 1), (1, 1), (1, 1)]);
        let quarter = Written::new((160, 128), &[(2, 2), (1, 1), (1, 1)]);
        let kinds = [
            half.clone(),
            Written { restart: 10, ..half },
            quarter,
            Written::new((152, 104), &[(2, 2), (1, 1), (1, 1)]),
            Written::new((160, 120), &[(1, 1)]),
        ];
        for kind in kinds {
            let bytes = kind.write(textured).0;
            let (picture, expected) = (taken(&bytes), decoded_at_once(&bytes));
            let means = picture.block_means().expect("a usual picture is not decoded at once");
            assert_eq!(means.dimensions(), (expected.width() / 8, expected.height() / 8));
            let means = means.to_rgb();
            for (x, y, pixel) in means.enumerate_pixels() {
                let expected = mean(&expected, (x, y));
                assert!((f32::from(pixel.0[0]) - expected).abs() < 3.0, "{pixel:?} {expected} at {x}, {y}");
            }
            assert_eq!(picture.view().unwrap().to_rgb(), expected);
        }
    }

    #[test]
    fn a_turned_picture_is_turned_before_and_after_it_is_decoded() {
        let bytes = Written::new((160, 120), &[(2, 1), (1, 1), (1, 1)]).write(textured).0;
        let turned = taken(&bytes).oriented(Orientation::Rotate90);
        assert_eq!(turned.dimensions(), (120, 160));
        let means = turned.block_means().map(|means| means.to_rgb()).unwrap();
        let upright = turned.view().unwrap().to_rgb();
        assert_eq!((means.dimensions(), upright.dimensions()), ((15, 20), (120, 160)));
        assert_eq!(upright, image::imageops::rotate90(&decoded_at_once(&bytes)));
        for (x, y, pixel) in means.enumerate_pixels() {
            assert!((f32::from(pixel.0[0]) - mean(&upright, (x, y))).abs() < 3.0, "{x}, {y}");
        }
        let late = taken(&bytes);
        late.view().unwrap();
        assert_eq!(late.oriented(Orientation::Rotate90).view().unwrap().to_rgb(), upright);
    }

    #[test]
    fn what_has_no_means_or_may_be_turned_is_decoded_at_once() {
        let usual = Written::new((160, 120), &[(2, 2), (1, 1), (1, 1)]);
        let bytes = usual.write(textured).0;
        let exif = [b"\xFF\xE1\x00\x08Exif\0\0".as_slice(), &bytes[2..]].concat();
        let exif = [&bytes[..2], &exif].concat();
        let progressive = Written { progressive: true, ..usual }.write(textured).0;
        for bytes in [exif, progressive] {
            let picture = taken(&bytes);
            assert!(picture.block_means().is_none());
            assert_eq!(picture.view().unwrap().to_rgb(), decoded_at_once(&bytes));
        }
    }

    #[test]
    fn a_damaged_frame_is_refused_when_it_comes_and_its_bytes_are_handed_back() {
        let bytes = Written::new((160, 120), &[(2, 1), (1, 1), (1, 1)]).write(textured).0;
        let cut = &bytes[..bytes.len() / 2];
        let format = FrameFormat::new(PixelFormat::Mjpeg, 0, 0);
        let (error, back) =
            DelayedPicture::new(cut.to_vec().into(), &format, &DelayedPools::default()).unwrap_err();
        assert!(matches!(error, PictureError::CutOff), "{error}");
        assert_eq!(&*back, cut);
    }
}
