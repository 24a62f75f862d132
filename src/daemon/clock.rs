//! Monotonic time, handed to the loop, so that tests own it.

use std::time::{Duration, Instant};

/// Monotonic time.
pub trait Clock {
    /// Time since some moment; never less than before.
    fn now(&self) -> Duration;

    /// The time of `moment` on this clock. A clock that is not the system's knows no other time than now.
    fn at(&self, moment: Instant) -> Duration {
        let _ = moment;
        self.now()
    }
}

/// The system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// A clock that begins at zero.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.0)
    }
}
