//! What the broker is told, made from the notices: events, the state, figures and counts. Holds no picture.

use super::days::DayReport;
use crate::daemon::listeners::counts::{DoorCounts, People};
use crate::daemon::listeners::notice::Notice;
use crate::daemon::listeners::socket::LiveFigures;
use crate::daemon::listeners::socket::protocol::Message;
use crate::decide::{FaceSize, Finding, Rules};
use serde::Serialize;
use std::time::{Duration, Instant};

/// An event as it is sent.
#[derive(Debug, Serialize)]
pub(super) struct EventMessage<'a> {
    /// Larger than that of every event before.
    pub(super) number: u64,
    /// The door's name.
    pub(super) door: &'a str,
    /// When it happened, in UTC; `null` while the clock is not believed.
    pub(super) time: Option<&'a str>,
    /// What.
    #[serde(flatten)]
    pub(super) what: &'a Message,
}

/// How the daemon fares, as it is sent.
#[derive(Debug, Serialize)]
pub(super) struct StatsMessage {
    #[serde(flatten)]
    health: Message,
    /// The day of the counts; `None` if they are those since the start of the daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    /// `None` if those of the day are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<DoorCounts>,
    /// Events that wait for the broker.
    waiting: usize,
    /// Events that had to be dropped since the start: too many waited.
    dropped: u64,
}

/// What is known at any moment.
#[derive(Debug)]
pub(super) struct BrokerReport {
    figures: LiveFigures,
    people: People,
    counted: DoorCounts,
    has_fault: bool,
    /// Faces below are passers-by.
    least: FaceSize,
    /// The last time of the loop's clock that was heard, and when.
    reference: (Instant, Duration),
}

impl Default for BrokerReport {
    fn default() -> Self {
        Self {
            figures: LiveFigures::default(),
            people: People::default(),
            counted: DoorCounts::default(),
            has_fault: false,
            least: Rules::default().ignore_below,
            reference: (Instant::now(), Duration::ZERO),
        }
    }
}

impl BrokerReport {
    /// Notes what happened at `at`.
    pub(super) fn note(&mut self, at: Duration, notice: &Notice) {
        self.reference = (Instant::now(), at);
        self.figures.note(at, notice);
        match notice {
            Notice::Looked(look) => self.people.look(at, &look.faces, self.least.pixels(look.frame.0)),
            Notice::Configured(config) => self.least = config.decision.ignore_below,
            Notice::Finding(Finding::Alert { .. }) => self.counted.alerts += 1,
            Notice::Fault { .. } => {
                self.counted.faults += u32::from(!std::mem::replace(&mut self.has_fault, true));
            }
            Notice::Recovered { .. } => self.has_fault = false,
            _ => {}
        }
        let gone = self.people.leave(at);
        self.counted += &gone;
    }

    /// The event that a notice at `at` is, if it is one.
    pub(super) fn event(&self, at: Duration, notice: &Notice) -> Option<Message> {
        let is_event = matches!(notice, Notice::Finding(_) | Notice::Fault { .. } | Notice::Recovered { .. });
        is_event.then(|| self.figures.tell(at, notice)).flatten()
    }

    /// The time of the loop's clock.
    fn now(&self) -> Duration {
        let (heard, at) = self.reference;
        at + heard.elapsed()
    }

    /// What the door shows now.
    pub(super) fn state(&self) -> Message {
        self.figures.state(self.now())
    }

    /// How the daemon fares now, while so many events wait and had to be dropped; with the counts of the day,
    /// or those since the start if there is no such report.
    pub(super) fn stats(&mut self, of_day: Option<&DayReport>, waiting: usize, dropped: u64) -> StatsMessage {
        let gone = self.people.leave(self.now());
        self.counted += &gone;
        let (day, counts) = match of_day {
            Some(report) => (report.day.clone(), report.counts),
            None => (None, Some(self.counted)),
        };
        StatsMessage { health: self.figures.health(self.now()), day, counts, waiting, dropped }
    }
}

/// Whether the state may be another one after a notice.
pub(super) fn changes_state(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::State { .. }
            | Notice::Mode(_)
            | Notice::Status(_)
            | Notice::Ready(_)
            | Notice::Fault { .. }
            | Notice::Recovered { .. }
            | Notice::Configured(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::FaultKind;
    use crate::daemon::listeners::mqtt::days::DayCounts;
    use crate::daemon::wall::SystemWallClock;
    use crate::track::TrackId;
    use serde_json::{Value, json};

    #[test]
    fn events_and_figures_are_objects_as_documented() {
        let alert = Notice::Finding(Finding::Alert { track: TrackId(3), first_seen: Duration::ZERO });
        let what = BrokerReport::default().event(Duration::from_millis(1500), &alert).unwrap();
        let message = EventMessage { number: 7, door: "north", time: None, what: &what };
        assert_eq!(
            serde_json::to_value(message).unwrap(),
            json!({"number": 7, "door": "north", "time": null, "type": "alert", "at": 1.5, "person": 3})
        );
        let fault = |reason: &str| Notice::Fault { reason: reason.into(), kind: FaultKind::SourceAway };
        let mut report = BrokerReport::default();
        report.note(Duration::ZERO, &fault("no camera"));
        report.note(Duration::ZERO, &fault("no frames"));
        report.note(Duration::ZERO, &alert);
        let stats = serde_json::to_value(report.stats(None, 4, 1)).unwrap();
        assert_eq!(
            (&stats["type"], &stats["faults"], &stats["counts"]["alerts"]),
            (&json!("health"), &json!(1), &json!(1))
        );
        assert_eq!((&stats["waiting"], &stats["dropped"]), (&json!(4), &json!(1)));
        let state = serde_json::to_value(report.state()).unwrap();
        assert_eq!((&state["state"], &state["fault"]), (&json!("off"), &json!("no frames")));
        assert_eq!(state.get("paused"), None::<&Value>);
    }

    #[test]
    fn counts_are_those_of_the_day_where_there_are_such() {
        let folder = tempfile::tempdir().unwrap();
        let (mut report, path) = (BrokerReport::default(), folder.path().join("counts.json"));
        let alert = Notice::Finding(Finding::Alert { track: TrackId(3), first_seen: Duration::ZERO });
        report.note(Duration::ZERO, &alert);
        let mut stats = |days: Option<&DayReport>| serde_json::to_value(report.stats(days, 0, 0)).unwrap();
        let since_start = stats(None);
        assert_eq!((&since_start["counts"]["alerts"], since_start.get("day")), (&json!(1), None));
        let of_day = DayCounts::new(path, Box::new(SystemWallClock::new(true))).report();
        let told = stats(Some(&of_day));
        assert_eq!((&told["counts"]["alerts"], &told["day"]), (&json!(0), &json!(of_day.day)));
        let mut not_known = of_day.clone();
        (not_known.day, not_known.counts) = (None, None);
        let unknown = stats(Some(&not_known));
        assert_eq!((unknown.get("counts"), unknown.get("day")), (None, None));
    }
}
