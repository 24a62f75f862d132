//! The limits of values in the configuration, each with one name, for the configuration, the command line and
//! messages. A limit that a room below the configuration needs is defined there.

use std::ops::RangeInclusive;
use std::time::Duration;

pub use crate::outputs::{PAUSES, PINS, SILENCES, TONES};
pub use crate::source::{FRAME_RATES, FRAME_SIDES};
pub use crate::vision::classifier::CLASSIFIER_SIDES;
pub use crate::vision::detector::{DETECTOR_SIDES, SCORES};
pub use crate::vision::models::THREADS;
pub use crate::vision::quality::MOST_YAW;

/// Without a look for so long nothing can be said about the door, whatever the cause and the configuration.
pub const NO_LOOK: Duration = Duration::from_secs(15);
/// Seconds without a frame after which the door shows a fault.
pub const TIMEOUTS: RangeInclusive<f64> = 0.5..=60.0;
/// Seconds after which a camera counts as frozen or blind; 0 is never.
pub const FAULT_AFTER: RangeInclusive<f64> = 0.0..=3600.0;
/// Values of a camera's controls; each camera has narrower limits of its own.
pub const CONTROLS: RangeInclusive<u32> = 0..=1_000_000;
/// Score thresholds of the daemon's detector. The ends of [`SCORES`] are left out: at 0 everything is a face,
/// at 1 nothing is, and the door could not work.
pub const DOOR_SCORES: RangeInclusive<f64> = 0.05..=0.99;
/// Sizes of faces in a zone, as shares of the frame's width.
pub const FACE_SHARES: RangeInclusive<f64> = 0.0..=1.0;
/// Sides, in pixels or as shares of the frame's width, below which faces can be ignored or never be asked
/// closer.
pub const IGNORED_SIDES: RangeInclusive<f64> = 0.0..=1000.0;
/// Sides in pixels from which faces can be classified.
pub const JUDGED_SIDES: RangeInclusive<f64> = 8.0..=1000.0;
/// Thresholds of sharpness.
pub const SHARPNESS: RangeInclusive<f64> = 0.0..=64.0;
/// Thresholds of contrast.
pub const CONTRASTS: RangeInclusive<f64> = 0.0..=0.5;
/// Thresholds of brightness.
pub const BRIGHTNESS: RangeInclusive<f64> = 0.0..=1.0;
/// Thresholds of the share of clipped pixels.
pub const CLIPPED_SHARES: RangeInclusive<f64> = 0.0..=1.0;
/// Thresholds of yaw.
pub const YAWS: RangeInclusive<f64> = 0.0..=MOST_YAW as f64;
/// Thresholds of the share of a face that the frame's side edges leave.
pub const VISIBLE_SHARES: RangeInclusive<f64> = 0.0..=1.0;
/// Thresholds of the probabilities that somebody is there, and from the front.
pub const PRESENCES: RangeInclusive<f64> = 0.0..=0.99;
/// Probabilities that a vote can be asked to have.
pub const CERTAINTIES: RangeInclusive<f64> = 0.5..=1.0;
/// Seconds for which votes can have to agree.
pub const EVIDENCE: RangeInclusive<f64> = 0.0..=10.0;
/// Seconds for which votes can count.
pub const WINDOWS: RangeInclusive<f64> = 0.1..=60.0;
/// Seconds that a look can take at most before faces wait for the next one.
pub const BUDGETS: RangeInclusive<f64> = 0.05..=10.0;
/// Numbers of votes that a verdict could need, and from which they could be taken, in older configurations.
pub const VOTES: RangeInclusive<u32> = 1..=50;
/// Seconds for which an alert can last at least.
pub const HOLDS: RangeInclusive<f64> = 0.0..=3600.0;
/// Seconds of absence after which a person can count as a new one.
pub const RE_ARMS: RangeInclusive<f64> = 0.5..=3600.0;
/// Seconds for which a relay stays on or off at least.
pub const RELAY_DWELLS: RangeInclusive<f64> = 0.5..=60.0;
/// Seconds for which a pass can be held; 0 is never.
pub const PASS_HOLDS: RangeInclusive<f64> = 0.0..=60.0;
/// Seconds for which a long press of the button can pause the door; 0 is never.
pub const BUTTON_PAUSES: RangeInclusive<f64> = 0.0..=*PAUSES.end();
/// Seconds that the program of a hook can take.
pub const HOOK_TIMES: RangeInclusive<f64> = 0.5..=300.0;
/// Seconds between two writings of the metrics.
pub const METRICS_PAUSES: RangeInclusive<f64> = 1.0..=3600.0;
/// Seconds between two reports of figures to a broker.
pub const STATS_PAUSES: RangeInclusive<f64> = 5.0..=3600.0;
/// Events that can wait for a broker at most.
pub const QUEUED_EVENTS: RangeInclusive<u32> = 100..=100_000;
/// Seconds for the other times of the section `[decision]`.
pub const MOMENTS: RangeInclusive<f64> = 0.0..=60.0;
