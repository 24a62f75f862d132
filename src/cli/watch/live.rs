//! The live view: one screen that is drawn again when something has changed.

use super::super::terminal::Terminal;
use super::view::DoorView;
use crate::daemon::listeners::socket::protocol::Message;
use std::time::{Duration, Instant};

/// The screen is drawn at most this often.
const PAUSE: Duration = Duration::from_millis(200);

/// What is known of the door, and the screen that shows it.
pub(super) struct Live {
    terminal: Terminal,
    view: DoorView,
    drawn: Option<Instant>,
}

impl Live {
    /// Takes the terminal over.
    pub(super) fn open(door: String) -> Self {
        Self { terminal: Terminal::open(), view: DoorView::new(door), drawn: None }
    }

    /// Notes what the daemon has said, and draws.
    pub(super) fn take(&mut self, message: Message) -> anyhow::Result<()> {
        self.view.take(message, Instant::now());
        self.draw()
    }

    /// Draws, unless it did so just now: times pass even if nothing is said.
    pub(super) fn draw(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        if self.drawn.is_some_and(|drawn| now.saturating_duration_since(drawn) < PAUSE) {
            return Ok(());
        }
        self.drawn = Some(now);
        let room = (self.terminal.columns(), self.terminal.rows());
        self.terminal.draw(&self.view.lines(room, now))
    }

    /// Whether somebody wants it to end.
    pub(super) fn is_left(&self) -> bool {
        self.terminal.is_left()
    }
}
