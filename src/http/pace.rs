//! So many of something a second, and as many at once after a rest. Pure.

use std::time::{Duration, Instant};

/// Gives turns in a rhythm.
#[derive(Debug, Clone)]
pub struct Turns {
    /// From one turn to the next.
    step: Duration,
    /// How far ahead of the rhythm turns may be.
    ahead: Duration,
    /// When the next turn is due in that rhythm.
    next: Option<Instant>,
}

impl Turns {
    /// So many turns a second, at least one, and as many at once after a second's rest.
    #[must_use]
    pub fn a_second(turns: u32) -> Self {
        Self::new(Duration::from_secs(1) / turns.max(1), turns)
    }

    /// A turn each `step`, and so many at once after a rest, at least one.
    #[must_use]
    pub fn new(step: Duration, at_once: u32) -> Self {
        Self { step, ahead: step * at_once.max(1).saturating_sub(1), next: None }
    }

    /// How long to wait at `now` until it is one's turn. The turn counts as taken, unless it would not come
    /// within `patience`: then nothing is taken, and the answer is `None`.
    pub fn turn(&mut self, now: Instant, patience: Duration) -> Option<Duration> {
        let due = self.next.map_or(now, |next| next.max(now));
        let wait = due.saturating_duration_since(now).saturating_sub(self.ahead);
        if wait > patience {
            return None;
        }
        self.next = Some(due + self.step);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn so_many_at_once_and_then_one_after_the_other() {
        let (mut pace, start) = (Turns::a_second(10), Instant::now());
        let at_once = (0..100).filter(|_| pace.turn(start, NONE).is_some()).count();
        assert_eq!(at_once, 10);
        let step = Duration::from_millis(100);
        assert_eq!(pace.turn(start, step), Some(step));
        assert_eq!(pace.turn(start, step), None, "the next one would be too late");
        assert_eq!(pace.turn(start + 2 * step, NONE), Some(NONE));
        let later = start + Duration::from_secs(100);
        assert_eq!((0..100).filter(|_| pace.turn(later, NONE).is_some()).count(), 10, "no rest is saved up");
    }

    proptest! {
        /// However they are asked for, no second holds more than two seconds' worth of turns, and whoever
        /// rests gets one.
        #[test]
        fn the_rate_holds(turns in 1u32..50, gaps in prop::collection::vec(0u64..200, 1..300)) {
            let (mut pace, start) = (Turns::a_second(turns), Instant::now());
            let (mut now, mut taken) = (Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                if pace.turn(start + now, NONE).is_some() {
                    taken.push(now);
                }
            }
            for (index, first) in taken.iter().enumerate() {
                let end = *first + Duration::from_secs(1);
                let within = taken[index..].iter().take_while(|turn| **turn < end).count();
                prop_assert!(within <= 2 * turns as usize, "{within} of {turns}");
            }
            prop_assert_eq!(pace.turn(start + now + Duration::from_secs(2), NONE), Some(NONE));
        }
    }
}
