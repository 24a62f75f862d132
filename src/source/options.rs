//! What can be asked of a source, and within which limits.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Controls, Turn};

/// Widths and heights in pixels that a camera can be asked for.
pub const FRAME_SIDES: RangeInclusive<u32> = 64..=4096;
/// Frame rates that a source can be held to, in frames a second.
pub const FRAME_RATES: RangeInclusive<f64> = 0.1..=120.0;

/// How frames are wanted. Each kind of source uses the options that apply to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Width and height in pixels to ask a camera for.
    pub size: (u32, u32),
    /// How frames are made upright.
    pub turn: Turn,
    /// What a camera is told of exposure, focus and the like.
    pub controls: Controls,
    /// Maximum frames a second; `None` for no limit.
    pub frames_per_second: Option<f32>,
    /// Start again with the first picture after the last one.
    pub repeat: bool,
    /// A source without a frame for this long is a fault to the caller. One that gives none for twice as long
    /// is opened again, a camera not before ten seconds and a command not before twelve.
    pub timeout: Duration,
    /// A camera whose frames are bit for bit the same for this long is frozen and is opened again; `None` for
    /// never. Pictures may stand still.
    pub frozen_after: Option<Duration>,
    /// The same for a command, which may show stills.
    pub frozen_command_after: Option<Duration>,
    /// A camera or command whose frames are black for this long is [`State::Blind`](super::State::Blind);
    /// `None` for never.
    pub black_after: Option<Duration>,
    /// The same for frames without detail: a covered lens, a bare wall.
    pub blind_after: Option<Duration>,
    /// The same for frames of another scene than before.
    pub tampered_after: Option<Duration>,
    /// Maximum pause between two attempts to open the source.
    pub longest_pause: Duration,
}

impl Default for Options {
    /// 640×480 as they come, at any rate, files once; a timeout of 5 s; cameras frozen after 10 s, frames
    /// black for 5 s or without detail for 30 s; pauses of at most 60 s.
    fn default() -> Self {
        Self {
            size: (640, 480),
            turn: Turn::default(),
            controls: Controls::default(),
            frames_per_second: None,
            repeat: false,
            timeout: Duration::from_secs(5),
            frozen_after: Some(Duration::from_secs(10)),
            frozen_command_after: None,
            black_after: Some(Duration::from_secs(5)),
            blind_after: Some(Duration::from_secs(30)),
            tampered_after: None,
            longest_pause: Duration::from_secs(60),
        }
    }
}
