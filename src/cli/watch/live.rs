//! The live view: one screen that is drawn again when something has changed.

use super::super::terminal::Terminal;
use super::lines::describe;
use crate::daemon::listeners::socket::protocol::{HealthMessage, LookMessage, Message, StateMessage};
use crate::text::flattened;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The screen is drawn at most this often.
const PAUSE: Duration = Duration::from_millis(200);
/// Events that are remembered.
const EVENTS: usize = 100;
/// What is known of the door, and the screen that shows it.
pub(super) struct Live {
    terminal: Terminal,
    view: DoorView,
    drawn: Option<Instant>,
    is_new: bool,
}

impl Live {
    /// Takes the terminal over.
    pub(super) fn open(door: String) -> Self {
        Self {
            terminal: Terminal::open(),
            view: DoorView { door, ..DoorView::default() },
            drawn: None,
            is_new: true,
        }
    }

    /// Notes what the daemon has said, and draws.
    pub(super) fn take(&mut self, message: Message) -> anyhow::Result<()> {
        self.view.take(message);
        self.is_new = true;
        self.draw()
    }

    /// Draws what is new, unless it was drawn just now.
    pub(super) fn draw(&mut self) -> anyhow::Result<()> {
        if !self.is_new || self.drawn.is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return Ok(());
        }
        (self.is_new, self.drawn) = (false, Some(Instant::now()));
        self.terminal.draw(&self.view.lines(self.terminal.rows()))
    }
}

/// What is known of the door.
#[derive(Debug, Default)]
struct DoorView {
    door: String,
    state: StateMessage,
    look: Option<LookMessage>,
    health: HealthMessage,
    events: VecDeque<String>,
}

impl DoorView {
    fn take(&mut self, message: Message) {
        match message {
            Message::Look(look) => self.look = Some(look),
            Message::Health(health) => self.health = health,
            Message::State(state) if state.state == self.state.state => self.state = state,
            other => {
                if self.events.len() == EVENTS {
                    self.events.pop_back();
                }
                if let Some(line) = describe(&other) {
                    self.events.push_front(line);
                }
                if let Message::State(state) = other {
                    self.state = state;
                }
            }
        }
    }

    /// At most as many lines as fit into `rows`.
    fn lines(&self, rows: usize) -> Vec<String> {
        let mut lines = self.head();
        lines.push(String::new());
        match &self.look {
            Some(look) if !look.faces.is_empty() => lines.extend(faces(look)),
            Some(_) => lines.push("nobody in view".into()),
            None => lines.push("no frame yet".into()),
        }
        lines.push(String::new());
        lines.push("last events".into());
        // The last row stays free: a line break there would scroll.
        let room = rows.saturating_sub(1);
        lines.extend(self.events.iter().take(room.saturating_sub(lines.len())).cloned());
        lines.truncate(room);
        lines
    }

    fn head(&self) -> Vec<String> {
        let state = &self.state;
        let mut title = format!("{}  \x1b[1m{}\x1b[0m", self.door, coloured(&state.state, &state.state));
        for (what, left) in [("test", state.test), ("paused", state.paused), ("silent", state.silent)] {
            if left.is_some() {
                title += &format!("  {what}");
            }
        }
        if let (Some(quiet), Some(until)) = (&state.quiet, &state.quiet_until) {
            title += &flattened(&format!("  quiet ({quiet}) until {until}"));
        }
        let lamp = |(name, pattern): (&String, &String)| {
            if pattern == "off" {
                format!("\x1b[90m○ {name}\x1b[0m")
            } else {
                format!("● {name} {pattern}")
            }
        };
        let lamps = state.outputs.iter().map(lamp).collect::<Vec<_>>().join("   ");
        let health = &self.health;
        let ms = |seconds: f64| format!("{:.1}", seconds * 1000.0);
        let mut rates = format!(
            "{:.1} looks/s   wait {} ms   detect {} ms   judge {} ms",
            health.looks_per_second,
            ms(health.median.wait),
            ms(health.median.detect),
            ms(health.median.judge)
        );
        if let Some(temperature) = health.temperature {
            rates += &format!("   {temperature:.0} °C");
        }
        vec![
            title,
            flattened(&state.status).into_owned(),
            lamps,
            rates,
            format!(
                "{} alerts   {} faults   {} unusable frames   {} faces left out",
                health.alerts, health.faults, health.skipped, health.left_out
            ),
        ]
    }
}

/// One line for each face.
fn faces(look: &LookMessage) -> impl Iterator<Item = String> {
    let width = look.frame.0.max(1) as f32;
    look.faces.iter().map(move |face| {
        let [.., side, _] = face.rect;
        let mut line =
            format!("#{:<4} {}", face.person, coloured(&face.verdict, &format!("{:<10}", face.verdict)));
        if let Some(answer) = face.probabilities {
            line += &format!(
                " mask {:>3.0} %   no mask {:>3.0} %   incorrect {:>3.0} %",
                100.0 * answer.mask,
                100.0 * answer.no_mask,
                100.0 * answer.incorrect
            );
        }
        line + &format!("   {side:.0} px ({:.0} % of the width)", 100.0 * side / width)
    })
}

/// A text in the colour of a state or verdict.
fn coloured(word: &str, text: &str) -> String {
    let colour = match word {
        "alert" | "unmasked" => 91,
        "pass" | "masked" => 92,
        "look" | "fault" | "unsure" | "incorrect" => 93,
        _ => 0,
    };
    format!("\x1b[{colour}m{}\x1b[0m", flattened(text))
}

#[cfg(test)]
mod tests {
    use super::super::super::terminal::clipped;
    use super::*;
    use crate::daemon::listeners::socket::protocol::{FaceMessage, ProbabilityMessage, StageSeconds};

    fn plain(lines: &[String]) -> String {
        let without = |line: &String| {
            let mut text = clipped(line, usize::MAX);
            while let Some(start) = text.find('\x1b') {
                let end = text[start..].find('m').unwrap();
                text.replace_range(start..=start + end, "");
            }
            text
        };
        lines.iter().map(without).collect::<Vec<_>>().join("\n")
    }

    fn view() -> DoorView {
        let mut view = DoorView { door: "north".into(), ..DoorView::default() };
        view.take(Message::State(StateMessage {
            at: 4.0,
            state: "alert".into(),
            status: "door alert; watching camera".into(),
            outputs: [("red", "steady"), ("green", "off")].map(|(a, b)| (a.into(), b.into())).into(),
            ..StateMessage::default()
        }));
        view.take(Message::Look(LookMessage {
            at: 4.1,
            state: "alert".into(),
            frame: (640, 480),
            faces: vec![FaceMessage {
                person: 3,
                rect: [10.0, 20.0, 64.0, 80.0],
                verdict: "unmasked".into(),
                probabilities: Some(ProbabilityMessage { mask: 0.01, no_mask: 0.98, incorrect: 0.01 }),
                stopped: None,
            }],
            stages: StageSeconds::default(),
        }));
        view
    }

    #[test]
    fn the_screen_shows_door_lamps_faces_and_events_and_fits() {
        let mut view = view();
        for person in 0..500 {
            view.take(Message::Alert { at: 4.0, person });
        }
        let text = plain(&view.lines(20));
        assert!(
            text.starts_with("north  alert\ndoor alert; watching camera\n○ green   ● red steady\n"),
            "{text}"
        );
        let face =
            "#3    unmasked   mask   1 %   no mask  98 %   incorrect   1 %   64 px (10 % of the width)";
        assert!(text.contains(face), "{text}");
        assert_eq!((text.lines().count(), view.events.len()), (19, EVENTS));
        assert!(text.ends_with("alert for person #490"), "the newest first: {text}");
        assert_eq!(view.lines(3).len(), 2);
    }
}
