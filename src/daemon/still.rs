//! Whether anything moved since the last look. At an empty door most frames show what the one before showed;
//! a coarse grid of brightness tells that for a hundredth of what the networks take. Pure: the time is handed
//! in. Whether frames may be skipped at all is [`Watch`](super::watch::Watch)'s business.

use crate::pixels::picture::View;
use std::time::Duration;

/// Cells of the grid, across and down. At 640 × 480 a cell is as large as the smallest face that is judged.
const ACROSS: usize = 32;
const DOWN: usize = 24;
/// About so many rows of pixels are read for each row of cells.
const ROWS: usize = 4;
/// The door is looked at once in so long, however still it is.
const LONGEST: Duration = Duration::from_secs(1);
/// A cell that differs from the last look by less than this much luma, of 255, did not change.
const LEAST_CHANGE: f32 = 3.0;
/// With noise, a cell has changed if it differs by so many times as much as half of the cells do.
const ABOVE_NOISE: f32 = 6.0;
/// If half of the cells differ by this much luma, the light or the exposure changed, or there is too much
/// noise to tell.
const MOST_NOISE: f32 = 2.0;

/// The brightness of a picture by cells, and when it was looked at.
#[derive(Debug, Default)]
pub(super) struct Stillness {
    /// Of the last look: its time, the picture's size and the mean luma of each cell.
    looked: Option<(Duration, (u32, u32))>,
    known: Vec<f32>,
    /// Working memory.
    means: Vec<f32>,
    changes: Vec<f32>,
    row: Vec<u8>,
}

/// What a picture shows beside the last one that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Movement {
    /// Something else, or nothing is known.
    Moved,
    /// The same, apart from noise, but the last look is a second ago.
    Due,
    /// The same, apart from noise: it may go without a look.
    Still,
}

impl Stillness {
    /// What a picture taken at `captured` shows beside the last look. Unless it is still, this is the look
    /// that the next ones are compared with.
    pub(super) fn compare(&mut self, picture: View<'_>, captured: Duration) -> Movement {
        let size = picture.dimensions();
        if !self.read(picture) {
            self.looked = None;
            return Movement::Moved;
        }
        let last = self.looked;
        let movement = match last {
            Some((looked, known)) if size == known && !self.has_changed() => {
                let is_due = captured.saturating_sub(looked) >= LONGEST;
                if is_due { Movement::Due } else { Movement::Still }
            }
            _ => Movement::Moved,
        };
        if movement != Movement::Still {
            self.looked = Some((captured, size));
            std::mem::swap(&mut self.known, &mut self.means);
        }
        movement
    }

    /// Whether `picture` is large enough for the grid.
    pub(super) fn can_read(picture: &View<'_>) -> bool {
        let (width, height) = picture.dimensions();
        width as usize >= 2 * ACROSS && height as usize >= 2 * DOWN
    }

    /// Forgets the last look, so that the next picture is looked at whatever it shows.
    pub(super) fn forget(&mut self) {
        self.looked = None;
    }

    fn has_changed(&mut self) -> bool {
        self.changes.clear();
        self.changes.extend(self.means.iter().zip(&self.known).map(|(now, known)| (now - known).abs()));
        let largest = self.changes.iter().copied().fold(0.0, f32::max);
        let (_, &mut median, _) = self.changes.select_nth_unstable_by(ACROSS * DOWN / 2, f32::total_cmp);
        median >= MOST_NOISE || largest >= LEAST_CHANGE.max(ABOVE_NOISE * median)
    }

    /// Fills `means`; false where the picture is too small for the grid.
    fn read(&mut self, picture: View<'_>) -> bool {
        if !Self::can_read(&picture) {
            return false;
        }
        let (width, height) = picture.dimensions();
        let (width, height) = (width as usize, height as usize);
        let step = (height / DOWN / ROWS).max(1);
        self.means.clear();
        self.means.resize(ACROSS * DOWN, 0.0);
        self.row.resize(3 * width, 0);
        let mut rows = [0u32; DOWN];
        for y in (0..height).step_by(step) {
            picture.read_row(0, y, &mut self.row);
            let down = y * DOWN / height;
            rows[down] += 1;
            for (across, mean) in self.means[down * ACROSS..][..ACROSS].iter_mut().enumerate() {
                let (left, right) = (across * width / ACROSS, (across + 1) * width / ACROSS);
                let pixels = self.row[3 * left..3 * right].as_chunks::<3>().0;
                // Weights of red, green and blue in luma, of 256: whole numbers are summed fast.
                let luma =
                    |[r, g, b]: &[u8; 3]| 77 * u32::from(*r) + 150 * u32::from(*g) + 29 * u32::from(*b);
                *mean += pixels.iter().map(luma).sum::<u32>() as f32 / (256 * pixels.len()) as f32;
            }
        }
        for (means, rows) in self.means.chunks_exact_mut(ACROSS).zip(rows) {
            means.iter_mut().for_each(|mean| *mean /= rows.max(1) as f32);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};
    use proptest::prelude::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// An entrance: a door in a wall, with noise of about this standard deviation; each seed has other noise.
    fn entrance(noise: f32, seed: u32) -> RgbImage {
        let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        };
        RgbImage::from_fn(640, 480, |x, y| {
            let door = (220..420).contains(&x) && y > 80;
            let noise = noise * 2.0 * (random() + random() + random());
            Rgb([(if door { 90.0 } else { 150.0 } + noise) as u8; 3])
        })
    }

    impl Stillness {
        fn is_still(&mut self, picture: View<'_>, captured: Duration) -> bool {
            self.compare(picture, captured) == Movement::Still
        }
    }

    fn looked_at(picture: &RgbImage) -> Stillness {
        let mut stillness = Stillness::default();
        assert!(!stillness.is_still(picture.into(), at(0)), "nothing is known yet");
        stillness
    }

    #[test]
    fn the_noise_of_a_camera_is_no_movement() {
        for noise in [0.0, 2.0, 5.0, 10.0] {
            let mut stillness = looked_at(&entrance(noise, 1));
            for seed in 2..12 {
                let frame = entrance(noise, seed);
                assert!(stillness.is_still((&frame).into(), at(u64::from(seed) * 80)), "{noise}, {seed}");
            }
        }
    }

    #[test]
    fn a_still_door_is_looked_at_once_a_second() {
        let frame = entrance(2.0, 1);
        let mut stillness = looked_at(&frame);
        assert!(stillness.is_still((&frame).into(), at(999)));
        assert_eq!(stillness.compare((&frame).into(), at(1000)), Movement::Due);
        assert!(stillness.is_still((&frame).into(), at(1999)));
        stillness.forget();
        assert!(!stillness.is_still((&frame).into(), at(1999)));
    }

    #[test]
    fn other_light_another_size_and_small_pictures_are_looked_at() {
        let frame = entrance(2.0, 1);
        let mut stillness = looked_at(&frame);
        let mut brighter = frame.clone();
        brighter.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value + 3));
        assert_eq!(stillness.compare((&brighter).into(), at(1100)), Movement::Moved, "exposure");
        let wider = RgbImage::new(800, 480);
        assert!(!stillness.is_still((&wider).into(), at(1200)), "size");
        assert!(stillness.is_still((&wider).into(), at(1300)));
        let small = RgbImage::new(40, 30);
        for time in [1400, 1500] {
            assert!(!stillness.is_still((&small).into(), at(time)), "small");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
        /// Somebody as small as the least face that is judged, and little lighter or darker than what is
        /// behind, is seen at any place. Slow ones too: they are compared with the last look and not with the
        /// last frame.
        #[test]
        fn whoever_comes_is_movement(
            left in 0u32..600, top in 0u32..440, darker: bool, steps in 1i32..9, seed in 2u32..99,
        ) {
            let mut stillness = looked_at(&entrance(3.0, 1));
            let mut seen = false;
            for step in 1..=steps {
                let mut frame = entrance(3.0, seed + step as u32);
                let change = if darker { -25 } else { 25 } * step / steps;
                for (x, y) in (left..left + 40).flat_map(|x| (top..top + 40).map(move |y| (x, y))) {
                    let pixel = frame.get_pixel_mut(x, y);
                    pixel.0 = pixel.0.map(|value| (i32::from(value) + change).clamp(0, 255) as u8);
                }
                seen |= !stillness.is_still((&frame).into(), at(80 * step as u64));
            }
            prop_assert!(seen);
        }
    }
}
