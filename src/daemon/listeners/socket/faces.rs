//! What the lines of the local socket say of faces and of why alerts were raised.

use crate::daemon::watch::Face;
use crate::vision::Judgement;
use crate::vision::classifier::Probabilities;
use serde::{Deserialize, Serialize};

/// One face.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaceMessage {
    /// Whose.
    pub person: u64,
    /// Left, top, width and height in pixels of the frame.
    #[serde(rename = "box")]
    pub rect: [f32; 4],
    /// masked, unmasked, incorrect or unsure.
    pub verdict: String,
    /// What the classifier said last; absent until it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<ProbabilityMessage>,
    /// The gate that stopped it in this frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Why an alert was raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertReason {
    /// How many seconds ago.
    pub ago: f64,
    /// By whom.
    pub person: u64,
    /// The looks at this person up to then, the oldest first.
    pub looks: Vec<LookReason>,
}

/// What one look at a person brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookReason {
    /// How many seconds before the alert.
    pub before: f64,
    /// The face's shorter side in pixels.
    pub side: f32,
    /// What the votes said after it.
    pub verdict: String,
    /// What the classifier said; absent where a gate stopped the face.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<ProbabilityMessage>,
    /// The gate that stopped it, or "nobody" where no human head was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// What the classifier says of a face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProbabilityMessage {
    /// It wears a mask.
    pub mask: f32,
    /// It wears none.
    pub no_mask: f32,
    /// It wears one that leaves nose or mouth bare.
    pub incorrect: f32,
}

impl From<&Face> for FaceMessage {
    fn from(face: &Face) -> Self {
        let place = |value: f32| (value * 10.0).round() / 10.0;
        let rect = face.rect;
        let stopped = match face.judgement {
            Judgement::Stopped(gate) => Some(gate.name().to_owned()),
            _ => None,
        };
        Self {
            person: face.track.0,
            rect: [rect.x, rect.y, rect.w, rect.h].map(place),
            verdict: face.verdict.name().into(),
            probabilities: face.answer.map(ProbabilityMessage::from),
            stopped,
        }
    }
}

impl From<Probabilities> for ProbabilityMessage {
    fn from(answer: Probabilities) -> Self {
        let share = |value: f32| (value * 1000.0).round() / 1000.0;
        Self { mask: share(answer.mask), no_mask: share(answer.no_mask), incorrect: share(answer.incorrect) }
    }
}
