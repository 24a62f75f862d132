//! Where frames come from: a camera, a command's output, pictures and folders, each behind [`Source`].
//!
//! [`open`] gives what the daemon runs on: a source that answers in time, drops frames rather than queueing
//! them, and comes back by itself. Nothing here knows what is done with a frame.
//!
//! ```text
//! spec ── names a source                 files    ── pictures and folders
//! background ── answers in time          command  ── a child's output, cut by mjpeg
//! reconnect ── open → run → close → …    v4l2     ── a camera
//! darkness ── tells black frames         timing   ── patience and pace
//! ```

pub mod background;
pub mod command;
mod darkness;
mod error;
pub mod files;
pub mod mjpeg;
pub mod reconnect;
mod spec;
mod timing;
#[cfg(target_os = "linux")]
pub mod v4l2;

use std::time::{Duration, Instant};

pub use error::SourceError;
pub use spec::{CameraName, CommandLine, SourceSpec, SpecError};

use crate::pixels::decode::PictureError;
use crate::pixels::picture::Picture;

/// A picture to look at.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its pixels, upright.
    pub picture: Picture,
    /// The picture's path, for sources that are files.
    pub name: Option<String>,
    /// Counts up from 0; numbers that are missing are frames that were dropped or skipped.
    pub sequence: u64,
    /// When the frame was taken, as nearly as the source knows.
    pub captured: Instant,
}

/// What [`Source::next`] found.
#[derive(Debug)]
pub enum Next {
    /// The newest frame.
    Frame(Frame),
    /// A frame that could not be used; the source goes on.
    Skipped(Skipped),
    /// Nothing came within the time given.
    Nothing,
    /// There will be no more frames.
    End,
}

/// A frame or picture that could not be used. It shows as `NAME: reason`.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct Skipped {
    /// The picture's path, or what [`Source::describe`] says.
    pub name: String,
    /// What is wrong with it.
    pub reason: PictureError,
}

/// How a source fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Opened, or about to be, but no frame has come yet.
    Starting,
    /// Frames come.
    Connected,
    /// Frames come, but there is nothing in them: the door shows *fault*, and there is no use in opening
    /// anew.
    Blind(Blind),
    /// Frames have ceased, or never began: the door shows *fault*.
    Away(Away),
}

impl State {
    /// What is wrong, in one sentence with the mend.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        match self {
            Self::Starting | Self::Connected => None,
            Self::Blind(Blind { reason, .. }) | Self::Away(Away { reason, .. }) => Some(reason),
        }
    }
}

/// Why and since when a source's frames show nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// What is wrong, and how to mend it, in one sentence.
    pub reason: String,
    /// When it began.
    pub since: Instant,
}

/// Why and since when a source gives no frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// What went wrong last, and how to mend it, in one sentence.
    pub reason: String,
    /// When frames ceased.
    pub since: Instant,
    /// Attempts to open that have ended since then; each one is progress, though not success.
    pub attempts: u32,
    /// When the next attempt begins; `None` while one is under way.
    pub retry_at: Option<Instant>,
}

/// Something that gives frames, one after the other.
pub trait Source: Send {
    /// The newest frame, waiting for one up to `wait`. A source that was not asked for a while drops what it
    /// missed.
    ///
    /// # Errors
    /// When the source cannot go on; it is then of no more use and should be dropped. What [`open`] returns
    /// gives no error here: it tries again, and tells through [`Source::state`].
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError>;

    /// What this is, for a log line: "camera /dev/video0 (HD Webcam, 640x480 yuyv422)".
    fn describe(&self) -> String;

    /// How it fares.
    fn state(&self) -> State {
        State::Connected
    }
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
}

/// What is wished of a source; each takes what it understands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The size of frames to ask a camera for, width and height in pixels.
    pub size: (u32, u32),
    /// At most so many frames a second, whatever the source could give; `None` for as many as are taken.
    pub frames_per_second: Option<f32>,
    /// Begin again with the first picture behind the last one.
    pub repeat: bool,
    /// A camera that gives the very same bytes for this long is frozen, and is opened again; `None` for
    /// never. Commands and pictures may show a still.
    pub frozen_after: Option<Duration>,
    /// A camera or command whose frames are black for this long sees nothing ([`State::Blind`]); `None` for
    /// never.
    pub black_after: Option<Duration>,
    /// No pause between two attempts to open is longer than this.
    pub longest_pause: Duration,
}

impl Default for Options {
    /// 640×480, frames as fast as they are taken, files once; frozen after 10 s, blind after 5 s, pauses of a
    /// minute at most.
    fn default() -> Self {
        Self {
            size: (640, 480),
            frames_per_second: None,
            repeat: false,
            frozen_after: Some(Duration::from_secs(10)),
            black_after: Some(Duration::from_secs(5)),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// Opens a source for a program that must not stop. A camera or command runs on a thread of its own, so that
/// a device that hangs cannot hold up the caller, and is reopened for ever, after 1, 5, 10 and then every 60
/// seconds, or as often as [`Options::longest_pause`] says.
///
/// # Errors
/// Only for files, where there is nothing to wait for. That a camera or command is not there (yet) is told by
/// [`Source::state`].
pub fn open(spec: &SourceSpec, options: &Options) -> Result<Box<dyn Source>, SourceError> {
    match spec {
        SourceSpec::Pictures(_) => open_once(spec, options),
        SourceSpec::Command(_) => {
            let (spec, options) = (spec.clone(), *options);
            Ok(lasting(spec.to_string(), &options, move || open_once(&spec, &options)))
        }
        #[cfg(target_os = "linux")]
        SourceSpec::Camera(name) => {
            // The finder lives as long as the source: it knows a camera again that returns under another
            // number.
            let (mut finder, options) = (v4l2::Finder::new(name.clone()), *options);
            Ok(lasting(spec.to_string(), &options, move || {
                v4l2::Camera::open(&mut finder, &options).map(|camera| Box::new(camera) as Box<dyn Source>)
            }))
        }
        #[cfg(not(target_os = "linux"))]
        SourceSpec::Camera(_) => Err(SourceError::NoCamerasHere),
    }
}

/// Opens a source for one use: what is not there is an error at once, and so is what breaks off.
///
/// # Errors
/// What the camera, the command or the files say.
pub fn open_once(spec: &SourceSpec, options: &Options) -> Result<Box<dyn Source>, SourceError> {
    match spec {
        SourceSpec::Pictures(path) => {
            Ok(Box::new(files::Pictures::open([path], options.frames_per_second, options.repeat)?))
        }
        SourceSpec::Command(line) => Ok(Box::new(command::Command::start(line)?)),
        #[cfg(target_os = "linux")]
        SourceSpec::Camera(name) => {
            Ok(Box::new(v4l2::Camera::open(&mut v4l2::Finder::new(name.clone()), options)?))
        }
        #[cfg(not(target_os = "linux"))]
        SourceSpec::Camera(_) => Err(SourceError::NoCamerasHere),
    }
}

fn lasting(
    name: String,
    options: &Options,
    open: impl FnMut() -> Result<Box<dyn Source>, SourceError> + Send + 'static,
) -> Box<dyn Source> {
    let backoff = reconnect::Backoff::up_to(options.longest_pause);
    let source = reconnect::Reconnecting::with_backoff(name, backoff, open)
        .with_darkness(options.black_after)
        .with_pace(options.frames_per_second);
    Box::new(background::Background::new(source))
}
