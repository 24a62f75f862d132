//! The rules: what makes a vote, a verdict and a door state.

use super::passage::PassHoldFor;
use super::state::DoorState;
use super::verdict::Verdict;
use maskwatch_vision::Judgement;
use maskwatch_vision::classifier::Probabilities;
use maskwatch_vision::named;
use std::time::Duration;

/// What a mask that is worn incorrectly brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncorrectMeans {
    /// An alert, like no mask at all.
    #[default]
    Alert,
    /// The door state *incorrect*, which has patterns of its own.
    Signal,
    /// Nothing: it passes like a mask.
    Pass,
}

named!(IncorrectMeans { Alert => "alert", Signal => "signal", Pass => "pass", });

/// Size in pixels below which a face shows the classifier little: in the first glimpse of somebody far
/// away it errs most.
const SMALL: f32 = 24.0;
/// Share of the usual doubt that a vote on a small face may leave.
const DOUBT_WHERE_SMALL: f32 = 0.25;
/// Size in pixels from which a face shows the classifier whether the nose is bare.
const LARGE: f32 = 64.0;
/// Share of the usual doubt that may be left where *mask* is ruled out on a large face. Chosen on pictures of
/// masks worn wrongly that training set aside, and on clips.
const DOUBT_WHERE_LARGE: f32 = 1.5;

/// A size of faces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaceSize {
    /// So many pixels.
    Pixels(f32),
    /// This share of the frame's width.
    Share(f32),
}

impl FaceSize {
    /// The size in pixels of a frame that is `width` pixels wide.
    #[must_use]
    pub fn pixels(self, width: u32) -> f32 {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Share(share) => share * width as f32,
        }
    }
}

/// A number below 1 is a share of the frame's width, any other a number of pixels.
impl From<f64> for FaceSize {
    fn from(number: f64) -> Self {
        if number > 0.0 && number < 1.0 { Self::Share(number as f32) } else { Self::Pixels(number as f32) }
    }
}

/// The rules that a [`Decider`](super::Decider) follows; the configuration documents and checks them.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Faces whose shorter side is below this are not there at all.
    pub ignore_below: FaceSize,
    /// Faces below this many pixels (shorter side) are not classified; they may be asked to come closer.
    pub min_face_side: f32,
    /// Faces whose shorter side is below this are not asked to come closer: they pass by.
    pub min_look_side: FaceSize,
    /// Minimum probability of *mask*, or of *no_mask* plus *incorrect*; below both the vote is *unsure*. 0.5
    /// to 1. On faces below 24 pixels a quarter of the doubt is allowed: at 0.8 they need 0.95.
    pub certainty: f32,
    /// What a mask that is worn incorrectly brings about.
    pub incorrect: IncorrectMeans,
    /// For how long votes have to agree to make a verdict. Where two looks lie further apart than that, two
    /// votes that agree are enough.
    pub evidence: Duration,
    /// How far back votes count.
    pub window: Duration,
    /// How long a look may take before the faces that are left wait for the next one. At least one is judged.
    pub budget: Duration,
    /// How long an alert lasts at the least.
    pub hold: Duration,
    /// Somebody who raised an alert and comes back within this time raises no second one; after 10 s he is
    /// forgotten in any case.
    pub re_arm: Duration,
    /// How long a face counts as present after it was last seen; that of three looks where looks are rarer.
    pub linger: Duration,
    /// How long a face may be in view undecided before the door asks it to come closer.
    pub look_after: Duration,
    /// How often a face whose verdict stands is classified again.
    pub recheck: Duration,
    /// For how long a pass is held for a person, once; never if zero.
    pub pass_hold: Duration,
    /// For whom it is held.
    pub pass_hold_for: PassHoldFor,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            ignore_below: FaceSize::Pixels(16.0),
            min_face_side: 20.0,
            min_look_side: FaceSize::Share(0.04),
            certainty: 0.8,
            incorrect: IncorrectMeans::default(),
            evidence: Duration::from_millis(400),
            window: Duration::from_secs(1),
            budget: Duration::from_millis(400),
            hold: Duration::from_secs(3),
            re_arm: Duration::from_secs(5),
            linger: Duration::from_secs(1),
            look_after: Duration::from_secs(1),
            recheck: Duration::from_millis(400),
            pass_hold: Duration::ZERO,
            pass_hold_for: PassHoldFor::default(),
        }
    }
}

impl Rules {
    /// The vote of one classified sighting of a face whose shorter side is `side` pixels: the class whose
    /// rivals together have at most `doubt`, where `doubt` is 1 − [`certainty`](Self::certainty), a quarter
    /// of it on small faces. On large faces *mask* is ruled out with half as much doubt again: there a nose
    /// that shows is seen, and the answers lie close to the line. Where *mask* is ruled out but not which of
    /// the others it is, the face counts as unmasked, so that no bare face passes where incorrect masks may.
    ///
    /// ```
    /// use maskwatch_vision::classifier::Probabilities;
    /// use maskwatch_door::decide::{Rules, Verdict};
    /// let rules = Rules::default();
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.97), 60.0), Verdict::Masked);
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.1), 60.0), Verdict::Unmasked);
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.1), 20.0), Verdict::Unsure);
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.6), 60.0), Verdict::Unsure);
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.28), 60.0), Verdict::Unsure);
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.28), 64.0), Verdict::Unmasked);
    /// let under_the_nose = Probabilities { mask: 0.04, no_mask: 0.06, incorrect: 0.9 };
    /// assert_eq!(rules.vote(&under_the_nose, 60.0), Verdict::Incorrect);
    /// let perhaps_bare = Probabilities { mask: 0.04, no_mask: 0.36, incorrect: 0.6 };
    /// assert_eq!(rules.vote(&perhaps_bare, 60.0), Verdict::Unmasked);
    /// ```
    #[must_use]
    pub fn vote(&self, answer: &Probabilities, side: f32) -> Verdict {
        let doubt = (1.0 - self.certainty) * if side < SMALL { DOUBT_WHERE_SMALL } else { 1.0 };
        // Never so much that *mask* is the likeliest and ruled out all the same.
        let against_mask = if side >= LARGE { (doubt * DOUBT_WHERE_LARGE).min(0.5) } else { doubt };
        if 1.0 - answer.mask <= doubt {
            Verdict::Masked
        } else if answer.mask <= against_mask {
            if answer.no_mask <= doubt { Verdict::Incorrect } else { Verdict::Unmasked }
        } else {
            Verdict::Unsure
        }
    }

    /// What one sighting of a face whose shorter side is `side` pixels says by itself: its vote, or *unsure*
    /// where it is too small to be judged or was stopped by a gate.
    #[must_use]
    pub fn verdict(&self, side: f32, judgement: &Judgement) -> Verdict {
        match judgement.answer() {
            Some(answer) if side >= self.min_face_side => self.vote(&answer, side),
            _ => Verdict::Unsure,
        }
    }

    /// What the door shows for a person of this verdict, who has been near enough to be asked closer for
    /// `near`.
    pub(super) fn wanted(&self, verdict: Verdict, near: Option<Duration>) -> DoorState {
        match (verdict, self.incorrect) {
            (Verdict::Unmasked, _) | (Verdict::Incorrect, IncorrectMeans::Alert) => DoorState::Alert,
            (Verdict::Incorrect, IncorrectMeans::Signal) => DoorState::Incorrect,
            (Verdict::Masked, _) | (Verdict::Incorrect, IncorrectMeans::Pass) => DoorState::Pass,
            (Verdict::Unsure, _) if near.is_some_and(|near| near >= self.look_after) => DoorState::Look,
            (Verdict::Unsure, _) => DoorState::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maskwatch_vision::classifier::SURE;
    use maskwatch_vision::quality::Gate;

    #[test]
    fn small_faces_and_those_that_a_gate_stops_are_unsure() {
        let sure = Judgement::Answered(Probabilities::of_mask(1.0));
        let rules = Rules { min_face_side: 20.0, ..Rules::default() };
        assert_eq!(rules.verdict(19.0, &sure), Verdict::Unsure);
        assert_eq!(rules.verdict(20.0, &sure), Verdict::Masked);
        assert_eq!(rules.verdict(200.0, &Judgement::Stopped(Gate::Yaw)), Verdict::Unsure);
        assert_eq!(rules.verdict(200.0, &Judgement::Unasked), Verdict::Unsure);
    }

    /// On a large face less is needed to rule *mask* out, and as much as ever to call it *mask*; whatever the
    /// certainty, no answer that favours *mask* rules it out.
    #[test]
    fn a_large_face_rules_a_mask_out_sooner_and_passes_no_sooner() {
        let rules = Rules::default();
        let vote = |mask, side| rules.vote(&Probabilities::of_mask(mask), side);
        assert_eq!((vote(0.29, 64.0), vote(0.29, 63.9)), (Verdict::Unmasked, Verdict::Unsure));
        assert_eq!((vote(0.31, 64.0), vote(0.79, 64.0)), (Verdict::Unsure, Verdict::Unsure));
        assert_eq!(vote(0.81, 64.0), Verdict::Masked);
        let nose = Probabilities { mask: 0.29, no_mask: 0.01, incorrect: 0.7 };
        assert_eq!((rules.vote(&nose, 64.0), rules.vote(&nose, 60.0)), (Verdict::Incorrect, Verdict::Unsure));
        let careless = Rules { certainty: 0.5, ..rules };
        assert_eq!(careless.vote(&Probabilities::of_mask(0.5), 200.0), Verdict::Masked);
        assert_eq!(careless.vote(&Probabilities::of_mask(0.49), 200.0), Verdict::Unmasked);
        let doubtful = Rules { certainty: 0.6, ..rules };
        assert_eq!(doubtful.vote(&Probabilities::of_mask(0.55), 200.0), Verdict::Unsure);
    }

    /// The classifier looks twice wherever its first answer could not carry the strictest vote.
    #[test]
    fn the_second_look_is_taken_up_to_the_certainty_that_small_faces_need() {
        let needed = 1.0 - (1.0 - Rules::default().certainty) * DOUBT_WHERE_SMALL;
        assert!((needed - SURE).abs() < 1e-6, "{needed} {SURE}");
    }
}
