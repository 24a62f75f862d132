//! What a camera sees of its scene, by a coarse grid: whether there is any detail, and whether it is the
//! detail of another scene. A lens that is covered by a hand, cloth or tape, and a camera that faces a bare
//! wall, give an even surface with noise and soft shades. An entrance at night still has lamps, edges and
//! reflections. Pure.

use crate::pixels::picture::View;

/// Cells of the grid, across and down.
const ACROSS: usize = 32;
const DOWN: usize = 24;
/// About so many rows of pixels are read for each row of cells.
const ROWS: usize = 10;
/// A cell that differs from the middle of its neighbours by this much luma shows an edge. Soft shades differ
/// by less than 1.
const EDGE: f32 = 2.5;
/// Or by this many standard deviations of what noise does.
const ABOVE_NOISE: f32 = 4.0;
/// Fewer edges than this are none: dust, a broken pixel.
const FEWEST: usize = 4;

/// The edges of a scene: for each inner cell, how much lighter it is than its neighbours across and down, in
/// edges, from -1 to 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Detail(Vec<f32>);

impl Detail {
    /// What there is in `picture`; `None` if it is too small to tell.
    pub(super) fn of(picture: View<'_>) -> Option<Self> {
        let (width, height) = picture.dimensions();
        let (width, height) = (width as usize, height as usize);
        if width < 2 * ACROSS || height < 2 * DOWN {
            return None;
        }
        let (means, deviation) = cells(picture, width, height);
        // Half the second difference of three means with independent noise.
        let edge = EDGE.max(ABOVE_NOISE * 1.5f32.sqrt() * deviation);
        let mut edges = Vec::with_capacity(2 * (ACROSS - 2) * (DOWN - 2));
        for y in 1..DOWN - 1 {
            for x in 1..ACROSS - 1 {
                let mean = |x: usize, y: usize| means[y * ACROSS + x];
                let middle = 2.0 * mean(x, y);
                let across = middle - mean(x - 1, y) - mean(x + 1, y);
                let down = middle - mean(x, y - 1) - mean(x, y + 1);
                // A difference from the middle of both, so half of each sum.
                edges.extend([across, down].map(|sum| (sum / (2.0 * edge)).clamp(-1.0, 1.0)));
            }
        }
        Some(Self(edges))
    }

    /// Whether there are edges.
    pub(super) fn is_seen(&self) -> bool {
        self.0.iter().filter(|edge| edge.abs() >= 1.0).count() >= FEWEST
    }

    /// How alike the edges of two scenes are: 1 for the same, about 0 for others. Brightness does not matter.
    pub(super) fn likeness(&self, other: &Self) -> f32 {
        let product = |a: &Self, b: &Self| a.0.iter().zip(&b.0).map(|(a, b)| a * b).sum::<f32>();
        let length = (product(self, self) * product(other, other)).sqrt();
        if length > 0.0 { product(self, other) / length } else { 0.0 }
    }

    /// Moves towards `other` by this share.
    pub(super) fn follow(&mut self, other: &Self, share: f32) {
        for (edge, other) in self.0.iter_mut().zip(&other.0) {
            *edge += share * (other - *edge);
        }
    }
}

/// The mean luma of each cell, and the standard deviation that noise gives to a mean.
fn cells(picture: View<'_>, width: usize, height: usize) -> (Vec<f32>, f32) {
    let step = (height / DOWN / ROWS).max(1);
    let mut sums = vec![[0f32; 3]; ACROSS * DOWN];
    let mut rgb = vec![0; 3 * width];
    for y in (0..height).step_by(step) {
        picture.read_row(0, y, &mut rgb);
        let row = &mut sums[y * DOWN / height * ACROSS..][..ACROSS];
        let mut before = None;
        for (x, [r, g, b]) in rgb.as_chunks::<3>().0.iter().enumerate() {
            let luma = 0.299 * f32::from(*r) + 0.587 * f32::from(*g) + 0.114 * f32::from(*b);
            let [count, sum, noise] = &mut row[x * ACROSS / width];
            *count += 1.0;
            *sum += luma;
            // Neighbours differ by noise and by what there is to see.
            let difference: f32 = before.replace(luma).map_or(0.0, |before: f32| luma - before);
            *noise += difference * difference / 2.0;
        }
    }
    let means = sums.iter().map(|[count, sum, _]| sum / count.max(1.0)).collect();
    // Of most cells the surface is even: half of them have less noise than the median.
    let mut noise: Vec<f32> = sums.iter().map(|[count, _, noise]| noise / count.powi(2).max(1.0)).collect();
    let (_, median, _) = noise.select_nth_unstable_by(ACROSS * DOWN / 2, f32::total_cmp);
    (means, median.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::scenes::{self, Drawn};

    fn detail(scene: Drawn) -> Detail {
        Detail::of((&scene.frame(1)).into()).unwrap()
    }

    #[test]
    fn entrances_have_detail_by_day_and_by_night() {
        for scene in
            [scenes::ENTRANCE, scenes::DUSK, scenes::NIGHT_LAMP, scenes::NIGHT_DOOR, scenes::NIGHT_WINDOW]
        {
            for seed in 0..8 {
                assert!(Detail::of((&scene.frame(seed)).into()).unwrap().is_seen(), "{}", scene.name);
            }
        }
    }

    #[test]
    fn covered_lenses_and_bare_walls_have_none() {
        for scene in [scenes::CLOTH, scenes::HAND, scenes::TAPE, scenes::COVERED_AT_NIGHT, scenes::WALL] {
            for seed in 0..8 {
                assert!(!Detail::of((&scene.frame(seed)).into()).unwrap().is_seen(), "{}", scene.name);
            }
        }
    }

    #[test]
    fn a_scene_is_known_in_other_light_and_another_is_not() {
        let day = detail(scenes::ENTRANCE);
        assert!(day.likeness(&detail(scenes::DUSK)) > 0.6, "{}", day.likeness(&detail(scenes::DUSK)));
        assert!(day.likeness(&detail(scenes::SHELF)) < 0.2, "{}", day.likeness(&detail(scenes::SHELF)));
    }

    #[test]
    fn a_small_picture_says_nothing() {
        assert!(Detail::of((&image::RgbImage::new(63, 48)).into()).is_none());
    }
}
