//! What a hook's program is told: one JSON object on its standard input, and the same in its environment.

use crate::config::HookEvent;
use crate::daemon::listeners::notice::Notice;
use crate::decide::Finding;
use serde::Serialize;
use std::time::Duration;

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Occasion {
    /// The name of a [`HookEvent`].
    event: &'static str,
    /// The door's name.
    door: String,
    /// The time of day, if it is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    /// Seconds since the start of the daemon.
    at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// The state before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
    /// Whether somebody has asked for this state, to check the wiring.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    /// What is or was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// For how long it was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl Occasion {
    /// What a notice means for hooks, and which; `None` for nothing.
    pub(super) fn of(at: Duration, notice: &Notice, door: &str, is_test: bool) -> Option<(HookEvent, Self)> {
        let mut occasion = Self {
            event: "",
            door: door.to_owned(),
            time: None,
            at: (at.as_secs_f64() * 1000.0).round() / 1000.0,
            state: None,
            from: None,
            test: false,
            person: None,
            verdict: None,
            reason: None,
            seconds: None,
        };
        let event = match notice {
            Notice::Finding(Finding::Alert { track, .. }) => {
                occasion.person = Some(track.0);
                HookEvent::Alert
            }
            Notice::Finding(Finding::Verdict { track, verdict }) => {
                occasion.person = Some(track.0);
                occasion.verdict = Some(verdict.name());
                HookEvent::Verdict
            }
            Notice::State { from, signal } => {
                occasion.state = Some(signal.state.name());
                occasion.from = Some(from.name());
                occasion.test = is_test;
                HookEvent::State
            }
            Notice::Fault { reason, .. } => {
                occasion.reason = Some(reason.to_string());
                HookEvent::Fault
            }
            Notice::Recovered { reason, lasted } => {
                occasion.reason = Some(reason.to_string());
                occasion.seconds = Some(lasted.as_secs_f64().round());
                HookEvent::Recovered
            }
            _ => return None,
        };
        occasion.event = event.name();
        Some((event, occasion))
    }

    /// The same at a time of day.
    pub(super) fn at_time(mut self, time: Option<String>) -> Self {
        self.time = time;
        self
    }

    /// As a JSON object on one line.
    pub(super) fn json(&self) -> String {
        // These types have nothing that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// As variables of the environment.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(self) else { return Vec::new() };
        let text = |value: serde_json::Value| match value {
            // A variable cannot hold a NUL.
            serde_json::Value::String(text) => text.replace('\0', " "),
            other => other.to_string(),
        };
        let named = |name: String| format!("MASKWATCH_{}", name.to_ascii_uppercase());
        fields.into_iter().map(|(name, value)| (named(name), text(value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::health::FaultKind;
    use crate::track::TrackId;

    #[test]
    fn an_occasion_is_one_line_of_json_and_the_same_in_the_environment() {
        let reason = "no \"camera\"\nat all\0".into();
        let fault = Notice::Fault { kind: FaultKind::SourceAway, reason };
        let (event, occasion) = Occasion::of(Duration::from_millis(1500), &fault, "north", true).unwrap();
        assert_eq!(event, HookEvent::Fault);
        let json = occasion.json();
        assert_eq!(
            json,
            "{\"event\":\"fault\",\"door\":\"north\",\"at\":1.5,\"reason\":\"no \\\"camera\\\"\\nat all\\u0000\"}\n"
        );
        let mut environment = occasion.environment();
        environment.sort();
        let expected = [
            ("MASKWATCH_AT", "1.5"),
            ("MASKWATCH_DOOR", "north"),
            ("MASKWATCH_EVENT", "fault"),
            ("MASKWATCH_REASON", "no \"camera\"\nat all "),
        ];
        assert_eq!(environment, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn every_event_has_its_notice_and_others_have_none() {
        let alert = Notice::Finding(Finding::Alert { track: TrackId(7), first_seen: Duration::ZERO });
        let (event, occasion) = Occasion::of(Duration::ZERO, &alert, "north", false).unwrap();
        assert_eq!((event, occasion.person), (HookEvent::Alert, Some(7)));
        assert!(Occasion::of(Duration::ZERO, &Notice::Progress, "north", false).is_none());
    }
}
