//! What is known of one person in view.

use super::evidence::{Evidence, Threshold};
use super::rules::FaceSize;
use super::sighting::Sighting;
use super::verdict::Verdict;
use maskwatch_vision::Appearance;
use maskwatch_vision::classifier::Probabilities;
use std::time::Duration;

/// Time constant of what is thought about whether somebody is there: neighbouring frames err together.
const MEMORY: Duration = Duration::from_secs(1);
/// A look after the first says no more than this share of it, however long after.
const MOST: f32 = 0.5;
/// After so many looks nobody is somebody again only when they speak against a human head by no more than
/// [`SOMEBODY`].
const SETTLED: u32 = 4;
const SOMEBODY: f32 = 0.3;
/// A face is clearly smaller than a size if it is below this share of it.
const CLEARLY: f32 = 0.8;

#[derive(Debug, Clone)]
pub(super) struct Person {
    /// When the frame was taken in which the person was first seen.
    pub(super) first_taken: Duration,
    /// When the look ended in which the person was first seen, and last.
    pub(super) first_seen: Duration,
    pub(super) last_seen: Duration,
    /// Looks since then.
    pub(super) missed: u32,
    /// Since when the face has been large enough to be asked to come closer, and somebody's.
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
    /// Looks that said something about it, and when the frame of the last one was taken.
    looks: u32,
    asked: Duration,
    nobody: bool,
}

impl Person {
    pub(super) fn new(captured: Duration, now: Duration) -> Self {
        Self {
            first_taken: captured,
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
            asked: Duration::ZERO,
            nobody: false,
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

    /// Notes what a look at a frame taken at `at` said about whether a human head is there. The first look
    /// counts whole, the next ones less and less for each that came before, down to what the time since the
    /// last one is worth.
    pub(super) fn note_nobody(&mut self, is_nobody: bool, at: Duration) {
        let since = at.saturating_sub(self.asked).as_secs_f32();
        let of_time = 1.0 - (-since / MEMORY.as_secs_f32()).exp();
        let share = of_time.min(MOST).max(1.0 / (1.0 + self.looks as f32));
        self.looks = self.looks.saturating_add(1);
        self.asked = at;
        self.against += share * (f32::from(u8::from(is_nobody)) - self.against);
        self.nobody = self.against > if self.nobody && self.looks > SETTLED { SOMEBODY } else { 0.5 };
        if self.nobody {
            self.near_since = self.near_since.map(|_| self.last_seen);
        }
    }

    /// Whether most of the looks said that no human head is there. With hysteresis: who is nobody flickers
    /// into view by no single look.
    pub(super) fn is_nobody(&self) -> bool {
        self.nobody
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
