//! Random changes to a face's crop that leave its label true: where it is cut out, its colours, its
//! sharpness. Without changes a [`FaceView`] is exactly the crop that [`maskwatch_vision::classifier`] sees.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};
use maskwatch_vision::geometry::{Point, Rect};
use maskwatch_vision::pixels::preprocess;
use maskwatch_vision::pixels::sampler::whole_pixels;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Strength of the random changes to crops. The defaults are those that served best on faces of 16 pixels and
/// more.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Augmentation {
    /// Range of the side of the square that the network sees, as a multiple of the face's longer side.
    pub scale: (f32, f32),
    /// Probability of a mirror image.
    pub flip: f64,
    /// Largest shift to each side, as a share of the square's side.
    pub shift: f32,
    /// Largest rotation either way, in degrees.
    pub rotation: f32,
    /// Largest change of the aspect ratio, 0.12 for 1 : 1.12 and 1.12 : 1.
    pub aspect: f32,
    /// Probability of a change of brightness, contrast, saturation and hue.
    pub colour: f64,
    /// Probability of a blur.
    pub blur: f64,
    /// Probability that the crop is shrunk to a side in `downscale_to` and enlarged again.
    pub downscale: f64,
    /// The sides, in pixels, that crops are shrunk to.
    pub downscale_to: (f32, f32),
    /// Probability of JPEG compression.
    pub jpeg: f64,
    /// Quality of that compression, 1 to 100.
    pub jpeg_quality: (u8, u8),
    /// Probability that a rectangle is painted over (Zhong et al. 2017, random erasing).
    pub erase: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            scale: (0.9, 1.3),
            flip: 0.5,
            shift: 0.08,
            rotation: 10.0,
            aspect: 0.12,
            colour: 0.8,
            blur: 0.3,
            downscale: 0.4,
            downscale_to: (12.0, 64.0),
            jpeg: 0.5,
            jpeg_quality: (30, 90),
            erase: 0.25,
        }
    }
}

impl Augmentation {
    /// Draws the parameters of one crop.
    pub fn view(&self, generator: &mut ChaCha8Rng) -> FaceView {
        let mut within = |limit: f32| if limit > 0.0 { generator.random_range(-limit..=limit) } else { 0.0 };
        let shift = (within(self.shift), within(self.shift));
        let rotation = within(self.rotation).to_radians();
        let aspect = (within(1.0) * (1.0 + self.aspect).ln()).exp();
        let colour = [within(0.3), within(0.3), within(0.4), within(18.0)];
        let spread = |generator: &mut ChaCha8Rng, (low, high): (f32, f32)| {
            if low < high { (generator.random_range(low.ln()..=high.ln())).exp() } else { low }
        };
        let scale = spread(generator, self.scale);
        let sigma = generator.random_range(0.5..2.0);
        let side = spread(generator, self.downscale_to);
        let quality =
            generator.random_range(self.jpeg_quality.0..=self.jpeg_quality.1.max(self.jpeg_quality.0));
        let eraser = Eraser {
            area: generator.random_range(0.02..0.15),
            aspect: spread(generator, (0.4, 2.5)),
            at: (generator.random_range(0.0..1.0), generator.random_range(0.0..1.0)),
            colour: Rgb(std::array::from_fn(|_| generator.random_range(0..=255))),
        };
        // Everything is drawn whether it is used or not: so the strength of one change leaves the others as
        // they were.
        let mut chance = |probability: f64| generator.random_bool(probability.clamp(0.0, 1.0));
        FaceView {
            scale,
            flip: chance(self.flip),
            shift,
            rotation,
            aspect,
            colour: chance(self.colour).then(|| ColourChange {
                brightness: 1.0 + colour[0],
                contrast: 1.0 + colour[1],
                saturation: 1.0 + colour[2],
                hue: colour[3].to_radians(),
            }),
            blur: chance(self.blur).then_some(sigma),
            downscale: chance(self.downscale).then_some(side.round() as u32),
            jpeg: chance(self.jpeg).then_some(quality),
            eraser: chance(self.erase).then_some(eraser),
        }
    }
}

/// One random crop of a face, drawn from an [`Augmentation`].
#[derive(Debug, Clone, PartialEq)]
pub struct FaceView {
    scale: f32,
    flip: bool,
    /// Shares of the square's side.
    shift: (f32, f32),
    /// Radians.
    rotation: f32,
    /// How much wider the face becomes in comparison with its height.
    aspect: f32,
    colour: Option<ColourChange>,
    /// Standard deviation in pixels of an input of 128.
    blur: Option<f32>,
    /// Side in pixels.
    downscale: Option<u32>,
    jpeg: Option<u8>,
    eraser: Option<Eraser>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct ColourChange {
    brightness: f32,
    contrast: f32,
    saturation: f32,
    /// Radians around the axis of greys.
    hue: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Eraser {
    /// Share of the crop.
    area: f32,
    aspect: f32,
    at: (f32, f32),
    colour: Rgb<u8>,
}

impl FaceView {
    /// The unchanged crop, as in use: a square of `margin` × the face's longer side.
    #[must_use]
    pub fn plain(margin: f32) -> Self {
        Self {
            scale: margin,
            flip: false,
            shift: (0.0, 0.0),
            rotation: 0.0,
            aspect: 1.0,
            colour: None,
            blur: None,
            downscale: None,
            jpeg: None,
            eraser: None,
        }
    }

    /// The crop, `input` × `input` pixels; edge pixels are repeated where it reaches over the picture.
    #[must_use]
    pub fn render(&self, picture: &RgbImage, face: &Rect, input: u32) -> RgbImage {
        let mut crop = self.cut_out(picture, face, input);
        if self.flip {
            imageops::flip_horizontal_in_place(&mut crop);
        }
        if let Some(eraser) = self.eraser {
            eraser.apply(&mut crop);
        }
        if let Some(colour) = self.colour {
            colour.apply(&mut crop);
        }
        if let Some(sigma) = self.blur {
            crop = imageops::fast_blur(&crop, sigma * input as f32 / 128.0);
        }
        if let Some(side) = self.downscale.filter(|side| *side < input) {
            crop = preprocess::resize(&preprocess::resize(&crop, side, side), input, input);
        }
        if let Some(quality) = self.jpeg {
            crop = compressed(crop, quality);
        }
        crop
    }

    /// Where the five landmarks of `face`, in pixels of the picture, lie in its crop, in shares of the crop's
    /// sides; in their usual order, so that those of a mirrored face change sides.
    #[must_use]
    pub fn place(&self, landmarks: &[Point; 5], face: &Rect, input: u32) -> [Point; 5] {
        let rect = whole_pixels(&self.rect(face));
        let resized = preprocess::resized_side(input);
        let centre = ((resized - input) / 2) as f32 + input as f32 / 2.0;
        let (sin, cos) = self.rotation.sin_cos();
        let placed = landmarks.map(|point| {
            let x = (point.x - rect.x) * resized as f32 / rect.w - centre;
            let y = (point.y - rect.y) * resized as f32 / rect.h - centre;
            let (x, y) = ((cos * x + sin * y) / input as f32, (cos * y - sin * x) / input as f32);
            Point { x: 0.5 + if self.flip { -x } else { x }, y: 0.5 + y }
        });
        let [right_eye, left_eye, nose, right_mouth, left_mouth] = placed;
        if self.flip { [left_eye, right_eye, nose, left_mouth, right_mouth] } else { placed }
    }

    /// What is cut out of the picture.
    fn rect(&self, face: &Rect) -> Rect {
        let square = preprocess::resized_square(face, self.scale);
        let stretch = self.aspect.sqrt();
        let (width, height) = (square.w / stretch, square.h * stretch);
        let seen = face.w.max(face.h) * self.scale;
        Rect::new(
            square.x + (square.w - width) / 2.0 + self.shift.0 * seen,
            square.y + (square.h - height) / 2.0 + self.shift.1 * seen,
            width,
            height,
        )
    }

    /// The paper's way: a square with room around it is cut out and resized, then its middle is taken, here
    /// turned.
    fn cut_out(&self, picture: &RgbImage, face: &Rect, input: u32) -> RgbImage {
        let rect = self.rect(face);
        let resized = preprocess::resized_side(input);
        let patch = preprocess::resize(&preprocess::cut(picture, &rect), resized, resized);
        let border = (resized - input) / 2;
        if self.rotation == 0.0 {
            return imageops::crop_imm(&patch, border, border, input, input).to_image();
        }
        let (sin, cos) = self.rotation.sin_cos();
        let middle = (input as f32 - 1.0) / 2.0;
        RgbImage::from_fn(input, input, |x, y| {
            let (x, y) = (x as f32 - middle, y as f32 - middle);
            let centre = middle + border as f32;
            interpolated(&patch, centre + cos * x - sin * y, centre + sin * x + cos * y)
        })
    }
}

/// The picture's colour between four pixels; (0, 0) is the middle of the first one, outside the nearest pixel
/// counts.
fn interpolated(picture: &RgbImage, x: f32, y: f32) -> Rgb<u8> {
    let (last_x, last_y) = (picture.width() - 1, picture.height() - 1);
    let (x, y) = (x.clamp(0.0, last_x as f32), y.clamp(0.0, last_y as f32));
    let (left, top) = (x as u32, y as u32);
    let (right, bottom) = ((left + 1).min(last_x), (top + 1).min(last_y));
    let (x, y) = (x - left as f32, y - top as f32);
    let corners =
        [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| picture.get_pixel(x, y).0);
    Rgb(std::array::from_fn(|channel| {
        let [a, b, c, d] = corners.map(|pixel| f32::from(pixel[channel]));
        let (above, below) = (a + (b - a) * x, c + (d - c) * x);
        (above + (below - above) * y).round() as u8
    }))
}

impl ColourChange {
    /// All four changes are linear in the colour, so they are one matrix and one offset.
    fn apply(self, crop: &mut RgbImage) {
        const GREY: [f32; 3] = [0.299, 0.587, 0.114];
        let grey = |pixel: &Rgb<u8>| {
            pixel.0.iter().zip(GREY).map(|(&value, weight)| f32::from(value) * weight).sum::<f32>()
        };
        let mean = crop.pixels().map(grey).sum::<f32>() / crop.pixels().len().max(1) as f32;
        let (sin, cos) = self.hue.sin_cos();
        let gain = self.brightness * self.contrast;
        let offset = self.brightness * (1.0 - self.contrast) * mean;
        // Rotation around the grey axis (1, 1, 1), then saturation as a mixture with grey.
        let turned: [[f32; 3]; 3] = std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                let third = (1.0 - cos) / 3.0;
                let across = sin / 3f32.sqrt();
                match (row + 3 - column) % 3 {
                    0 => cos + third,
                    1 => third + across,
                    _ => third - across,
                }
            })
        });
        let matrix: [[f32; 3]; 3] = std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                let as_grey: f32 = (0..3).map(|k| GREY[k] * turned[k][column]).sum();
                gain * (self.saturation * turned[row][column] + (1.0 - self.saturation) * as_grey)
            })
        });
        for pixel in crop.pixels_mut() {
            let old = pixel.0.map(f32::from);
            pixel.0 = std::array::from_fn(|row| {
                let value: f32 = (0..3).map(|column| matrix[row][column] * old[column]).sum();
                (value + offset).round().clamp(0.0, 255.0) as u8
            });
        }
    }
}

impl Eraser {
    fn apply(self, crop: &mut RgbImage) {
        let (width, height) = (crop.width() as f32, crop.height() as f32);
        let across = (width * (self.area * self.aspect).sqrt()).clamp(1.0, width);
        let down = (height * (self.area / self.aspect).sqrt()).clamp(1.0, height);
        let (left, top) = ((self.at.0 * (width - across)) as u32, (self.at.1 * (height - down)) as u32);
        for y in top..top + down as u32 {
            for x in left..left + across as u32 {
                crop.put_pixel(x, y, self.colour);
            }
        }
    }
}

fn compressed(crop: RgbImage, quality: u8) -> RgbImage {
    let mut bytes = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&crop);
    match encoded.and_then(|()| image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg)) {
        Ok(picture) => picture.into_rgb8(),
        Err(_) => crop, // what was just encoded can be decoded; a crop that could not would stay as it is
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use proptest::prelude::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(90, 70, |x, y| Rgb([(x * 2) as u8, (y * 3) as u8, ((x * y) % 251) as u8]))
    }

    fn none() -> Augmentation {
        Augmentation {
            scale: (1.1, 1.1),
            flip: 0.0,
            shift: 0.0,
            rotation: 0.0,
            aspect: 0.0,
            colour: 0.0,
            blur: 0.0,
            downscale: 0.0,
            jpeg: 0.0,
            erase: 0.0,
            ..Augmentation::default()
        }
    }

    fn view(augmentation: Augmentation) -> FaceView {
        augmentation.view(&mut stream(1, Purpose::View, 0))
    }

    /// Mean absolute difference of two pictures, 0 to 255.
    fn difference(left: &RgbImage, right: &RgbImage) -> f64 {
        assert_eq!(left.dimensions(), right.dimensions());
        let sum: u64 = left.iter().zip(right.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / left.len() as f64
    }

    #[test]
    fn nothing_changed_is_the_crop_in_use() {
        let face = Rect::new(20.3, 15.0, 31.0, 40.7);
        for input in [96, 128, 160, 224] {
            let crop = preprocess::face_crop(&picture(), &face, 1.1, input);
            assert_eq!(FaceView::plain(1.1).render(&picture(), &face, input), crop);
            assert_eq!(view(none()).render(&picture(), &face, input), crop);
        }
    }

    #[test]
    fn each_change_changes_something() {
        let face = Rect::new(20.0, 15.0, 40.0, 40.0);
        let plain = view(none()).render(&picture(), &face, 64);
        for (name, augmentation) in [
            ("scale", Augmentation { scale: (0.9, 1.0), ..none() }),
            ("flip", Augmentation { flip: 1.0, ..none() }),
            ("shift", Augmentation { shift: 0.3, ..none() }),
            ("rotation", Augmentation { rotation: 10.0, ..none() }),
            ("aspect", Augmentation { aspect: 0.5, ..none() }),
            ("colour", Augmentation { colour: 1.0, ..none() }),
            ("blur", Augmentation { blur: 1.0, ..none() }),
            ("downscale", Augmentation { downscale: 1.0, downscale_to: (12.0, 12.0), ..none() }),
            ("jpeg", Augmentation { jpeg: 1.0, jpeg_quality: (30, 30), ..none() }),
            ("erase", Augmentation { erase: 1.0, ..none() }),
        ] {
            let changed = view(augmentation).render(&picture(), &face, 64);
            assert!(difference(&plain, &changed) > 0.5, "{name}");
        }
    }

    #[test]
    fn shifts_go_by_the_square_that_is_seen() {
        // The picture's red is twice the column: a shift by a tenth of 50 pixels is 5 columns, 10 levels of
        // red.
        let face = Rect::new(30.0, 20.0, 20.0, 20.0);
        let moved = FaceView { shift: (0.1, 0.0), ..FaceView::plain(1.5) };
        let mean = |view: &FaceView| {
            let crop = view.render(&picture(), &face, 60);
            crop.pixels().map(|pixel| f64::from(pixel.0[0])).sum::<f64>() / 3600.0
        };
        assert!((mean(&moved) - mean(&FaceView::plain(1.5)) - 6.0).abs() < 1.1);
    }

    #[test]
    fn turning_moves_the_top_sideways_and_keeps_the_middle() {
        let mut marked = RgbImage::from_pixel(101, 101, Rgb([0; 3]));
        for (x, y) in [(50, 50), (50, 30)] {
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                marked.put_pixel(x + dx, y + dy, Rgb([255; 3]));
            }
        }
        let turned = FaceView { rotation: 30f32.to_radians(), ..FaceView::plain(1.0) };
        let crop = turned.render(&marked, &Rect::new(1.0, 1.0, 100.0, 100.0), 100);
        assert!(crop.get_pixel(49, 49).0[0] > 100);
        // 20 pixels above the middle, turned by 30°: 10 to the side, 17.3 above.
        let brightest = (0..45)
            .flat_map(|y| (0..100).map(move |x| (x, y)))
            .max_by_key(|&(x, y)| crop.get_pixel(x, y).0[0]);
        let (x, y) = brightest.unwrap();
        assert!((i64::from(x) - 49).unsigned_abs().abs_diff(10) <= 1 && y.abs_diff(32) <= 1, "{x} {y}");
    }

    #[test]
    fn landmarks_go_where_their_pixels_go() {
        let picture = |at: (u32, u32)| {
            RgbImage::from_fn(120, 120, |x, y| {
                let near = x.abs_diff(at.0) <= 1 && y.abs_diff(at.1) <= 1;
                Rgb([if near { 255 } else { 0 }; 3])
            })
        };
        let face = Rect::new(22.3, 30.4, 61.0, 70.9);
        let marks = [(38, 50), (66, 48), (52, 63), (40, 82), (64, 84)];
        let middle = |(x, y): (u32, u32)| Point { x: x as f32 + 0.5, y: y as f32 + 0.5 };
        for index in 0..12 {
            let augmentation = Augmentation {
                colour: 0.0,
                blur: 0.0,
                downscale: 0.0,
                jpeg: 0.0,
                erase: 0.0,
                ..Augmentation::default()
            };
            let view = augmentation.view(&mut stream(3, Purpose::View, index));
            let placed = view.place(&marks.map(middle), &face, 96);
            let swapped = [1, 0, 2, 4, 3];
            for (mark, at) in marks.into_iter().enumerate() {
                let crop = view.render(&picture(at), &face, 96);
                // The bright spot's centre of mass.
                let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
                for (column, row, pixel) in crop.enumerate_pixels() {
                    let value = f32::from(pixel.0[0]);
                    sum += value;
                    x += value * (column as f32 + 0.5) / 96.0;
                    y += value * (row as f32 + 0.5) / 96.0;
                }
                let place = &placed[if view.flip { swapped[mark] } else { mark }];
                let (x, y) = (x / sum, y / sum);
                assert!((x - place.x).abs() < 0.01 && (y - place.y).abs() < 0.01, "{x} {y} {place:?}");
            }
        }
    }

    #[test]
    fn grey_stays_grey_when_only_hue_and_saturation_change() {
        let mut crop = RgbImage::from_pixel(4, 4, Rgb([120, 120, 120]));
        ColourChange { brightness: 1.0, contrast: 1.0, saturation: 1.4, hue: 0.3 }.apply(&mut crop);
        assert!(crop.pixels().all(|pixel| pixel.0.iter().all(|value| value.abs_diff(120) <= 1)));
        let mut crop = RgbImage::from_pixel(4, 4, Rgb([200, 60, 60]));
        ColourChange { brightness: 1.0, contrast: 1.0, saturation: 1.0, hue: 120f32.to_radians() }
            .apply(&mut crop);
        let Rgb([r, g, b]) = *crop.get_pixel(0, 0);
        assert!(
            g.abs_diff(200) <= 1 && r.abs_diff(60) <= 1 && b.abs_diff(60) <= 1,
            "red turned by a third is green"
        );
    }

    #[test]
    fn same_stream_same_view() {
        let face = Rect::new(20.0, 15.0, 40.0, 40.0);
        let render = |index| {
            let view = Augmentation::default().view(&mut stream(5, Purpose::View, index));
            view.render(&picture(), &face, 64)
        };
        assert_eq!(render(1), render(1));
        assert_ne!(render(1), render(2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_view_has_the_inputs_size(
            seed in any::<u64>(), x in -60f32..120.0, y in -60f32..120.0, w in 0.5f32..90.0, h in 0.5f32..90.0,
            input in 16u32..80,
        ) {
            let view = Augmentation::default().view(&mut stream(seed, Purpose::View, 0));
            let crop = view.render(&picture(), &Rect::new(x, y, w, h), input);
            prop_assert_eq!(crop.dimensions(), (input, input));
        }
    }
}
