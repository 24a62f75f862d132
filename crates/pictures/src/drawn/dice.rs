//! Random draws that drawing needs, and noise that is a pure function of its place.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Draws from a generator; no argument makes them panic.
pub(super) trait Dice {
    /// A number from `low` to `high`, all alike.
    fn between(&mut self, low: f32, high: f32) -> f32;
    /// Whether a thing of this probability (0 to 1) happens.
    fn chance(&mut self, probability: f32) -> bool;
    /// −1 or 1.
    fn side(&mut self) -> f32;
    /// A number that seeds noise.
    fn seed(&mut self) -> u32;
    /// One of `choices`, each as probable as its weight says; the last one when no weight is above 0.
    fn weighted<T: Copy, const N: usize>(&mut self, choices: [(T, f32); N]) -> T;
}

impl Dice for ChaCha8Rng {
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.random::<f32>()
    }

    fn chance(&mut self, probability: f32) -> bool {
        self.random::<f32>() < probability
    }

    fn side(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    fn seed(&mut self) -> u32 {
        self.next_u32()
    }

    fn weighted<T: Copy, const N: usize>(&mut self, choices: [(T, f32); N]) -> T {
        let mut left = self.between(0.0, choices.iter().map(|(_, weight)| weight).sum());
        let mut chosen = choices[N - 1].0;
        for (choice, weight) in choices {
            if left < weight {
                chosen = choice;
                break;
            }
            left -= weight;
        }
        chosen
    }
}

/// A number from 0 to 1 for a cell of the plane, without pattern from cell to cell.
pub(super) fn hash(x: i32, y: i32, seed: u32) -> f32 {
    let mut hash = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca6b) ^ seed;
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    hash = (hash ^ (hash >> 12)).wrapping_mul(0x297a_2d39);
    hash ^= hash >> 15;
    (hash & 0xffff) as f32 / 65_535.0
}

/// Value noise: smooth from cell to cell of side 1, −1 to 1.
pub(super) fn noise(x: f32, y: f32, seed: u32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (across, down) = (ease(x - column), ease(y - row));
    // A float that does not fit stops at the ends of the integers.
    let (column, row) = (column as i32, row as i32);
    let at = |dx: i32, dy: i32| hash(column.wrapping_add(dx), row.wrapping_add(dy), seed);
    let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
    2.0 * mix(mix(at(0, 0), at(1, 0), across), mix(at(0, 1), at(1, 1), across), down) - 1.0
}

/// Noise with details of half and of a quarter of the size, about −1 to 1.
pub(super) fn cloud(x: f32, y: f32, seed: u32) -> f32 {
    (noise(x, y, seed)
        + 0.5 * noise(2.0 * x + 17.3, 2.0 * y + 5.1, seed ^ 0x5bd1)
        + 0.25 * noise(4.0 * x + 3.7, 4.0 * y + 29.9, seed ^ 0xe995))
        / 1.4
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn weights_are_kept() {
        let mut dice = ChaCha8Rng::seed_from_u64(3);
        let mut counts = [0; 3];
        for _ in 0..3000 {
            counts[dice.weighted([(0, 1.0), (1, 0.0), (2, 3.0)])] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((650..850).contains(&counts[0]), "{counts:?}");
        assert_eq!(dice.weighted([(5, 0.0), (7, 0.0)]), 7);
    }

    #[test]
    fn noise_is_continuous_and_fills_its_range() {
        let at = |step: i32| noise(step as f32 / 50.0 - 20.0, 0.3, 9);
        let steps: Vec<f32> = (0..2000).map(at).collect();
        assert!(steps.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.1));
        assert!(steps.iter().any(|value| *value > 0.6) && steps.iter().any(|value| *value < -0.6));
    }
}
