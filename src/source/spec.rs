//! How a user names a source, on the command line and in the configuration. Only the text is looked at here;
//! whether the source is there is found out when it is opened.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::pixels::decode::{FrameFormat, PixelFormat};

/// A source's name, checked.
///
/// | written                                        | is                                                       |
/// |------------------------------------------------|----------------------------------------------------------|
/// | `/dev/video0`, `/dev/v4l/by-id/…`              | a camera by device path                                   |
/// | `camera:usb-046d_HD_Pro_Webcam_C920-video-index0` | a camera by its name in /dev/v4l/by-id or by-path, or a part of it |
/// | `command: rpicam-vid -t 0 --codec mjpeg -o -`  | a command that writes Motion JPEG to its standard output  |
/// | `command(yuv420p 640x480): …`                  | a command that writes raw frames                          |
/// | `folder/`, `face.jpg`                          | a folder of pictures, one picture                         |
/// | `pictures:NAME`                                | the same for names that read like one of the above        |
///
/// ```
/// use maskwatch::source::SourceSpec;
/// let spec: SourceSpec = "command(nv12 640x480): ffmpeg -i door.mp4 -f rawvideo -pix_fmt nv12 -".parse().unwrap();
/// assert_eq!(spec.to_string().parse(), Ok(spec));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum SourceSpec {
    /// A V4L2 capture device.
    Camera(CameraName),
    /// A command's standard output.
    Command(CommandLine),
    /// A picture, or a folder of pictures and folders.
    Pictures(PathBuf),
}

/// How a camera is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraName {
    /// A path below /dev.
    Path(PathBuf),
    /// A name in /dev/v4l/by-id or /dev/v4l/by-path, or a part of one that fits no other.
    Id(String),
}

impl fmt::Display for CameraName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Id(id) => write!(f, "camera:{id}"),
        }
    }
}

/// A command to read frames from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// What `/bin/sh -c` is given.
    pub shell: String,
    /// What it writes: Motion JPEG, or raw frames of a size, rows without gaps.
    pub format: FrameFormat,
}

/// Why a text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Nothing written.
    #[error("no source is named; write a camera (/dev/video0), a folder of pictures, or `command: …`")]
    Empty,
    /// No program can be given a name with a NUL byte.
    #[error("a source's name cannot hold a NUL byte")]
    Nul,
    /// `camera:` with nothing behind it.
    #[error("no camera is named behind `camera:`; see /dev/v4l/by-id for names")]
    NoCamera,
    /// `camera:` with a path inside.
    #[error(
        "`{0}` is no name of a camera; write the path as it is, without `camera:`, or a name from /dev/v4l/by-id"
    )]
    BadCamera(String),
    /// `command:` with nothing behind it.
    #[error(
        "no command is given behind `command:`; write for example `command: rpicam-vid -t 0 --codec mjpeg -o -`"
    )]
    NoCommand,
    /// What stands in the parentheses cannot be read.
    #[error(
        "`{0}` is no format of frames; write `command(mjpeg): …` or `command(FORMAT WIDTHxHEIGHT): …` with one of rgb24, bgr24, yuyv422, uyvy422, nv12, yuv420p, gray"
    )]
    BadFormat(String),
    /// The size is impossible.
    #[error("frames of {0} cannot be: {1}")]
    BadSize(String, String),
    /// A network address.
    #[error("`{0}` is a network address; read it through `command: ffmpeg -i {0} -f mjpeg -`")]
    Address(String),
}

impl FromStr for SourceSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SpecError::Empty);
        }
        if text.contains('\0') {
            return Err(SpecError::Nul);
        }
        if let Some(name) = text.strip_prefix("camera:") {
            return camera(name.trim()).map(Self::Camera);
        }
        if let Some(rest) = text.strip_prefix("command") {
            if let Some(shell) = rest.strip_prefix(':') {
                return command(shell, FrameFormat::new(PixelFormat::Mjpeg, 0, 0)).map(Self::Command);
            }
            if let Some((format, shell)) = rest.strip_prefix('(').and_then(|rest| rest.split_once("):")) {
                return command(shell, frame_format(format)?).map(Self::Command);
            }
        }
        if let Some(path) = text.strip_prefix("pictures:") {
            return if path.is_empty() { Err(SpecError::Empty) } else { Ok(Self::Pictures(path.into())) };
        }
        if text.starts_with("/dev/") {
            return Ok(Self::Camera(CameraName::Path(text.into())));
        }
        match text.split_once("://") {
            Some((scheme, _)) if !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
                Err(SpecError::Address(text.to_owned()))
            }
            _ => Ok(Self::Pictures(text.into())),
        }
    }
}

fn camera(name: &str) -> Result<CameraName, SpecError> {
    if name.is_empty() {
        Err(SpecError::NoCamera)
    } else if name.starts_with("/dev/") {
        Ok(CameraName::Path(name.into()))
    } else if name.contains('/') {
        Err(SpecError::BadCamera(name.to_owned()))
    } else {
        Ok(CameraName::Id(name.to_owned()))
    }
}

fn command(shell: &str, format: FrameFormat) -> Result<CommandLine, SpecError> {
    match shell.trim() {
        "" => Err(SpecError::NoCommand),
        shell => Ok(CommandLine { shell: shell.to_owned(), format }),
    }
}

fn frame_format(text: &str) -> Result<FrameFormat, SpecError> {
    let bad = || SpecError::BadFormat(text.to_owned());
    let mut words = text.split_whitespace();
    let name = words.next().ok_or_else(bad)?;
    let pixels = PixelFormat::ALL.into_iter().find(|format| format.name() == name).ok_or_else(bad)?;
    let size = match words.next() {
        Some(size) => {
            let (width, height) = size.split_once('x').ok_or_else(bad)?;
            Some((width.parse().map_err(|_| bad())?, height.parse().map_err(|_| bad())?))
        }
        None => None,
    };
    let (width, height) = match (pixels, size, words.next()) {
        (PixelFormat::Mjpeg, None, None) => (0, 0),
        (PixelFormat::Mjpeg, Some(_), _) | (_, None, _) | (_, _, Some(_)) => return Err(bad()),
        (_, Some(size), None) => size,
    };
    let format = FrameFormat::new(pixels, width, height);
    format.bytes().map_err(|error| SpecError::BadSize(text.to_owned(), error.to_string()))?;
    Ok(format)
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            FrameFormat { pixels: PixelFormat::Mjpeg, .. } => write!(f, "command: {}", self.shell),
            FrameFormat { pixels, width, height, .. } => {
                write!(f, "command({pixels} {width}x{height}): {}", self.shell)
            }
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Camera(name) => name.fmt(f),
            Self::Command(line) => line.fmt(f),
            Self::Pictures(path) => {
                // Names that would be read as something else keep their prefix.
                let text = path.to_string_lossy();
                let plain = text.parse() == Ok(Self::Pictures(path.clone()));
                write!(f, "{}{text}", if plain { "" } else { "pictures:" })
            }
        }
    }
}

impl TryFrom<String> for SourceSpec {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        text.parse()
    }
}

impl From<SourceSpec> for String {
    fn from(spec: SourceSpec) -> Self {
        spec.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<SourceSpec, SpecError> {
        text.parse()
    }

    #[test]
    fn each_kind_is_told_apart() {
        let path = |path: &str| Ok(SourceSpec::Camera(CameraName::Path(path.into())));
        assert_eq!(read("/dev/video0"), path("/dev/video0"));
        assert_eq!(read(" camera:/dev/video2 "), path("/dev/video2"));
        assert_eq!(read("camera:usb-cam"), Ok(SourceSpec::Camera(CameraName::Id("usb-cam".into()))));
        assert_eq!(read("pictures/door"), Ok(SourceSpec::Pictures("pictures/door".into())));
        assert_eq!(read("pictures:command:x"), Ok(SourceSpec::Pictures("command:x".into())));
        assert_eq!(read("commander.jpg"), Ok(SourceSpec::Pictures("commander.jpg".into())));
        let Ok(SourceSpec::Command(line)) = read("command: rpicam-vid -o - | tee x") else { panic!() };
        assert_eq!(
            (line.shell.as_str(), line.format.pixels),
            ("rpicam-vid -o - | tee x", PixelFormat::Mjpeg)
        );
        let Ok(SourceSpec::Command(line)) = read("command(yuv420p 320x240):cat (a):b") else { panic!() };
        assert_eq!(line.format, FrameFormat::new(PixelFormat::Yuv420p, 320, 240));
        assert_eq!(line.shell, "cat (a):b");
        assert!(matches!(read("command(mjpeg): cat x"), Ok(SourceSpec::Command(_))));
    }

    #[test]
    fn slips_are_named() {
        assert_eq!(read("  "), Err(SpecError::Empty));
        assert_eq!(read("pictures:"), Err(SpecError::Empty));
        assert_eq!(read("camera:"), Err(SpecError::NoCamera));
        assert!(matches!(read("camera:a/b"), Err(SpecError::BadCamera(_))));
        assert_eq!(read("command: "), Err(SpecError::NoCommand));
        assert!(matches!(read("command(h264 1x1): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 4): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 4x4 2): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(mjpeg 4x4): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 0x4): x"), Err(SpecError::BadSize(..))));
        assert!(matches!(read("command(gray 99999x99999): x"), Err(SpecError::BadSize(..))));
        assert!(matches!(read("rtsp://camera/live"), Err(SpecError::Address(_))));
        assert_eq!(read("a\0b"), Err(SpecError::Nul));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in "(camera:|command:|command\\(gray 4x4\\):|pictures:|/dev/|)[ -~]{0,12}") {
            if let Ok(spec) = read(&text) {
                prop_assert_eq!(read(&spec.to_string()), Ok(spec));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = read(&text);
        }
    }
}
