//! Whether the loop gets what it needs, and how much of that is told: a fault is logged when it begins and
//! when it is over; what repeats is counted.

use std::collections::BTreeMap;
use std::time::Duration;

/// The same message is logged at most this often.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// Different messages remembered; with more than that, which only hostile input brings about, the oldest are
/// let go.
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
    /// Whether to tell `message` at `now`; if so, how often it came unsaid since it was last told.
    pub(super) fn admit(&mut self, message: &str, now: Duration) -> Option<u32> {
        if let Some(told) = self.told.get_mut(message) {
            if now.saturating_sub(told.at) < REPEAT_AFTER {
                told.since = told.since.saturating_add(1);
                return None;
            }
            let unsaid = told.since;
            *told = Told { at: now, since: 0 };
            return Some(unsaid);
        }
        if self.told.len() >= REMEMBERED {
            let oldest = self.told.iter().min_by_key(|(_, told)| told.at).map(|(message, _)| message.clone());
            oldest.and_then(|message| self.told.remove(&message));
        }
        self.told.insert(message.to_owned(), Told { at: now, since: 0 });
        Some(0)
    }
}

/// `(3 more times since)` where there is something to say, for the end of a log line.
pub(super) fn unsaid(count: u32) -> String {
    match count {
        0 => String::new(),
        1 => " (once more since last told)".into(),
        count => format!(" ({count} more times since last told)"),
    }
}

/// What a report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    Nothing,
    /// A fault began.
    Began,
    /// The fault has another cause now.
    OtherCause,
    /// The fault is over.
    Over,
}

/// The fault that is present, if there is one.
#[derive(Debug, Default)]
pub(super) struct Health {
    fault: Option<Fault>,
    throttle: Throttle,
}

#[derive(Debug)]
struct Fault {
    reason: String,
    since: Duration,
    told: bool,
}

impl Health {
    /// Notes that all is well, or what is wrong, at `now`.
    pub(super) fn report(&mut self, problem: Option<String>, now: Duration) -> News {
        match (problem, &mut self.fault) {
            (None, None) => News::Nothing,
            (None, Some(fault)) => {
                if fault.told {
                    let lasted = now.saturating_sub(fault.since).as_secs_f32();
                    log::info!("recovered after {lasted:.1} s: {}", fault.reason);
                }
                self.fault = None;
                News::Over
            }
            (Some(reason), Some(fault)) if reason == fault.reason => News::Nothing,
            (Some(reason), Some(fault)) => {
                fault.told |= tell(&mut self.throttle, &reason, now);
                fault.reason = reason;
                News::OtherCause
            }
            (Some(reason), None) => {
                let told = tell(&mut self.throttle, &reason, now);
                self.fault = Some(Fault { reason, since: now, told });
                News::Began
            }
        }
    }

    /// What is wrong now.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_ref().map(|fault| fault.reason.as_str())
    }
}

fn tell(throttle: &mut Throttle, reason: &str, now: Duration) -> bool {
    let admitted = throttle.admit(reason, now);
    if let Some(count) = admitted {
        log::error!("fault: {reason}{}", unsaid(count));
    }
    admitted.is_some()
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
    fn a_fault_begins_once_and_ends_once() {
        let mut health = Health::default();
        assert_eq!(health.report(None, at(0)), News::Nothing);
        assert_eq!(health.report(Some("no camera".into()), at(1)), News::Began);
        assert_eq!(health.report(Some("no camera".into()), at(2)), News::Nothing);
        assert_eq!(health.report(Some("no frames".into()), at(3)), News::OtherCause);
        assert_eq!(health.fault(), Some("no frames"));
        assert_eq!(health.report(None, at(4)), News::Over);
        assert_eq!(health.fault(), None);
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
