//! [`fast_image_resize`] for RGB pictures, behind functions that are not generic.
//!
//! The library is generic over pixels and pictures, so each crate that calls it compiles much of it anew:
//! some 15 s each time. Training, tests and benchmarks call it here instead. Nothing of it runs on the board.

use fast_image_resize as fir;
use image::RgbImage;

pub use fir::FilterType as Filter;

/// Resizes pictures; its memory is kept from one to the next.
#[derive(Debug, Default)]
pub struct Resizer(fir::Resizer);

impl Resizer {
    /// Resizes `part` of `picture` (left, top, width and height in pixels, also within one), or all of it, to
    /// `width` × `height` pixels: into `target`, RGB bytes `[height, width, 3]`. False, and `target` is as it
    /// was, where the part is not in the picture, or `target` has another length.
    ///
    /// Use filters that are positive within their support. With the others (CatmullRom, Lanczos) version 6.1
    /// of the library trims a zero weight at the picture's edge and then reads beyond its intermediate
    /// picture.
    pub fn resize(
        &mut self,
        picture: &RgbImage,
        part: Option<(f64, f64, f64, f64)>,
        (width, height): (u32, u32),
        filter: Filter,
        target: &mut [u8],
    ) -> bool {
        let (across, down) = picture.dimensions();
        let source = fir::images::ImageRef::new(across, down, picture.as_raw(), fir::PixelType::U8x3);
        let target = fir::images::Image::from_slice_u8(width, height, target, fir::PixelType::U8x3);
        let mut options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(filter));
        if let Some((left, top, width, height)) = part {
            options = options.crop(left, top, width, height);
        }
        let (Ok(source), Ok(mut target)) = (source, target) else { return false };
        self.0.resize(&source, &mut target, &options).is_ok()
    }
}

/// As [`Resizer::resize`], to a new picture; `None` where that is false.
#[must_use]
pub fn resize(
    picture: &RgbImage,
    part: Option<(f64, f64, f64, f64)>,
    size: (u32, u32),
    filter: Filter,
) -> Option<RgbImage> {
    let mut resized = RgbImage::new(size.0, size.1);
    Resizer::default().resize(picture, part, size, filter, resized.as_mut()).then_some(resized)
}
