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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_clock_knows_when_a_moment_was() {
        let (before, clock) = (Instant::now(), SystemClock::start());
        std::thread::sleep(Duration::from_millis(20));
        let moment = Instant::now();
        let earliest = clock.at(moment);
        std::thread::sleep(Duration::from_millis(20));
        assert!(earliest >= Duration::from_millis(20), "{earliest:?}");
        assert!(clock.now() >= earliest + Duration::from_millis(20));
        assert_eq!(clock.at(before), Duration::ZERO, "a moment before it began");
    }

    #[test]
    fn another_clock_knows_no_other_time_than_now() {
        struct Stopped;
        impl Clock for Stopped {
            fn now(&self) -> Duration {
                Duration::from_secs(7)
            }
        }
        assert_eq!(Stopped.at(Instant::now()), Duration::from_secs(7));
    }
}
