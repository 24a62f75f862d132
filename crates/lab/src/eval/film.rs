//! The clock of films: their own time, which passes with their frames. The speed of the machine changes no
//! figure that is measured by it.

use maskwatch::daemon::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The time of the newest frame. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct FilmClock(Arc<AtomicU64>);

impl FilmClock {
    /// Moves the clock to `now`.
    pub fn set(&self, now: Duration) {
        self.0.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Clock for FilmClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
