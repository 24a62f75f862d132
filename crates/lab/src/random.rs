//! Random numbers that do not depend on the order of threads: one ChaCha stream per purpose and index, all
//! from one seed. Whoever resumes a run takes up the same streams, since no generator lives longer than the
//! thing it draws.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream is drawn for; streams of different purposes have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// First values of weights that no file gives.
    Weights = 1,
    /// Which samples belong to which subset.
    Subsets = 2,
    /// Which samples make up a batch.
    Batch = 3,
    /// How one view of one sample is changed.
    View = 4,
    /// Which activations a dropout layer lets through.
    Dropout = 5,
    /// What is drawn on a face.
    Drawn = 6,
    /// What is drawn on a face of a test set.
    HardSet = 7,
}

/// The generator for one purpose and index; only the lower 56 bits of `index` count.
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(((purpose as u64) << 56) | (index & ((1 << 56) - 1)));
    generator
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_repeat_and_differ() {
        let first = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        let reference = first(7, Purpose::View, 3);
        assert_eq!(reference, first(7, Purpose::View, 3));
        for other in [first(8, Purpose::View, 3), first(7, Purpose::Batch, 3), first(7, Purpose::View, 4)] {
            assert_ne!(reference, other);
        }
    }
}
