//! A screen of its own in a terminal, which is drawn again and again. Plain escape codes, which every
//! terminal and ssh knows; only lines that have changed are sent. The terminal is as it was once this is
//! dropped.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use std::fmt::Write as _;
use std::io::{Stdin, Write as _, stdin};

/// Size of a terminal that does not tell it.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// Another screen than that of the shell, without a cursor and without a break of long lines; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The screen.
pub(super) struct Terminal {
    /// How the keyboard was; `None` where there is none.
    keyboard: Option<Termios>,
    /// What is on the screen, and its size.
    drawn: Vec<String>,
    size: (usize, usize),
}

impl Terminal {
    /// Takes the terminal over: keys are not shown any more.
    pub(super) fn open() -> Self {
        let _ = write(ENTER);
        let keyboard = tcgetattr(stdin()).ok();
        if let Some(mut quiet) = keyboard.clone() {
            quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
            // Ctrl-Z would leave the shell with this screen.
            quiet.special_codes[SpecialCodeIndex::VSUSP] = 0;
            let _ = tcsetattr(stdin(), OptionalActions::Now, &quiet);
        }
        Self { keyboard, drawn: Vec::new(), size: size() }
    }

    /// How many lines there is room for.
    pub(super) fn rows(&self) -> usize {
        size().1
    }

    /// How many letters a line has.
    pub(super) fn columns(&self) -> usize {
        size().0
    }

    /// Whether somebody has typed `q`.
    pub(super) fn is_left(&self) -> bool {
        self.keyboard.is_some() && typed(&stdin()).is_some_and(|keys| keys.contains(&b'q'))
    }

    /// Draws `lines`, each as far as there is room.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn draw(&mut self, lines: &[String]) -> anyhow::Result<()> {
        let size = size();
        if size != self.size {
            self.size = size;
            self.drawn.clear();
        }
        let lines: Vec<String> = lines.iter().take(size.1).map(|line| clipped(line, size.0)).collect();
        let text = difference(&self.drawn, &lines);
        if !text.is_empty() {
            write(&text)?;
        }
        self.drawn = lines;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing. What was typed meanwhile is not for the shell.
        if let Some(keyboard) = &self.keyboard {
            let _ = tcsetattr(stdin(), OptionalActions::Flush, keyboard);
        }
        let _ = write(LEAVE);
    }
}

/// What turns a screen with `old` lines into one with `new` ones; one without lines was never drawn on.
fn difference(old: &[String], new: &[String]) -> String {
    let mut text = String::new();
    if old.is_empty() {
        text += "\x1b[2J";
    }
    for (index, line) in new.iter().enumerate() {
        if old.get(index) != Some(line) {
            // Writing into a text cannot fail.
            let _ = write!(text, "\x1b[{};1H{line}\x1b[0m\x1b[K", index + 1);
        }
    }
    if old.len() > new.len() {
        let _ = write!(text, "\x1b[{};1H\x1b[J", new.len() + 1);
    }
    text
}

/// What was typed since the last time.
fn typed(keyboard: &Stdin) -> Option<Vec<u8>> {
    let mut waiting = [PollFd::new(keyboard, PollFlags::IN)];
    let ready = poll(&mut waiting, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).ok()?;
    if ready == 0 {
        return None;
    }
    let mut keys = [0; 64];
    let count = rustix::io::read(keyboard, &mut keys).ok()?;
    Some(keys[..count].to_vec())
}

fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}

/// The first `columns` letters of a line; escape codes take no room.
pub(super) fn clipped(line: &str, columns: usize) -> String {
    let (mut text, mut left, mut is_code) = (String::new(), columns, false);
    for letter in line.chars() {
        if letter == '\x1b' {
            is_code = true;
        } else if is_code {
            is_code = letter != 'm';
        } else if left == 0 {
            continue;
        } else {
            left -= 1;
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_clipped_to_the_terminal_and_its_codes_stay_whole() {
        assert_eq!(clipped("\x1b[91mabcdef\x1b[0m", 3), "\x1b[91mabc\x1b[0m");
        assert_eq!(clipped("αβγδ", 2), "αβ");
    }

    #[test]
    fn only_what_has_changed_is_sent() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(difference(&lines("a b c"), &lines("a b c")), "");
        assert_eq!(difference(&lines("a b c"), &lines("a d c")), "\x1b[2;1Hd\x1b[0m\x1b[K");
        assert_eq!(difference(&lines("a b c"), &lines("a b")), "\x1b[3;1H\x1b[J");
        assert!(difference(&[], &lines("a")).starts_with("\x1b[2J\x1b[1;1Ha"));
    }
}
