//! The last things that happened, for clients that come later. Bounded, in memory, without pictures.

use super::figures::LiveFigures;
use super::protocol::{Message, seconds};
use crate::daemon::listeners::notice::Notice;
use std::collections::VecDeque;
use std::time::Duration;

/// Events that are remembered.
const MOST: usize = 16;

/// The last events, each as the line that was told of it.
#[derive(Debug, Default)]
pub(super) struct LastEvents {
    events: VecDeque<Message>,
    /// The state that the last line of a state named.
    state: String,
}

impl LastEvents {
    /// Notes what happened at `at`, after `figures` did.
    pub(super) fn note(&mut self, at: Duration, notice: &Notice, figures: &LiveFigures) {
        let message = match notice {
            Notice::Finding(_) | Notice::Fault { .. } | Notice::Recovered { .. } => figures.tell(at, notice),
            // It comes after each change of the state, and only then the sentence fits.
            Notice::Status(_) => Some(figures.state(at)).filter(|message| self.is_another(message)),
            _ => None,
        };
        let Some(message) = message else { return };
        if self.events.len() == MOST {
            self.events.pop_front();
        }
        self.events.push_back(message);
    }

    /// Whether a line tells of another state than the last one.
    fn is_another(&mut self, message: &Message) -> bool {
        let Message::State(state) = message else { return false };
        std::mem::replace(&mut self.state, state.state.clone()) != state.state
    }

    /// What happened until `now`, the newest first.
    pub(super) fn tell(&self, now: Duration) -> Message {
        Message::Events { at: seconds(now), events: self.events.iter().rev().cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{DoorState, Finding, Signal};
    use crate::track::TrackId;

    #[test]
    fn the_newest_come_first_a_state_once_and_not_too_many() {
        let (mut events, mut figures) = (LastEvents::default(), LiveFigures::default());
        let at = Duration::from_secs;
        let mut hear = |second, notice: Notice| {
            figures.note(at(second), &notice);
            events.note(at(second), &notice, &figures);
        };
        for person in 0..100 {
            hear(1, Notice::Finding(Finding::Alert { track: TrackId(person), first_seen: at(0) }));
        }
        let signal = Signal { state: DoorState::Alert, since: at(2) };
        hear(2, Notice::State { from: DoorState::Idle, signal });
        hear(2, Notice::Status("door alert".into()));
        hear(3, Notice::Status("door alert; quiet".into()));
        hear(4, Notice::Progress);
        let Message::Events { at: 5.0, events } = events.tell(at(5)) else { panic!("events") };
        assert_eq!(events.len(), MOST);
        assert!(
            matches!(&events[0], Message::State(state) if state.at == 2.0 && state.status == "door alert"),
            "{events:?}"
        );
        assert_eq!(events[1], Message::Alert { at: 1.0, person: 99 });
    }
}
