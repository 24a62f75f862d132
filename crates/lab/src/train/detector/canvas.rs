//! Training examples: one picture, some of its bare faces covered by what is drawn on them, scaled so that
//! its faces have the wanted size and cut at random, or, when little of it is left then, a mosaic of such
//! pictures. So small faces come with as many others as fill the input.

use super::data::{PictureSampler, TrainingPicture};
use super::placement::{Placement, SMALLEST_FACE};
use super::truth::Truth;
use super::{covered, distort};
use crate::data::dataset::DatasetError;
use crate::data::webcam::WebcamView;
use fast_image_resize as fir;
use image::{Rgb, RgbImage, imageops};
use maskwatch::geometry::Rect;
use maskwatch::pixels::preprocess;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pictures are not enlarged beyond this: there is nothing more to see in them.
const MOST_ENLARGED: f32 = 2.0;
/// No face is made larger than this, in pixels of the input.
const LARGEST_FACE: f32 = 300.0;
/// At most so many tiles across and down.
const MOST_TILES: u32 = 6;
/// So many pictures are opened for one mosaic; its tiles show them in turn, each time differently.
const PICTURES: usize = 4;
/// How often a cut is made to hold the face it was scaled for. Otherwise it may be all background.
const FACE_KEPT: f64 = 0.85;

/// A training example.
pub(super) struct Example {
    /// What the network sees, square.
    pub(super) picture: RgbImage,
    /// The faces in it.
    pub(super) truth: Truth,
}

/// Makes an example of `side` × `side` pixels; a share `webcam` of those with a face shows it close to a
/// cheap webcam.
///
/// # Errors
/// A picture cannot be opened.
pub(super) fn example(
    sampler: &PictureSampler,
    side: u32,
    webcam: f64,
    random: &mut impl Rng,
) -> Result<Example, DatasetError> {
    let first = OpenedPicture::new(sampler.draw(random), random)?;
    let face = first.face(random);
    if webcam > 0.0 && first.truth.faces.iter().any(|known| known.rect == face) && random.random_bool(webcam)
    {
        return Ok(close(&first, &face, side, random));
    }
    let scale = (wanted_side(random) / face.side().max(1.0)).min(MOST_ENLARGED);
    let across = (side as f32 / (scale * first.longest())).round().clamp(1.0, MOST_TILES as f32) as u32;
    let mut opened = vec![first];
    if across > 1 {
        for _ in 1..PICTURES {
            opened.push(OpenedPicture::new(sampler.draw(random), random)?);
        }
    }
    let mut example =
        Example { picture: RgbImage::from_pixel(side, side, backdrop(random)), truth: Truth::default() };
    let edge = |index: u32| index * side / across;
    for tile in 0..across * across {
        let (column, row) = (tile % across, tile / across);
        let corner = (edge(column), edge(row));
        let size = (edge(column + 1) - corner.0, edge(row + 1) - corner.1);
        let (picture, face, scale) = if tile == 0 {
            (&opened[0], face, scale)
        } else {
            let picture = &opened[tile as usize % opened.len()];
            let face = picture.face(random);
            (picture, face, picture.filling(size.0, &face, random))
        };
        lay(&mut example, picture, &face, scale, corner, size, random);
    }
    distort::degrade(&mut example.picture, random);
    Ok(example)
}

/// The frame of a cheap webcam with `face` close to it, scaled to the width of the input. All else in the
/// picture may be lost in the light.
fn close(opened: &OpenedPicture<'_>, face: &Rect, side: u32, random: &mut impl Rng) -> Example {
    let mut generator = ChaCha8Rng::seed_from_u64(random.random());
    let view = WebcamView::random(&mut generator);
    let known = opened.truth.faces.iter().find(|known| known.rect == *face);
    let is_masked = known.is_some_and(|known| !known.is_bare);
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

/// Draws the side of a face: most are small, since those are what the network misses.
fn wanted_side(random: &mut impl Rng) -> f32 {
    let (least, most) =
        if random.random_bool(0.65) { (10.0f32, 60.0) } else { (SMALLEST_FACE, LARGEST_FACE) };
    random.random_range(least.ln()..most.ln()).exp()
}

/// What is seen where no picture is; black is what the detector is given in use.
fn backdrop(random: &mut impl Rng) -> Rgb<u8> {
    if random.random_bool(0.5) {
        Rgb([0; 3])
    } else {
        Rgb(std::array::from_fn(|_| random.random_range(0..=255)))
    }
}

struct OpenedPicture<'a> {
    truth: &'a Truth,
    pixels: RgbImage,
}

impl<'a> OpenedPicture<'a> {
    fn new(picture: &'a TrainingPicture, random: &mut impl Rng) -> Result<Self, DatasetError> {
        let mut pixels = picture.open()?;
        covered::cover(&mut pixels, &picture.truth, random);
        Ok(Self { truth: &picture.truth, pixels })
    }

    fn longest(&self) -> f32 {
        self.pixels.width().max(self.pixels.height()).max(1) as f32
    }

    /// A random face of the picture; the whole picture if it has none.
    fn face(&self, random: &mut impl Rng) -> Rect {
        if self.truth.faces.is_empty() {
            return Rect::new(0.0, 0.0, self.pixels.width() as f32, self.pixels.height() as f32);
        }
        self.truth.faces[random.random_range(0..self.truth.faces.len())].rect
    }

    /// A scale at which the picture about fills a tile, and `face` has a size worth learning.
    fn filling(&self, tile: u32, face: &Rect, random: &mut impl Rng) -> f32 {
        let scale = tile as f32 * random.random_range(0.8..1.6) / self.longest();
        let side = face.side().max(1.0);
        scale.min(LARGEST_FACE / side).max((SMALLEST_FACE + 1.0) / side).min(MOST_ENLARGED)
    }
}

/// Puts the picture on the tile at `corner`, randomly scaled, cut and flipped.
fn lay(
    example: &mut Example,
    opened: &OpenedPicture<'_>,
    face: &Rect,
    scale: f32,
    corner: (u32, u32),
    tile: (u32, u32),
    random: &mut impl Rng,
) {
    let picture = opened.pixels.dimensions();
    let aspect = random.random_range(0.9..1.1f32).sqrt();
    let scaled = |length: u32, scale: f32| ((length as f32 * scale).round() as u32).max(1);
    let scaled = (scaled(picture.0, scale * aspect), scaled(picture.1, scale / aspect));
    let kept = random.random_bool(FACE_KEPT);
    let mut offset = |scaled: u32, length: u32, tile: u32, (begin, end): (f32, f32)| {
        let factor = scaled as f32 / length.max(1) as f32;
        let face = kept.then_some((begin * factor, end * factor));
        offset(scaled as i32, tile as i32, face, random)
    };
    let offset = (
        offset(scaled.0, picture.0, tile.0, (face.x, face.x + face.w)),
        offset(scaled.1, picture.1, tile.1, (face.y, face.y + face.h)),
    );
    let placement = Placement { tile, picture, offset, scaled, flipped: random.random_bool(0.5) };
    if let Some((mut pixels, (x, y))) = render(&opened.pixels, &placement, random) {
        distort::colour(&mut pixels, random);
        distort::soften(&mut pixels, face.side() * scale, random);
        imageops::replace(&mut example.picture, &pixels, i64::from(corner.0 + x), i64::from(corner.1 + y));
    }
    let Truth { faces, ignored } = placement.truth(opened.truth).shifted(corner.0, corner.1);
    example.truth.faces.extend(faces);
    example.truth.ignored.extend(ignored);
}

/// Where a stretch of `scaled` pixels begins on a tile of `tile` pixels: wholly on it if it fits, covering it
/// if not, and then so that the stretch from `face.0` to `face.1` is on it if that is asked for and possible.
fn offset(scaled: i32, tile: i32, face: Option<(f32, f32)>, random: &mut impl Rng) -> i32 {
    let (least, most) = (0.min(tile - scaled), 0.max(tile - scaled));
    let (mut low, mut high) = (least, most);
    if let Some((begin, end)) = face
        && scaled > tile
    {
        // From the offset that puts the face's end at the tile's end to the one that puts its begin at the
        // tile's begin.
        low = ((-begin).min(tile as f32 - end).ceil() as i32).clamp(least, most);
        high = ((-begin).max(tile as f32 - end).floor() as i32).clamp(low, most);
    }
    random.random_range(low..=high)
}

/// The pixels of the picture that are on the tile, flipped if so wanted, and where on the tile they belong.
fn render(
    picture: &RgbImage,
    placement: &Placement,
    random: &mut impl Rng,
) -> Option<(RgbImage, (u32, u32))> {
    let [left, top, right, bottom] = placement.visible();
    let width = u32::try_from(right - left).ok().filter(|&width| width > 0)?;
    let height = u32::try_from(bottom - top).ok().filter(|&height| height > 0)?;
    // Only filters that are positive within their support: with the others (CatmullRom, Lanczos)
    // fast_image_resize 6.1 trims a zero weight at the picture's edge and then reads beyond its intermediate
    // picture.
    let filter = match random.random_range(0..4) {
        0 => fir::FilterType::Box,
        1 => fir::FilterType::Hamming,
        _ => fir::FilterType::Bilinear,
    };
    // The stretch of the picture that becomes `begin` to `end` on the tile.
    let cut = |begin: i32, end: i32, offset: i32, scaled: u32, length: u32| {
        let factor = f64::from(length) / f64::from(scaled);
        let start = (f64::from(begin - offset) * factor).clamp(0.0, f64::from(length));
        (start, (f64::from(end - begin) * factor).min(f64::from(length) - start))
    };
    let (x, across) = cut(left, right, placement.offset.0, placement.scaled.0, placement.picture.0);
    let (y, down) = cut(top, bottom, placement.offset.1, placement.scaled.1, placement.picture.1);
    let mut pixels = RgbImage::new(width, height);
    let source =
        fir::images::ImageRef::new(picture.width(), picture.height(), picture.as_raw(), fir::PixelType::U8x3);
    let target = fir::images::Image::from_slice_u8(width, height, pixels.as_mut(), fir::PixelType::U8x3);
    let options =
        fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(filter)).crop(x, y, across, down);
    fir::Resizer::new().resize(&source.ok()?, &mut target.ok()?, &options).ok()?;
    let column = if placement.flipped {
        imageops::flip_horizontal_in_place(&mut pixels);
        placement.tile.0 - left.unsigned_abs() - width
    } else {
        left.unsigned_abs()
    };
    Some((pixels, (column, top.unsigned_abs())))
}

#[cfg(test)]
mod tests {
    use super::super::truth::TrueFace;
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    /// A grey picture whose only bright thing is its face.
    fn sampler(folder: &Path, size: (u32, u32), face: Rect) -> PictureSampler {
        let path = folder.join("picture.png");
        let inside = |x: u32, y: u32| {
            let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
            x > face.x && x < face.x + face.w && y > face.y && y < face.y + face.h
        };
        RgbImage::from_fn(size.0, size.1, |x, y| Rgb([if inside(x, y) { 255 } else { 90 }; 3]))
            .save(&path)
            .unwrap();
        let truth = Truth {
            faces: vec![TrueFace { rect: face, is_bare: true, landmarks: None }],
            ignored: Vec::new(),
        };
        let picture = TrainingPicture {
            name: "picture".into(),
            path,
            table: String::new(),
            source: String::new(),
            truth,
            annotated: true,
            weight: 1.0,
        };
        PictureSampler::new(vec![picture], 1.0)
    }

    fn draw(sampler: &PictureSampler, seed: u64) -> Example {
        example(sampler, 128, 0.0, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    /// Pixels and boxes go the same way: the face is brighter than what surrounds it.
    #[test]
    fn boxes_stay_on_their_faces() {
        let folder = tempfile::tempdir().unwrap();
        let sampler = sampler(folder.path(), (200, 150), Rect::new(80.0, 40.0, 40.0, 50.0));
        let mut found = 0;
        for seed in 0..60 {
            let example = draw(&sampler, seed);
            assert_eq!(example.picture.dimensions(), (128, 128));
            for face in &example.truth.faces {
                let Rect { x, y, w, h } = face.rect;
                assert!(face.rect.side() >= SMALLEST_FACE);
                let light = |x: f32, y: f32| {
                    let (x, y) = (x.clamp(0.0, 127.0) as u32, y.clamp(0.0, 127.0) as u32);
                    example.picture.get_pixel(x, y).0.iter().map(|&v| f32::from(v)).sum::<f32>()
                };
                let mean = |factor: f32| {
                    let steps = [-0.5f32, -0.25, 0.0, 0.25, 0.5].map(|step| step * factor);
                    let at = |a: f32, b: f32| light(x + w * (0.5 + a), y + h * (0.5 + b));
                    steps.iter().map(|&s| at(s, 0.0) + at(0.0, s)).sum::<f32>() / 10.0
                };
                // Inside its box the face is even; beyond it the light falls, save at a tile's edge.
                let at_edge = [x, y, 128.0 - x - w, 128.0 - y - h].iter().any(|&edge| edge < 6.0);
                if !at_edge && example.truth.faces.len() == 1 {
                    assert!(mean(0.7) > mean(1.5) + 5.0, "seed {seed}: {} {}", mean(0.7), mean(1.5));
                    found += 1;
                }
            }
        }
        assert!(found > 10, "{found}");
    }

    #[test]
    fn examples_can_be_repeated_and_most_faces_are_small() {
        let folder = tempfile::tempdir().unwrap();
        let sampler = sampler(folder.path(), (200, 150), Rect::new(80.0, 40.0, 40.0, 50.0));
        let mut sides = Vec::new();
        for seed in 0..40 {
            let (example, again) = (draw(&sampler, seed), draw(&sampler, seed));
            assert_eq!(example.picture, again.picture);
            assert_eq!(example.truth, again.truth);
            sides.extend(example.truth.faces.iter().map(|face| face.rect.side()));
        }
        let small = sides.iter().filter(|&&side| side < 60.0).count();
        assert!(small * 2 > sides.len() && sides.iter().any(|&side| side > 60.0), "{sides:?}");
    }

    #[test]
    fn a_face_close_to_a_webcam_fills_its_example() {
        let folder = tempfile::tempdir().unwrap();
        let sampler = sampler(folder.path(), (200, 150), Rect::new(80.0, 40.0, 40.0, 50.0));
        let mut demanded = 0;
        for seed in 0..20 {
            let example = example(&sampler, 128, 1.0, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            assert_eq!(example.picture.dimensions(), (128, 128));
            for face in &example.truth.faces {
                assert!(face.rect.w > 48.0 && face.rect.x >= 0.0 && face.rect.x + face.rect.w <= 128.01);
                // It is dark, and the window beside it is not.
                let middle = face.rect.centre();
                let light = |x: f32, y: f32| example.picture.get_pixel(x as u32, y as u32).0[1];
                assert!(light(middle.x, middle.y) < 110, "{seed}");
                demanded += 1;
            }
        }
        assert!(demanded >= 15, "{demanded}");
    }

    #[test]
    fn pictures_that_vanished_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let sampler = sampler(folder.path(), (20, 20), Rect::new(5.0, 5.0, 10.0, 10.0));
        std::fs::remove_file(folder.path().join("picture.png")).unwrap();
        let error = example(&sampler, 64, 0.0, &mut ChaCha8Rng::seed_from_u64(0)).err().unwrap();
        assert!(error.to_string().contains("picture.png"), "{error}");
    }

    proptest! {
        #[test]
        fn offsets_keep_the_picture_on_the_tile(
            scaled in 1i32..500, tile in 1i32..320, begin in 0f32..0.8, length in 0.05f32..0.2, seed: u64,
        ) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let face = (begin * scaled as f32, (begin + length) * scaled as f32);
            for wanted in [None, Some(face)] {
                let offset = offset(scaled, tile, wanted, &mut random);
                if scaled <= tile {
                    prop_assert!(offset >= 0 && offset + scaled <= tile);
                } else {
                    prop_assert!(offset <= 0 && offset + scaled >= tile);
                    if wanted.is_some() && face.1 - face.0 < tile as f32 - 2.0 {
                        prop_assert!(face.0 + offset as f32 > -1.0 && face.1 + (offset as f32) < tile as f32 + 1.0);
                    }
                }
            }
        }
    }
}
