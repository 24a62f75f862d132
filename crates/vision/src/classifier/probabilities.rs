//! What a classifier answers.

use crate::nn::head;

/// Whether a face is there to be judged: two probabilities, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Presence {
    /// A human head is there, and no animal, thing or piece of clothing.
    pub person: f32,
    /// It is seen from where nose and mouth would show, and not from behind.
    pub front: f32,
}

impl Presence {
    /// What is said by weights that lack this output: everything is a face.
    pub const CERTAIN: Self = Self { person: 1.0, front: 1.0 };

    /// From the logits of [`Head`](head::Head), in the order of [`head::PERSON`] and [`head::FRONT`].
    #[must_use]
    pub fn from_logits(logits: [f32; 2]) -> Self {
        Self { person: sigmoid(logits[head::PERSON]), front: sigmoid(logits[head::FRONT]) }
    }
}

/// All that the classifier says of a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// How the mask is worn, given that a face is there.
    pub probabilities: Probabilities,
    /// Whether a face is there.
    pub presence: Presence,
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// What the classifier says of a face: three probabilities, 0 to 1, whose sum is 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probabilities {
    /// Nose and mouth are covered.
    pub mask: f32,
    /// The face is bare.
    pub no_mask: f32,
    /// A mask is there, but does not cover nose and mouth.
    pub incorrect: f32,
}

impl Probabilities {
    /// From the logits of [`Head`](head::Head): the sigmoid of its output *incorrect*; what that leaves is
    /// shared by the softmax of the two classes.
    #[must_use]
    pub fn from_logits(classes: [f32; 2], incorrect: Option<f32>) -> Self {
        let incorrect = incorrect.map_or(0.0, sigmoid);
        let mask = (1.0 - incorrect) * sigmoid(classes[head::MASK] - classes[head::NO_MASK]);
        Self { mask, no_mask: 1.0 - incorrect - mask, incorrect }
    }

    /// Of a classifier that knows two classes only, from the probability of a mask.
    #[must_use]
    pub const fn of_mask(mask: f32) -> Self {
        Self { mask, no_mask: 1.0 - mask, incorrect: 0.0 }
    }

    /// The paper's softmax: the probability of a mask where it is known that none is worn incorrectly.
    #[must_use]
    pub fn of_two(&self) -> f32 {
        let both = self.mask + self.no_mask;
        if both > 0.0 { (self.mask / both).clamp(0.0, 1.0) } else { 0.5 }
    }

    /// Whether these are probabilities: damaged weights can give anything.
    #[must_use]
    pub fn are_sound(&self) -> bool {
        [self.mask, self.no_mask, self.incorrect].iter().all(|p| (-1e-6..=1.0 + 1e-6).contains(p))
            && (self.mask + self.no_mask + self.incorrect - 1.0).abs() < 1e-3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_logits_give_sound_probabilities(
            mask in -60f32..60.0, no_mask in -60f32..60.0, incorrect in prop::option::of(-60f32..60.0),
        ) {
            let answer = Probabilities::from_logits([mask, no_mask], incorrect);
            prop_assert!(answer.are_sound(), "{answer:?}");
            // What is left beside *incorrect* is the softmax of the two.
            let share = mask.exp() / (mask.exp() + no_mask.exp());
            prop_assert!((answer.mask - share * (1.0 - answer.incorrect)).abs() < 1e-3);
            prop_assert_eq!(incorrect.is_none(), answer.incorrect == 0.0 && incorrect.is_none());
        }
    }

    #[test]
    fn what_is_no_number_is_not_sound() {
        assert!(!Probabilities::from_logits([f32::NAN, 0.0], Some(0.0)).are_sound());
        assert!(!Probabilities::of_mask(1.5).are_sound() && Probabilities::of_mask(0.3).are_sound());
    }
}
