//! How well a face can be seen: sharpness, light and pose, measured on a small grey crop and on the
//! landmarks. The classifier's answer about a face that cannot be seen well does not count: [`Gates`] say
//! which ones. One more goes by how much of the face the picture's edge cuts off, and two by the classifier's
//! own output *presence*. What happens to those is the daemon's business.

use super::classifier::Presence;
use crate::geometry::{Point, Rect};
use crate::pixels::picture::View;
use crate::pixels::sampler::Sampler;

/// Side of the crop that is looked at, in pixels.
const SIDE: usize = 48;
/// Side of the crop as a multiple of the face's longer side: the face alone.
const MARGIN: f32 = 1.0;
/// Luma from which a pixel is clipped, 0 to 1: at the sensor's upper limit, apart from what JPEG adds.
const CLIPPED: f32 = 250.0 / 255.0;
/// Detector's score from which [`Gates::min_person`] holds as it is. Animals and things mostly have less.
const SURE_SCORE: f32 = 0.75;
/// Below that score, by how much the logit of *person* must be higher for each unit that the score's logit is
/// lower.
const PERSON_FOR_SCORE: f32 = 3.0;
/// Width of a face as a share of its height, about.
const ASPECT: f32 = 0.8;
/// A box that ends this near the picture's edge, as a share of its height, may go on beyond.
const AT_EDGE: f32 = 0.05;
/// Clamp for yaw; also the value for degenerate landmarks.
pub const MOST_YAW: f32 = 4.0;

/// How well one face can be seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Variance of the Laplacian divided by the variance of the crop, 0 (blurred, or of one colour) to 64; a
    /// property of the face scaled to 48 pixels, so that a face of few pixels is no sharp one.
    pub sharpness: f32,
    /// Mean luma, 0 to 1.
    pub brightness: f32,
    /// Standard deviation of the luma, 0 to 0.5.
    pub contrast: f32,
    /// Share of the pixels whose luma is at its upper limit, 0 to 1: what was there is lost.
    pub clipped: f32,
    /// How far the tip of the nose is off the middle of the eyes, along the line through them, as a share of
    /// their distance: 0 is frontal, about 0.5 half a profile; positive towards the person's left. -4 to 4.
    pub yaw: f32,
}

/// Which faces are seen well enough to be classified; 0 switches a gate off.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Gates {
    /// The least [`Quality::sharpness`].
    pub min_sharpness: f32,
    /// The least [`Quality::contrast`].
    pub min_contrast: f32,
    /// The least [`Quality::brightness`].
    pub min_brightness: f32,
    /// The greatest [`Quality::brightness`].
    pub max_brightness: f32,
    /// The greatest [`Quality::clipped`].
    pub max_clipped: f32,
    /// The greatest [`Quality::yaw`], to either side.
    pub max_yaw: f32,
    /// The least share of a face's width that the left or right edge of the picture leaves, see
    /// [`cut_off`](Self::cut_off).
    pub min_visible: f32,
    /// The least [`Presence::person`]: below it the box is nobody's face. Where the detector is less sure of
    /// a face than usual, more is needed, see [`rule_out`](Self::rule_out).
    pub min_person: f32,
    /// The least [`Presence::front`].
    pub min_front: f32,
}

/// What can stop a face from being classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// [`Gates::min_sharpness`]: it is blurred.
    Sharpness,
    /// [`Gates::min_contrast`]: it is of nearly one colour.
    Contrast,
    /// [`Gates::min_brightness`]: it is too dark.
    TooDark,
    /// [`Gates::max_brightness`]: it is too bright.
    TooBright,
    /// [`Gates::max_clipped`]: it is washed out by too much light.
    WashedOut,
    /// [`Gates::max_yaw`]: it is turned away.
    Yaw,
    /// [`Gates::min_visible`]: it is cut off by the left or right edge of the picture.
    CutOff,
    /// [`Gates::min_front`]: it is seen from behind, or is a neck.
    Hidden,
}

impl Gate {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sharpness => "sharpness",
            Self::Contrast => "contrast",
            Self::TooDark => "too dark",
            Self::TooBright => "too bright",
            Self::WashedOut => "washed out",
            Self::Yaw => "yaw",
            Self::CutOff => "cut off",
            Self::Hidden => "hidden",
        }
    }
}

/// What split train spoke for: by `maskwatch-lab eval gates` each stops at most 1 % of the right answers and
/// a larger share of the wrong ones, and by `maskwatch-lab eval door` nobody's alert comes later (gates twice
/// as narrow on blur and darkness made one in twenty come after more than a second). Contrast and too much
/// light stopped as many right answers as wrong ones; they stay open.
///
/// In the scenes of split train a sharpness of 0.016 stopped 4 of 57 bare faces that 0.008 lets through, and
/// no wrong answer (`maskwatch-lab eval scenes --split train --min-side 24`).
///
/// The share of clipped pixels was chosen on bare faces of split train that were overexposed on purpose:
/// above 0.4 one in ten was called masked (33 of 335), below one in fifty (10 of 458). Of the faces as they
/// are it stops one of 11,372.
impl Default for Gates {
    fn default() -> Self {
        Self {
            min_sharpness: 0.008,
            min_brightness: 0.1,
            max_clipped: 0.4,
            max_yaw: 1.0,
            min_visible: 0.75,
            min_person: 0.5,
            min_front: 0.5,
            ..Self::OPEN
        }
    }
}

impl Gates {
    /// Gates that stop nobody.
    pub const OPEN: Self = Self {
        min_sharpness: 0.0,
        min_contrast: 0.0,
        min_brightness: 0.0,
        max_brightness: 0.0,
        max_clipped: 0.0,
        max_yaw: 0.0,
        min_visible: 0.0,
        min_person: 0.0,
        min_front: 0.0,
    };

    /// The gates that are not open, for people to read.
    ///
    /// ```
    /// use maskwatch_vision::quality::Gates;
    /// assert_eq!(Gates { max_yaw: 1.0, ..Gates::OPEN }.summary(), "yaw up to 1");
    /// assert_eq!(Gates::OPEN.summary(), "all open");
    /// ```
    #[must_use]
    pub fn summary(&self) -> String {
        let gates = [
            ("sharpness from", self.min_sharpness),
            ("contrast from", self.min_contrast),
            ("brightness from", self.min_brightness),
            ("brightness up to", self.max_brightness),
            ("clipped up to", self.max_clipped),
            ("yaw up to", self.max_yaw),
            ("visible from", self.min_visible),
            ("person from", self.min_person),
            ("front from", self.min_front),
        ];
        let closed = gates.iter().filter(|(_, limit)| *limit > 0.0);
        let text = closed.map(|(gate, limit)| format!("{gate} {limit}")).collect::<Vec<_>>().join(", ");
        if text.is_empty() { "all open".to_owned() } else { text }
    }

    /// Whether no human head is there, by the classifier's word about a face of the detector's `score` (0 to
    /// 1). Two doubts add up: below a score of 0.75 *person* has to be surer, for each unit of the score's
    /// logit by three units of its own.
    ///
    /// ```
    /// use maskwatch_vision::classifier::Presence;
    /// use maskwatch_vision::quality::Gates;
    /// let (gates, perhaps) = (Gates::default(), Presence { person: 0.7, front: 0.9 });
    /// assert!(!gates.rule_out(&perhaps, 0.9));
    /// assert!(gates.rule_out(&perhaps, 0.6));
    /// ```
    #[must_use]
    pub fn rule_out(&self, presence: &Presence, score: f32) -> bool {
        let more = PERSON_FOR_SCORE * (logit(SURE_SCORE) - logit(score)).max(0.0);
        self.min_person > 0.0 && logit(presence.person) < logit(self.min_person) + more
    }

    /// Whether a face is seen from where nose and mouth do not show.
    #[must_use]
    pub fn hide(&self, presence: &Presence) -> bool {
        self.min_front > 0.0 && presence.front < self.min_front
    }

    /// Whether the left or right edge of a picture `width` pixels wide cuts off too much of `face`. A
    /// detector ends its boxes near the edge, wherever the face goes on; what is missing is told by the usual
    /// shape of faces. Upper and lower edge do not count: whoever comes close fills a frame from top to
    /// bottom.
    #[must_use]
    pub fn cut_off(&self, face: &Rect, width: u32) -> bool {
        let (left, right) = (face.x, width as f32 - face.x - face.w);
        if left.min(right) > AT_EDGE * face.h {
            return false;
        }
        let visible = (face.x + face.w).min(width as f32) - face.x.max(0.0);
        visible < self.min_visible * face.w.max(ASPECT * face.h)
    }

    /// The first gate that stops a face of this quality; `None` where it may be classified.
    ///
    /// ```
    /// use maskwatch_vision::quality::{Gate, Gates, Quality};
    /// let turned = Quality { sharpness: 1.0, brightness: 0.5, contrast: 0.2, clipped: 0.0, yaw: -0.9 };
    /// assert_eq!(Gates::OPEN.stopping(&turned), None);
    /// assert_eq!(Gates { max_yaw: 0.8, ..Gates::OPEN }.stopping(&turned), Some(Gate::Yaw));
    /// ```
    #[must_use]
    pub fn stopping(&self, quality: &Quality) -> Option<Gate> {
        let at_least = |value: f32, least: f32| least <= 0.0 || value >= least;
        let at_most = |value: f32, most: f32| most <= 0.0 || value <= most;
        let gates = [
            (Gate::Sharpness, at_least(quality.sharpness, self.min_sharpness)),
            (Gate::Contrast, at_least(quality.contrast, self.min_contrast)),
            (Gate::TooDark, at_least(quality.brightness, self.min_brightness)),
            (Gate::TooBright, at_most(quality.brightness, self.max_brightness)),
            (Gate::WashedOut, at_most(quality.clipped, self.max_clipped)),
            (Gate::Yaw, at_most(quality.yaw.abs(), self.max_yaw)),
        ];
        gates.into_iter().find(|(_, passes)| !passes).map(|(gate, _)| gate)
    }
}

/// Measures faces; it keeps its working memory from one to the next.
#[derive(Debug)]
pub struct Examiner {
    sampler: Sampler,
    crop: Vec<u8>,
    luma: [f32; SIDE * SIDE],
}

impl Default for Examiner {
    fn default() -> Self {
        Self { sampler: Sampler::default(), crop: vec![0; 3 * SIDE * SIDE], luma: [0.0; SIDE * SIDE] }
    }
}

impl Examiner {
    /// How well the face in the box `face` can be seen in `picture`, in whose pixels it and its `landmarks`
    /// are given.
    pub fn examine<'a>(
        &mut self,
        picture: impl Into<View<'a>>,
        face: &Rect,
        landmarks: &[Point; 5],
    ) -> Quality {
        self.look(picture.into(), face);
        let (brightness, variance) = moments(self.luma.iter().copied());
        let luma = |x: usize, y: usize| self.luma[SIDE * y + x];
        let inner = (1..SIDE - 1).flat_map(|y| (1..SIDE - 1).map(move |x| (x, y)));
        let laplacian = inner.map(|(x, y)| {
            luma(x - 1, y) + luma(x + 1, y) + luma(x, y - 1) + luma(x, y + 1) - 4.0 * luma(x, y)
        });
        // Below a quarter of a step of 8 bits there is nothing to be sharp.
        let sharpness = if variance < 1e-6 { 0.0 } else { (moments(laplacian).1 / variance).min(64.0) };
        let clipped = self.luma.iter().filter(|&&luma| luma >= CLIPPED).count() as f32;
        let clipped = clipped / self.luma.len() as f32;
        Quality { sharpness, brightness, contrast: variance.sqrt(), clipped, yaw: yaw(landmarks) }
    }

    fn look(&mut self, picture: View<'_>, rect: &Rect) {
        self.sampler.face_crop(picture, rect, MARGIN, SIDE as u32, &mut self.crop);
        for (luma, rgb) in self.luma.iter_mut().zip(self.crop.as_chunks::<3>().0) {
            let [red, green, blue] = rgb.map(f32::from);
            *luma = (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0;
        }
    }
}

fn logit(probability: f32) -> f32 {
    (probability / (1.0 - probability)).ln()
}

/// Mean and variance.
fn moments(values: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let count = values.clone().count().max(1) as f32;
    let mean = values.clone().sum::<f32>() / count;
    (mean, values.map(|value| (value - mean) * (value - mean)).sum::<f32>() / count)
}

/// See [`Quality::yaw`].
fn yaw([right_eye, left_eye, nose, ..]: &[Point; 5]) -> f32 {
    let (across, down) = (left_eye.x - right_eye.x, left_eye.y - right_eye.y);
    let middle =
        Point { x: f32::midpoint(left_eye.x, right_eye.x), y: f32::midpoint(left_eye.y, right_eye.y) };
    let along = (nose.x - middle.x) * across + (nose.y - middle.y) * down;
    let yaw = along / (across * across + down * down);
    if yaw.is_nan() { MOST_YAW } else { yaw.clamp(-MOST_YAW, MOST_YAW) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use proptest::prelude::*;

    fn portrait() -> RgbImage {
        image::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/astronaut.jpg"))
            .unwrap()
            .into_rgb8()
    }

    fn landmarks() -> [Point; 5] {
        let places = [(203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204.0, 143.1), (242.9, 143.7)];
        places.map(|(x, y)| Point { x, y })
    }

    fn examine(picture: &RgbImage) -> Quality {
        Examiner::default().examine(picture, &Rect::new(178.0, 65.0, 91.0, 111.0), &landmarks())
    }

    fn any_number() -> impl Strategy<Value = f32> {
        prop_oneof![-50f32..900.0, prop::num::f32::NORMAL, Just(0f32), Just(f32::NAN), Just(f32::INFINITY)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_face_of_any_picture_has_a_quality(
            width in 1u32..40, height in 1u32..40, seed in any::<u32>(),
            rect in (any_number(), any_number(), 0f32..90.0, 0f32..90.0),
            landmarks in prop::array::uniform5((any_number(), any_number())),
        ) {
            let picture = RgbImage::from_fn(width, height, |x, y| {
                let mix = seed.rotate_left(x + 3 * y).wrapping_mul(x * 37 + y * 101 + 1);
                image::Rgb([mix as u8, (mix >> 8) as u8, (mix >> 16) as u8])
            });
            let landmarks = landmarks.map(|(x, y)| Point { x, y });
            let face = Rect::new(rect.0, rect.1, rect.2, rect.3);
            let quality = Examiner::default().examine(&picture, &face, &landmarks);
            let Quality { sharpness, brightness, contrast, clipped, yaw } = quality;
            prop_assert!((0.0..=1.0).contains(&clipped));
            prop_assert!((0.0..=64.0).contains(&sharpness), "{sharpness}");
            prop_assert!((0.0..=1.001).contains(&brightness) && (0.0..=0.501).contains(&contrast));
            prop_assert!(yaw.abs() <= MOST_YAW);
        }

        #[test]
        fn mirrored_landmarks_give_the_mirrored_yaw(
            eyes in 8f32..90.0, roll in -0.6f32..0.6, nose in (-60f32..60.0, 0f32..60.0),
        ) {
            let (across, down) = (eyes * roll.cos() / 2.0, eyes * roll.sin() / 2.0);
            let at = |x: f32, y: f32| Point { x: 100.0 + x, y: 100.0 + y };
            let mouth = at(0.0, 50.0);
            let upright = [at(-across, -down), at(across, down), at(nose.0, nose.1), mouth, mouth];
            let flipped = upright.map(|point| Point { x: 200.0 - point.x, y: point.y });
            // The person's right eye is the left one in a mirror.
            let mirrored = [flipped[1], flipped[0], flipped[2], flipped[4], flipped[3]];
            prop_assert!((yaw(&upright) + yaw(&mirrored)).abs() < 1e-3);
        }

        #[test]
        fn closing_a_gate_further_lets_nobody_in(
            quality in (0f32..4.0, 0f32..1.0, 0f32..0.5, 0f32..1.0, -4f32..4.0),
            gates in prop::array::uniform6(0.01f32..1.0),
        ) {
            let (sharpness, brightness, contrast, clipped, yaw) = quality;
            let quality = Quality { sharpness, brightness, contrast, clipped, yaw };
            let [min_sharpness, min_contrast, min_brightness, max_brightness, max_clipped, max_yaw] = gates;
            let gates = Gates {
                min_sharpness,
                min_contrast,
                min_brightness,
                max_brightness,
                max_clipped,
                max_yaw,
                ..Gates::OPEN
            };
            let closer = [
                Gates { min_sharpness: 2.0 * min_sharpness, ..gates },
                Gates { min_contrast: 2.0 * min_contrast, ..gates },
                Gates { min_brightness: 2.0 * min_brightness, ..gates },
                Gates { max_brightness: 0.5 * max_brightness, ..gates },
                Gates { max_clipped: 0.5 * max_clipped, ..gates },
                Gates { max_yaw: 0.5 * max_yaw, ..gates },
            ];
            for closer in closer {
                prop_assert!(gates.stopping(&quality).is_none() || closer.stopping(&quality).is_some());
            }
            prop_assert!(Gates::OPEN.stopping(&quality).is_none());
        }
    }

    #[test]
    fn presence_has_gates_of_its_own() {
        let seen = |person, front| Presence { person, front };
        let gates = Gates::default();
        assert!(gates.rule_out(&seen(0.1, 0.9), 1.0) && !gates.rule_out(&seen(0.9, 0.1), 1.0));
        assert!(gates.hide(&seen(0.9, 0.1)) && !gates.hide(&Presence::CERTAIN));
        assert!(!Gates::OPEN.rule_out(&seen(0.0, 0.0), 0.0) && !Gates::OPEN.hide(&seen(0.0, 0.0)));
    }

    #[test]
    fn a_face_at_the_side_edges_is_cut_off_and_one_that_fills_the_frame_is_not() {
        let gates = Gates::default();
        let cut_off = |x: f32, w: f32| gates.cut_off(&Rect::new(x, 50.0, w, 125.0), 640);
        // Boxes that reach over the edge, and boxes that end at it.
        assert!(cut_off(-30.0, 100.0) && cut_off(570.0, 100.0) && cut_off(-200.0, 100.0));
        assert!(cut_off(1.0, 70.0) && cut_off(568.0, 70.0));
        assert!(!cut_off(-10.0, 100.0) && !cut_off(550.0, 100.0) && !cut_off(1.0, 95.0));
        assert!(!cut_off(20.0, 60.0), "a narrow face elsewhere is a profile");
        assert!(!gates.cut_off(&Rect::new(-30.0, -90.0, 700.0, 600.0), 640), "close to the camera");
        assert!(!Gates::OPEN.cut_off(&Rect::new(-99.0, 0.0, 100.0, 100.0), 640));
    }

    #[test]
    fn a_blurred_face_is_less_sharp_and_a_dark_one_less_bright() {
        let clear = portrait();
        let seen = examine(&clear);
        let blurred = examine(&image::imageops::blur(&clear, 4.0));
        assert!(blurred.sharpness < 0.5 * seen.sharpness, "{blurred:?} {seen:?}");
        let mut dark = clear.clone();
        dark.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value / 4));
        let dark = examine(&dark);
        assert!((dark.brightness - seen.brightness / 4.0).abs() < 0.01, "{dark:?} {seen:?}");
        assert!(dark.contrast < 0.3 * seen.contrast, "{dark:?} {seen:?}");
        // Rounding to 8 bits adds a little.
        assert!((dark.sharpness / seen.sharpness - 1.0).abs() < 0.3, "{dark:?} {seen:?}");
    }

    #[test]
    fn a_washed_out_face_has_a_share_of_clipped_pixels() {
        let clear = portrait();
        assert!(examine(&clear).clipped < 0.01, "{:?}", examine(&clear));
        let washed = |gain: f32| {
            let mut picture = clear.clone();
            picture.iter_mut().for_each(|value| *value = (f32::from(*value) * gain).min(255.0) as u8);
            examine(&picture)
        };
        let (bright, brighter) = (washed(1.6), washed(4.0));
        assert!(bright.clipped < brighter.clipped && brighter.clipped > 0.5, "{bright:?} {brighter:?}");
        assert_eq!(Gates::default().stopping(&examine(&clear)), None);
        assert_eq!(Gates::default().stopping(&brighter), Some(Gate::WashedOut));
    }

    #[test]
    fn a_nose_between_the_eyes_is_frontal_and_one_below_an_eye_is_not() {
        let frontal = landmarks();
        assert!(yaw(&frontal).abs() < 0.1);
        let mut turned = frontal;
        turned[2].x = turned[1].x;
        assert!((yaw(&turned) - 0.5).abs() < 0.03);
        assert_eq!(yaw(&[turned[0]; 5]), MOST_YAW);
    }
}
