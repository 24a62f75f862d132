//! Defects of cheap cameras and of transmission: colour casts, bad exposure, blur, noise, JPEG. Nothing here
//! moves a face.

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use rand::{Rng, RngExt};

/// How often each distortion happens.
const COLOUR: f64 = 0.7;
const GREY: f64 = 0.05;
const SOFT: f64 = 0.2;
const NOISE: f64 = 0.15;
const JPEG: f64 = 0.4;

/// Changes exposure, contrast, saturation and white balance at random; now and then the colours go
/// altogether.
pub(super) fn colour(picture: &mut RgbImage, random: &mut impl Rng) {
    let grey = random.random_bool(GREY);
    if !grey && !random.random_bool(COLOUR) {
        return;
    }
    let contrast = random.random_range(0.6..1.4);
    let brightness = random.random_range(-40.0..40.0f32);
    let saturation = if grey { 0.0 } else { random.random_range(0.5..1.5f32) };
    let gamma = random.random_range(-0.5..0.5f32).exp2();
    let balance: [f32; 3] = std::array::from_fn(|_| random.random_range(0.88..1.12));
    // Exposure acts on each channel alone, so a table of 256 values per channel does all but the saturation.
    let table: [[f32; 256]; 3] = balance.map(|balance| {
        std::array::from_fn(|value| {
            let value = 255.0 * (value as f32 / 255.0).powf(gamma) * balance;
            (value - 128.0) * contrast + 128.0 + brightness
        })
    });
    for pixel in picture.pixels_mut() {
        let exposed: [f32; 3] = std::array::from_fn(|channel| table[channel][usize::from(pixel.0[channel])]);
        let light = 0.299 * exposed[0] + 0.587 * exposed[1] + 0.114 * exposed[2];
        // A float turned into a byte stops at 0 and 255.
        pixel.0 = exposed.map(|value| (light + (value - light) * saturation) as u8);
    }
}

/// Removes detail at random: shrinks the picture and enlarges it again, but never so far that a face of
/// `side` pixels falls below six.
pub(super) fn soften(picture: &mut RgbImage, side: f32, random: &mut impl Rng) {
    let least = (6.0 / side.max(1.0)).clamp(0.3, 1.0);
    if least > 0.9 || !random.random_bool(SOFT) {
        return;
    }
    let factor = random.random_range(least..0.95);
    let (width, height) = picture.dimensions();
    let shrunk = |length: u32| ((length as f32 * factor) as u32).max(1);
    let filter = if random.random_bool(0.3) { FilterType::Nearest } else { FilterType::Triangle };
    let small = imageops::resize(picture, shrunk(width), shrunk(height), FilterType::Triangle);
    *picture = imageops::resize(&small, width, height, filter);
}

/// Adds sensor noise and JPEG artefacts at random.
pub(super) fn degrade(picture: &mut RgbImage, random: &mut impl Rng) {
    if random.random_bool(NOISE) {
        let strength = random.random_range(2.0..14.0f32);
        for value in picture.iter_mut() {
            // The sum of a few uniform numbers is near enough to a normal one.
            let bits = random.next_u32().to_le_bytes();
            let sum: f32 = bits.iter().map(|&byte| f32::from(byte) / 127.5 - 1.0).sum();
            *value = (f32::from(*value) + strength * 0.87 * sum) as u8;
        }
    }
    if random.random_bool(JPEG) {
        let quality = random.random_range(35..=92);
        let mut file = Vec::new();
        let encoded = JpegEncoder::new_with_quality(&mut file, quality).encode_image(picture);
        // Neither can fail in memory; if it did, the picture would merely stay clean.
        if encoded.is_ok()
            && let Ok(decoded) = image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg)
        {
            *picture = decoded.into_rgb8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn scene() -> RgbImage {
        RgbImage::from_fn(48, 40, |x, y| image::Rgb([(x * 5) as u8, (y * 6) as u8, ((x ^ y) * 4) as u8]))
    }

    fn distorted(seed: u64) -> RgbImage {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut picture = scene();
        colour(&mut picture, &mut random);
        soften(&mut picture, 20.0, &mut random);
        degrade(&mut picture, &mut random);
        picture
    }

    #[test]
    fn distortions_keep_the_size_differ_and_can_be_repeated() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..40 {
            let picture = distorted(seed);
            assert_eq!(picture.dimensions(), (48, 40));
            assert_eq!(picture, distorted(seed));
            seen.insert(picture.into_raw());
        }
        assert!(seen.len() > 30, "{}", seen.len());
    }

    #[test]
    fn the_scene_stays_recognisable() {
        let scene = scene();
        for seed in 0..40 {
            let picture = distorted(seed);
            let mean = |picture: &RgbImage| picture.iter().map(|&v| f64::from(v)).sum::<f64>() / 5760.0;
            let (mean_before, mean_after) = (mean(&scene), mean(&picture));
            let mut product = (0.0, 0.0, 0.0);
            for (&before, &after) in scene.iter().zip(picture.iter()) {
                let (before, after) = (f64::from(before) - mean_before, f64::from(after) - mean_after);
                product =
                    (product.0 + before * after, product.1 + before * before, product.2 + after * after);
            }
            let correlation = product.0 / (product.1 * product.2).sqrt();
            assert!(correlation > 0.5, "seed {seed}: {correlation}");
        }
    }

    #[test]
    fn faces_near_the_limit_are_not_softened() {
        for seed in 0..20 {
            let mut picture = scene();
            soften(&mut picture, 6.5, &mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!(picture, scene());
        }
    }
}
