//! Whether the loop gets what it needs: when a fault begins, changes its cause and is over.

use std::time::Duration;

/// What a report changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    Nothing,
    /// A fault began.
    Began,
    /// The fault has another cause now.
    OtherCause,
    /// The fault is over.
    Over {
        /// What was wrong last.
        reason: String,
        /// Since the fault began.
        lasted: Duration,
    },
}

/// The fault that is present, if there is one.
#[derive(Debug, Default)]
pub(super) struct Health(Option<Fault>);

#[derive(Debug)]
struct Fault {
    reason: String,
    since: Duration,
}

impl Health {
    /// Notes that all is well, or what is wrong, at `now`.
    pub(super) fn report(&mut self, problem: Option<String>, now: Duration) -> News {
        match (problem, &mut self.0) {
            (None, None) => News::Nothing,
            (None, fault) => match fault.take() {
                Some(Fault { reason, since }) => News::Over { reason, lasted: now.saturating_sub(since) },
                None => News::Nothing,
            },
            (Some(reason), Some(fault)) if reason == fault.reason => News::Nothing,
            (Some(reason), Some(fault)) => {
                fault.reason = reason;
                News::OtherCause
            }
            (Some(reason), fault @ None) => {
                *fault = Some(Fault { reason, since: now });
                News::Began
            }
        }
    }

    /// What is wrong now.
    pub(super) fn fault(&self) -> Option<&str> {
        self.0.as_ref().map(|fault| fault.reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_fault_begins_once_and_ends_once() {
        let mut health = Health::default();
        assert_eq!(health.report(None, at(0)), News::Nothing);
        assert_eq!(health.report(Some("no camera".into()), at(1)), News::Began);
        assert_eq!(health.report(Some("no camera".into()), at(2)), News::Nothing);
        assert_eq!(health.report(Some("no frames".into()), at(3)), News::OtherCause);
        assert_eq!(health.fault(), Some("no frames"));
        assert_eq!(health.report(None, at(4)), News::Over { reason: "no frames".into(), lasted: at(3) });
        assert_eq!(health.fault(), None);
    }
}
