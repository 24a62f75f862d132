//! Training examples for the search for close faces: frames as it sees them, small, with their shadows lifted
//! and a face that fills 15 to 120 % of the width.

use super::data::{PictureSampler, TrainingPicture};
use super::distort;
use super::laid::{Example, OpenedPicture, backdrop, lay};
use super::placement::Placement;
use super::truth::{TrueFace, Truth};
use crate::data::dataset::DatasetError;
use crate::data::webcam::{self, LEAST_ENLARGED, WebcamView};
use crate::random::{Purpose, stream};
use image::{RgbImage, imageops};
use maskwatch::geometry::Rect;
use maskwatch::pixels::preprocess;
use maskwatch::vision::detector::{CLOSE_INPUT, NARROWEST, lift};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Side of the examples: a frame's longer side, as the search sees it.
pub(super) const SIDE: u32 = CLOSE_INPUT.0;
/// Widths of the faces as shares of the example's side.
const SHARES: (f32, f32) = (0.14, 1.2);
/// Pictures are not enlarged beyond this: a webcam's are as blurred.
const MOST_ENLARGED: f32 = 4.0;
/// Pictures without a face fill this many times the example's side.
const ZOOMS: (f32, f32) = (0.7, 2.5);

/// Share of the webcam's frames in which the face may be anywhere, not about in the middle.
const ANYWHERE: f64 = 0.5;

/// Makes an example. A share `webcam` shows what is in it dark before a bright window: a face, or, in
/// pictures without people, whatever is there. So the darkness by itself says nothing.
///
/// # Errors
/// A picture cannot be opened.
pub(super) fn example(
    sampler: &PictureSampler,
    webcam: f64,
    random: &mut impl Rng,
) -> Result<Example, DatasetError> {
    let opened = OpenedPicture::new(sampler.draw(random), random)?;
    let has_face = !opened.truth.faces.is_empty();
    let mut example = if random.random_bool(webcam) {
        let size = opened.pixels.dimensions();
        let face = if has_face { opened.face(random) } else { webcam::place(size, random) };
        let anywhere = random.random_bool(ANYWHERE);
        self::webcam(&opened, &face, (SIDE, anywhere), random)
    } else {
        let face = opened.face(random);
        let scale = if has_face {
            let share = random.random_range(SHARES.0.ln()..SHARES.1.ln()).exp();
            share * SIDE as f32 / face.w.max(1.0)
        } else {
            random.random_range(ZOOMS.0..ZOOMS.1) * SIDE as f32 / opened.longest()
        };
        let picture = RgbImage::from_pixel(SIDE, SIDE, backdrop(random));
        let mut example = Example { picture, truth: Truth::default() };
        lay(&mut example, &opened, &face, scale.min(MOST_ENLARGED), (0, 0), (SIDE, SIDE), random);
        distort::degrade(&mut example.picture, random);
        example
    };
    lift(&mut example.picture);
    // The search leaves these to the other one.
    let is_close = |rect: &Rect| rect.w >= NARROWEST * SIDE as f32;
    let (close, far): (Vec<_>, Vec<_>) =
        example.truth.faces.into_iter().partition(|face| is_close(&face.rect));
    example.truth.faces = close;
    example.truth.ignored.extend(far.into_iter().map(|face| face.rect));
    Ok(example)
}

/// The frame of a cheap webcam with `face` close to it, scaled to the width of the input; it may be
/// `anywhere` in the frame. All else in the picture may be lost in the light.
pub(super) fn webcam(
    opened: &OpenedPicture<'_>,
    face: &Rect,
    (side, anywhere): (u32, bool),
    random: &mut impl Rng,
) -> Example {
    let mut generator = ChaCha8Rng::seed_from_u64(random.random());
    let mut view = WebcamView::random(&mut generator);
    if anywhere {
        view = view.anywhere(&mut generator);
    }
    let known = opened.truth.faces.iter().find(|known| known.rect == *face);
    // Where there is no face, anything may have a dark half.
    let is_masked = known.is_none_or(|known| !known.is_bare);
    let (frame, rect) = view.frame(&opened.pixels, face, is_masked, &mut generator);
    let height = side * frame.height() / frame.width();
    let mut picture = RgbImage::from_pixel(side, side, backdrop(random));
    imageops::replace(&mut picture, &preprocess::resize(&frame, side, height), 0, 0);
    let factor = side as f32 / frame.width() as f32;
    let zoom = factor * rect.w / face.w;
    let placement = Placement {
        tile: (side, height),
        picture: opened.pixels.dimensions(),
        offset: ((rect.x * factor - face.x * zoom) as i32, (rect.y * factor - face.y * zoom) as i32),
        scaled: ((opened.pixels.width() as f32 * zoom) as u32, (opened.pixels.height() as f32 * zoom) as u32),
        flipped: false,
    };
    let mut truth = placement.truth(&Truth { faces: known.cloned().into_iter().collect(), ignored: vec![] });
    let others = opened.truth.faces.iter().filter(|other| other.rect != *face).map(|other| other.rect);
    let others = others.chain(opened.truth.ignored.iter().copied());
    let others = others.map(|other| placement.rect(&other).clipped(side, height));
    truth.ignored.extend(others.filter(|other| other.area() > 0.0));
    Example { picture, truth }
}

/// What weights are measured on: a picture without people as it is or as a cheap webcam sees a part of it,
/// and of another one the first face as the webcam sees it, if it has enough pixels. `place` decides how.
///
/// # Errors
/// The picture cannot be opened.
pub(super) fn shown(
    picture: &TrainingPicture,
    place: u64,
) -> Result<Option<(RgbImage, Truth)>, DatasetError> {
    let mut generator = stream(0, Purpose::Clip, place);
    let view = WebcamView::random(&mut generator);
    let Some(face) = picture.truth.faces.first() else {
        let pixels = picture.open()?;
        if place.is_multiple_of(2) {
            return Ok(Some((pixels, Truth::default())));
        }
        let rect = webcam::place(pixels.dimensions(), &mut generator);
        return Ok(Some((view.frame(&pixels, &rect, true, &mut generator).0, Truth::default())));
    };
    if face.rect.side() < LEAST_ENLARGED {
        return Ok(None);
    }
    let (frame, rect) = view.frame(&picture.open()?, &face.rect, !face.is_bare, &mut generator);
    let rect = rect.clipped(frame.width(), frame.height());
    let face = TrueFace { rect, is_bare: face.is_bare, landmarks: None };
    Ok(Some((frame, Truth { faces: vec![face], ignored: Vec::new() })))
}

#[cfg(test)]
mod tests {
    use super::super::laid::tests::sampler;
    use super::*;

    #[test]
    fn faces_are_close_and_repeatable() {
        let folder = tempfile::tempdir().unwrap();
        let sampler = sampler(folder.path(), (200, 150), Rect::new(80.0, 40.0, 40.0, 50.0));
        let (mut widths, mut left_out) = (Vec::new(), 0);
        for seed in 0..60 {
            let draw = || example(&sampler, 0.3, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            let (example, again) = (draw(), draw());
            assert_eq!(example.picture, again.picture);
            assert_eq!(example.picture.dimensions(), (160, 160));
            widths.extend(example.truth.faces.iter().map(|face| face.rect.w));
            left_out += example.truth.ignored.len();
        }
        assert!(widths.iter().all(|width| (24.0..=160.1).contains(width)), "{widths:?}");
        assert!(widths.iter().any(|width| *width < 50.0) && widths.iter().any(|width| *width > 110.0));
        assert!(widths.len() > 40 && left_out > 0, "{} {left_out}", widths.len());
    }

    #[test]
    fn shadows_are_lifted() {
        let folder = tempfile::tempdir().unwrap();
        // Grey of 90 of 255 becomes 151.
        let sampler = sampler(folder.path(), (200, 150), Rect::new(80.0, 40.0, 40.0, 50.0));
        let mean = |picture: &RgbImage| {
            picture.iter().map(|&value| f64::from(value)).sum::<f64>() / picture.as_raw().len() as f64
        };
        let brighter = (0..20).filter(|&seed| {
            let example = example(&sampler, 0.0, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            mean(&example.picture) > 110.0
        });
        assert!(brighter.count() > 10);
    }
}
