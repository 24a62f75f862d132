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

/// Measures the detail of pictures; it keeps its working memory from one to the next.
#[derive(Debug)]
pub(super) struct DetailMeter {
    /// Of each cell the number of pixels, the sum of their luma, and what noise adds to the sum's square.
    sums: Vec<[f32; 3]>,
    means: Vec<f32>,
    noise: Vec<f32>,
    rgb: Vec<u8>,
    detail: Detail,
}

impl Default for DetailMeter {
    fn default() -> Self {
        let cells = ACROSS * DOWN;
        Self {
            sums: vec![[0.0; 3]; cells],
            means: vec![0.0; cells],
            noise: vec![0.0; cells],
            rgb: Vec::new(),
            detail: Detail(vec![0.0; 2 * (ACROSS - 2) * (DOWN - 2)]),
        }
    }
}

impl DetailMeter {
    /// What there is in `picture`; `None` if it is too small to tell.
    pub(super) fn measure(&mut self, picture: View<'_>) -> Option<&Detail> {
        let (width, height) = picture.dimensions();
        let (width, height) = (width as usize, height as usize);
        if width < 2 * ACROSS || height < 2 * DOWN {
            return None;
        }
        self.read(picture, width, height);
        for ((mean, noise), [count, sum, squares]) in
            self.means.iter_mut().zip(&mut self.noise).zip(&self.sums)
        {
            *mean = sum / count.max(1.0);
            *noise = squares / count.powi(2).max(1.0);
        }
        // Of most cells the surface is even: half of them have less noise than the median.
        let (_, median, _) = self.noise.select_nth_unstable_by(ACROSS * DOWN / 2, f32::total_cmp);
        // Half the second difference of three means with independent noise.
        let edge = EDGE.max(ABOVE_NOISE * 1.5f32.sqrt() * median.sqrt());
        let inner = (1..DOWN - 1).flat_map(|y| (1..ACROSS - 1).map(move |x| y * ACROSS + x));
        for (pair, place) in self.detail.0.chunks_exact_mut(2).zip(inner) {
            // How much a cell differs from the middle of its neighbours across, and of those down.
            let difference = |distance: usize| {
                self.means[place] - f32::midpoint(self.means[place - distance], self.means[place + distance])
            };
            pair.copy_from_slice(&[1, ACROSS].map(|distance| (difference(distance) / edge).clamp(-1.0, 1.0)));
        }
        Some(&self.detail)
    }

    fn read(&mut self, picture: View<'_>, width: usize, height: usize) {
        let step = (height / DOWN / ROWS).max(1);
        self.sums.fill([0.0; 3]);
        self.rgb.resize(3 * width, 0);
        for y in (0..height).step_by(step) {
            picture.read_row(0, y, &mut self.rgb);
            let row = &mut self.sums[y * DOWN / height * ACROSS..][..ACROSS];
            let mut before = None;
            for (x, [r, g, b]) in self.rgb.as_chunks::<3>().0.iter().enumerate() {
                let luma = 0.299 * f32::from(*r) + 0.587 * f32::from(*g) + 0.114 * f32::from(*b);
                let [count, sum, squares] = &mut row[x * ACROSS / width];
                *count += 1.0;
                *sum += luma;
                // Neighbours differ by noise and by what there is to see.
                let difference: f32 = before.replace(luma).map_or(0.0, |before: f32| luma - before);
                *squares += difference * difference / 2.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::scenes::{self, Drawn};

    fn detail_of(scene: Drawn, seed: u32) -> Detail {
        DetailMeter::default().measure((&scene.frame(seed)).into()).unwrap().clone()
    }

    fn detail(scene: Drawn) -> Detail {
        detail_of(scene, 1)
    }

    #[test]
    fn entrances_have_detail_by_day_and_by_night() {
        for scene in
            [scenes::ENTRANCE, scenes::DUSK, scenes::NIGHT_LAMP, scenes::NIGHT_DOOR, scenes::NIGHT_WINDOW]
        {
            for seed in 0..8 {
                assert!(detail_of(scene, seed).is_seen(), "{}", scene.name);
            }
        }
    }

    #[test]
    fn covered_lenses_and_bare_walls_have_none() {
        for scene in [scenes::CLOTH, scenes::HAND, scenes::TAPE, scenes::COVERED_AT_NIGHT, scenes::WALL] {
            for seed in 0..8 {
                assert!(!detail_of(scene, seed).is_seen(), "{}", scene.name);
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
        assert!(DetailMeter::default().measure((&image::RgbImage::new(63, 48)).into()).is_none());
    }
}
