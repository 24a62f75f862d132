//! Turns sightings and answers into the door's state.

use super::cadence::Cadence;
use super::evidence::Threshold;
use super::memory::{LONGEST_MEMORY, Memory};
use super::passage::{HeldPass, PassHoldFor, Passage};
use super::person::Person;
use super::rules::Rules;
use super::sighting::{Finding, Observed, Opinion, Sighting, Urgency, UrgencyKind};
use super::state::{DoorState, Signal};
use super::verdict::Verdict;
use crate::track::{Absence, TrackId};
use maskwatch_vision::{JudgedFace, Judgement};
use std::collections::BTreeMap;
use std::time::Duration;

/// Rechecks that may fail to confirm a *masked* verdict before it ends.
const UNCONFIRMED_RECHECKS: u32 = 3;
/// A *masked* verdict stands for so long without a vote for it, however short the rechecks are.
const UNCONFIRMED: Duration = Duration::from_secs(2);

/// Intervals that have to be known before their median is told as how it is here.
const SETTLED: usize = 5;
/// Who came no longer ago than this and was not judged yet has just come.
const ARRIVED: Duration = Duration::from_secs(3);

/// The last alert.
#[derive(Debug, Clone, Copy)]
struct Alert {
    /// When the frame was taken that raised it.
    raised: Duration,
    /// When it ends; `None` until the alert is first shown: networks may take longer than the hold time.
    until: Option<Duration>,
}

/// Turns observations into the door's state. Two times are told apart: frames speak for the time at which
/// they were taken, and somebody is present from the end of the look in which he was seen, since a slow look
/// must not make him absent.
#[derive(Debug, Clone)]
pub struct Decider {
    rules: Rules,
    persons: BTreeMap<TrackId, Person>,
    gone: Memory,
    alert: Option<Alert>,
    passage: Passage,
    cadence: Cadence,
    /// When the last frame was taken.
    captured: Duration,
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
            gone: Memory::default(),
            alert: None,
            passage: Passage::default(),
            cadence: Cadence::default(),
            captured: Duration::ZERO,
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

    /// The median time between the ends of two looks; `None` before the second look.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        (self.cadence.known() > 0).then(|| self.cadence.interval())
    }

    /// The same, but `None` until so many looks are known that it will hardly change.
    #[must_use]
    pub fn settled_interval(&self) -> Option<Duration> {
        self.interval().filter(|_| self.cadence.known() >= SETTLED)
    }

    /// How long somebody may be away: the configured time, or that of three looks where looks are rare.
    #[must_use]
    pub fn absence(&self) -> Absence {
        Absence {
            linger: self.cadence.at_least(self.rules.linger),
            longest: self.cadence.at_least(LONGEST_MEMORY.max(self.rules.linger)),
        }
    }

    /// Begins the exchange about the faces of a frame that was taken at `captured`.
    pub fn exchange(&mut self, captured: Duration, sightings: Vec<Sighting>) -> Exchange<'_> {
        Exchange { decider: self, captured, sightings }
    }

    /// Forgets people who are known to have left; they do not linger.
    pub fn leave(&mut self, tracks: &[TrackId]) {
        for track in tracks {
            if let Some(person) = self.persons.remove(track) {
                remember(&mut self.gone, &person);
            }
        }
    }

    /// Forgets everybody in view and ends the alert: nobody looks for a while.
    pub fn forget_all(&mut self) {
        for person in std::mem::take(&mut self.persons).values() {
            remember(&mut self.gone, person);
        }
        self.alert = None;
        self.passage.end();
    }

    /// How pressing it is to judge a face in a frame taken at `captured`; `None` where it is too small, or
    /// its verdict stands and is not due for a new look.
    pub(super) fn urgency(&self, sighting: &Sighting, captured: Duration) -> Option<Urgency> {
        let &Sighting { track, side, .. } = sighting;
        if side < self.rules.min_face_side || !sighting.reaches(self.rules.ignore_below) {
            return None;
        }
        let arrived = Urgency { kind: UrgencyKind::Arrived, weight: side };
        let Some(person) = self.persons.get(&track) else { return Some(arrived) };
        let waited = captured.saturating_sub(person.tried.unwrap_or(person.first_seen));
        if person.tried.is_none() && waited <= self.cadence.at_least(ARRIVED) {
            return Some(arrived);
        }
        let newest = person.evidence.newest();
        let kind = match (newest, person.verdict) {
            (Some(Verdict::Unmasked | Verdict::Incorrect), Verdict::Masked | Verdict::Unsure) => {
                UrgencyKind::Contradicted
            }
            (newest, verdict)
                if verdict == Verdict::Unsure || newest != Some(verdict) || waited >= self.rules.recheck =>
            {
                UrgencyKind::Due
            }
            _ => return None,
        };
        Some(Urgency { kind, weight: side * waited.as_secs_f32() })
    }

    /// Takes the faces of one frame, taken at `captured`, in a look that ended at `ended`, with what was made
    /// of them in the same order. Times are monotonic; an earlier one than the last counts as the last.
    pub(super) fn observe(
        &mut self,
        captured: Duration,
        ended: Duration,
        sightings: &[Sighting],
        judged: &[JudgedFace],
    ) -> Vec<Finding> {
        // Who was there when the frame was taken has not gone because the look took long.
        self.advance(captured);
        self.forget_lost();
        self.now = self.now.max(ended);
        let step = captured.saturating_sub(std::mem::replace(&mut self.captured, captured));
        self.cadence.note(self.now);
        self.persons.values_mut().for_each(|person| person.missed = person.missed.saturating_add(1));
        let (now, rules) = (self.now, &self.rules);
        let threshold = Threshold {
            evidence: rules.evidence,
            window: rules.window,
            interval: self.cadence.interval().max(step),
        };
        let unconfirmed = self.cadence.at_least(UNCONFIRMED.max(rules.recheck * UNCONFIRMED_RECHECKS));
        let mut findings = Vec::new();
        for (index, sighting) in sightings.iter().enumerate() {
            let &Sighting { track, side, .. } = sighting;
            if !sighting.reaches(rules.ignore_below) {
                continue;
            }
            let person = self.persons.entry(track).or_insert_with(|| Person::new(captured, now));
            (person.last_seen, person.missed) = (now, 0);
            person.note_size(sighting, rules.min_look_side, now);
            let face = judged.get(index).filter(|_| side >= rules.min_face_side);
            let judgement = face.map_or(Judgement::Unasked, |face| face.judgement);
            if judgement != Judgement::Unasked {
                person.tried = Some(captured);
            }
            let mut changed = None;
            if judgement != Judgement::Unasked {
                person.note_nobody(judgement == Judgement::Nobody, captured);
            }
            if judgement == Judgement::Nobody {
                // It speaks for nothing, and against what votes before and after it may say together.
                changed = person.vote(Verdict::Unsure, captured, &threshold);
            }
            if let Some(answer) = judgement.answer() {
                person.answer = Some(answer);
                person.appearance = face.and_then(|face| face.appearance).or(person.appearance);
                changed = person.vote(rules.vote(&answer, side), captured, &threshold);
            }
            if person.expires(captured, unconfirmed) {
                changed = Some(person.verdict);
            }
            findings.extend(changed.map(|verdict| Finding::Verdict { track, verdict }));
            // Asked of every sighting and not only of a new verdict: other rules may make an alert of an old
            // one.
            let alerts = rules.wanted(person.verdict, None) == DoorState::Alert;
            if alerts && !person.alerted && !person.is_nobody() {
                person.alerted = true;
                let is_back = person.appearance.as_ref().is_some_and(|appearance| self.gone.take(appearance));
                match &mut self.alert {
                    // The same alert once more: it is shown, but a buzzer has had its beeps.
                    Some(alert) if is_back => alert.until = None,
                    _ => {
                        self.alert = Some(Alert { raised: now, until: None });
                        findings.push(Finding::Alert { track, first_seen: person.first_taken });
                    }
                }
            }
        }
        self.admit(sightings);
        findings
    }

    /// Holds a pass for those among the sightings who may pass and have not yet.
    fn admit(&mut self, sightings: &[Sighting]) {
        if self.forbids_pass() {
            self.passage.end();
            return;
        }
        for Sighting { track, .. } in sightings {
            let Some(person) = self.persons.get(track).filter(|person| !person.is_nobody()) else { continue };
            if self.rules.wanted(person.verdict, None) == DoorState::Pass {
                self.passage.admit(*track, self.now, self.rules.pass_hold);
            }
        }
    }

    /// Whether no pass may be held now: in a fault, and for everyone while somebody in view is unmasked.
    fn forbids_pass(&self) -> bool {
        let wrong = || matches!(self.state(), DoorState::Alert | DoorState::Incorrect);
        self.fault || (self.rules.pass_hold_for == PassHoldFor::Everyone && wrong())
    }

    /// The pass that is held at `now`. What ends it ends it for good.
    pub fn held_pass(&mut self, now: Duration) -> Option<HeldPass> {
        self.advance(now);
        if self.forbids_pass() {
            self.passage.end();
        }
        self.passage.held(self.now)
    }

    /// What is thought of a person now; *unsure* for one who is unknown or gone.
    pub(super) fn opinion(&self, track: TrackId) -> Opinion {
        let person = self.persons.get(&track);
        Opinion {
            answer: person.and_then(|person| person.answer),
            verdict: person.map_or(Verdict::Unsure, |person| person.verdict),
            nobody: person.is_some_and(Person::is_nobody),
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
        self.persons.is_empty() && self.gone.is_empty()
    }

    #[cfg(test)]
    pub(super) fn knows_a_look(&self) -> bool {
        self.persons.values().any(|person| person.appearance.is_some()) || !self.gone.is_empty()
    }

    fn state(&self) -> DoorState {
        if self.fault {
            return DoorState::Fault;
        }
        if self.alert.is_some_and(|alert| alert.until.is_none_or(|until| self.now < until)) {
            return DoorState::Alert;
        }
        let wanted = |person: &Person| self.rules.wanted(person.verdict, person.near());
        let somebody = self.persons.values().filter(|person| !person.is_nobody());
        somebody.map(wanted).max().unwrap_or(DoorState::Idle)
    }

    /// Moves time forward, never back, and forgets who is gone: at once what was thought of him, and after
    /// the re-arm time that he raised an alert.
    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let (now, absence, looked) = (self.now, self.absence(), self.cadence.looked());
        let gone = &mut self.gone;
        self.persons.retain(|_, person| {
            // A pause in which nobody looked says nothing about who is there.
            let is_gone = absence.is_gone(person.last_seen, person.missed, looked, person.last_seen);
            if is_gone {
                remember(gone, person);
            } else if now - person.last_seen >= LONGEST_MEMORY {
                person.appearance = None;
            }
            !is_gone
        });
        gone.forget(now, self.cadence.at_least(self.rules.re_arm));
    }

    /// Forgets those of whom nothing was seen for so long, since nobody looked, that whoever is there now may
    /// be another.
    fn forget_lost(&mut self) {
        let (now, longest) = (self.now, self.absence().longest);
        self.persons.retain(|_, person| now - person.last_seen <= longest);
    }
}

fn remember(gone: &mut Memory, person: &Person) {
    if let Some(appearance) = person.appearance.filter(|_| person.alerted) {
        gone.keep(person.last_seen, appearance);
    }
}

/// The question and the answer: the decider says which sightings it wants judged, then takes the answers.
/// Dropped without [`finish`](Self::finish), nothing was learned from the frame.
#[derive(Debug)]
pub struct Exchange<'a> {
    decider: &'a mut Decider,
    captured: Duration,
    sightings: Vec<Sighting>,
}

impl Exchange<'_> {
    /// Indices of the sightings that are worth classifying, the most pressing first: faces that are large
    /// enough, and undecided, in doubt or due for a new look.
    #[must_use]
    pub fn wanted(&self) -> Vec<usize> {
        let urgency = |(index, sighting): (usize, &Sighting)| {
            Some((index, self.decider.urgency(sighting, self.captured)?))
        };
        let mut wanted: Vec<(usize, Urgency)> =
            self.sightings.iter().enumerate().filter_map(urgency).collect();
        wanted.sort_by(|(_, one), (_, other)| {
            one.kind.cmp(&other.kind).then(other.weight.total_cmp(&one.weight))
        });
        wanted.into_iter().map(|(index, _)| index).collect()
    }

    /// Takes what was made of the sightings, in their order, in a look that ended at `ended`.
    pub fn finish(self, ended: Duration, judged: &[JudgedFace]) -> Observed {
        let wanted = self.wanted();
        let is_left_out =
            |index: &usize| judged.get(*index).is_none_or(|face| face.judgement == Judgement::Unasked);
        let left_out = wanted.iter().filter(|index| is_left_out(index)).count();
        let Self { decider, captured, sightings } = self;
        let findings = decider.observe(captured, ended, &sightings, judged);
        let opinions = sightings.iter().map(|sighting| decider.opinion(sighting.track)).collect();
        Observed { findings, opinions, left_out }
    }
}
