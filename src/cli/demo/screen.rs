//! The demo on the terminal: one line that is rewritten with every frame, or plain lines of what changed
//! where the output is no terminal.

use crate::daemon::Face;
use crate::decide::{DoorState, Finding, Signal};
use crate::outputs::{Kind, Output};
use crate::text::flattened;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

/// A face in a few words: `#3 unmasked, mask 2 %`.
pub(super) fn face(face: &Face) -> String {
    match face.answer {
        Some(answer) => format!("{} {}, mask {:.0} %", face.track, face.verdict, 100.0 * answer.mask),
        None => format!("{} {}", face.track, face.verdict),
    }
}

/// Where the demo is shown.
pub(super) struct Screen {
    live: bool,
    lamps: Vec<(String, Kind)>,
    /// What was on when the last plain line was written.
    lit: Vec<bool>,
}

impl Screen {
    pub(super) fn new(outputs: &[Output]) -> Self {
        let lamps: Vec<_> = outputs.iter().map(|output| (output.name.clone(), output.kind)).collect();
        Self { live: std::io::stdout().is_terminal(), lit: vec![false; lamps.len()], lamps }
    }

    pub(super) fn frame(&mut self, now: Duration, lit: &[bool], signal: Signal, faces: &[Face]) {
        let faces = faces.iter().map(face).collect::<Vec<_>>().join("; ");
        if self.live {
            write(&format!("\r\x1b[2K{}", line(now, &self.lamps, lit, signal.state, &faces, true)));
        } else if self.lit != lit {
            write(&format!("{}\n", line(now, &self.lamps, lit, signal.state, &faces, false)));
            self.lit = lit.to_vec();
        }
    }

    pub(super) fn finding(&mut self, now: Duration, finding: &Finding) {
        match finding {
            Finding::Verdict { track, verdict } => self.tell(now, &format!("person {track} is {verdict}")),
            Finding::Alert { track, .. } => self.tell(now, &format!("alert for person {track}")),
        }
    }

    pub(super) fn state(&mut self, now: Duration, from: DoorState, signal: Signal) {
        self.tell(now, &format!("door: {} (was {from})", signal.state));
    }

    pub(super) fn health(&mut self, now: Duration, fault: Option<&str>) {
        match fault {
            Some(reason) => self.tell(now, &format!("fault: {reason}")),
            None => self.tell(now, "the fault is over"),
        }
    }

    /// A line that stays, above the one that is rewritten.
    fn tell(&mut self, now: Duration, text: &str) {
        let clear = if self.live { "\r\x1b[2K" } else { "" };
        write(&format!("{clear}{:6.1} s  {}\n", now.as_secs_f32(), flattened(text)));
    }

    pub(super) fn finish(&mut self) {
        if self.live {
            write("\n");
        }
    }
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    // A terminal that went away is no reason to fail: the pictures and the exit code remain.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn line(
    now: Duration,
    lamps: &[(String, Kind)],
    lit: &[bool],
    state: DoorState,
    faces: &str,
    colours: bool,
) -> String {
    let mut line = format!("{:6.1} s ", now.as_secs_f32());
    for ((name, kind), lit) in lamps.iter().zip(lit) {
        let symbol = match (kind, lit) {
            (Kind::Buzzer, true) => "♪",
            (_, true) => "●",
            (_, false) => "○",
        };
        let colour = match (name.as_str(), lit) {
            (_, false) => 90,
            ("red", true) => 91,
            ("green", true) => 92,
            ("amber", true) => 93,
            (_, true) => 96,
        };
        // Writing to a String cannot fail.
        let _ = if colours {
            write!(line, " \x1b[{colour}m{symbol} {name}\x1b[0m")
        } else {
            write!(line, " {symbol} {name}")
        };
    }
    let _ = write!(line, "  {state:<5}  {faces}");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_time_lamps_state_and_faces() {
        let lamps = [("red".to_owned(), Kind::Led), ("buzzer".to_owned(), Kind::Buzzer)];
        let at = Duration::from_millis(12_340);
        assert_eq!(
            line(at, &lamps, &[true, false], DoorState::Alert, "#1 unmasked, mask 2 %", false),
            "  12.3 s  ● red ○ buzzer  alert  #1 unmasked, mask 2 %"
        );
        assert!(line(at, &lamps, &[true, true], DoorState::Alert, "", true).contains("\x1b[91m● red\x1b[0m"));
    }
}
