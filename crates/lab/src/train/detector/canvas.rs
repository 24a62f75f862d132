//! Training examples: one picture, some of its bare faces covered by what is drawn on them, scaled so that
//! its faces have the wanted size and cut at random, or, when little of it is left then, a mosaic of such
//! pictures. So small faces come with as many others as fill the input.

use super::data::PictureSampler;
use super::laid::{Example, OpenedPicture, backdrop, lay};
use super::placement::SMALLEST_FACE;
use super::truth::Truth;
use super::{close, distort};
use crate::data::dataset::DatasetError;
use image::RgbImage;
use maskwatch::geometry::Rect;
use rand::{Rng, RngExt};

/// Pictures are not enlarged beyond this: there is nothing more to see in them.
const MOST_ENLARGED: f32 = 2.0;
/// No face is made larger than this, in pixels of the input.
const LARGEST_FACE: f32 = 300.0;
/// At most so many tiles across and down.
const MOST_TILES: u32 = 6;
/// So many pictures are opened for one mosaic; its tiles show them in turn, each time differently.
const PICTURES: usize = 4;

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
        return Ok(close::webcam(&first, &face, (side, false), random));
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
            (picture, face, filling(picture, size.0, &face, random))
        };
        lay(&mut example, picture, &face, scale, corner, size, random);
    }
    distort::degrade(&mut example.picture, random);
    Ok(example)
}

/// Draws the side of a face: most are small, since those are what the network misses.
fn wanted_side(random: &mut impl Rng) -> f32 {
    let (least, most) =
        if random.random_bool(0.65) { (10.0f32, 60.0) } else { (SMALLEST_FACE, LARGEST_FACE) };
    random.random_range(least.ln()..most.ln()).exp()
}

/// A scale at which the picture about fills a tile, and `face` has a size worth learning.
fn filling(picture: &OpenedPicture<'_>, tile: u32, face: &Rect, random: &mut impl Rng) -> f32 {
    let scale = tile as f32 * random.random_range(0.8..1.6) / picture.longest();
    let side = face.side().max(1.0);
    scale.min(LARGEST_FACE / side).max((SMALLEST_FACE + 1.0) / side).min(MOST_ENLARGED)
}

#[cfg(test)]
mod tests {
    use super::super::laid::tests::sampler;
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

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
}
