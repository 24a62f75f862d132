//! What the daemon says, as lines for people.

use crate::daemon::listeners::socket::protocol::Message;
use crate::text::flattened;

/// One line about a message; `None` for what would be one line a frame.
pub(super) fn describe(message: &Message) -> Option<String> {
    let (at, text) = match message {
        Message::Hello { .. }
        | Message::Look(_)
        | Message::Why { .. }
        | Message::Answer { .. }
        | Message::Unknown => return None,
        Message::State(state) => {
            let test =
                if state.test.is_some() { format!(" (a test of {})", state.state) } else { String::new() };
            (state.at, format!("{}{test}", state.status))
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
        Message::Lost { lines } => return Some(format!("{lines} lines were lost: this reader is too slow")),
    };
    Some(format!("{at:8.1} s  {}", flattened(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::listeners::socket::protocol::StateMessage;

    #[test]
    fn a_line_says_when_and_what_and_controls_no_terminal() {
        let fault = Message::Fault { at: 12.34, reason: "no\u{1b}[2J camera".into() };
        assert_eq!(describe(&fault).unwrap(), "    12.3 s  fault: no [2J camera");
        let state = StateMessage {
            at: 1.0,
            state: "pass".into(),
            status: "door pass; watching camera".into(),
            test: Some(3.0),
            ..StateMessage::default()
        };
        let line = describe(&Message::State(state)).unwrap();
        assert_eq!(line, "     1.0 s  door pass; watching camera (a test of pass)");
    }
}
