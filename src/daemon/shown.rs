//! For how long the outputs have shown a state. A state begins with the frame that brought it about, but is
//! known only once the networks have looked at that frame, on a small board a second later: patterns count
//! from then, or a buzzer would miss its first beeps.

use crate::decide::{DoorState, Signal};
use std::time::Duration;

/// When each state was first shown; remembered while another one hides it, so that what goes on behind that
/// is not begun anew.
#[derive(Debug, Default)]
pub(super) struct Shown([Option<First>; DoorState::ALL.len()]);

#[derive(Debug, Clone, Copy)]
struct First {
    since: Duration,
    shown: Duration,
}

impl Shown {
    /// How long `signal` has been shown, at `now`; nothing if this is the first time.
    pub(super) fn elapsed(&mut self, signal: Signal, now: Duration) -> Duration {
        let Some(first) = self.0.get_mut(signal.state as usize) else { return Duration::ZERO };
        let known = first.filter(|first| first.since == signal.since);
        let First { shown, .. } = *first.insert(known.unwrap_or(First { since: signal.since, shown: now }));
        now.saturating_sub(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_pattern_begins_when_its_state_is_first_shown() {
        let mut shown = Shown::default();
        let alert = Signal { state: DoorState::Alert, since: at(1_000) };
        // The networks took 1.2 s for the frame that was taken at 1 s.
        assert_eq!(shown.elapsed(alert, at(2_200)), at(0));
        assert_eq!(shown.elapsed(alert, at(2_500)), at(300));
    }

    #[test]
    fn a_state_that_comes_back_goes_on_and_a_new_one_begins() {
        let mut shown = Shown::default();
        let alert = Signal { state: DoorState::Alert, since: at(1_000) };
        let fault = Signal { state: DoorState::Fault, since: at(3_000) };
        assert_eq!(shown.elapsed(alert, at(1_100)), at(0));
        assert_eq!(shown.elapsed(fault, at(3_100)), at(0));
        assert_eq!(shown.elapsed(alert, at(4_100)), at(3_000), "the same alert has had its beeps");
        let another = Signal { since: at(9_000), ..alert };
        assert_eq!(shown.elapsed(another, at(9_100)), at(0));
        assert_eq!(shown.elapsed(Signal { since: at(9_000), ..fault }, at(9_300)), at(0));
    }
}
