//! Keeps a message that repeats from flooding the log.

use std::collections::BTreeMap;
use std::time::Duration;

/// The same message is logged at most this often.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// Different messages remembered; beyond that, which only hostile input reaches, the oldest are dropped.
const REMEMBERED: usize = 32;

/// Keeps a message that repeats from flooding the log.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    told: BTreeMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    at: Duration,
    since: u32,
}

impl Throttle {
    /// Whether to log `message` at `now`. `Some(n)`: log it; n repeats were suppressed since it was last
    /// logged.
    pub(super) fn admit(&mut self, message: &str, now: Duration) -> Option<u32> {
        if let Some(told) = self.told.get_mut(message) {
            if now.saturating_sub(told.at) < REPEAT_AFTER {
                told.since = told.since.saturating_add(1);
                return None;
            }
            let suppressed = told.since;
            *told = Told { at: now, since: 0 };
            return Some(suppressed);
        }
        if self.told.len() >= REMEMBERED {
            let oldest = self.told.iter().min_by_key(|(_, told)| told.at).map(|(message, _)| message.clone());
            oldest.and_then(|message| self.told.remove(&message));
        }
        self.told.insert(message.to_owned(), Told { at: now, since: 0 });
        Some(0)
    }
}

/// How many repeats were suppressed, for the end of a log line; empty for none.
pub(super) fn repeats(count: u32) -> String {
    match count {
        0 => String::new(),
        1 => " (once more since last logged)".into(),
        count => format!(" ({count} more times since last logged)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_repeats_is_counted() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.admit("no camera", at(0)), Some(0));
        assert_eq!(throttle.admit("no camera", at(1)), None);
        assert_eq!(throttle.admit("no camera", at(2)), None);
        assert_eq!(throttle.admit("no light", at(2)), Some(0));
        assert_eq!(throttle.admit("no camera", at(60)), Some(2));
    }

    proptest! {
        #[test]
        fn a_message_is_told_at_most_once_a_minute_and_memory_is_bounded(
            messages in prop::collection::vec((0u32..50, 0u64..10), 1..300)
        ) {
            let mut throttle = Throttle::default();
            let mut now = 0;
            for (message, passed) in messages {
                now += passed;
                throttle.admit(&message.to_string(), at(now));
                prop_assert_eq!(throttle.admit(&message.to_string(), at(now)), None);
                prop_assert!(throttle.told.len() <= REMEMBERED);
            }
        }
    }
}
