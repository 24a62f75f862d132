//! How long to wait before the next attempt to reach the broker: longer after each failure, and by chance, so
//! that many doors do not come back at the same moment. Pure but for the chance.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest wait after one failure.
const FIRST: Duration = Duration::from_secs(4);
/// The longest wait of all.
const LONGEST: Duration = Duration::from_secs(60);
/// No attempt follows another sooner.
const SHORTEST: Duration = Duration::from_millis(200);

/// Waits between attempts.
#[derive(Debug, Default)]
pub(super) struct JitteredBackoff {
    failures: u32,
}

impl JitteredBackoff {
    /// An attempt has failed: how long to wait before the next.
    pub(super) fn fail(&mut self) -> Duration {
        let wait = self.wait(chance());
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// An attempt was good.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait for a `chance` from 0 to 1.
    fn wait(&self, chance: f64) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        longest.mul_f64(chance).max(SHORTEST)
    }
}

/// A number from 0 to 1 that differs from door to door and from time to time.
pub(super) fn chance() -> f64 {
    // The standard library seeds every hasher anew.
    (RandomState::new().hash_one(0) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_minute_and_begin_again_after_success() {
        let mut backoff = JitteredBackoff::default();
        let mut longest = Vec::new();
        for _ in 0..40 {
            longest.push(backoff.wait(1.0).as_secs());
            assert!(backoff.fail() <= backoff.wait(1.0));
        }
        assert_eq!(longest[..6], [4, 8, 16, 32, 60, 60]);
        assert_eq!(longest.last(), Some(&60));
        assert_eq!(backoff.wait(0.0), SHORTEST);
        backoff.reset();
        assert_eq!(backoff.wait(1.0), FIRST);
    }

    #[test]
    fn doors_do_not_wait_alike() {
        let mut waits: Vec<u64> = (0..1000).map(|_| (chance() * 10.0) as u64).collect();
        waits.sort_unstable();
        waits.dedup();
        assert_eq!(waits, (0..10).collect::<Vec<_>>());
    }
}
