//! What the daemon says, as lines for people.

use crate::daemon::listeners::socket::protocol::Message;
use crate::text::flattened;

/// The lines about a message; none for what would be one line a frame.
pub(super) fn describe(message: &Message) -> Vec<String> {
    if let Message::Lost { lines } = message {
        return vec![format!("{lines} lines were lost: this reader is too slow")];
    }
    if let Message::Events { events, .. } = message {
        return events.iter().rev().flat_map(describe).collect();
    }
    let line = text_of(message).map(|(at, text)| format!("{at:8.1} s  {}", flattened(&text)));
    line.into_iter().collect()
}

/// What a message says, and when it was so.
pub(super) fn text_of(message: &Message) -> Option<(f64, String)> {
    Some(match message {
        Message::Hello { .. }
        | Message::Look(_)
        | Message::Why { .. }
        | Message::Events { .. }
        | Message::Answer { .. }
        | Message::Unknown => return None,
        Message::State(state) => {
            let mut text = state.status.clone();
            if state.test.is_some() {
                text += " (a test)";
            }
            if let Some(left) = state.pass_hold {
                text += &format!(" (a pass is held for {left:.1} s)");
            }
            (state.at, text)
        }
        Message::Verdict { at, person, verdict } => (*at, format!("person #{person} is {verdict}")),
        Message::Alert { at, person } => (*at, format!("alert for person #{person}")),
        Message::Fault { at, reason } => (*at, format!("fault: {reason}")),
        Message::Recovered { at, reason, lasted } => {
            (*at, format!("recovered after {lasted:.1} s: {reason}"))
        }
        Message::Health(health) => {
            let busy = health.median.detect + health.median.judge + health.median.decide;
            let mut text =
                format!("{:.1} looks a second, {:.1} ms each", health.looks_per_second, busy * 1000.0);
            if let Some(temperature) = health.temperature {
                text += &format!(", {temperature:.0} °C");
            }
            (health.at, text)
        }
        Message::Lost { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::listeners::socket::protocol::StateMessage;

    #[test]
    fn a_line_says_when_and_what_and_controls_no_terminal() {
        let fault = Message::Fault { at: 12.34, reason: "no\u{1b}[2J camera".into() };
        assert_eq!(describe(&fault), ["    12.3 s  fault: no [2J camera"]);
        let state = StateMessage {
            at: 1.0,
            state: "pass".into(),
            status: "door pass; watching camera".into(),
            test: Some(3.0),
            ..StateMessage::default()
        };
        let tested = "     1.0 s  door pass; watching camera (a test)";
        assert_eq!(describe(&Message::State(state.clone())), [tested]);
        let held = StateMessage { test: None, pass_hold: Some(2.5), ..state };
        let events = Message::Events { at: 20.0, events: vec![fault, Message::State(held)] };
        let lines = describe(&events);
        assert_eq!(
            lines[0], "     1.0 s  door pass; watching camera (a pass is held for 2.5 s)",
            "the oldest first"
        );
        assert_eq!(lines.len(), 2);
    }
}
