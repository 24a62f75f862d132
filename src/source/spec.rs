//! How a user names a source, on the command line and in the configuration. Only the text is checked here;
//! whether the source exists shows when it is opened.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::command_line::CommandLine;
use super::credentials::masked;
use super::programs::{self, Address, MOST_CAMERAS, ProgramSource};
use crate::pixels::format::{FrameFormat, PixelFormat};
use crate::text::{LONGEST_QUOTE, shortened};

/// A source as a user names it.
///
/// | text                                          | source                                                   |
/// |-----------------------------------------------|----------------------------------------------------------|
/// | `/dev/video0`, `/dev/v4l/by-id/…`             | a camera by its path                                     |
/// | `camera`                                      | the first camera that can be read                        |
/// | `camera:usb-046d_HD_Pro_Webcam_C920`          | a camera by its name in /dev/v4l/by-id, or a part of it  |
/// | `csi`, `csi:1`                                | a CSI camera by its number, through rpicam-vid           |
/// | `rtsp://10.0.0.2/stream1`                     | a network camera, through ffmpeg                         |
/// | `door.mp4`                                    | a video, through ffmpeg                                  |
/// | `command: rpicam-vid -t 0 --codec mjpeg -o -` | a command that writes Motion JPEG to its standard output |
/// | `command(yuv420p 640x480): …`                 | a command that writes raw frames                         |
/// | `command(yuv420p 640x480 stride 704): …`      | the same, with rows of 704 bytes                         |
/// | `folder/`, `face.jpg`                         | a folder of pictures, or one picture                     |
/// | `pictures:NAME`                               | the same, for names that read like one of the above      |
///
/// ```
/// use maskwatch::source::SourceSpec;
/// let text = "command(nv12 640x480): ffmpeg -i door.mp4 -f rawvideo -pix_fmt nv12 -";
/// let spec: SourceSpec = text.parse().unwrap();
/// assert_eq!(spec.to_string().parse(), Ok(spec));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    /// A V4L2 capture device.
    Camera(CameraName),
    /// The standard output of a command.
    Command(CommandLine),
    /// What is read through rpicam-vid or ffmpeg.
    Program(ProgramSource),
    /// A picture, or a folder of pictures and folders.
    Pictures(PathBuf),
}

/// The name of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraName {
    /// The first camera that can be read.
    First,
    /// A path below /dev.
    Path(PathBuf),
    /// A name in /dev/v4l/by-id or /dev/v4l/by-path, or a part that fits only one of them.
    Id(String),
}

impl fmt::Display for CameraName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("camera"),
            Self::Path(path) => path.display().fmt(f),
            Self::Id(id) => write!(f, "camera:{id}"),
        }
    }
}

/// Why a text is not the name of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The text is empty.
    #[error("the source is empty; write a camera (/dev/video0), a folder of pictures, or `command: …`")]
    Empty,
    /// The text has a NUL byte, which the system does not accept in names.
    #[error("the name of a source cannot have a NUL byte; remove it")]
    Nul,
    /// `camera:` without a name.
    #[error("the name after `camera:` is missing; see /dev/v4l/by-id for names")]
    NoCamera,
    /// `camera:` with a path that is not below /dev.
    #[error(
        "`{0}` is not the name of a camera; write a path without `camera:`, or a name from /dev/v4l/by-id"
    )]
    BadCamera(String),
    /// `csi:` with something else than the number of a camera.
    #[error("`{0}` is not a CSI camera; write csi, or csi:1 for the second one")]
    BadCsi(String),
    /// `command:` without a command.
    #[error(
        "the command after `command:` is missing; write for example `command: rpicam-vid -t 0 --codec mjpeg -o -`"
    )]
    NoCommand,
    /// The text in the parentheses is not a format of frames.
    #[error(
        "`{0}` is not a frame format; write `command(mjpeg): …` or `command(FORMAT WIDTHxHEIGHT): …` with one of {raw}, with ` stride BYTES` behind the size where rows have gaps",
        raw = raw_formats()
    )]
    BadFormat(String),
    /// The size is impossible.
    #[error("a frame cannot have the format {0}: {1}; write another size")]
    BadSize(String, String),
    /// A network address, without its credentials.
    #[error(
        "`{0}` is an address that is not read (rtsp, rtsps, http and https are); read it through `command: ffmpeg -i {0} -f mjpeg -`"
    )]
    Address(String),
    /// The text reads like another kind of source than there is.
    #[error(
        "`{0}` is not a camera, file or command; write {1}, or `pictures:{0}` if a file or folder has this name"
    )]
    NoKind(String, String),
}

/// Names of the formats of raw frames, for messages.
fn raw_formats() -> String {
    let raw = PixelFormat::ALL.into_iter().filter(|format| *format != PixelFormat::Mjpeg);
    raw.map(PixelFormat::name).collect::<Vec<_>>().join(", ")
}

/// A name of a source as an error quotes it.
fn shown(text: &str) -> String {
    shortened(&masked(text), LONGEST_QUOTE).into_owned()
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
        if text == "camera" {
            return Ok(Self::Camera(CameraName::First));
        }
        if let Some(number) = text.strip_prefix("csi").filter(|rest| rest.is_empty() || rest.starts_with(':'))
        {
            return csi(number)
                .map(|number| Self::Program(ProgramSource::Csi(number)))
                .ok_or_else(|| SpecError::BadCsi(shown(text)));
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
            Some((scheme, _)) if is_scheme(scheme) => match Address::new(text) {
                Some(address) => Ok(Self::Program(ProgramSource::Stream(address))),
                None => Err(SpecError::Address(shown(text))),
            },
            _ if programs::is_video(text) => Ok(Self::Program(ProgramSource::Video(text.into()))),
            _ => match instead(text) {
                Some(instead) => Err(SpecError::NoKind(shown(text), instead)),
                None => Ok(Self::Pictures(text.into())),
            },
        }
    }
}

fn is_scheme(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inner)
}

/// What was probably meant by a text that can hardly be the name of a file.
fn instead(text: &str) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if digits(text) {
        return Some(format!("`/dev/video{text}`"));
    }
    if text.strip_prefix("video").is_some_and(digits) {
        return Some(format!("`/dev/{text}`"));
    }
    let (word, behind) = text.split_at(text.find([':', '('])?);
    for kind in ["command", "camera", "pictures"] {
        let is_kind = behind.starts_with(':') || (kind == "command" && behind.contains("):"));
        if is_kind && word.trim().eq_ignore_ascii_case(kind) {
            return Some(format!("`{kind}{}` in small letters and without a space", &behind[..1]));
        }
    }
    let is_word =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    (is_word && behind.starts_with(": ")).then(|| "`/dev/video0`, a path or `command: …`".to_owned())
}

/// The number behind `csi`.
fn csi(rest: &str) -> Option<u8> {
    match rest.strip_prefix(':') {
        None => Some(0),
        Some(number) => number.parse().ok().filter(|number| *number <= MOST_CAMERAS),
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
        shell => Ok(CommandLine { shell: shell.to_owned(), format, name: None }),
    }
}

fn frame_format(text: &str) -> Result<FrameFormat, SpecError> {
    let bad = || SpecError::BadFormat(text.to_owned());
    let mut words = text.split_whitespace();
    let name = words.next().ok_or_else(bad)?;
    let pixels = PixelFormat::from_name(name).ok_or_else(bad)?;
    let size = match words.next() {
        Some(size) => {
            let (width, height) = size.split_once('x').ok_or_else(bad)?;
            Some((width.parse().map_err(|_| bad())?, height.parse().map_err(|_| bad())?))
        }
        None => None,
    };
    let stride = match (words.next(), words.next(), words.next()) {
        (None, ..) => 0,
        (Some("stride"), Some(bytes), None) => {
            bytes.parse().ok().filter(|&bytes| bytes > 0).ok_or_else(bad)?
        }
        _ => return Err(bad()),
    };
    let (width, height) = match (pixels, size) {
        (PixelFormat::Mjpeg, None) if stride == 0 => (0, 0),
        (PixelFormat::Mjpeg, _) | (_, None) => return Err(bad()),
        (_, Some(size)) => size,
    };
    let format = FrameFormat { stride, ..FrameFormat::new(pixels, width, height) };
    format.bytes().map_err(|error| SpecError::BadSize(text.to_owned(), error.to_string()))?;
    Ok(format)
}

impl SourceSpec {
    /// The source for people to read: as its text, with `***` for the credentials of addresses.
    ///
    /// ```
    /// use maskwatch::source::SourceSpec;
    /// let spec: SourceSpec = "command: ffmpeg -i rtsp://me:secret@door/1 -f mjpeg -".parse().unwrap();
    /// assert_eq!(spec.shown(), "command: ffmpeg -i rtsp://***@door/1 -f mjpeg -");
    /// ```
    #[must_use]
    pub fn shown(&self) -> String {
        masked(&self.to_string())
    }
}

/// The text that reads back, with all that it holds; [`SourceSpec::shown`] is for people.
impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Camera(name) => name.fmt(f),
            Self::Command(line) => line.fmt(f),
            Self::Program(program) => program.fmt(f),
            Self::Pictures(path) => {
                // A name that reads like another kind of source needs its prefix.
                let text = path.to_string_lossy();
                let plain = text.parse() == Ok(Self::Pictures(path.clone()));
                write!(f, "{}{text}", if plain { "" } else { "pictures:" })
            }
        }
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
    fn each_kind_is_recognised() {
        let path = |path: &str| Ok(SourceSpec::Camera(CameraName::Path(path.into())));
        assert_eq!(read("/dev/video0"), path("/dev/video0"));
        assert_eq!(read(" camera:/dev/video2 "), path("/dev/video2"));
        assert_eq!(read("camera:usb-cam"), Ok(SourceSpec::Camera(CameraName::Id("usb-cam".into()))));
        assert_eq!(read("camera"), Ok(SourceSpec::Camera(CameraName::First)));
        assert_eq!(read("csi"), Ok(SourceSpec::Program(ProgramSource::Csi(0))));
        assert_eq!(read("csi:1").unwrap().to_string(), "csi:1");
        let address = read("rtsp://me:secret@door/1").unwrap();
        assert_eq!(
            (address.shown().as_str(), address.to_string().as_str()),
            ("rtsp://***@door/1", "rtsp://me:secret@door/1")
        );
        assert_eq!(read("a/door.mp4"), Ok(SourceSpec::Program(ProgramSource::Video("a/door.mp4".into()))));
        assert_eq!(read("pictures:door.mp4").unwrap().to_string(), "pictures:door.mp4");
        assert_eq!(read("csi-pictures"), Ok(SourceSpec::Pictures("csi-pictures".into())));
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
        let Ok(SourceSpec::Command(line)) = read("command(yuv420p 640x480 stride 704): x") else { panic!() };
        assert_eq!((line.format.width, line.format.stride), (640, 704));
        assert_eq!(line.to_string(), "command(yuv420p 640x480 stride 704): x");
        for name in ["a.jpg", "./0", "C:picture.jpg", "2026-10-01 12:30.jpg", "pictures (old)/1.png"] {
            assert_eq!(read(name), Ok(SourceSpec::Pictures(name.into())));
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(read("  "), Err(SpecError::Empty));
        assert_eq!(read("pictures:"), Err(SpecError::Empty));
        assert_eq!(read("camera:"), Err(SpecError::NoCamera));
        assert!(matches!(read("camera:a/b"), Err(SpecError::BadCamera(_))));
        assert_eq!(read("command: "), Err(SpecError::NoCommand));
        assert!(matches!(read("command(h264 1x1): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 4): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 4x4 2): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 4x4 stride): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 4x4 stride 0): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(mjpeg stride 9): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 4x4 stride 3): x"), Err(SpecError::BadSize(..))));
        assert!(matches!(read("command(mjpeg 4x4): x"), Err(SpecError::BadFormat(_))));
        assert!(matches!(read("command(gray 0x4): x"), Err(SpecError::BadSize(..))));
        assert!(matches!(read("command(gray 99999x99999): x"), Err(SpecError::BadSize(..))));
        assert!(matches!(read("udp://camera/live"), Err(SpecError::Address(_))));
        for text in ["csi:", "csi:9", "csi:-1", "csi:x"] {
            assert_eq!(read(text), Err(SpecError::BadCsi(text.into())));
        }
        assert_eq!(read("rtsp-tcp://me:secret@h"), Err(SpecError::Address("rtsp-tcp://***@h".into())));
        for text in
            ["0", "video0", "Command: x", "command : x", "CAMERA:usb", "cmd: x", "Command(gray 4x4): x"]
        {
            let told = read(text).unwrap_err().to_string();
            assert!(
                told.starts_with(&format!("`{text}` is not a camera, file or command; write `")),
                "{told}"
            );
            assert_eq!(read(&format!("pictures:{text}")), Ok(SourceSpec::Pictures(text.into())));
        }
        assert!(read("0").unwrap_err().to_string().contains("write `/dev/video0`"));
        assert_eq!(read("a\0b"), Err(SpecError::Nul));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in "(camera:|csi:|rtsp://|command:|command\\(gray 4x4( stride 9)?\\):|pictures:|/dev/|)[ -~]{0,12}") {
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
