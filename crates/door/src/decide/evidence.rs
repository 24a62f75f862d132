//! Evidence in time. Neighbouring frames show nearly the same and err together, so a vote counts for the time
//! since the vote before it and not as one of so many: ten bad frames in 0.3 s are no more than two.

use super::verdict::Verdict;
use std::collections::VecDeque;
use std::time::Duration;

/// What the time between two votes counts for at most; longer gaps say nothing about what was between.
const LONGEST: Duration = Duration::from_millis(250);

/// What a vote is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Masked,
    /// Not rightly masked: bare, or with a mask worn wrongly.
    Wrong,
    Neither,
}

impl Side {
    fn of(vote: Verdict) -> Self {
        match vote {
            Verdict::Masked => Self::Masked,
            Verdict::Unmasked | Verdict::Incorrect => Self::Wrong,
            Verdict::Unsure => Self::Neither,
        }
    }
}

/// One vote, and for how long it and the one before it said the same.
#[derive(Debug, Clone, Copy)]
struct Vote {
    at: Duration,
    verdict: Verdict,
    lasted: Duration,
}

/// When the votes of a face make a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Threshold {
    /// For how long votes have to agree.
    pub(super) evidence: Duration,
    /// How far back votes count.
    pub(super) window: Duration,
    /// The usual time between two looks: one pair of votes is never worth less than that.
    pub(super) interval: Duration,
}

/// The votes on one face.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence(VecDeque<Vote>);

impl Evidence {
    /// Takes a vote on a sighting at `at` (no earlier than the last) and returns the verdict that the votes
    /// now make, if they make one.
    pub(super) fn add(&mut self, verdict: Verdict, at: Duration, threshold: &Threshold) -> Option<Verdict> {
        let side = Side::of(verdict);
        let agrees = |last: &&Vote| side != Side::Neither && Side::of(last.verdict) == side;
        let longest = LONGEST.max(threshold.interval + threshold.interval / 2);
        let lasted = self.0.back().filter(agrees).map(|last| at.saturating_sub(last.at).min(longest));
        self.0.push_back(Vote { at, verdict, lasted: lasted.unwrap_or_default() });
        while self.0.front().is_some_and(|vote| at.saturating_sub(vote.at) >= threshold.window) {
            // The newest vote stays whatever the window: the next one is measured from it.
            if self.0.len() == 1 {
                break;
            }
            self.0.pop_front();
        }
        self.verdict(threshold.evidence)
    }

    /// What the newest vote said.
    pub(super) fn newest(&self) -> Option<Verdict> {
        self.0.back().map(|vote| vote.verdict)
    }

    fn verdict(&self, needed: Duration) -> Option<Verdict> {
        let total = |wanted: fn(Verdict) -> bool| -> Duration {
            self.0.iter().filter(|vote| wanted(vote.verdict)).map(|vote| vote.lasted).sum()
        };
        let masked = total(|vote| vote == Verdict::Masked);
        let incorrect = total(|vote| vote == Verdict::Incorrect);
        let unmasked = total(|vote| vote == Verdict::Unmasked);
        // That a face is not rightly masked is decided first: votes that differ in how do not hold each other
        // up.
        let wrong = unmasked + incorrect;
        if masked == wrong || masked.max(wrong) < needed || masked.max(wrong).is_zero() {
            return None;
        }
        Some(match () {
            () if masked > wrong => Verdict::Masked,
            () if incorrect > unmasked => Verdict::Incorrect,
            () => Verdict::Unmasked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USUAL: Threshold = Threshold {
        evidence: Duration::from_millis(400),
        window: Duration::from_secs(1),
        interval: Duration::from_millis(100),
    };

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// When a face that is bare from 0 on is called so first, looked at every `step` milliseconds.
    fn decided(step: u64) -> Option<u64> {
        let mut evidence = Evidence::default();
        let threshold = Threshold { interval: at(step), ..USUAL };
        let bare = |time: &u64| evidence.add(Verdict::Unmasked, at(*time), &threshold).is_some();
        (0..100_000).step_by(step as usize).find(bare)
    }

    #[test]
    fn a_verdict_takes_the_same_time_at_every_rate() {
        for step in [20, 40, 100, 200] {
            assert_eq!(decided(step), Some(400), "{step} ms");
        }
        // Where looks are rarer than that, two that agree are enough.
        for step in [500, 1000, 2000, 5000, 10_000] {
            assert_eq!(decided(step), Some(step), "{step} ms");
        }
    }

    proptest! {
        /// Whatever else is said, votes for one side that lie within 0.3 s make no verdict.
        #[test]
        fn a_short_error_is_never_a_verdict(
            steps in prop::collection::vec(1u64..120, 1..60), first in 0u64..2000, length in 0u64..=300,
        ) {
            let mut evidence = Evidence::default();
            let mut now = 0;
            for step in steps {
                now += step;
                let wrong = (first..=first + length).contains(&now);
                let vote = if wrong { Verdict::Unmasked } else { Verdict::Masked };
                let verdict = evidence.add(vote, at(now), &USUAL);
                prop_assert!(verdict.is_none_or(|verdict| verdict == Verdict::Masked), "{verdict:?} at {now}");
            }
        }

        #[test]
        fn memory_is_bounded_and_unsure_votes_make_no_verdict(steps in prop::collection::vec(10u64..120, 1..200)) {
            let mut evidence = Evidence::default();
            let mut now = 0;
            for step in steps {
                now += step;
                prop_assert_eq!(evidence.add(Verdict::Unsure, at(now), &USUAL), None);
                prop_assert!(evidence.0.len() <= 101);
            }
        }
    }
}
