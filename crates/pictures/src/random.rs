//! Random numbers that do not depend on the order of threads: one ChaCha stream per purpose and index, all
//! from one seed. A resumed run uses the same streams, since no generator lives longer than the thing it
//! draws.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream is drawn for. Streams of one run for different purposes have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Training: first values of weights that no file gives.
    Weights,
    /// Training: which samples belong to which subset.
    Subsets,
    /// Training: which samples make up a batch.
    Batch,
    /// Training: how one view of one sample is changed.
    View,
    /// Training: which activations a dropout layer lets through.
    Dropout,
    /// Training: what is drawn on a face.
    Drawn,
    /// Training: squares of pictures without people.
    NonFaces,
    /// Evaluation: what is drawn on a face of a test set.
    HardSet,
    /// Evaluation at a door: who comes.
    Persons,
    /// Evaluation at a door: who comes together.
    Groups,
    /// Evaluation at a door: what one clip shows.
    Clip,
}

impl Purpose {
    /// The number of its streams. Those of the door share theirs with purposes of training, which no
    /// evaluation draws for: so a seed names the clips that it has always named.
    const fn number(self) -> u64 {
        match self {
            Self::Weights | Self::Persons => 1,
            Self::Subsets | Self::Groups => 2,
            Self::Batch | Self::Clip => 3,
            Self::View => 4,
            Self::Dropout => 5,
            Self::Drawn => 6,
            Self::HardSet => 7,
            Self::NonFaces => 8,
        }
    }
}

/// The generator for one purpose and index; only the lower 56 bits of `index` count.
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream((purpose.number() << 56) | (index & ((1 << 56) - 1)));
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
