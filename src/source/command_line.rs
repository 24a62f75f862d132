//! A command to read frames from, as text and in parts.

use std::fmt;

use crate::pixels::format::{FrameFormat, PixelFormat};

/// A command to read frames from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The argument of `/bin/sh -c`.
    pub shell: String,
    /// The format that it writes: Motion JPEG, or raw frames.
    pub format: FrameFormat,
    /// What messages call it, instead of the command itself.
    pub name: Option<String>,
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            FrameFormat { pixels: PixelFormat::Mjpeg, .. } => write!(f, "command: {}", self.shell),
            FrameFormat { pixels, width, height, stride: 0, .. } => {
                write!(f, "command({pixels} {width}x{height}): {}", self.shell)
            }
            FrameFormat { pixels, width, height, stride, .. } => {
                write!(f, "command({pixels} {width}x{height} stride {stride}): {}", self.shell)
            }
        }
    }
}
