//! Samples a picture into the buffers of the networks: the whole picture fitted into the detector's input,
//! and squares around faces for the other networks. Only pixels that are used are converted.
//!
//! [`super::preprocess`] gives the same as new pictures, for training and measuring.

use super::orientation::Region;
use super::picture::View;
use super::resample::{Resampler, TargetPart};
use crate::geometry::Rect;

/// The paper resizes a square to 256 and cuts out its middle 224: the network sees 224/256 of its side.
const RESIZED: u32 = 256;
const CROPPED: u32 = 224;

/// Samples pictures and keeps its working memory.
#[derive(Debug, Default)]
pub struct Sampler {
    /// For whole pictures, which all have one size: its weights are computed once.
    resampler: Resampler,
    /// For squares around faces, whose sizes differ.
    square_resampler: Resampler,
    /// The square around a face.
    square: Vec<u8>,
}

impl Sampler {
    /// Scales `picture` up or down to fit into `width` × `height`, at the top left, with black elsewhere, and
    /// returns the scale. The RGB bytes go to `canvas`, which must hold 3 × `width` × `height`; in a shorter
    /// one only whole rows are filled.
    pub fn letterbox<'a>(
        &mut self,
        picture: impl Into<View<'a>>,
        (width, height): (u32, u32),
        canvas: &mut [u8],
    ) -> f32 {
        let picture = picture.into();
        let (scale, fitted) = fit(picture.dimensions(), (width, height));
        let part = TargetPart { left: 0, top: 0, across: fitted.0 as usize, down: fitted.1 as usize };
        let row = 3 * width as usize;
        self.resampler.resample(picture, fitted, part, canvas, row);
        for (y, row) in canvas.chunks_exact_mut(row).enumerate() {
            let seen = if y < part.down { 3 * part.across } else { 0 };
            row[seen..].fill(0);
        }
        scale
    }

    /// Cuts out the square around `face` for a classifier, as [`super::preprocess::face_crop`], `input`
    /// pixels wide and high. Its RGB bytes go to `crop`, which must hold 3 × `input` × `input`; in a shorter
    /// one only whole rows are filled.
    pub fn face_crop<'a>(
        &mut self,
        picture: impl Into<View<'a>>,
        face: &Rect,
        margin: f32,
        input: u32,
        crop: &mut [u8],
    ) {
        let rect = resized_square(face, margin);
        let picture = picture.into();
        let size = cut_into(picture, &rect, &mut self.square);
        let resized = resized_side(input);
        let border = ((resized - input) / 2) as usize;
        let part = TargetPart { left: border, top: border, across: input as usize, down: input as usize };
        let square = View::of_rgb(&self.square, size).lying(picture.lie());
        self.square_resampler.resample(square, (resized, resized), part, crop, 3 * input as usize);
    }
}

/// The scale at which a picture of `size` fits into `limit`, and its size at that scale.
fn fit(size: (u32, u32), limit: (u32, u32)) -> (f32, (u32, u32)) {
    let (across, down) = (size.0.max(1) as f32, size.1.max(1) as f32);
    let scale = (limit.0 as f32 / across).min(limit.1 as f32 / down);
    let fitted = |length: f32, limit: u32| ((length * scale).round() as u32).clamp(1, limit);
    (scale, (fitted(across, limit.0), fitted(down, limit.1)))
}

/// The square that is cut out around a face; the network sees its middle.
pub fn resized_square(face: &Rect, margin: f32) -> Rect {
    face.square(margin * RESIZED as f32 / CROPPED as f32)
}

/// The side to which this square is resized: 256 for an input of 224.
pub fn resized_side(input: u32) -> u32 {
    (input * RESIZED + CROPPED / 2) / CROPPED
}

/// The part of the picture that a crop of [`Sampler::face_crop`] shows, to fractions of a pixel. It may reach
/// over the edges.
#[must_use]
pub fn seen_around(face: &Rect, margin: f32, input: u32) -> Rect {
    let rect = whole_pixels(&resized_square(face, margin));
    let resized = resized_side(input) as f32;
    let border = ((resized_side(input) - input) / 2) as f32;
    let (across, down) = (rect.w / resized, rect.h / resized);
    let input = input as f32;
    Rect::new(rect.x + border * across, rect.y + border * down, input * across, input * down)
}

/// The rectangle of whole pixels that is cut out for `rect`.
pub fn whole_pixels(rect: &Rect) -> Rect {
    Rect::new(rect.x.round(), rect.y.round(), rect.w.round().max(1.0), rect.h.round().max(1.0))
}

/// Writes the whole pixels of `rect` into `square`, as they lie in memory, and returns their number across
/// and down there. Beyond the picture's edges the pixels at the edge are repeated.
pub(super) fn cut_into(picture: View<'_>, rect: &Rect, square: &mut Vec<u8>) -> (u32, u32) {
    let (across, down) = picture.dimensions();
    let longest = 2 * across.max(down).max(1);
    let upright = Region {
        left: rect.x.round() as i64,
        top: rect.y.round() as i64,
        width: (rect.w.round() as u32).clamp(1, longest),
        height: (rect.h.round() as u32).clamp(1, longest),
    };
    let (lie, picture) = (picture.lie(), picture.lying(None));
    let (across, down) = picture.dimensions();
    let Region { left, top, width, height } = lie.map_or(upright, |lie| lie.part(upright, (across, down)));
    let nearest = |place: i64, length: u32| place.clamp(0, i64::from(length.max(1)) - 1) as usize;
    // The columns of the picture that are used, at least one, and how often the first and last are repeated.
    let (first, last) = (nearest(left, across), nearest(left.saturating_add(i64::from(width) - 1), across));
    let before = (first as i64).saturating_sub(left).clamp(0, i64::from(width) - 1) as usize;
    let seen = last - first + 1;
    square.clear();
    square.resize(3 * width as usize * height as usize, 0);
    if across == 0 || down == 0 {
        return (width, height);
    }
    for (y, row) in square.chunks_exact_mut(3 * width as usize).enumerate() {
        let middle = 3 * before..3 * (before + seen);
        picture.read_row(first, nearest(top.saturating_add(y as i64), down), &mut row[middle.clone()]);
        let (left, right) = (middle.start, middle.end);
        let pixel = |row: &[u8], at: usize| [row[at], row[at + 1], row[at + 2]];
        let (first, last) = (pixel(row, left), pixel(row, right - 3));
        row[..left].chunks_exact_mut(3).for_each(|to| to.copy_from_slice(&first));
        row[right..].chunks_exact_mut(3).for_each(|to| to.copy_from_slice(&last));
    }
    (width, height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::format::{FrameFormat, PixelFormat};
    use crate::pixels::orientation::Orientation;
    use crate::pixels::picture::Picture;
    use image::RgbImage;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_cut_out_is_the_nearest_pixel_everywhere(
            width in 1u32..9, height in 1u32..9, x in -30f32..30.0, y in -30f32..30.0, w in 0f32..40.0, h in 0f32..40.0,
            far in prop::sample::select(vec![1.0f32, 1e9, -1e9]),
        ) {
            let picture = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 9]));
            let rect = Rect::new(x * far, y, w, h);
            let mut square = Vec::new();
            let (across, down) = cut_into((&Picture::from(picture.clone())).into(), &rect, &mut square);
            prop_assert_eq!(square.len(), 3 * (across * down) as usize);
            for (index, pixel) in square.chunks_exact(3).enumerate() {
                let place = |start: f32, offset: usize, length: u32| {
                    (start.round() as i64 + offset as i64).clamp(0, i64::from(length) - 1) as u8
                };
                let (column, row) = (index % across as usize, index / across as usize);
                prop_assert_eq!(pixel, [place(rect.x, column, width), place(rect.y, row, height), 9]);
            }
        }
    }

    /// The fixture picture of a face, as a camera frame in `format`, rows with gaps.
    fn coded(pixels: PixelFormat) -> (Vec<u8>, FrameFormat) {
        let portrait = include_bytes!("../../../../tests/fixtures/astronaut.jpg");
        let picture = image::load_from_memory(portrait).unwrap().into_rgb8();
        let mut format = FrameFormat::new(pixels, picture.width() - 1, picture.height() - 1);
        format.stride = 3 * picture.width() as usize;
        let mut bytes = picture.into_raw();
        // Its bytes serve as samples of any kind: as luma and chroma they give wild colours, but shapes stay.
        bytes.extend_from_within(..);
        (bytes, format)
    }

    #[test]
    fn a_picture_that_lies_turned_gives_what_the_upright_one_gives() {
        // The passes of the resampler come in another order, so values may differ by a rounding or two.
        let compare = |one: &[u8], other: &[u8], what: &str| {
            let most = one.iter().zip(other).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(most <= Some(2), "{what}: {most:?}");
        };
        for pixels in [PixelFormat::Rgb24, PixelFormat::Yuyv422, PixelFormat::Yuv420p] {
            let (bytes, format) = coded(pixels);
            for orientation in (1..=8).filter_map(Orientation::from_exif) {
                let picture = Picture::new(bytes.clone().into(), &format).unwrap().oriented(orientation);
                let (view, rgb) = (picture.view(), picture.to_rgb());
                assert_eq!(view.dimensions(), rgb.dimensions());
                let mut sampler = Sampler::default();
                for input in [(320, 256), (640, 640), (96, 64)] {
                    let mut canvases = [0, 1].map(|fill| vec![fill; 3 * (input.0 * input.1) as usize]);
                    let scale = sampler.letterbox(view, input, &mut canvases[0]);
                    assert_eq!(scale, sampler.letterbox(&rgb, input, &mut canvases[1]));
                    compare(&canvases[0], &canvases[1], &format!("{pixels} {orientation:?} {input:?}"));
                }
                for face in [Rect::new(178.0, 65.0, 91.0, 111.0), Rect::new(-31.0, 420.5, 77.0, 60.0)] {
                    let mut crops = [0, 1].map(|fill| vec![fill; 3 * 128 * 128]);
                    sampler.face_crop(view, &face, 1.1, 128, &mut crops[0]);
                    sampler.face_crop(&rgb, &face, 1.1, 128, &mut crops[1]);
                    compare(&crops[0], &crops[1], &format!("{pixels} {orientation:?} {face:?}"));
                }
            }
        }
    }

    #[test]
    fn every_format_gives_what_its_rgb_picture_gives() {
        for pixels in PixelFormat::ALL.into_iter().filter(|pixels| *pixels != PixelFormat::Mjpeg) {
            let (bytes, format) = coded(pixels);
            let view = View::new(&bytes, &format).unwrap();
            let rgb = view.to_rgb();
            let mut sampler = Sampler::default();
            for input in [(320, 256), (256, 320), (640, 640), (96, 64)] {
                let mut canvases = [0, 1].map(|fill| vec![fill; 3 * (input.0 * input.1) as usize]);
                let scale = sampler.letterbox(view, input, &mut canvases[0]);
                assert_eq!(scale, sampler.letterbox(&rgb, input, &mut canvases[1]));
                assert!(canvases[0] == canvases[1], "{pixels} {input:?}");
            }
            for face in [Rect::new(178.0, 65.0, 91.0, 111.0), Rect::new(-31.0, 470.5, 77.0, 60.0)] {
                for input in [128, 224] {
                    let mut crops = [0, 1].map(|fill| vec![fill; 3 * (input * input) as usize]);
                    sampler.face_crop(view, &face, 1.1, input, &mut crops[0]);
                    sampler.face_crop(&rgb, &face, 1.1, input, &mut crops[1]);
                    assert!(crops[0] == crops[1], "{pixels} {face:?} {input}");
                }
            }
        }
    }
}
