//! What the door shows.

use maskwatch_vision::named;
use std::fmt;
use std::time::Duration;

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

// The weakest first, with its name in the configuration, the log and on the command line.
named!(DoorState {
    Idle => "idle",
    Pass => "pass",
    Look => "look",
    Incorrect => "incorrect",
    Alert => "alert",
    Fault => "fault",
    Off => "off",
});

impl DoorState {
    /// The colour of its caption in annotated pictures, RGB.
    #[must_use]
    pub const fn colour(self) -> [u8; 3] {
        match self {
            Self::Pass => [0, 150, 60],
            Self::Alert => [215, 30, 30],
            Self::Incorrect => [215, 90, 0],
            Self::Look | Self::Fault => [225, 160, 0],
            Self::Idle | Self::Off => [60, 60, 60],
        }
    }
}

impl fmt::Display for DoorState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// What the door shows, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// The state.
    pub state: DoorState,
    /// The time at which it began; for an alert the time at which it was raised.
    pub since: Duration,
}
