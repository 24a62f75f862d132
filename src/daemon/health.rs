//! Whether the loop gets what it needs: when a fault begins, changes its cause and is over.

use crate::source::{Away, Blind, State};
use maskwatch_vision::named;
use std::time::Duration;

/// What is wrong, in kinds that programs can count. The sentence that goes with it says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The source cannot be opened, has broken off, or does not answer.
    SourceAway,
    /// Frames come, but they are black, without detail, or of another scene.
    SourceBlind,
    /// The source is open, and no usable frame has come for too long.
    NoFrames,
    /// A look takes so long that nothing can be said about the door.
    TooSlow,
    /// The networks cannot be run.
    Networks,
}

named!(FaultKind {
    SourceAway => "source_away",
    SourceBlind => "source_blind",
    NoFrames => "no_frames",
    TooSlow => "too_slow",
    Networks => "networks",
});

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) kind: FaultKind,
    /// What, and how to mend it, in one sentence.
    pub(super) reason: String,
}

impl Problem {
    pub(super) fn new(kind: FaultKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    /// What is wrong with a source in this state.
    pub(super) fn of_source(state: State) -> Option<Self> {
        match state {
            State::Starting | State::Connected => None,
            State::Blind(Blind { reason, .. }) => Some(Self::new(FaultKind::SourceBlind, reason)),
            State::Away(Away { reason, .. }) => Some(Self::new(FaultKind::SourceAway, reason)),
        }
    }
}

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
    problem: Problem,
    since: Duration,
}

impl Health {
    /// Notes that all is well, or what is wrong, at `now`.
    pub(super) fn report(&mut self, problem: Option<Problem>, now: Duration) -> News {
        match (problem, &mut self.0) {
            (None, None) => News::Nothing,
            (None, fault) => match fault.take() {
                Some(Fault { problem, since }) => {
                    News::Over { reason: problem.reason, lasted: now.saturating_sub(since) }
                }
                None => News::Nothing,
            },
            (Some(problem), Some(fault)) if problem == fault.problem => News::Nothing,
            (Some(problem), Some(fault)) => {
                fault.problem = problem;
                News::OtherCause
            }
            (Some(problem), fault @ None) => {
                *fault = Some(Fault { problem, since: now });
                News::Began
            }
        }
    }

    /// What is wrong now.
    pub(super) fn fault(&self) -> Option<&Problem> {
        self.0.as_ref().map(|fault| &fault.problem)
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
        let no_camera = || Some(Problem::new(FaultKind::SourceAway, "no camera"));
        let no_frames = Problem::new(FaultKind::NoFrames, "no frames");
        assert_eq!(health.report(None, at(0)), News::Nothing);
        assert_eq!(health.report(no_camera(), at(1)), News::Began);
        assert_eq!(health.report(no_camera(), at(2)), News::Nothing);
        assert_eq!(health.report(Some(no_frames.clone()), at(3)), News::OtherCause);
        assert_eq!(health.fault(), Some(&no_frames));
        assert_eq!(health.report(None, at(4)), News::Over { reason: "no frames".into(), lasted: at(3) });
        assert_eq!(health.fault(), None);
    }
}
