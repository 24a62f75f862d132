//! How often one looks: times that say when somebody has gone must not be shorter than the time between two
//! looks.

use crate::track::MISSED_LOOKS;
use std::time::Duration;

/// Intervals between looks that are remembered.
const REMEMBERED: usize = 9;
/// The interval between the ends of the last looks.
#[derive(Debug, Clone, Default)]
pub(super) struct Cadence {
    last: Option<Duration>,
    /// A ring, filled up to `known`.
    intervals: [Duration; REMEMBERED],
    known: usize,
    next: usize,
    median: Duration,
}

impl Cadence {
    /// Takes note of a look that ended at `now`.
    pub(super) fn note(&mut self, now: Duration) {
        let Some(interval) = self.last.replace(now).map(|last| now.saturating_sub(last)) else { return };
        self.intervals[self.next] = interval;
        self.next = (self.next + 1) % REMEMBERED;
        self.known = (self.known + 1).min(REMEMBERED);
        let mut sorted = self.intervals;
        sorted[..self.known].sort_unstable();
        self.median = sorted[self.known / 2];
    }

    /// The median interval; zero before the second look.
    pub(super) fn interval(&self) -> Duration {
        self.median
    }

    /// How many intervals the median is made of.
    pub(super) fn known(&self) -> usize {
        self.known
    }

    /// When the last look ended.
    pub(super) fn looked(&self) -> Duration {
        self.last.unwrap_or_default()
    }

    /// `configured`, or the time that three looks take where that is longer.
    pub(super) fn at_least(&self, configured: Duration) -> Duration {
        configured.max(self.median * MISSED_LOOKS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn one_long_look_does_not_change_the_cadence_and_a_slow_board_does() {
        let mut cadence = Cadence::default();
        assert_eq!(cadence.interval(), at(0));
        let mut now = 0;
        let mut after = |interval: u64, looks: usize| {
            for _ in 0..looks {
                now += interval;
                cadence.note(at(now));
            }
            (cadence.interval(), cadence.at_least(at(1000)))
        };
        assert_eq!(after(100, 10), (at(100), at(1000)));
        assert_eq!(after(60_000, 1), (at(100), at(1000)), "the camera was away for a minute");
        assert_eq!(after(2500, 5), (at(2500), at(7500)));
    }

    proptest! {
        #[test]
        fn the_cadence_is_one_of_the_last_intervals(intervals in prop::collection::vec(0u64..100_000, 1..40)) {
            let mut cadence = Cadence::default();
            let mut now = 7;
            cadence.note(at(now));
            for interval in &intervals {
                now += interval;
                cadence.note(at(now));
            }
            let mut last: Vec<u64> = intervals.iter().rev().take(REMEMBERED).copied().collect();
            last.sort_unstable();
            prop_assert_eq!(cadence.interval(), at(last[last.len() / 2]));
            prop_assert_eq!(cadence.known(), last.len());
        }
    }
}
