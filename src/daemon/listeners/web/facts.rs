//! What the page is told of the door: its figures, and the last things that happened. Made from the notices.

use crate::daemon::listeners::notice::Notice;
use crate::daemon::listeners::socket::figures::LiveFigures;
use crate::daemon::listeners::socket::protocol::Message;
use crate::vision::zones::Zones;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Events that are kept.
const MOST: usize = 100;

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
pub(super) struct NumberedEvent {
    /// Counted from the start of the daemon, or of the page.
    number: u64,
    #[serde(flatten)]
    message: Message,
}

/// What the page is told every second.
#[derive(Debug, Serialize)]
pub(super) struct NowMessage {
    state: Message,
    health: Message,
    /// Newer ones than the page knows, the oldest first.
    events: Vec<NumberedEvent>,
    /// Number of the last event; a smaller one than the page knows says that the daemon is another one.
    newest: u64,
    /// Why the last configuration was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// All that is known.
#[derive(Debug)]
pub(super) struct DoorFacts {
    figures: LiveFigures,
    events: VecDeque<NumberedEvent>,
    newest: u64,
    /// Where faces count.
    pub(super) zones: Zones,
    refused: Option<String>,
    /// The last time of the loop's clock that was heard, and when.
    reference: (Instant, Duration),
}

impl DoorFacts {
    pub(super) fn new() -> Self {
        Self {
            figures: LiveFigures::default(),
            events: VecDeque::new(),
            newest: 0,
            zones: Zones::default(),
            refused: None,
            reference: (Instant::now(), Duration::ZERO),
        }
    }

    /// Notes what happened at `at`.
    pub(super) fn note(&mut self, at: Duration, notice: &Notice) {
        self.reference = (Instant::now(), at);
        self.figures.note(at, notice);
        let told = matches!(
            notice,
            Notice::Finding(_) | Notice::State { .. } | Notice::Fault { .. } | Notice::Recovered { .. }
        );
        match notice {
            Notice::Configured(config) => {
                (self.zones, self.refused) = (config.zones.clone(), None);
            }
            Notice::Refused(why) => self.refused = Some(why.to_string()),
            _ => {}
        }
        let Some(message) = told.then(|| self.figures.tell(at, notice)).flatten() else { return };
        if self.events.len() == MOST {
            self.events.pop_front();
        }
        self.newest += 1;
        self.events.push_back(NumberedEvent { number: self.newest, message });
    }

    /// What is so now, with what happened since the event number `since`.
    pub(super) fn now(&self, since: u64) -> NowMessage {
        let (heard, at) = self.reference;
        let now = at + heard.elapsed();
        // One that knows more than there is speaks of an earlier daemon.
        let since = if since > self.newest { 0 } else { since };
        NowMessage {
            state: self.figures.state(now),
            health: self.figures.health(now),
            events: self.events.iter().filter(|event| event.number > since).cloned().collect(),
            newest: self.newest,
            refused: self.refused.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Finding;
    use crate::track::TrackId;

    #[test]
    fn events_are_numbered_and_bounded() {
        let mut known = DoorFacts::new();
        for number in 0..250 {
            let alert =
                Notice::Finding(Finding::Alert { track: TrackId(number), first_seen: Duration::ZERO });
            known.note(Duration::from_secs(number), &alert);
            known.note(Duration::from_secs(number), &Notice::Progress);
        }
        let numbers = |since| known.now(since).events.iter().map(|event| event.number).collect::<Vec<_>>();
        assert_eq!((numbers(0).len(), numbers(248), numbers(250)), (MOST, vec![249, 250], vec![]));
        assert_eq!(numbers(9999).len(), MOST, "the page knew another daemon");
        let told = serde_json::to_value(known.now(249)).unwrap();
        assert_eq!(
            (&told["events"][0]["type"], &told["events"][0]["person"]),
            (&"alert".into(), &249.into())
        );
        assert_eq!(told["state"]["type"], "state");
    }
}
