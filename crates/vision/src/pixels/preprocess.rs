//! The input of the networks as new pictures: the paper's square crop around a face, and the picture fitted
//! into the detector's input.

use super::picture::View;
use super::resample::{Resampler, TargetPart};
use super::sampler::Sampler;
pub use super::sampler::{resized_side, resized_square};
use crate::geometry::Rect;
use candle_core::{Device, Tensor};
use image::RgbImage;

/// Mean of ImageNet's red, green and blue on a scale of 0 to 1.
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's red, green and blue on that scale.
pub const STANDARD_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// The paper's preprocessing without the normalisation: cuts out a square around `face`, resizes it to 256 ×
/// 256 and takes its middle 224 × 224. For another `input` both sizes scale. Beyond the picture's edges the
/// pixels at the edge are repeated.
///
/// The side of the square in the result is `margin` × the face's longer side.
#[must_use]
pub fn face_crop<'a>(picture: impl Into<View<'a>>, face: &Rect, margin: f32, input: u32) -> RgbImage {
    let mut crop = RgbImage::new(input, input);
    Sampler::default().face_crop(picture, face, margin, input, &mut crop);
    crop
}

/// Mirrors RGB bytes `[height, width, 3]` left to right, in place.
pub fn mirror(pixels: &mut [u8], width: usize) {
    pixels.chunks_exact_mut(3 * width.max(1)).for_each(|row| row.as_chunks_mut::<3>().0.reverse());
}

/// Cuts out the whole pixels of `rect`. Beyond the picture's edges the pixels at the edge are repeated.
pub fn cut(picture: &RgbImage, rect: &Rect) -> RgbImage {
    let mut pixels = Vec::new();
    let (width, height) = super::sampler::cut_into(picture.into(), rect, &mut pixels);
    RgbImage::from_raw(width, height, pixels).unwrap_or_default()
}

/// Resizes `picture`. Where it shrinks, the pixels under each target pixel are averaged (antialiased
/// bilinear).
#[must_use]
pub fn resize(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let (width, height) = (width.max(1), height.max(1));
    let mut target = RgbImage::new(width, height);
    let part = TargetPart { left: 0, top: 0, across: width as usize, down: height as usize };
    Resampler::default().resample(picture.into(), (width, height), part, &mut target, 3 * width as usize);
    target
}

/// The classifier's input for `crops`: `[N, side, side, 3]`, RGB, normalised by ImageNet's mean and standard
/// deviation.
///
/// # Errors
/// When the crops differ in size, or there is none.
pub fn normalised(crops: &[RgbImage]) -> candle_core::Result<Tensor> {
    let Some((width, height)) = crops.first().map(RgbImage::dimensions) else {
        candle_core::bail!("there is no crop to classify");
    };
    let scale = STANDARD_DEVIATION.map(|deviation| 1.0 / (255.0 * deviation));
    let shift: [f32; 3] = std::array::from_fn(|channel| -MEAN[channel] / STANDARD_DEVIATION[channel]);
    let values: Vec<f32> = crops
        .iter()
        .flat_map(|crop| crop.as_raw().chunks_exact(3))
        .flat_map(|pixel| -> [f32; 3] {
            std::array::from_fn(|channel| f32::from(pixel[channel]) * scale[channel] + shift[channel])
        })
        .collect();
    Tensor::from_vec(values, (crops.len(), height as usize, width as usize, 3), &Device::Cpu)
}

/// Scales `picture` up or down to fit into `width` × `height`, at the top left, with black elsewhere. Returns
/// the picture and the scale.
#[must_use]
pub fn letterbox<'a>(picture: impl Into<View<'a>>, width: u32, height: u32) -> (RgbImage, f32) {
    let mut canvas = RgbImage::new(width, height);
    let scale = Sampler::default().letterbox(picture, (width, height), &mut canvas);
    (canvas, scale)
}

/// The detector's input for `pictures`: `[N, H, W, 3]`, **BGR**, 0 to 255.
///
/// # Errors
/// When the pictures differ in size, or there is none.
pub fn bgr(pictures: &[RgbImage]) -> candle_core::Result<Tensor> {
    let Some((width, height)) = pictures.first().map(RgbImage::dimensions) else {
        candle_core::bail!("there is no picture to search");
    };
    let values: Vec<f32> = pictures
        .iter()
        .flat_map(|picture| picture.as_raw().chunks_exact(3))
        .flat_map(|pixel| [f32::from(pixel[2]), f32::from(pixel[1]), f32::from(pixel[0])])
        .collect();
    Tensor::from_vec(values, (pictures.len(), height as usize, width as usize, 3), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use proptest::prelude::*;

    /// Red grows to the right, green downwards: a crop tells where it was taken.
    fn ramp(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 7]))
    }

    #[test]
    fn a_crop_of_the_inputs_own_size_is_not_resampled() {
        let picture = ramp(250, 250);
        // The face is 28 px: the square cut out is 28 · 256/224 = 32, as is the resized one; its middle 28 is
        // taken.
        let crop = face_crop(&picture, &Rect::new(100.0, 60.0, 28.0, 20.0), 1.0, 28);
        assert_eq!(crop.dimensions(), (28, 28));
        assert_eq!(crop.get_pixel(0, 0), &Rgb([100, 56, 7]));
        assert_eq!(crop.get_pixel(27, 27), &Rgb([127, 83, 7]));
    }

    #[test]
    fn edges_are_repeated() {
        let picture = ramp(40, 40);
        let crop = face_crop(&picture, &Rect::new(-28.0, -28.0, 28.0, 28.0), 1.0, 28);
        assert!(crop.pixels().all(|pixel| pixel.0[0] <= 2 && pixel.0[1] <= 2 && pixel.0[2] == 7));
    }

    #[test]
    fn normalisation_is_the_papers() {
        let crop = RgbImage::from_pixel(1, 1, Rgb([0, 128, 255]));
        let values = normalised(&[crop]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (channel, (value, pixel)) in values.iter().zip([0.0f32, 128.0, 255.0]).enumerate() {
            let expected = (pixel / 255.0 - MEAN[channel]) / STANDARD_DEVIATION[channel];
            assert!((value - expected).abs() < 1e-5, "{value} {expected}");
        }
    }

    #[test]
    fn a_letterbox_keeps_the_aspect() {
        let (canvas, scale) = letterbox(&RgbImage::from_pixel(20, 10, Rgb([9, 9, 9])), 64, 64);
        assert_eq!((canvas.dimensions(), scale), ((64, 64), 3.2));
        assert_eq!(canvas.get_pixel(63, 31), &Rgb([9, 9, 9]));
        assert_eq!(canvas.get_pixel(0, 32), &Rgb([0, 0, 0]));
    }

    proptest! {
        #[test]
        fn any_box_gives_a_crop(
            x in -1e9f32..1e9, y in -1e9f32..1e9, w in 0f32..1e9, h in 0f32..1e9, margin in 0f32..10.0,
        ) {
            let crop = face_crop(&ramp(30, 20), &Rect::new(x, y, w, h), margin, 32);
            prop_assert_eq!(crop.dimensions(), (32, 32));
        }
    }
}
