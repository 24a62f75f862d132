//! Pictures laid on training examples: opened, some of their bare faces covered, scaled, cut at random,
//! flipped and changed in colour and sharpness.

use super::data::TrainingPicture;
use super::placement::Placement;
use super::truth::Truth;
use super::{covered, distort};
use crate::data::dataset::DatasetError;
use image::{Rgb, RgbImage, imageops};
use maskwatch::geometry::Rect;
use maskwatch_resize::{Filter, resize};
use rand::{Rng, RngExt};

/// How often a cut is made to hold the face it was scaled for. Otherwise it may be all background.
const FACE_KEPT: f64 = 0.85;

/// A training example.
pub(super) struct Example {
    /// What the network sees, square.
    pub(super) picture: RgbImage,
    /// The faces in it.
    pub(super) truth: Truth,
}

/// What is seen where no picture is; black is what the detector is given in use.
pub(super) fn backdrop(random: &mut impl Rng) -> Rgb<u8> {
    if random.random_bool(0.5) {
        Rgb([0; 3])
    } else {
        Rgb(std::array::from_fn(|_| random.random_range(0..=255)))
    }
}

/// A picture, some of its bare faces covered.
pub(super) struct OpenedPicture<'a> {
    pub(super) truth: &'a Truth,
    pub(super) pixels: RgbImage,
}

impl<'a> OpenedPicture<'a> {
    pub(super) fn new(picture: &'a TrainingPicture, random: &mut impl Rng) -> Result<Self, DatasetError> {
        let mut pixels = picture.open()?;
        covered::cover(&mut pixels, &picture.truth, random);
        Ok(Self { truth: &picture.truth, pixels })
    }

    pub(super) fn longest(&self) -> f32 {
        self.pixels.width().max(self.pixels.height()).max(1) as f32
    }

    /// A random face of the picture; the whole picture if it has none.
    pub(super) fn face(&self, random: &mut impl Rng) -> Rect {
        if self.truth.faces.is_empty() {
            return Rect::new(0.0, 0.0, self.pixels.width() as f32, self.pixels.height() as f32);
        }
        self.truth.faces[random.random_range(0..self.truth.faces.len())].rect
    }
}

/// Puts the picture on the tile at `corner`, randomly scaled, cut and flipped.
pub(super) fn lay(
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
    let filter = match random.random_range(0..4) {
        0 => Filter::Box,
        1 => Filter::Hamming,
        _ => Filter::Bilinear,
    };
    // The stretch of the picture that becomes `begin` to `end` on the tile.
    let cut = |begin: i32, end: i32, offset: i32, scaled: u32, length: u32| {
        let factor = f64::from(length) / f64::from(scaled);
        let start = (f64::from(begin - offset) * factor).clamp(0.0, f64::from(length));
        (start, (f64::from(end - begin) * factor).min(f64::from(length) - start))
    };
    let (x, across) = cut(left, right, placement.offset.0, placement.scaled.0, placement.picture.0);
    let (y, down) = cut(top, bottom, placement.offset.1, placement.scaled.1, placement.picture.1);
    let mut pixels = resize(picture, Some((x, y, across, down)), (width, height), filter)?;
    let column = if placement.flipped {
        imageops::flip_horizontal_in_place(&mut pixels);
        placement.tile.0 - left.unsigned_abs() - width
    } else {
        left.unsigned_abs()
    };
    Some((pixels, (column, top.unsigned_abs())))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::data::PictureSampler;
    use super::super::truth::TrueFace;
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::path::Path;

    /// A grey picture whose only bright thing is its face.
    pub(in super::super) fn sampler(folder: &Path, size: (u32, u32), face: Rect) -> PictureSampler {
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
