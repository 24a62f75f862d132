//! One frame's way from pixels to the door's state: detect, track, classify, decide. Knows no source, no
//! clock, no pins.

use crate::decide::{Decider, Finding, Observation, Rules, Signal, Verdict};
use crate::geometry::Rect;
use crate::pixels::picture::View;
use crate::track::{TrackId, Tracker};
use crate::vision::classifier::Probabilities;
use crate::vision::quality::Gates;
use crate::vision::{Vision, VisionError};
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
        let rects = self.vision.faces(picture)?;
        let tracks = self.tracker.update(&rects, now);
        let gates = self.decider.rules().gates;
        let mut wanted = Vec::new();
        for index in 0..rects.len() {
            let asked = self.decider.wants_vote(tracks[index], rects[index].side(), now);
            if asked && (gates == Gates::OPEN || self.is_seen_well(picture, &rects[index], &gates)?) {
                wanted.push(index);
            }
        }
        let mut answers: Vec<Option<Probabilities>> = vec![None; rects.len()];
        if !wanted.is_empty() {
            let to_classify: Vec<Rect> = wanted.iter().map(|index| rects[*index]).collect();
            let given = self.vision.masks(picture, &to_classify)?;
            for (index, answer) in wanted.into_iter().zip(given) {
                answers[index] = Some(answer);
            }
        }
        let observations: Vec<Observation> = (0..rects.len())
            .map(|index| Observation {
                track: tracks[index],
                side: rects[index].side(),
                answer: answers[index],
            })
            .collect();
        let findings = self.decider.observe(now, &observations);
        let faces = (0..rects.len())
            .map(|index| Face {
                track: tracks[index],
                rect: rects[index],
                answer: self.decider.answer(tracks[index]),
                verdict: self.decider.verdict(tracks[index]),
            })
            .collect();
        Ok(Seen { faces, findings })
    }

    fn is_seen_well(&mut self, picture: View<'_>, face: &Rect, gates: &Gates) -> Result<bool, VisionError> {
        Ok(self.vision.quality(picture, face)?.is_none_or(|seen| gates.passes(&seen)))
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
