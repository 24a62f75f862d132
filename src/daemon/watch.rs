//! One frame's way from pixels to the door's state: detect, track, judge, decide. Knows no source, no clock,
//! no pins.

use crate::decide::{Decider, Finding, Opinion, Rules, Sighting, Signal, Verdict};
use crate::geometry::Rect;
use crate::pixels::picture::View;
use crate::track::{TrackId, Tracker};
use crate::vision::classifier::Probabilities;
use crate::vision::{JudgedFace, Vision, VisionError};
use std::time::Duration;

/// One face of a frame and what is thought of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Whose it is.
    pub track: TrackId,
    /// Where it is, in pixels of the frame.
    pub rect: Rect,
    /// What the classifier said when it was last asked about this person, in this frame or an earlier one.
    pub answer: Option<Probabilities>,
    /// What the votes so far say.
    pub verdict: Verdict,
}

/// Everything that a frame showed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// Its faces.
    pub faces: Vec<Face>,
    /// What became of them.
    pub findings: Vec<Finding>,
}

/// The chain behind the source and before the outputs.
pub struct Watch {
    vision: Box<dyn Vision>,
    tracker: Tracker,
    decider: Decider,
}

impl Watch {
    /// A watch that has seen nothing yet.
    #[must_use]
    pub fn new(vision: Box<dyn Vision>, rules: Rules) -> Self {
        // A person who was absent for the re-arm time is a new one: the tracker and the rules forget
        // together.
        Self { vision, tracker: Tracker::new(rules.re_arm), decider: Decider::new(rules) }
    }

    /// Follows other rules from now on, about the same people.
    pub fn set_rules(&mut self, rules: Rules) {
        self.tracker.set_forget_after(rules.re_arm);
        self.decider.set_rules(rules);
    }

    /// Looks through other networks from now on, at the same people.
    pub fn set_vision(&mut self, vision: Box<dyn Vision>) {
        self.vision = vision;
    }

    /// Takes a frame that was seen at `now`, monotonic time from any origin.
    ///
    /// # Errors
    /// When the networks cannot be run; nothing was learned from the frame then.
    pub fn look(&mut self, picture: View<'_>, now: Duration) -> Result<Seen, VisionError> {
        let Self { vision, tracker, decider } = self;
        // Asked once, when the faces are found and before they are judged.
        let mut deciders = Some((tracker, decider));
        let mut exchange = None;
        let judged = vision.look(picture, &mut |rects| {
            let Some((tracker, decider)) = deciders.take() else { return Vec::new() };
            let tracks = tracker.update(rects, now);
            let sighting = |(track, rect): (&TrackId, &Rect)| Sighting { track: *track, side: rect.side() };
            let open = decider.exchange(now, tracks.iter().zip(rects).map(sighting).collect());
            let wanted = open.wanted();
            exchange = Some((tracks, open));
            wanted
        })?;
        let Some((tracks, exchange)) = exchange else { return Ok(Seen::default()) };
        let observed = exchange.finish(|index| judged.get(index)?.judgement.answer());
        let face = |((track, judged), opinion): ((&TrackId, &JudgedFace), &Opinion)| Face {
            track: *track,
            rect: judged.rect,
            answer: opinion.answer,
            verdict: opinion.verdict,
        };
        let faces = tracks.iter().zip(&judged).zip(&observed.opinions).map(face).collect();
        Ok(Seen { faces, findings: observed.findings })
    }

    /// Shows *fault* from now on, or no longer.
    pub fn set_fault(&mut self, fault: bool) {
        self.decider.set_fault(fault);
    }

    /// What the door shows at `now`.
    pub fn signal(&mut self, now: Duration) -> Signal {
        self.decider.signal(now)
    }
}
