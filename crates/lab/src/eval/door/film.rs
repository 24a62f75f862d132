//! A clip as the daemon's loop sees it: a source of frames with a time of their own.

use crate::eval::film::FilmClock;
use maskwatch::source::{Frame, Next, Source, SourceError};
use maskwatch_pictures::doorway::clip::Clip;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A clip as a source of frames; no time passes while it is asked.
#[derive(Debug)]
pub(super) struct Film {
    clip: Arc<Clip>,
    rate: f32,
    next: u64,
    clock: FilmClock,
}

impl Film {
    /// The film of `clip` with so many frames a second, which moves `clock`.
    #[must_use]
    pub(super) fn new(clip: Arc<Clip>, rate: f32, clock: FilmClock) -> Self {
        Self { clip, rate, next: 0, clock }
    }
}

impl Source for Film {
    fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
        if self.next >= self.clip.frames(self.rate) {
            return Ok(Next::End);
        }
        let seconds = self.clip.time(self.next, self.rate);
        let now = Duration::from_secs_f32(seconds);
        self.clock.set(now);
        let picture = self.clip.render(self.next, seconds).into();
        let frame = Frame { picture, name: None, sequence: self.next, captured: Instant::now() };
        self.next += 1;
        Ok(Next::Frame(frame))
    }

    fn describe(&self) -> String {
        "people drawn at a door".into()
    }
}
