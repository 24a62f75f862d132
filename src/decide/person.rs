//! What is known of one person in view.

use super::rules::Rules;
use super::verdict::Verdict;
use crate::vision::classifier::Probabilities;
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) first_seen: Duration,
    pub(super) last_seen: Duration,
    pub(super) last_vote: Duration,
    pub(super) votes: VecDeque<Verdict>,
    /// What the newest vote was made of.
    pub(super) answer: Option<Probabilities>,
    pub(super) verdict: Verdict,
    pub(super) alerted: bool,
}

impl Person {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            first_seen: now,
            last_seen: now,
            last_vote: now,
            votes: VecDeque::new(),
            answer: None,
            verdict: Verdict::Unsure,
            alerted: false,
        }
    }

    /// Takes a vote and returns the verdict if it changed.
    pub(super) fn vote(&mut self, vote: Verdict, now: Duration, rules: &Rules) -> Option<Verdict> {
        self.last_vote = now;
        self.votes.push_back(vote);
        while self.votes.len() > rules.window {
            self.votes.pop_front();
        }
        let count = |wanted| self.votes.iter().filter(|vote| **vote == wanted).count();
        let masked = count(Verdict::Masked);
        let (unmasked, incorrect) = (count(Verdict::Unmasked), count(Verdict::Incorrect));
        // That a face is not rightly masked is decided first: votes that differ in how do not hold each other
        // up.
        let wrong = unmasked + incorrect;
        let verdict = match () {
            () if masked > wrong => Verdict::Masked,
            () if incorrect > unmasked => Verdict::Incorrect,
            () => Verdict::Unmasked,
        };
        let decided = masked != wrong && masked.max(wrong) >= rules.votes.max(1);
        (decided && verdict != self.verdict).then(|| {
            self.verdict = verdict;
            verdict
        })
    }
}
