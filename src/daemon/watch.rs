//! One frame's way from pixels to the door's state: detect, track, judge, decide. Knows no source and no
//! pins, and asks the clock it is given only how long a look takes.

use super::clock::Clock;
use super::still::{Movement, Stillness};
use crate::config::Config;
use crate::decide::{Decider, Exchange, Finding, HeldPass, Opinion, Rules, Sighting, Signal, Verdict};
use crate::geometry::Rect;
use crate::pixels::delayed::DelayedPicture;
use crate::pixels::format::PictureError;
use crate::track::{TrackId, Tracked, Tracker};
use crate::vision::classifier::Probabilities;
use crate::vision::{Choice, JudgedFace, Judgement, Vision, VisionError};
use std::time::Duration;

/// While nothing moves, what was nobody's is judged again after so long.
const THINGS_AGAIN: Duration = Duration::from_secs(10);
/// A face whose box is this much the same (IoU) as that of a thing is the same thing, while nothing moves.
const SAME_THING: f32 = 0.7;

/// One face of a frame and what is thought of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Whose it is.
    pub track: TrackId,
    /// Where it is, in pixels of the frame.
    pub rect: Rect,
    /// What was made of it in this frame.
    pub judgement: Judgement,
    /// What the classifier said when it was last asked about this person, in this frame or an earlier one.
    pub answer: Option<Probabilities>,
    /// What the votes so far say.
    pub verdict: Verdict,
}

/// How long the stages of a look took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stages {
    /// From when the frame was taken until somebody looked at it.
    pub wait: Duration,
    /// Faces found in the frame.
    pub detect: Duration,
    /// Faces judged.
    pub judge: Duration,
    /// What it means for the door.
    pub decide: Duration,
}

/// Everything that a frame showed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// Its faces, without those that are nobody's.
    pub faces: Vec<Face>,
    /// What became of them.
    pub findings: Vec<Finding>,
    /// How many faces there was no time for; they come first in the next frames.
    pub left_out: usize,
    /// How long it took.
    pub stages: Stages,
    /// Whether nothing had moved since the look before, so that the networks were not run.
    pub still: bool,
}

/// Why nothing was learned from a frame.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It cannot be decoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The networks cannot be run.
    #[error(transparent)]
    Vision(#[from] VisionError),
}

/// The chain behind the source and before the outputs.
pub struct Watch {
    vision: Box<dyn Vision>,
    tracker: Tracker,
    decider: Decider,
    budget: Duration,
    /// For how long nobody has been there when still frames begin to be skipped.
    empty_for: Duration,
    /// `None` where every frame is looked at.
    still: Option<Stillness>,
    /// When somebody's face was last found.
    found: Option<Duration>,
    /// Where the last look found faces that are nobody's: they are still there in frames that are skipped.
    things: Vec<Rect>,
    /// When these were last judged.
    things_judged: Option<Duration>,
}

impl Watch {
    /// A watch that has seen nothing yet and looks at every frame.
    #[must_use]
    pub fn new(vision: Box<dyn Vision>, rules: Rules) -> Self {
        let (budget, empty_for) = (rules.budget, rules.re_arm.max(rules.linger));
        let (tracker, decider) = (Tracker::default(), Decider::new(rules));
        Self {
            vision,
            tracker,
            decider,
            budget,
            empty_for,
            still: None,
            found: None,
            things: Vec::new(),
            things_judged: None,
        }
    }

    /// The watch that `config` describes, which looks through `vision`.
    #[must_use]
    pub fn configured(vision: Box<dyn Vision>, config: &Config) -> Self {
        let mut watch = Self::new(vision, config.decision.clone());
        watch.skip_still(config.detector.skip_still);
        watch
    }

    /// Skips frames from now on, or no longer, in which nothing moved since the last look. One look a second
    /// is taken in any case, and all while somebody is there or was within the re-arm and linger times.
    pub fn skip_still(&mut self, skips: bool) {
        self.still = skips.then(Stillness::default);
    }

    /// Follows other rules from now on, about the same people.
    pub fn set_rules(&mut self, rules: Rules) {
        (self.budget, self.empty_for) = (rules.budget, rules.re_arm.max(rules.linger));
        self.decider.set_rules(rules);
    }

    /// Looks through other networks from now on, at the same people.
    pub fn set_vision(&mut self, vision: Box<dyn Vision>) {
        self.vision = vision;
        self.still.iter_mut().for_each(Stillness::forget);
    }

    /// Takes a frame that was taken at `captured` of `clock`. It is decoded only if there is something to
    /// look at.
    ///
    /// # Errors
    /// When the frame cannot be decoded or the networks cannot be run; nothing was learned from the frame
    /// then.
    pub fn look(
        &mut self,
        picture: &DelayedPicture,
        captured: Duration,
        clock: &dyn Clock,
    ) -> Result<Seen, LookError> {
        let began = clock.now();
        let movement = self.movement(picture, captured);
        let is_skipped = movement == Movement::Still;
        let again = |judged: Duration| captured.saturating_sub(judged) >= THINGS_AGAIN;
        let spares = movement == Movement::Due && !self.things_judged.is_none_or(again);
        let Self { vision, tracker, decider, budget, .. } = self;
        let mut question = Question {
            frame: picture.dimensions(),
            captured,
            clock,
            ends: began + *budget,
            known: if spares { &self.things } else { &[] },
            spared: 0,
            is_urgent: movement != Movement::Due,
            asked: Some((tracker, decider)),
            answered: None,
        };
        let judged = if is_skipped {
            question.choose(&self.things);
            self.things.iter().map(|thing| JudgedFace::unasked(*thing, 0.0)).collect()
        } else {
            let looked = picture.view().map_err(LookError::from);
            let looked = looked.and_then(|picture| Ok(vision.look(picture, &mut question)?));
            // Of a picture that the networks could not be run on nothing is known.
            looked.inspect_err(|_| self.still.iter_mut().for_each(Stillness::forget))?
        };
        let spared = question.spared;
        let Some(Answered { tracker, ids, exchange, found }) = question.answered else {
            // Whoever is there could not be asked about.
            self.found = Some(captured);
            return Ok(Seen::default());
        };
        let ended = clock.now();
        tracker.look_ended(ended);
        let observed = exchange.finish(ended, &judged);
        let face = |((track, judged), opinion): ((&TrackId, &JudgedFace), &Opinion)| Face {
            track: *track,
            rect: judged.rect,
            judgement: judged.judgement,
            answer: opinion.answer,
            verdict: opinion.verdict,
        };
        let all = ids.iter().zip(&judged).zip(&observed.opinions);
        let faces: Vec<Face> = all.filter(|(_, opinion)| !opinion.nobody).map(face).collect();
        if !faces.is_empty() {
            self.found = Some(captured);
        }
        if !is_skipped && !spares {
            self.things_judged = Some(captured);
        }
        self.things.clear();
        self.things.extend(judged.iter().map(|judged| judged.rect));
        // There was time enough; nothing had changed.
        let left_out = if is_skipped { 0 } else { observed.left_out.saturating_sub(spared) };
        let stages = Stages {
            wait: began.saturating_sub(captured),
            detect: found.saturating_sub(began),
            judge: ended.saturating_sub(found),
            decide: clock.now().saturating_sub(ended),
        };
        Ok(Seen { faces, findings: observed.findings, left_out, stages, still: is_skipped })
    }

    /// Nobody looks for a while: whoever is there then is judged afresh.
    pub fn rest(&mut self) {
        self.decider.forget_all();
    }

    /// Whether anything can have changed: all is still if nobody has been there for some time and the picture
    /// is the same. What is taken for nobody, such as a poster or a coat, may be there.
    fn movement(&mut self, picture: &DelayedPicture, captured: Duration) -> Movement {
        let Some(still) = &mut self.still else { return Movement::Moved };
        if self.found.is_some_and(|found| captured.saturating_sub(found) < self.empty_for) {
            still.forget();
            return Movement::Moved;
        }
        // The means of a small frame's blocks are too few.
        let means = picture.block_means().filter(Stillness::can_read);
        match means.map_or_else(|| picture.view(), Ok) {
            Ok(view) => still.compare(view, captured),
            Err(_) => Movement::Moved,
        }
    }

    /// Shows *fault* from now on, or no longer.
    pub fn set_fault(&mut self, fault: bool) {
        self.decider.set_fault(fault);
    }

    /// What the door shows at `now`.
    pub fn signal(&mut self, now: Duration) -> Signal {
        self.decider.signal(now)
    }

    /// The pass that is held at `now`.
    pub fn held_pass(&mut self, now: Duration) -> Option<HeldPass> {
        self.decider.held_pass(now)
    }

    /// The median time between two looks; `None` before the second.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.decider.interval()
    }

    /// The same, but `None` until so many looks are known that it will hardly change.
    #[must_use]
    pub fn settled_interval(&self) -> Option<Duration> {
        self.decider.settled_interval()
    }
}

/// What one frame asks of the tracker and the decider, once its faces are found and before they are judged.
struct Question<'a> {
    frame: (u32, u32),
    captured: Duration,
    clock: &'a dyn Clock,
    /// When the look should be over.
    ends: Duration,
    /// Things that need not be judged again.
    known: &'a [Rect],
    /// How many of those that are worth judging were such things.
    spared: usize,
    /// Whether anything has moved.
    is_urgent: bool,
    /// Taken by the first, and only, question.
    asked: Option<(&'a mut Tracker, &'a mut Decider)>,
    answered: Option<Answered<'a>>,
}

/// What became of the question.
struct Answered<'a> {
    tracker: &'a mut Tracker,
    ids: Vec<TrackId>,
    exchange: Exchange<'a>,
    /// When the faces were found.
    found: Duration,
}

impl Choice for Question<'_> {
    fn choose(&mut self, found: &[Rect]) -> Vec<usize> {
        let Some((tracker, decider)) = self.asked.take() else { return Vec::new() };
        let at = self.clock.now();
        let Tracked { ids, left } = tracker.update(found, self.frame, self.captured, decider.absence());
        decider.leave(&left);
        let frame = self.frame.0;
        let sighting =
            |(track, rect): (&TrackId, &Rect)| Sighting { track: *track, side: rect.side(), frame };
        let sightings = ids.iter().zip(found).map(sighting).collect();
        let exchange = decider.exchange(self.captured, sightings);
        let mut wanted = exchange.wanted();
        let worth = wanted.len();
        wanted.retain(|&face| !self.known.iter().any(|thing| thing.iou(&found[face]) >= SAME_THING));
        self.spared = worth - wanted.len();
        self.answered = Some(Answered { tracker, ids, exchange, found: at });
        wanted
    }

    fn has_time(&mut self) -> bool {
        self.clock.now() < self.ends
    }

    fn is_urgent(&self) -> bool {
        self.is_urgent
    }
}
