//! Where frames come from: a camera, the output of a command, pictures and folders, each behind [`Source`].
//! Nothing here knows what a frame is used for.
//!
//! [`open()`] gives the daemon a source that answers in time, drops frames instead of queueing them, and
//! opens itself again after a failure.
//!
//! - `frames` and `options`: what a source gives and what can be asked of it; `spec`: how a user names one.
//! - `open`: chooses and opens the source that a spec names; `oriented`: makes its frames upright;
//!   `controls`: what a camera is told of exposure, focus and the like.
//! - `programs`: how rpicam-vid and ffmpeg are called for CSI cameras, network cameras and videos.
//! - [`v4l2`]: cameras; [`files`]: pictures and folders.
//! - [`command`]: output of a child process, by its `command_line`, cut by [`mjpeg`]; `mailbox` keeps its
//!   newest frame, `agreed_size` the size of its frames, and `marked` finds what it started.
//! - [`reconnect`]: opens a source again; [`threaded`]: answers in time while a device hangs.
//! - `credentials`: hides what must not be shown of an address.
//! - `sight`: detects frames that show nothing, by `darkness` and `detail`; `frozen`: detects a source that
//!   repeats one frame; `timing`: time limits and frame rates.

mod agreed_size;
pub mod command;
mod command_line;
#[cfg(target_os = "linux")]
mod confine;
mod controls;
mod credentials;
mod darkness;
mod detail;
mod error;
pub mod files;
mod frames;
mod frozen;
mod mailbox;
mod marked;
pub mod mjpeg;
mod open;
mod options;
mod oriented;
mod programs;
pub mod reconnect;
#[cfg(test)]
mod scenes;
mod sight;
mod spec;
pub mod threaded;
mod timing;
#[cfg(target_os = "linux")]
pub mod v4l2;

pub use command_line::CommandLine;
#[cfg(target_os = "linux")]
pub(crate) use confine::keep_from_pins;
pub use controls::{Controls, PowerLine, Setting};
pub(crate) use credentials::masked;
pub use error::SourceError;
pub use frames::{Away, Blind, CameraSurvey, Exposure, Frame, Next, OfferedFormat, Skipped, Source, State};
pub use open::{cameras, open, open_once};
pub use options::{FRAME_RATES, FRAME_SIDES, Options};
pub use oriented::{Flip, Rotation, Turn};
pub use programs::{Address, ProgramSource};
pub use spec::{CameraName, SourceSpec, SpecError};
