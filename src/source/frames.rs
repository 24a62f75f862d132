//! What a source gives: frames, and the state that it is in.

use std::time::{Duration, Instant};

use super::SourceError;
use crate::pixels::delayed::DelayedPicture;
use crate::pixels::format::PictureError;

/// One frame of a source.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its pixels, upright.
    pub picture: DelayedPicture,
    /// The picture's path, if the source reads files.
    pub name: Option<String>,
    /// Number of the frame, from 0; numbers are missing where frames were dropped or skipped.
    pub sequence: u64,
    /// When the frame was taken, as precisely as the source knows it.
    pub captured: Instant,
}

/// What [`Source::next`] returns.
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for each frame")]
#[derive(Debug)]
pub enum Next {
    /// The newest frame.
    Frame(Frame),
    /// A frame that cannot be used; the source goes on.
    Skipped(Skipped),
    /// No frame came in time.
    Nothing,
    /// There are no more frames.
    End,
}

/// A frame or picture that cannot be used; its text is `NAME: reason`.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct Skipped {
    /// The picture's path, or what [`Source::describe`] returns.
    pub name: String,
    /// What is wrong with it.
    pub reason: PictureError,
}

/// Whether a source gives frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The source is being opened, and no frame has come yet.
    Starting,
    /// Frames come.
    Connected,
    /// Frames come, but they are black, without detail, or of another scene. The door shows *fault*; to open
    /// the source again would not help.
    Blind(Blind),
    /// Frames have stopped, or have never come. The door shows *fault*.
    Away(Away),
}

impl State {
    /// The fault with its mend, in one sentence; `None` if there is no fault.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        match self {
            Self::Starting | Self::Connected => None,
            Self::Blind(Blind { reason, .. }) | Self::Away(Away { reason, .. }) => Some(reason),
        }
    }
}

/// Since when and why a source's frames show nothing of the entrance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// The fault with its mend, in one sentence.
    pub reason: String,
    /// Time of the first such frame.
    pub since: Instant,
}

/// Since when and why a source gives no frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// The last error with its mend, in one sentence.
    pub reason: String,
    /// When frames stopped.
    pub since: Instant,
    /// How many attempts to open the source have failed since then. A count that grows shows that the source
    /// is alive.
    pub attempts: u32,
    /// When the next attempt begins; `None` during an attempt.
    pub retry_at: Option<Instant>,
}

/// Gives frames, one after the other.
pub trait Source: Send {
    /// Returns the newest frame and waits for it up to `wait`. Frames that came between two calls are
    /// dropped.
    ///
    /// # Errors
    /// When the source cannot go on; it is of no further use then and should be dropped. A source from
    /// [`open`](super::open()) returns no error here: it opens itself again, and [`Source::state`] tells why.
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError>;

    /// The source for a log line, such as "camera /dev/video0 (HD Webcam, 640x480 yuyv422)".
    fn describe(&self) -> String;

    /// The state that the source is in.
    fn state(&self) -> State {
        State::Connected
    }

    /// What the camera that is open offers; `None` for what is no camera.
    fn survey(&self) -> Option<CameraSurvey> {
        None
    }
}

/// What a camera says of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CameraSurvey {
    /// The formats that it offers, in its order.
    pub formats: Vec<OfferedFormat>,
    /// Frames per second that it offers for the format and size that are taken, the least first; none where
    /// it does not tell.
    pub rates: Vec<f64>,
    /// How long it exposes now, where it tells.
    pub exposure: Option<Exposure>,
}

/// A format that a camera offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedFormat {
    /// Its four-character code, such as `MJPG`.
    pub code: String,
    /// Width and height in pixels of its largest frame, where they are told.
    pub largest: Option<(u32, u32)>,
}

/// How long a camera lets light in for one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// The time.
    pub time: Duration,
    /// Whether the camera chooses it.
    pub is_automatic: bool,
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        (**self).next(wait)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn state(&self) -> State {
        (**self).state()
    }

    fn survey(&self) -> Option<CameraSurvey> {
        (**self).survey()
    }
}
