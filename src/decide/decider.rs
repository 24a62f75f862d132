//! Turns sightings and answers into the door's state.

use super::person::Person;
use super::rules::Rules;
use super::state::{DoorState, Signal};
use super::verdict::Verdict;
use crate::track::TrackId;
use crate::vision::classifier::Probabilities;
use std::collections::BTreeMap;
use std::time::Duration;

/// One face in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// Whose face it is.
    pub track: TrackId,
    /// Its shorter side in pixels.
    pub side: f32,
}

/// A sighting with what the classifier says, where it was asked about the face in this frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Observation {
    pub(super) track: TrackId,
    pub(super) side: f32,
    pub(super) answer: Option<Probabilities>,
}

/// What is thought of one person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opinion {
    /// What the classifier said when it was last asked about this person.
    pub answer: Option<Probabilities>,
    /// What the votes so far say.
    pub verdict: Verdict,
}

/// What became of the sightings of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What is worth telling.
    pub findings: Vec<Finding>,
    /// What is thought of the person of each sighting, in the sightings' order.
    pub opinions: Vec<Opinion>,
}

/// One frame's question and answer: the decider says which sightings it wants judged, then takes the answers.
/// Dropped without [`finish`](Self::finish), nothing was learned from the frame.
#[derive(Debug)]
pub struct Exchange<'a> {
    decider: &'a mut Decider,
    now: Duration,
    sightings: Vec<Sighting>,
}

impl Exchange<'_> {
    /// Indices of the sightings that are worth classifying: large enough, and undecided, in doubt or due for
    /// a new look.
    #[must_use]
    pub fn wanted(&self) -> Vec<usize> {
        let wants = |sighting: &Sighting| self.decider.wants_vote(sighting.track, sighting.side, self.now);
        (0..self.sightings.len()).filter(|index| wants(&self.sightings[*index])).collect()
    }

    /// Takes what the classifier says of each sighting by its index; nothing for one that it was not asked
    /// about.
    pub fn finish(self, answer: impl Fn(usize) -> Option<Probabilities>) -> Observed {
        let Self { decider, now, sightings } = self;
        let observation = |(index, &Sighting { track, side }): (usize, &Sighting)| Observation {
            track,
            side,
            answer: answer(index),
        };
        let observations: Vec<_> = sightings.iter().enumerate().map(observation).collect();
        let findings = decider.observe(now, &observations);
        let opinions = sightings.iter().map(|sighting| decider.opinion(sighting.track)).collect();
        Observed { findings, opinions }
    }
}

/// Something worth telling that an observation brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// A person's verdict is another one now.
    Verdict {
        /// Whose.
        track: TrackId,
        /// The new verdict.
        verdict: Verdict,
    },
    /// A person raised an alert.
    Alert {
        /// Who.
        track: TrackId,
    },
}

/// The last alert.
#[derive(Debug, Clone, Copy)]
struct Alert {
    /// When the frame was taken that raised it.
    raised: Duration,
    /// When it ends; `None` until the alert is first shown: networks may take longer than the hold time.
    until: Option<Duration>,
}

/// Turns observations into the door's state.
#[derive(Debug, Clone)]
pub struct Decider {
    rules: Rules,
    persons: BTreeMap<TrackId, Person>,
    alert: Option<Alert>,
    fault: bool,
    shown: Signal,
    now: Duration,
}

impl Decider {
    /// A decider that has seen nobody: *idle*.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            persons: BTreeMap::new(),
            alert: None,
            fault: false,
            shown: Signal { state: DoorState::Idle, since: Duration::ZERO },
            now: Duration::ZERO,
        }
    }

    /// Follows other rules from the next observation on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Shows *fault* from now on, or no longer.
    pub fn set_fault(&mut self, fault: bool) {
        self.fault = fault;
    }

    /// Begins the exchange about the faces of a frame that was seen at `now`; an earlier time than the last
    /// counts as the last.
    pub fn exchange(&mut self, now: Duration, sightings: Vec<Sighting>) -> Exchange<'_> {
        Exchange { decider: self, now, sightings }
    }

    /// Whether a face is worth classifying at `now`: it is large enough, and undecided, in doubt or due for a
    /// new look.
    pub(super) fn wants_vote(&self, track: TrackId, side: f32, now: Duration) -> bool {
        let now = self.now.max(now);
        if side < self.rules.min_face_side.max(self.rules.ignore_below) {
            return false;
        }
        match self.persons.get(&track) {
            Some(person) if now - person.last_seen < self.rules.re_arm => {
                person.verdict == Verdict::Unsure
                    || person.votes.back() != Some(&person.verdict)
                    || now - person.last_vote >= self.rules.recheck
            }
            _ => true,
        }
    }

    /// Takes the faces of one frame, seen at `now`. Times are monotonic; an earlier one than the last counts
    /// as the last.
    pub(super) fn observe(&mut self, now: Duration, faces: &[Observation]) -> Vec<Finding> {
        self.advance(now);
        let (now, rules) = (self.now, &self.rules);
        let mut findings = Vec::new();
        for face in faces.iter().filter(|face| face.side >= rules.ignore_below) {
            let person = self.persons.entry(face.track).or_insert_with(|| Person::new(now));
            person.last_seen = now;
            let Some(answer) = face.answer.filter(|_| face.side >= rules.min_face_side) else { continue };
            person.answer = Some(answer);
            let Some(verdict) = person.vote(rules.vote(&answer, face.side), now, rules) else { continue };
            findings.push(Finding::Verdict { track: face.track, verdict });
            if rules.wanted(verdict, Duration::ZERO) == DoorState::Alert && !person.alerted {
                person.alerted = true;
                self.alert = Some(Alert { raised: now, until: None });
                findings.push(Finding::Alert { track: face.track });
            }
        }
        findings
    }

    /// What is thought of a person now; *unsure* for one who is unknown or long gone.
    pub(super) fn opinion(&self, track: TrackId) -> Opinion {
        let person = self.persons.get(&track);
        Opinion {
            answer: person.and_then(|person| person.answer),
            verdict: person.map_or(Verdict::Unsure, |person| person.verdict),
        }
    }

    /// What the door shows at `now`.
    pub fn signal(&mut self, now: Duration) -> Signal {
        self.advance(now);
        if let Some(alert) = &mut self.alert {
            alert.until.get_or_insert(self.now + self.rules.hold);
        }
        let state = self.state();
        let since = match (state, self.alert) {
            (DoorState::Alert, Some(Alert { raised, .. })) => raised,
            _ if state == self.shown.state => self.shown.since,
            _ => self.now,
        };
        self.shown = Signal { state, since };
        self.shown
    }

    #[cfg(test)]
    pub(super) fn remembers_nobody(&self) -> bool {
        self.persons.is_empty()
    }

    fn state(&self) -> DoorState {
        if self.fault {
            return DoorState::Fault;
        }
        if self.alert.is_some_and(|alert| alert.until.is_none_or(|until| self.now < until)) {
            return DoorState::Alert;
        }
        let present = self.persons.values().filter(|person| self.now - person.last_seen <= self.rules.linger);
        present
            .map(|person| self.rules.wanted(person.verdict, person.last_seen - person.first_seen))
            .max()
            .unwrap_or(DoorState::Idle)
    }

    /// Moves time forward, never back, and forgets who was absent for the re-arm time.
    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let (now, re_arm) = (self.now, self.rules.re_arm);
        self.persons.retain(|_, person| now - person.last_seen < re_arm);
    }
}
