//! What the door says: observations of faces and the time go in, a door state comes out. Pure: no clock, no
//! pins, no pictures; the caller hands in monotonic time.
//!
//! Every classified sighting of a face is a vote. A face is *masked* or *unmasked* once enough of its last
//! votes agree, and stays so until enough of them say the opposite, so that one bad frame changes nothing.
//! The door then shows the strongest of what is wanted: off > fault > alert > incorrect > look > pass > idle;
//! one unmasked face among masked ones alerts.
//!
//! An alert lasts for its hold time, counted from when it is first shown, and on for as long as an unmasked
//! face is present. One person raises one alert: the door goes red again when the person takes the mask off
//! once more or steps back into view, but as the same alert (same `since`: a buzzer that has had its beeps
//! stays silent), until the person was absent for the re-arm time.

use crate::track::TrackId;
use crate::vision::classifier::Probabilities;
use crate::vision::quality::Gates;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

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

/// What the door shows; a later one beats an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DoorState {
    /// Nobody is there.
    Idle,
    /// Everybody who is there wears a mask.
    Pass,
    /// Somebody is there who cannot be judged: come closer, look here.
    Look,
    /// Somebody wears a mask incorrectly; only where that is to have a signal of its own.
    Incorrect,
    /// Somebody wears no mask.
    Alert,
    /// Nothing can be said: no camera, no frames, a broken network.
    Fault,
    /// Switched off: silent and dark whatever happens.
    Off,
}

impl DoorState {
    /// Every state, the weakest first.
    pub const ALL: [Self; 7] =
        [Self::Idle, Self::Pass, Self::Look, Self::Incorrect, Self::Alert, Self::Fault, Self::Off];

    /// The state's name in the configuration, the log and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Pass => "pass",
            Self::Look => "look",
            Self::Incorrect => "incorrect",
            Self::Alert => "alert",
            Self::Fault => "fault",
            Self::Off => "off",
        }
    }

    /// The state called `name`, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for DoorState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

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

impl IncorrectMeans {
    /// Each with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("alert", Self::Alert), ("signal", Self::Signal), ("pass", Self::Pass)];
}

/// Side in pixels below which a face shows the classifier little: in the first glimpse of somebody far away
/// it errs most.
const SMALL: f32 = 24.0;
/// How much of the usual doubt a vote on a small face may leave.
const DOUBT_WHERE_SMALL: f32 = 0.25;

/// The rules that a [`Decider`] follows; [`crate::config`] documents and checks them.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Faces whose shorter side is below this many pixels are not there at all.
    pub ignore_below: f32,
    /// Faces below this many pixels (shorter side) are not classified; they may be asked to come closer.
    pub min_face_side: f32,
    /// Faces that these stop are not classified either.
    pub gates: Gates,
    /// How probable a mask, or the lack of a rightly worn one, has to be for a vote; less for both is a vote
    /// for *unsure*. 0.5 to 1. On faces below 24 pixels a quarter of the doubt is allowed: at 0.8 they need
    /// 0.95.
    pub certainty: f32,
    /// What a mask that is worn incorrectly brings about.
    pub incorrect: IncorrectMeans,
    /// How many votes of the last [`window`](Self::window) make a verdict. At least 1.
    pub votes: usize,
    /// How many of the last votes count.
    pub window: usize,
    /// How long an alert lasts at the least.
    pub hold: Duration,
    /// How long a person has to be absent to count as a new one, who may raise a new alert.
    pub re_arm: Duration,
    /// How long a face counts as present after it was last seen.
    pub linger: Duration,
    /// How long a face may be in view undecided before the door asks it to come closer.
    pub look_after: Duration,
    /// How often a face whose verdict stands is classified again.
    pub recheck: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            ignore_below: 16.0,
            min_face_side: 20.0,
            gates: Gates::default(),
            certainty: 0.8,
            incorrect: IncorrectMeans::default(),
            votes: 3,
            window: 5,
            hold: Duration::from_secs(3),
            re_arm: Duration::from_secs(5),
            linger: Duration::from_secs(1),
            look_after: Duration::from_secs(1),
            recheck: Duration::from_millis(500),
        }
    }
}

impl Rules {
    /// The vote of one classified sighting of a face whose shorter side is `side` pixels: what the other two
    /// leave no more than the allowed doubt of. Where it is certain that there is no mask or a badly worn
    /// one, but not which, the face counts as unmasked, so that no bare face passes where incorrect masks
    /// may.
    ///
    /// ```
    /// use maskwatch::vision::classifier::Probabilities;
    /// use maskwatch::decide::{Rules, Verdict};
    /// let rules = Rules::default();
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.97), 60.0), Verdict::Masked);
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.1), 60.0), Verdict::Unmasked);
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.1), 20.0), Verdict::Unsure);
    /// assert_eq!(rules.vote(&Probabilities::of_mask(0.6), 60.0), Verdict::Unsure);
    /// let under_the_nose = Probabilities { mask: 0.04, no_mask: 0.06, incorrect: 0.9 };
    /// assert_eq!(rules.vote(&under_the_nose, 60.0), Verdict::Incorrect);
    /// let perhaps_bare = Probabilities { mask: 0.04, no_mask: 0.36, incorrect: 0.6 };
    /// assert_eq!(rules.vote(&perhaps_bare, 60.0), Verdict::Unmasked);
    /// ```
    #[must_use]
    pub fn vote(&self, answer: &Probabilities, side: f32) -> Verdict {
        let doubt = (1.0 - self.certainty) * if side < SMALL { DOUBT_WHERE_SMALL } else { 1.0 };
        if 1.0 - answer.mask <= doubt {
            Verdict::Masked
        } else if answer.mask <= doubt {
            if answer.no_mask <= doubt { Verdict::Incorrect } else { Verdict::Unmasked }
        } else {
            Verdict::Unsure
        }
    }

    /// What the door shows for a person of this verdict, who has been in view for `seen`.
    fn wanted(&self, verdict: Verdict, seen: Duration) -> DoorState {
        match (verdict, self.incorrect) {
            (Verdict::Unmasked, _) | (Verdict::Incorrect, IncorrectMeans::Alert) => DoorState::Alert,
            (Verdict::Incorrect, IncorrectMeans::Signal) => DoorState::Incorrect,
            (Verdict::Masked, _) | (Verdict::Incorrect, IncorrectMeans::Pass) => DoorState::Pass,
            (Verdict::Unsure, _) if seen >= self.look_after => DoorState::Look,
            (Verdict::Unsure, _) => DoorState::Idle,
        }
    }
}

/// One face in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Whose face it is.
    pub track: TrackId,
    /// Its shorter side in pixels.
    pub side: f32,
    /// What the classifier says, where it was asked about the face in this frame.
    pub answer: Option<Probabilities>,
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

/// What the door shows, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// The state.
    pub state: DoorState,
    /// The time at which it began; for an alert the time at which it was raised.
    pub since: Duration,
}

#[derive(Debug, Clone)]
struct Person {
    first_seen: Duration,
    last_seen: Duration,
    last_vote: Duration,
    votes: VecDeque<Verdict>,
    /// What the newest vote was made of.
    answer: Option<Probabilities>,
    verdict: Verdict,
    alerted: bool,
}

impl Person {
    fn new(now: Duration) -> Self {
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
    fn vote(&mut self, vote: Verdict, now: Duration, rules: &Rules) -> Option<Verdict> {
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

/// The last alert.
#[derive(Debug, Clone, Copy)]
struct Alert {
    /// When the frame was taken that raised it.
    raised: Duration,
    /// How long it holds; not known before anybody could see it, since networks may take longer than the hold
    /// time.
    until: Option<Duration>,
}

/// Turns observations into the door's state.
#[derive(Debug, Clone)]
pub struct Decider {
    rules: Rules,
    persons: BTreeMap<TrackId, Person>,
    alert: Option<Alert>,
    fault: bool,
    off: bool,
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
            off: false,
            shown: Signal { state: DoorState::Idle, since: Duration::ZERO },
            now: Duration::ZERO,
        }
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Follows other rules from the next observation on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Shows *fault* from now on, or no longer.
    pub fn set_fault(&mut self, fault: bool) {
        self.fault = fault;
    }

    /// Shows *off* from now on, or no longer.
    pub fn set_off(&mut self, off: bool) {
        self.off = off;
    }

    /// Whether a face is worth classifying at `now`: it is large enough, and undecided, in doubt or due for a
    /// new look.
    #[must_use]
    pub fn wants_vote(&self, track: TrackId, side: f32, now: Duration) -> bool {
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
    pub fn observe(&mut self, now: Duration, faces: &[Observation]) -> Vec<Finding> {
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
    #[must_use]
    pub fn verdict(&self, track: TrackId) -> Verdict {
        self.persons.get(&track).map_or(Verdict::Unsure, |person| person.verdict)
    }

    /// What the classifier said when it was last asked about a person.
    #[must_use]
    pub fn answer(&self, track: TrackId) -> Option<Probabilities> {
        self.persons.get(&track).and_then(|person| person.answer)
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

    fn state(&self) -> DoorState {
        if self.off {
            return DoorState::Off;
        }
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

#[cfg(test)]
mod tests;
