//! What is thought of one face.

use std::fmt;

/// What is thought of one face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Wears a mask.
    Masked,
    /// Wears none.
    Unmasked,
    /// Wears one that does not cover nose and mouth.
    Incorrect,
    /// Not known: too small, turned away, too dark, scores too close, or not yet seen often enough.
    Unsure,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Masked => "masked",
            Self::Unmasked => "unmasked",
            Self::Incorrect => "incorrectly masked",
            Self::Unsure => "unsure",
        })
    }
}

impl Verdict {
    /// Its name in one word, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Unmasked => "unmasked",
            Self::Incorrect => "incorrect",
            Self::Unsure => "unsure",
        }
    }

    /// The colour of its frame in annotated pictures, RGB.
    #[must_use]
    pub const fn colour(self) -> [u8; 3] {
        match self {
            Self::Masked => [0, 150, 60],
            Self::Unmasked => [215, 30, 30],
            Self::Incorrect => [215, 90, 0],
            Self::Unsure => [225, 160, 0],
        }
    }
}
