//! Pictures as their sources delivered them: the bytes, and how the pixels lie in them. Colours are converted
//! when they are read, one row at a time, so that a reader of a small or partial picture needs no full-size
//! RGB copy.
//!
//! A [`Picture`] owns its bytes, a [`View`] borrows them. Both check the length of their bytes when they are
//! made. Compressed pictures have to be decoded first, by [`super::decode`]. A picture may lie turned or
//! mirrored; its size and its rows are those of the upright one.

use image::RgbImage;

use super::buffer::Bytes;
use super::format::{FrameFormat, Layout, PictureError, PixelFormat};
use super::orientation::{Lie, Orientation, Region};
use super::yuv::Converter;
use maskwatch_kernels::rows::convert::Samples;

/// How the bytes of a picture are read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    format: FrameFormat,
    layout: Layout,
    converter: Converter,
    /// The part that is seen, as it lies.
    seen: Region,
    /// `None` where it lies upright.
    lie: Option<Lie>,
}

impl Reading {
    fn new(bytes: &[u8], format: &FrameFormat) -> Result<Self, PictureError> {
        let FrameFormat { pixels, width, height, .. } = *format;
        let layout = format.layout()?;
        if bytes.len() < layout.total {
            let (got, needed) = (bytes.len(), layout.total);
            return Err(PictureError::ShortFrame { got, needed, width, height, format: pixels });
        }
        let converter = Converter::new(format.colours);
        // Samples are taken for Cb and Cr in this order; where they come in the other one, red and blue do
        // too.
        let crossed = matches!(pixels, PixelFormat::Yvyu422 | PixelFormat::Nv21);
        let converter = if crossed { converter.crossed() } else { converter };
        Ok(Self { format: *format, layout, converter, seen: whole(width, height), lie: None })
    }
}

fn whole(width: u32, height: u32) -> Region {
    Region { left: 0, top: 0, width, height }
}

/// A picture with its bytes.
#[derive(Debug, Clone)]
pub struct Picture {
    bytes: Bytes,
    reading: Reading,
}

impl Picture {
    /// Takes `bytes` as a picture in `format`. Bytes beyond those that the format takes are ignored.
    ///
    /// # Errors
    /// [`PictureError::ShortFrame`] for too few bytes, [`PictureError::Compressed`] for
    /// [`PixelFormat::Mjpeg`], and the errors of [`FrameFormat::bytes`] for an impossible format.
    pub fn new(bytes: Bytes, format: &FrameFormat) -> Result<Self, PictureError> {
        let reading = Reading::new(&bytes, format)?;
        Ok(Self { bytes, reading })
    }

    /// This picture, which `orientation` makes upright. Nothing is copied: the pixels stay where they are.
    #[must_use]
    pub fn oriented(mut self, orientation: Orientation) -> Self {
        self.reading.lie = Lie::new(orientation);
        self
    }

    /// Borrows the picture.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { bytes: &self.bytes, reading: self.reading }
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn dimensions(&self) -> (u32, u32) {
        self.view().dimensions()
    }

    /// Converts the whole picture to 8-bit RGB.
    #[must_use]
    pub fn to_rgb(&self) -> RgbImage {
        self.view().to_rgb()
    }
}

impl From<RgbImage> for Picture {
    fn from(picture: RgbImage) -> Self {
        let reading = View::from(&picture).reading;
        Self { bytes: picture.into_raw().into(), reading }
    }
}

/// A borrowed picture.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    bytes: &'a [u8],
    reading: Reading,
}

impl<'a> View<'a> {
    /// Borrows `bytes` as a picture in `format`. Bytes beyond those that the format takes are ignored.
    ///
    /// # Errors
    /// As [`Picture::new`].
    pub fn new(bytes: &'a [u8], format: &FrameFormat) -> Result<Self, PictureError> {
        Ok(Self { bytes, reading: Reading::new(bytes, format)? })
    }

    /// Borrows RGB pixels that fill `bytes` row by row, without gaps.
    pub(super) fn of_rgb(bytes: &'a [u8], (width, height): (u32, u32)) -> Self {
        let format = FrameFormat::new(PixelFormat::Rgb24, width, height);
        let row = 3 * width as usize;
        let total = row * height as usize;
        debug_assert!(bytes.len() >= total);
        let layout = Layout { row, stride: row, plane: total, total, padded: total };
        let converter = Converter::new(format.colours);
        let seen = whole(width, height);
        Self { bytes, reading: Reading { format, layout, converter, seen, lie: None } }
    }

    /// This view, whose pixels lie as `lie` says.
    pub(super) fn lying(mut self, lie: Option<Lie>) -> Self {
        self.reading.lie = lie;
        self
    }

    /// How its pixels lie; `None` where they lie upright.
    pub(super) fn lie(&self) -> Option<Lie> {
        self.reading.lie
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn dimensions(&self) -> (u32, u32) {
        let size = (self.reading.seen.width, self.reading.seen.height);
        self.lie().map_or(size, |lie| lie.swap(size))
    }

    /// The part of it that begins at column `left` and row `top` and is `width` × `height` pixels large, or
    /// as much of that as there is.
    #[must_use]
    pub fn part(&self, left: u32, top: u32, width: u32, height: u32) -> Self {
        let (across, down) = self.dimensions();
        let (left, top) = (left.min(across), top.min(down));
        let (width, height) = (width.min(across - left), height.min(down - top));
        let upright = Region { left: left.into(), top: top.into(), width, height };
        let seen = self.reading.seen;
        let part = self.lie().map_or(upright, |lie| lie.part(upright, (seen.width, seen.height)));
        let mut view = *self;
        view.reading.seen = Region { left: seen.left + part.left, top: seen.top + part.top, ..part };
        view
    }

    /// Converts the whole picture to 8-bit RGB.
    #[must_use]
    pub fn to_rgb(&self) -> RgbImage {
        let as_it_lies = self.lying(None);
        let (width, height) = as_it_lies.dimensions();
        let mut picture = RgbImage::new(width, height);
        for (y, rgb) in picture.chunks_exact_mut(3 * width.max(1) as usize).enumerate() {
            as_it_lies.read_row(0, y, rgb);
        }
        let Some(lie) = self.lie() else { return picture };
        let (across, down) = self.dimensions();
        let mut upright = RgbImage::new(across, down);
        lie.upright(&picture, (width as usize, height as usize), &mut upright, 3 * across as usize);
        upright
    }

    /// The bytes from column `left` of the first row on and the distance of two rows, if the picture lies in
    /// memory as RGB, upright.
    pub(super) fn rgb_rows(&self, left: usize) -> Option<(&'a [u8], usize)> {
        let Reading { format, layout: Layout { stride, .. }, seen, .. } = &self.reading;
        let bytes = self.bytes.get(seen.top as usize * stride + 3 * (seen.left as usize + left)..)?;
        (format.pixels == PixelFormat::Rgb24 && self.lie().is_none()).then_some((bytes, *stride))
    }

    /// Converts pixels of row `y` from column `left` on until `rgb` (3 bytes a pixel) is full. Of a picture
    /// that lies turned or mirrored each pixel is looked for by itself, which is slow; [`super::sampler`] is
    /// not.
    ///
    /// # Panics
    /// When there is no such row, or it ends before `rgb` is full.
    pub fn read_row(&self, left: usize, y: usize, rgb: &mut [u8]) {
        if let Some(lie) = self.lie() {
            let as_it_lies = self.lying(None);
            for (x, pixel) in rgb.chunks_exact_mut(3).enumerate() {
                let part = Region { left: (left + x) as i64, top: y as i64, width: 1, height: 1 };
                let place = lie.part(part, as_it_lies.dimensions());
                as_it_lies.read_row(place.left as usize, place.top as usize, pixel);
            }
            return;
        }
        let Reading { format, layout: Layout { row, stride, plane, .. }, converter, seen, .. } =
            &self.reading;
        let (left, y) = (left + seen.left as usize, y + seen.top as usize);
        let first = &self.bytes[y * stride..][..*row];
        let rest = self.bytes.get(*plane..).unwrap_or_default();
        // Chroma is shared by pairs: an odd first column has only the second half of its pair.
        let (pair, odd) = (left / 2, left % 2);
        match format.pixels {
            PixelFormat::Rgb24 => rgb.copy_from_slice(&first[3 * left..][..rgb.len()]),
            PixelFormat::Bgr24 => {
                for (from, to) in first[3 * left..].chunks_exact(3).zip(rgb.chunks_exact_mut(3)) {
                    to.copy_from_slice(&[from[2], from[1], from[0]]);
                }
            }
            PixelFormat::Yuyv422 => converter.row(Samples::Yuyv(&first[4 * pair..]), odd, rgb),
            PixelFormat::Uyvy422 => converter.row(Samples::Uyvy(&first[4 * pair..]), odd, rgb),
            PixelFormat::Yvyu422 => {
                converter.row(Samples::Yuyv(&first[4 * pair..]), odd, rgb);
                swap_red_and_blue(rgb);
            }
            PixelFormat::Nv12 | PixelFormat::Nv21 => {
                let chroma = &rest[y / 2 * stride.next_multiple_of(2) + 2 * pair..];
                converter.row(Samples::Interleaved(&first[2 * pair..], chroma), odd, rgb);
                if format.pixels == PixelFormat::Nv21 {
                    swap_red_and_blue(rgb);
                }
            }
            PixelFormat::Yuv420p | PixelFormat::Yvu420p => {
                let chroma_stride = stride.div_ceil(2);
                let near = y / 2 * chroma_stride + pair;
                let far = near + chroma_stride * (format.height as usize).div_ceil(2);
                let (cb, cr) = if format.pixels == PixelFormat::Yuv420p { (near, far) } else { (far, near) };
                converter.row(Samples::Planar(&first[2 * pair..], &rest[cb..], &rest[cr..]), odd, rgb);
            }
            PixelFormat::Gray => converter.grey_row(&first[left..], rgb),
            PixelFormat::Mjpeg => {}
        }
    }
}

fn swap_red_and_blue(rgb: &mut [u8]) {
    for pixel in rgb.as_chunks_mut::<3>().0 {
        pixel.swap(0, 2);
    }
}

impl<'a> From<&'a Picture> for View<'a> {
    fn from(picture: &'a Picture) -> Self {
        picture.view()
    }
}

impl<'a> From<&'a RgbImage> for View<'a> {
    fn from(picture: &'a RgbImage) -> Self {
        Self::of_rgb(picture.as_raw(), picture.dimensions())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn compressed_bytes_are_no_picture() {
        let format = FrameFormat::new(PixelFormat::Mjpeg, 4, 4);
        assert!(matches!(View::new(&[0; 99], &format), Err(PictureError::Compressed)));
    }

    #[test]
    fn an_rgb_picture_stays_as_it_is() {
        let picture = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 9]));
        assert_eq!(View::from(&picture).to_rgb(), picture);
        assert_eq!(Picture::from(picture.clone()).to_rgb(), picture);
    }

    proptest! {
        #[test]
        fn a_part_of_a_part_is_that_part_of_the_picture(
            kind in 0usize..10, width in 1u32..14, height in 1u32..9, gap in 0usize..5, exif in 1u8..=8,
            parts in prop::collection::vec((0u32..9, 0u32..9, 1u32..14, 1u32..14), 1..3),
        ) {
            let mut format = FrameFormat::new(PixelFormat::ALL[kind], width, height);
            format.stride = format.layout().unwrap().row + gap;
            let needed = format.bytes().unwrap().unwrap();
            let bytes: Vec<u8> = (0..needed).map(|index| (index as u8).wrapping_mul(37)).collect();
            let orientation = Orientation::from_exif(exif).unwrap();
            let picture = Picture::new(bytes.into(), &format).unwrap().oriented(orientation);
            let (mut view, mut expected) = (picture.view(), picture.to_rgb());
            for (left, top, across, down) in parts {
                view = view.part(left, top, across, down);
                expected = image::imageops::crop_imm(&expected, left, top, across, down).to_image();
                prop_assert_eq!(view.dimensions(), expected.dimensions());
                prop_assert_eq!(&view.to_rgb(), &expected);
                for (y, row) in expected.chunks(3 * expected.width().max(1) as usize).enumerate() {
                    if let Some((bytes, stride)) = view.rgb_rows(0) {
                        prop_assert_eq!(&bytes[y * stride..][..row.len()], row);
                    }
                }
            }
        }

        #[test]
        fn a_part_of_a_row_is_that_part_of_the_picture(
            kind in 0usize..10, width in 1u32..14, height in 1u32..6, gap in 0usize..5, seed: u8,
            left: prop::sample::Index, length: prop::sample::Index, exif in 1u8..=8,
        ) {
            let mut format = FrameFormat::new(PixelFormat::ALL[kind], width, height);
            format.stride = format.layout().unwrap().row + gap;
            let needed = format.bytes().unwrap().unwrap();
            let bytes: Vec<u8> = (0..needed).map(|index| (index as u8).wrapping_mul(37) ^ seed).collect();
            let orientation = Orientation::from_exif(exif).unwrap();
            let picture = Picture::new(bytes.clone().into(), &format).unwrap().oriented(orientation);
            let view = picture.view();
            let mut upright = image::DynamicImage::ImageRgb8(View::new(&bytes, &format).unwrap().to_rgb());
            upright.apply_orientation(orientation);
            let whole = view.to_rgb();
            prop_assert_eq!(&whole, &upright.into_rgb8());
            let (width, _) = view.dimensions();
            let left = left.index(width as usize);
            let length = 1 + length.index(width as usize - left);
            for (y, row) in whole.chunks_exact(3 * width as usize).enumerate() {
                let expected = &row[3 * left..3 * (left + length)];
                let mut part = vec![0; 3 * length];
                view.read_row(left, y, &mut part);
                prop_assert_eq!(&part, expected);
                if let Some((bytes, stride)) = view.rgb_rows(left) {
                    prop_assert_eq!(&bytes[y * stride..][..3 * length], expected);
                }
            }
        }
    }
}
