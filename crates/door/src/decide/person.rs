//! What is known of one person in view.

use super::evidence::{Evidence, Threshold};
use super::rules::FaceSize;
use super::sighting::Sighting;
use super::verdict::Verdict;
use maskwatch_vision::Appearance;
use maskwatch_vision::classifier::Probabilities;
use std::time::Duration;

/// Share of the newest look in what is thought about whether somebody is there, at the least.
const NEWEST: f32 = 0.3;
/// A face is clearly smaller than a size if it is below this share of it.
const CLEARLY: f32 = 0.8;

#[derive(Debug, Clone)]
pub(super) struct Person {
    /// When the look ended in which the person was first seen, and last.
    pub(super) first_seen: Duration,
    pub(super) last_seen: Duration,
    /// Looks since then.
    pub(super) missed: u32,
    /// Since when the face has been large enough to be asked to come closer.
    pub(super) near_since: Option<Duration>,
    /// When the frame was taken in which the face was last judged, or stopped by a gate.
    pub(super) tried: Option<Duration>,
    /// When the frame was taken that last spoke for the verdict.
    pub(super) confirmed: Duration,
    pub(super) evidence: Evidence,
    /// What the newest vote was made of.
    pub(super) answer: Option<Probabilities>,
    pub(super) appearance: Option<Appearance>,
    pub(super) verdict: Verdict,
    pub(super) alerted: bool,
    /// How much the looks speak against a human head, see [`note_nobody`](Self::note_nobody).
    against: f32,
    /// Looks that said something about it.
    looks: u32,
}

impl Person {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            first_seen: now,
            last_seen: now,
            missed: 0,
            near_since: None,
            tried: None,
            confirmed: Duration::ZERO,
            evidence: Evidence::default(),
            answer: None,
            appearance: None,
            verdict: Verdict::Unsure,
            alerted: false,
            against: 0.0,
            looks: 0,
        }
    }

    /// Notes at `now` whether the face is large enough to be asked to come closer. Who has come near stays so
    /// until he is clearly further away, or a light would flicker.
    pub(super) fn note_size(&mut self, sighting: &Sighting, least: FaceSize, now: Duration) {
        let clearly_less = Sighting { side: sighting.side / CLEARLY, ..*sighting };
        let is_near = sighting.reaches(least) || (self.near_since.is_some() && clearly_less.reaches(least));
        self.near_since = if is_near { self.near_since.or(Some(now)) } else { None };
    }

    /// For how long the face has been large enough to be asked to come closer, when it was last seen.
    pub(super) fn near(&self) -> Option<Duration> {
        self.near_since.map(|since| self.last_seen - since)
    }

    /// Notes what a look said about whether a human head is there. The first look counts whole, the next ones
    /// less and less for each that came before, down to [`NEWEST`].
    pub(super) fn note_nobody(&mut self, is_nobody: bool) {
        let share = if self.looks == 0 { 1.0 } else { NEWEST.max(1.0 / (1.0 + self.looks as f32)) };
        self.looks = self.looks.saturating_add(1);
        self.against += share * (f32::from(u8::from(is_nobody)) - self.against);
    }

    /// Whether most of the looks said that no human head is there.
    pub(super) fn is_nobody(&self) -> bool {
        self.against > 0.5
    }

    /// Takes a vote on a frame taken at `at` and returns the verdict if it changed.
    pub(super) fn vote(&mut self, vote: Verdict, at: Duration, threshold: &Threshold) -> Option<Verdict> {
        let verdict = self.evidence.add(vote, at, threshold);
        let changed = verdict.filter(|verdict| *verdict != self.verdict);
        self.verdict = verdict.unwrap_or(self.verdict);
        if vote == self.verdict || changed.is_some() {
            self.confirmed = at;
        }
        changed
    }

    /// Whether a *masked* verdict ends because nothing has spoken for it for `limit`. Who takes the mask off
    /// while turned away must not stay masked; *unmasked* stays, since nobody is let in by it.
    pub(super) fn expires(&mut self, at: Duration, limit: Duration) -> bool {
        let expired = self.verdict == Verdict::Masked && at.saturating_sub(self.confirmed) > limit;
        if expired {
            self.verdict = Verdict::Unsure;
            self.evidence = Evidence::default();
        }
        expired
    }
}
