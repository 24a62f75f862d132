//! Whose face it is, as far as a photograph tells: the tone of the skin, estimated, and how bright the face
//! is.
//!
//! The tone is the individual typology angle (ITA; Chardon, Cretois and Hourseau 1991, "Skin colour typology
//! and suntanning pathways"): the angle of lightness over yellowness in CIELAB, in degrees; large is light.
//! It is taken from the forehead, which a mask leaves bare. The light of the scene, hair and caps change it:
//! an estimate of many faces, not of one.

use super::metrics::Band;
use image::RgbImage;
use maskwatch::geometry::Rect;

/// Bands of the ITA in degrees; of Chardon's six classes the two lightest, the two in the middle, the two
/// darkest.
pub const TONES: [Band; 3] = [
    Band { name: "ITA above 41", from: 41.0, below: f32::INFINITY },
    Band { name: "ITA 10 to 41", from: 10.0, below: 41.0 },
    Band { name: "ITA below 10", from: f32::NEG_INFINITY, below: 10.0 },
];

/// Bands of the mean luma of a face, 0 to 1.
pub const BRIGHTNESS: [Band; 3] = [
    Band { name: "luma below 0.3", from: 0.0, below: 0.3 },
    Band { name: "luma 0.3 to 0.6", from: 0.3, below: 0.6 },
    Band { name: "luma above 0.6", from: 0.6, below: f32::INFINITY },
];

/// The part of a box that is taken for the forehead: left, top, width and height, in shares of its sides.
const FOREHEAD: [f32; 4] = [0.25, 0.12, 0.5, 0.2];

/// The light on a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkinLight {
    /// Individual typology angle of the forehead, −90 to 90 degrees: the median of its pixels.
    pub tone: f32,
    /// Mean luma of the face, 0 to 1.
    pub brightness: f32,
}

impl SkinLight {
    /// Measures the face in the box `rect` of `pixels`.
    #[must_use]
    pub fn of(pixels: &RgbImage, rect: &Rect) -> Self {
        let [left, top, width, height] = FOREHEAD;
        let forehead = Rect::new(
            rect.x + left * rect.w,
            rect.y + top * rect.h,
            (width * rect.w).max(1.0),
            (height * rect.h).max(1.0),
        );
        let mut angles: Vec<f32> = within(pixels, &forehead).map(typology_angle).collect();
        angles.sort_by(f32::total_cmp);
        let luma = |[red, green, blue]: [f32; 3]| 0.299 * red + 0.587 * green + 0.114 * blue;
        let (sum, count) =
            within(pixels, rect).fold((0.0, 0.0f32), |(sum, n), rgb| (sum + luma(rgb), n + 1.0));
        Self {
            tone: angles.get(angles.len() / 2).copied().unwrap_or_default(),
            brightness: sum / count.max(1.0),
        }
    }
}

/// The pixels in a box, 0 to 1.
fn within<'a>(pixels: &'a RgbImage, rect: &Rect) -> impl Iterator<Item = [f32; 3]> + 'a {
    let Rect { x, y, w, h } = rect.clipped(pixels.width(), pixels.height());
    let (right, bottom) = ((x + w) as u32, (y + h) as u32);
    (y as u32..bottom).flat_map(move |row| {
        (x as u32..right)
            .map(move |column| pixels.get_pixel(column, row).0.map(|value| f32::from(value) / 255.0))
    })
}

/// ITA of an sRGB colour, by way of CIELAB with D65's white.
fn typology_angle(rgb: [f32; 3]) -> f32 {
    let [red, green, blue] =
        rgb.map(|v| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) });
    let y = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    let z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089;
    let f = |t: f32| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let (lightness, yellowness) = (116.0 * f(y) - 16.0, 200.0 * (f(y) - f(z)));
    ((lightness - 50.0) / yellowness.max(0.01)).atan().to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn tones_of_skin_fall_into_their_bands() {
        let band = |rgb: [u8; 3]| {
            let picture = RgbImage::from_pixel(40, 40, Rgb(rgb));
            let light = SkinLight::of(&picture, &Rect::new(5.0, 5.0, 30.0, 30.0));
            TONES.iter().position(|band| band.contains(light.tone)).unwrap()
        };
        assert_eq!(band([241, 214, 196]), 0);
        assert_eq!(band([198, 150, 120]), 1);
        assert_eq!(band([110, 72, 50]), 2);
    }

    #[test]
    fn the_forehead_alone_tells_the_tone() {
        let masked = RgbImage::from_fn(40, 40, |_, y| Rgb(if y < 20 { [110, 72, 50] } else { [250; 3] }));
        let light = SkinLight::of(&masked, &Rect::new(0.0, 0.0, 40.0, 40.0));
        assert!(light.tone < 10.0 && light.brightness > 0.6, "{light:?}");
    }
}
