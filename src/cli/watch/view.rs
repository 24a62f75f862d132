//! What is known of a door, as lines that fit a terminal. Pure: the time is handed in.

use super::lines::text_of;
use crate::daemon::listeners::socket::protocol::{
    FaceMessage, HealthMessage, LookMessage, Message, StateMessage,
};
use crate::text::flattened;
use std::collections::VecDeque;
use std::time::Instant;

/// Events that are remembered.
const EVENTS: usize = 100;
/// Rows for events that faces leave free.
const LEAST_EVENTS: usize = 4;
/// Between two things on one line.
const GAP: &str = "   ";
/// Lines that one sentence may take.
const LONGEST: usize = 3;

/// What is known of the door.
#[derive(Debug)]
pub(super) struct DoorView {
    door: String,
    state: StateMessage,
    /// When the state was told.
    told: Option<Instant>,
    look: Option<LookMessage>,
    health: HealthMessage,
    /// What happened, the newest first, and when by the daemon's clock.
    events: VecDeque<(f64, String)>,
    /// A time of the daemon's clock, and when it was.
    clock: Option<(Instant, f64)>,
}

impl DoorView {
    pub(super) fn new(door: String) -> Self {
        Self {
            door,
            state: StateMessage::default(),
            told: None,
            look: None,
            health: HealthMessage::default(),
            events: VecDeque::new(),
            clock: None,
        }
    }

    /// Notes what the daemon has said at `now`.
    pub(super) fn take(&mut self, message: Message, now: Instant) {
        match message {
            Message::Look(look) => self.look = Some(look),
            Message::Health(health) => {
                self.clock = Some((now, health.at));
                self.health = health;
            }
            Message::State(state) => {
                self.clock = Some((now, state.at));
                let is_event = self.told.is_some() && state.state != self.state.state;
                (self.state, self.told) = (state, Some(now));
                if is_event {
                    self.happened(&Message::State(self.state.clone()));
                }
            }
            // What happened before anybody watched.
            Message::Events { at, events } => {
                self.clock = Some((now, at));
                events.iter().rev().for_each(|event| self.happened(event));
            }
            Message::Lost { lines } => {
                let at = self.time(now);
                self.note(at, &format!("{lines} lines were lost: this terminal is too slow"));
            }
            other => self.happened(&other),
        }
    }

    /// The daemon's clock at `now`.
    fn time(&self, now: Instant) -> f64 {
        let passed = |(then, at): (Instant, f64)| at + now.saturating_duration_since(then).as_secs_f64();
        self.clock.map_or(0.0, passed)
    }

    fn happened(&mut self, message: &Message) {
        if let Some((at, text)) = text_of(message) {
            self.note(at, &text);
        }
    }

    fn note(&mut self, at: f64, text: &str) {
        if self.events.len() == EVENTS {
            self.events.pop_back();
        }
        self.events.push_front((at, flattened(text).into_owned()));
    }

    /// The screen at `now`: at most as many lines, and letters in one, as there is room for.
    pub(super) fn lines(&self, (columns, rows): (usize, usize), now: Instant) -> Vec<String> {
        let mut lines = self.head(columns, now);
        let free = rows.saturating_sub(lines.len() + LEAST_EVENTS + 2);
        lines.push(rule("faces", columns));
        match &self.look {
            Some(look) if !look.faces.is_empty() => lines.extend(table(look, free)),
            Some(_) => lines.push("nobody in view".into()),
            None => lines.push("no frame yet".into()),
        }
        lines.push(rule("last events", columns));
        let time = self.time(now);
        let event = |(at, text): &(f64, String)| format!("{:>12}  {text}", ago(time - at));
        lines.extend(self.events.iter().take(rows.saturating_sub(lines.len())).map(event));
        lines.truncate(rows);
        lines
    }

    fn head(&self, columns: usize, now: Instant) -> Vec<String> {
        let Self { state, health, .. } = self;
        let passed = self.told.map_or(0.0, |told| now.saturating_duration_since(told).as_secs_f64());
        let mut title = vec![
            format!("\x1b[1m{}\x1b[0m", self.door),
            coloured(
                &state.state,
                &format!("{} for {}", state.state.to_uppercase(), span(state.lasted + passed)),
            ),
        ];
        let modes = [
            ("pass held", state.pass_hold),
            ("test", state.test),
            ("paused", state.paused),
            ("buzzers silent", state.silent),
        ];
        let left = modes.into_iter().filter_map(|(what, left)| Some((what, left? - passed)));
        title.extend(
            left.filter(|(_, left)| *left > 0.0)
                .map(|(what, left)| format!("{what}, {} left", span(left.ceil()))),
        );
        if let (Some(quiet), Some(until)) = (&state.quiet, &state.quiet_until) {
            title.push(flattened(&format!("quiet ({quiet}) until {until}")).into_owned());
        }
        let lamp = |(name, pattern): (&String, &String)| {
            let (name, pattern) = (flattened(name), flattened(pattern));
            if pattern == "off" {
                format!("\x1b[90m○ {name}\x1b[0m")
            } else {
                format!("● {name} {pattern}")
            }
        };
        let ms = |seconds: f64| format!("{:.1}", seconds * 1000.0);
        let mut rates = vec![
            format!("{:.1} looks/s", health.looks_per_second),
            format!("wait {} ms", ms(health.median.wait)),
            format!("detect {} ms", ms(health.median.detect)),
            format!("judge {} ms", ms(health.median.judge)),
        ];
        rates.extend(health.temperature.map(|temperature| format!("{temperature:.0} °C")));
        let counts = vec![
            format!("{} alerts", health.alerts),
            format!("{} faults", health.faults),
            format!("{} unusable frames", health.skipped),
            format!("{} faces left out", health.left_out),
        ];
        let mut lines = flow(title, GAP, columns);
        let words = flattened(&state.status).split(' ').map(str::to_owned).collect();
        lines.extend(flow(words, " ", columns).into_iter().take(LONGEST));
        lines.extend(flow(state.outputs.iter().map(lamp).collect(), GAP, columns));
        lines.extend(flow(rates, GAP, columns));
        lines.extend(flow(counts, GAP, columns));
        lines
    }
}

/// `parts` on as few lines as they fit on.
fn flow(parts: Vec<String>, gap: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for part in parts {
        let wide = letters(&part);
        if used > 0 && used + gap.len() + wide > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line += gap;
            used += gap.len();
        }
        line += &part;
        used += wide;
    }
    lines.push(line);
    lines
}

/// Letters of a text that are seen: all but colours.
fn letters(text: &str) -> usize {
    let mut is_code = false;
    let seen = |letter: &char| {
        let was_code = is_code;
        is_code = if is_code { *letter != 'm' } else { *letter == '\x1b' };
        !was_code && !is_code
    };
    text.chars().filter(seen).count()
}

/// A heading with a line up to the end.
fn rule(heading: &str, columns: usize) -> String {
    format!("\x1b[90m── {heading} {}\x1b[0m", "─".repeat(columns.saturating_sub(heading.len() + 4)))
}

/// The faces in at most `rows` rows with their heading.
fn table(look: &LookMessage, rows: usize) -> Vec<String> {
    let mut lines =
        vec!["\x1b[90mperson  verdict      mask  no mask  incorrect      px  width\x1b[0m".to_owned()];
    let room = rows.saturating_sub(1).max(1);
    let shown = if look.faces.len() > room { room.saturating_sub(1).max(1) } else { room };
    let width = look.frame.0.max(1) as f32;
    lines.extend(look.faces.iter().take(shown).map(|face| row(face, width)));
    let more = look.faces.len().saturating_sub(shown);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn row(face: &FaceMessage, frame: f32) -> String {
    let [.., wide, _] = face.rect;
    let percent = |share: f32| format!("{:.0} %", 100.0 * share);
    let [mask, no_mask, incorrect] = match face.probabilities {
        Some(said) => [said.mask, said.no_mask, said.incorrect].map(percent),
        None => Default::default(),
    };
    let verdict = coloured(&face.verdict, &format!("{:<10}", face.verdict));
    let stopped = face.stopped.as_ref().map(|gate| flattened(&format!("   stopped: {gate}")).into_owned());
    format!(
        "#{:<6} {verdict} {mask:>6} {no_mask:>8} {incorrect:>10} {wide:>7.0} {:>6}{}",
        face.person,
        percent(wide / frame),
        stopped.unwrap_or_default()
    )
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

/// A time as people say it.
fn span(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        ..6000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

fn ago(seconds: f64) -> String {
    if seconds < 1.0 { "now".into() } else { format!("{} ago", span(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::super::super::terminal::clipped;
    use super::*;
    use crate::daemon::listeners::socket::protocol::{ProbabilityMessage, StageSeconds};
    use proptest::prelude::*;
    use std::time::Duration;

    fn plain(lines: &[String]) -> Vec<String> {
        let without = |line: &String| {
            let mut text = line.clone();
            while let Some(start) = text.find('\x1b') {
                let end = text[start..].find('m').unwrap();
                text.replace_range(start..=start + end, "");
            }
            text.trim_end().to_owned()
        };
        lines.iter().map(without).collect()
    }

    fn face(person: u64, verdict: &str) -> FaceMessage {
        FaceMessage {
            person,
            rect: [10.0, 20.0, 64.0, 80.0],
            verdict: verdict.into(),
            probabilities: Some(ProbabilityMessage { mask: 0.01, no_mask: 0.98, incorrect: 0.01 }),
            stopped: None,
        }
    }

    fn look(faces: Vec<FaceMessage>) -> Message {
        let (state, frame, stages) = ("alert".into(), (640, 480), StageSeconds::default());
        Message::Look(LookMessage { at: 4.1, state, frame, faces, stages })
    }

    fn state() -> StateMessage {
        StateMessage {
            at: 4.0,
            state: "alert".into(),
            lasted: 2.0,
            status: "door alert; watching camera".into(),
            outputs: [("red", "steady"), ("green", "off")].map(|(a, b)| (a.into(), b.into())).into(),
            ..StateMessage::default()
        }
    }

    fn view(now: Instant) -> DoorView {
        let mut view = DoorView::new("north".into());
        view.take(Message::State(state()), now);
        view.take(look(vec![face(3, "unmasked")]), now);
        view
    }

    #[test]
    fn the_screen_shows_door_lamps_faces_and_events_and_fits() {
        let now = Instant::now();
        let mut view = view(now);
        for person in 0..500 {
            view.take(Message::Alert { at: 4.0, person }, now);
        }
        let lines = plain(&view.lines((80, 24), now + Duration::from_secs(3)));
        let expected = [
            "north   ALERT for 5 s",
            "door alert; watching camera",
            "○ green   ● red steady",
            "0.0 looks/s   wait 0.0 ms   detect 0.0 ms   judge 0.0 ms",
            "0 alerts   0 faults   0 unusable frames   0 faces left out",
            "── faces ───────────────────────────────────────────────────────────────────────",
            "person  verdict      mask  no mask  incorrect      px  width",
            "#3      unmasked      1 %     98 %        1 %      64   10 %",
            "── last events ─────────────────────────────────────────────────────────────────",
            "     3 s ago  alert for person #499",
        ];
        assert_eq!(lines[..expected.len()], expected);
        assert_eq!((lines.len(), view.events.len()), (24, EVENTS));
    }

    #[test]
    fn what_ends_by_itself_counts_down_without_a_word_of_the_daemon() {
        let now = Instant::now();
        let mut view = view(now);
        let held = StateMessage { state: "pass".into(), pass_hold: Some(4.0), test: Some(20.0), ..state() };
        view.take(Message::State(held), now);
        let title = |after| plain(&view.lines((80, 24), now + Duration::from_millis(after)))[0].clone();
        assert_eq!(title(0), "north   PASS for 2 s   pass held, 4 s left   test, 20 s left");
        assert_eq!(title(2_500), "north   PASS for 4 s   pass held, 2 s left   test, 18 s left");
        assert_eq!(title(4_000), "north   PASS for 6 s   test, 16 s left");
    }

    #[test]
    fn what_happened_before_is_shown_and_a_state_that_is_told_again_is_no_event() {
        let now = Instant::now();
        let mut view = DoorView::new("north".into());
        let events =
            vec![Message::Alert { at: 3.0, person: 7 }, Message::Fault { at: 1.0, reason: "dark".into() }];
        view.take(Message::Events { at: 4.0, events }, now);
        view.take(Message::State(state()), now);
        view.take(Message::State(state()), now);
        let idle = StateMessage { state: "idle".into(), status: "door idle".into(), ..state() };
        view.take(Message::State(idle), now);
        let lines = plain(&view.lines((80, 24), now));
        let from = lines.iter().position(|line| line.starts_with("── last")).unwrap() + 1;
        assert_eq!(
            lines[from..],
            ["         now  door idle", "     1 s ago  alert for person #7", "     3 s ago  fault: dark"]
        );
    }

    proptest! {
        /// Whatever is told and however small the terminal is: no line is longer than it is wide, but for
        /// one word, there are no more lines than it has, and nothing controls it.
        #[test]
        fn it_fits_any_terminal(
            columns in 1usize..200, rows in 1usize..60, faces in 0u64..70, outputs in 0usize..20,
            status in "[a-z\\x1b ]{0,300}",
        ) {
            let now = Instant::now();
            let mut view = view(now);
            let outputs = (0..outputs).map(|pin| (format!("lamp{pin}"), "blink\x1b[2J".into())).collect();
            view.take(Message::State(StateMessage { status, outputs, ..state() }), now);
            view.take(look((0..faces).map(|person| face(person, "masked\x1b[H")).collect()), now);
            let lines = view.lines((columns, rows), now);
            prop_assert!(lines.len() <= rows);
            for line in plain(&lines.iter().map(|line| clipped(line, columns)).collect::<Vec<_>>()) {
                prop_assert!(line.chars().count() <= columns && !line.contains(char::is_control), "{line:?}");
            }
            // Who is not shown is counted.
            if rows > 40 && columns >= 80 && faces > 60 {
                prop_assert!(plain(&lines).iter().any(|line| line.starts_with("and ")));
            }
        }
    }
}
