//! What passes between those who look and the decider: sightings, how pressing they are, and what came of
//! them.

use super::rules::FaceSize;
use super::verdict::Verdict;
use crate::track::TrackId;
use maskwatch_vision::classifier::Probabilities;
use std::time::Duration;

/// One face in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// Whose face it is.
    pub track: TrackId,
    /// Its shorter side in pixels.
    pub side: f32,
    /// The frame's width in pixels.
    pub frame: u32,
}

impl Sighting {
    /// Whether the face is at least as large as `side`.
    pub(super) fn reaches(&self, side: FaceSize) -> bool {
        self.side >= side.pixels(self.frame)
    }
}

/// What is thought of one person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opinion {
    /// What the classifier said when it was last asked about this person.
    pub answer: Option<Probabilities>,
    /// What the votes so far say.
    pub verdict: Verdict,
    /// No human head is there, by most of the looks.
    pub nobody: bool,
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
        /// When the frame was taken in which this person was first seen, large enough to count.
        first_seen: Duration,
    },
}

/// What became of the sightings of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What is worth telling.
    pub findings: Vec<Finding>,
    /// What is thought of the person of each sighting, in the sightings' order.
    pub opinions: Vec<Opinion>,
    /// How many faces should have been judged but were not: there was no time for them.
    pub left_out: usize,
}

/// How pressing it is to judge a face: the first kind comes first, within a kind the larger number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Urgency {
    pub(super) kind: UrgencyKind,
    /// The face's side in pixels times the seconds that it has waited: the largest and longest-unjudged
    /// first.
    pub(super) weight: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UrgencyKind {
    /// The last vote spoke against what is shown: one more may raise an alert.
    Contradicted,
    /// Somebody has just come and was not judged yet. Before those who wait, or whoever comes to a door full
    /// of printed faces would have to wait for all of them.
    Arrived,
    /// It waits to be judged, is undecided, or is due for a new look.
    Due,
}
