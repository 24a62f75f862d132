//! What the door shows.

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

impl DoorState {
    /// Every state, the weakest first.
    pub const ALL: [Self; 7] = {
        let mut all = [Self::Idle; 7];
        let mut last = 0;
        while let Some(stronger) = all[last].stronger() {
            last += 1;
            all[last] = stronger;
        }
        assert!(last + 1 == all.len(), "ALL has as many places as there are states");
        all
    };

    /// The next stronger state. Each state must be named here, so none can be missing from [`ALL`](Self::ALL).
    const fn stronger(self) -> Option<Self> {
        match self {
            Self::Idle => Some(Self::Pass),
            Self::Pass => Some(Self::Look),
            Self::Look => Some(Self::Incorrect),
            Self::Incorrect => Some(Self::Alert),
            Self::Alert => Some(Self::Fault),
            Self::Fault => Some(Self::Off),
            Self::Off => None,
        }
    }

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

/// What the door shows, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// The state.
    pub state: DoorState,
    /// The time at which it began; for an alert the time at which it was raised.
    pub since: Duration,
}
