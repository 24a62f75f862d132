//! Keeps messages of one kind from flooding the log, however their texts differ.

use std::collections::BTreeMap;
use std::time::Duration;

/// Messages of one kind are logged at most this often.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// Kinds that are logged within that time; what comes beside them is counted. Damaged data is damaged in many
/// ways.
const KINDS: usize = 8;
/// Words of a message that tell its kind.
const WORDS: usize = 24;

/// Keeps messages of one kind from flooding the log.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// Never more than [`KINDS`].
    told: BTreeMap<String, Told>,
    /// Messages of other kinds that were suppressed.
    others: u32,
}

#[derive(Debug)]
struct Told {
    at: Duration,
    since: u32,
}

impl Throttle {
    /// Whether to log `message` at `now`. `Some(n)`: log it; n of its kind, or of kinds that were never
    /// logged, were suppressed since.
    pub(super) fn admit(&mut self, message: &str, now: Duration) -> Option<u32> {
        let kind = kind(message);
        let is_old = |told: &Told| now.saturating_sub(told.at) >= REPEAT_AFTER;
        if let Some(told) = self.told.get_mut(&kind) {
            if !is_old(told) {
                told.since = told.since.saturating_add(1);
                return None;
            }
            let suppressed = told.since;
            *told = Told { at: now, since: 0 };
            return Some(suppressed);
        }
        if self.told.len() >= KINDS {
            let oldest = self.told.iter().min_by_key(|(_, told)| told.at).filter(|(_, told)| is_old(told));
            let Some(oldest) = oldest.map(|(kind, _)| kind.clone()) else {
                self.others = self.others.saturating_add(1);
                return None;
            };
            let forgotten = self.told.remove(&oldest);
            self.others = self.others.saturating_add(forgotten.map_or(0, |told| told.since));
        }
        self.told.insert(kind, Told { at: now, since: 0 });
        Some(std::mem::take(&mut self.others))
    }
}

/// The kind of a message: its words, without those that have a number in them.
fn kind(message: &str) -> String {
    let same = |word: &str| !word.contains(|letter: char| letter.is_ascii_digit());
    let words = message.split_whitespace().take(WORDS).map(|word| if same(word) { word } else { "#" });
    words.collect::<Vec<_>>().join(" ")
}

/// How many messages were suppressed, for the end of a log line; empty for none.
pub(super) fn repeats(count: u32) -> String {
    match count {
        0 => String::new(),
        1 => " (and one more like it since last logged)".into(),
        count => format!(" (and {count} more like it since last logged)"),
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

    #[test]
    fn what_differs_in_numbers_only_is_one_kind() {
        let mut throttle = Throttle::default();
        let message = |number: u32| format!("a frame of 640x480: byte 0x{number:04x} of {number} is damaged");
        let logged = (0..145).filter(|&number| throttle.admit(&message(number), at(number.into())).is_some());
        assert_eq!(logged.count(), 3, "one a minute");
    }

    #[test]
    fn many_kinds_at_once_are_counted() {
        let mut throttle = Throttle::default();
        let kinds: Vec<String> =
            ('a'..='z').flat_map(|first| ('a'..='z').map(move |second| format!("{first}{second}"))).collect();
        let logged = kinds.iter().filter(|kind| throttle.admit(kind, at(1)).is_some()).count();
        assert_eq!(logged, KINDS);
        let later = throttle.admit("yet another", at(61)).unwrap();
        assert_eq!(later as usize, kinds.len() - KINDS);
    }

    proptest! {
        #[test]
        fn a_message_is_told_at_most_once_a_minute_and_memory_is_bounded(
            messages in prop::collection::vec(("[a-z]{1,2}", 0u64..10), 1..300)
        ) {
            let mut throttle = Throttle::default();
            let mut now = 0;
            for (message, passed) in messages {
                now += passed;
                throttle.admit(&message, at(now));
                prop_assert_eq!(throttle.admit(&message, at(now)), None);
                prop_assert!(throttle.told.len() <= KINDS);
            }
        }
    }
}
