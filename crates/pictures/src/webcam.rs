//! A face close to a cheap webcam: it fills the frame, a bright window is behind it, and the picture is dark,
//! noisy and badly compressed.

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::pixels::preprocess;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Size of the frames, in pixels.
pub const FRAME: (u32, u32) = (640, 480);

/// Faces with fewer pixels (shorter side) cannot be enlarged so far.
pub const LEAST_ENLARGED: f32 = 48.0;

/// Sides of what is shown in a face's place, as shares of the picture's shorter side.
const PLACES: (f32, f32) = (0.2, 0.9);

/// A random place in a picture of that width and height, about as high as it is wide: what a webcam shows
/// where there is no face.
pub fn place((width, height): (u32, u32), generator: &mut impl Rng) -> Rect {
    let side = generator.random_range(PLACES.0..PLACES.1) * width.min(height) as f32;
    let (across, down) = (width as f32 - side, height as f32 - side);
    let wide = generator.random_range(0.75..1.0);
    Rect::new(generator.random_range(0.0..=across), generator.random_range(0.0..=down), wide * side, side)
}

/// One such view of a face.
#[derive(Debug, Clone, PartialEq)]
pub struct WebcamView {
    /// Width of the face as a share of the frame's.
    pub share: f32,
    /// How far the face's middle is off the frame's, in shares of the frame's sides.
    off: (f32, f32),
    /// Mean luma of the face, 0 to 1.
    brightness: f32,
    /// Luma of the window, 0 to 1.
    window: f32,
    /// Whether the lower half of the face is darkened: a black mask.
    pub black_mask: bool,
    /// Standard deviation of the noise, in steps of 1/255.
    noise: f32,
    /// Quality of the JPEG compression, 1 to 100.
    quality: u8,
}

impl WebcamView {
    /// A random view: the face fills 40 to 110 % of the frame's width and has 5 to 25 % of its brightness.
    pub fn random(generator: &mut ChaCha8Rng) -> Self {
        Self {
            share: generator.random_range(0.4..1.1),
            off: (generator.random_range(-0.08..0.08), generator.random_range(-0.08..0.12)),
            brightness: generator.random_range(0.05..0.25),
            window: generator.random_range(0.75..1.0),
            black_mask: generator.random_bool(0.5),
            noise: generator.random_range(2.0..8.0),
            quality: generator.random_range(40..=70),
        }
    }

    /// The same view with the face anywhere in the frame, its middle at least.
    #[must_use]
    pub fn anywhere(self, generator: &mut ChaCha8Rng) -> Self {
        Self { off: (generator.random_range(-0.4..0.4), generator.random_range(-0.4..0.4)), ..self }
    }

    /// The frame that shows `face` of `picture`, and where the face is in it. `is_masked` allows the lower
    /// half to be darkened.
    #[must_use]
    pub fn frame(
        &self,
        picture: &RgbImage,
        face: &Rect,
        is_masked: bool,
        generator: &mut ChaCha8Rng,
    ) -> (RgbImage, Rect) {
        let (width, height) = (FRAME.0 as f32, FRAME.1 as f32);
        let zoom = self.share * width / face.w;
        let centre = face.centre();
        let (left, top) =
            (centre.x - width * (0.5 + self.off.0) / zoom, centre.y - height * (0.5 + self.off.1) / zoom);
        let seen = preprocess::cut(picture, &Rect::new(left, top, width / zoom, height / zoom));
        let mut frame = preprocess::resize(&seen, FRAME.0, FRAME.1);
        let rect = Rect::new((face.x - left) * zoom, (face.y - top) * zoom, face.w * zoom, face.h * zoom);
        self.light(&mut frame, &rect, is_masked && self.black_mask);
        for pixel in frame.pixels_mut() {
            // Noise of sensors is nearly normal: the sum of three even ones is near enough.
            let noise: f32 = (0..3).map(|_| generator.random_range(-1.0f32..1.0)).sum::<f32>() * self.noise;
            pixel.0 = pixel.0.map(|value| (f32::from(value) + noise).clamp(0.0, 255.0) as u8);
        }
        (compressed(&frame, self.quality), rect)
    }

    /// Darkens head and shoulders, and puts the window behind them.
    fn light(&self, frame: &mut RgbImage, face: &Rect, black_mask: bool) {
        let luma = |pixel: &Rgb<u8>| {
            let [red, green, blue] = pixel.0.map(f32::from);
            (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0
        };
        let inner = face.clipped(FRAME.0, FRAME.1);
        let (mut sum, mut count) = (0.0, 0.0f32);
        for y in inner.y as u32..(inner.y + inner.h) as u32 {
            for x in inner.x as u32..(inner.x + inner.w) as u32 {
                sum += luma(frame.get_pixel(x, y));
                count += 1.0;
            }
        }
        let gain = self.brightness / (sum / count.max(1.0)).max(0.02);
        let centre = face.centre();
        for (x, y, pixel) in frame.enumerate_pixels_mut() {
            let (across, down) = ((x as f32 - centre.x) / face.w, (y as f32 - centre.y) / face.h);
            // The head is an ellipse around the box, the shoulders widen below it.
            let head = (across / 0.68).hypot(down / 0.78);
            let shoulders =
                (across / (0.7 + 1.2 * (down - 0.6).max(0.0))).abs().max((0.6 - down) * 4.0 + 1.0);
            let outside = ((head.min(shoulders) - 1.0) / 0.12).clamp(0.0, 1.0);
            let covered = black_mask && down > 0.02 && down < 0.46 && across.abs() < 0.46;
            let gain = if covered { gain * 0.3 } else { gain };
            pixel.0 = pixel.0.map(|value| {
                let inside = f32::from(value) * gain;
                let behind = 255.0 * self.window * (0.8 + 0.2 * f32::from(value) / 255.0);
                (inside + (behind - inside) * outside).clamp(0.0, 255.0) as u8
            });
        }
    }
}

fn compressed(frame: &RgbImage, quality: u8) -> RgbImage {
    let mut bytes = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(frame);
    match encoded.and_then(|()| image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg)) {
        Ok(picture) => picture.into_rgb8(),
        Err(_) => frame.clone(), // what was just encoded can be decoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_face_is_dark_before_a_bright_window(seed in any::<u64>()) {
            let picture = RgbImage::from_fn(200, 200, |x, y| Rgb([120 + (x % 40) as u8, 110, 90 + (y % 50) as u8]));
            let face = Rect::new(70.0, 60.0, 60.0, 70.0);
            let mut generator = stream(seed, Purpose::View, 0);
            let view = WebcamView { share: 0.45, black_mask: false, ..WebcamView::random(&mut generator) };
            let (frame, rect) = view.frame(&picture, &face, true, &mut generator);
            prop_assert_eq!(frame.dimensions(), FRAME);
            prop_assert!((rect.w - 0.45 * 640.0).abs() < 1.0, "{rect:?}");
            let luma = |x: f32, y: f32| f32::from(frame.get_pixel(x as u32, y as u32).0[1]);
            let middle = rect.centre();
            prop_assert!(luma(middle.x, middle.y) < 100.0 && luma(4.0, 4.0) > 140.0);
        }
    }
}
