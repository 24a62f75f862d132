//! Time limits and frame rates. Pure: the time is handed in.

use std::time::{Duration, Instant};

/// A time limit that starts again with each frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    limit: Duration,
    since: Instant,
}

impl Patience {
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, since: now }
    }

    /// The time limit.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    pub(super) fn renew(&mut self, now: Instant) {
        self.since = now;
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= self.limit
    }

    /// The time left until the limit.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.limit.saturating_sub(now.saturating_duration_since(self.since))
    }
}

/// Keeps a minimum time between two pictures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    interval: Duration,
    due: Option<Instant>,
}

impl Pace {
    /// `None` for a rate that sets no limit: 0, negative or not a number.
    pub(super) fn new(frames_per_second: f32) -> Option<Self> {
        let interval = Duration::try_from_secs_f64(1.0 / f64::from(frames_per_second)).ok()?;
        (!interval.is_zero()).then_some(Self { interval, due: None })
    }

    /// How long to wait before the next picture.
    pub(super) fn delay(&self, now: Instant) -> Duration {
        self.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now))
    }

    /// Notes that a picture was taken at `now`. After a delay of more than one interval the pace starts
    /// again; a shorter one is made up for, so that late wake-ups do not lower the rate.
    pub(super) fn took(&mut self, now: Instant) {
        let due = self.due.unwrap_or(now);
        let late = now.saturating_duration_since(due) > self.interval;
        self.due = (if late { now } else { due }).checked_add(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_kept_on_average_and_never_hurried() {
        let mut pace = Pace::new(10.0).unwrap();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(pace.delay(at(0)), Duration::ZERO);
        pace.took(at(0));
        assert_eq!(pace.delay(at(30)), Duration::from_millis(70));
        pace.took(at(104));
        assert_eq!(pace.delay(at(104)), Duration::from_millis(96), "4 ms late are made good");
        pace.took(at(900));
        assert_eq!(pace.delay(at(900)), Duration::from_millis(100), "700 ms late are not");
    }

    #[test]
    fn rates_without_meaning_are_no_pace() {
        for rate in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(Pace::new(rate).is_none(), "{rate}");
        }
        assert!(Pace::new(0.001).is_some());
    }
}
