//! A screen of its own in a terminal, which is drawn again and again. Plain escape codes, which every
//! terminal and ssh knows. The terminal is as it was once this is dropped.

use std::io::Write;

/// Size of a terminal that does not tell it.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// Another screen than that of the shell, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The screen.
#[derive(Debug)]
pub(super) struct Terminal(());

impl Terminal {
    /// Takes the terminal over.
    pub(super) fn open() -> Self {
        let _ = write(ENTER);
        Self(())
    }

    /// How many lines there is room for.
    pub(super) fn rows(&self) -> usize {
        size().1
    }

    /// How many letters a line has.
    pub(super) fn columns(&self) -> usize {
        size().0
    }

    /// Draws `lines`, each as far as there is room.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn draw(&self, lines: &[String]) -> anyhow::Result<()> {
        let columns = self.columns();
        let mut screen = String::from("\x1b[H");
        for line in lines {
            screen += &clipped(line, columns);
            screen += "\x1b[0m\x1b[K\r\n";
        }
        screen += "\x1b[J";
        Ok(write(&screen)?)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing.
        let _ = write(LEAVE);
    }
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
}
