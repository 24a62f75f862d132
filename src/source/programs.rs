//! Sources that are read through another program: a CSI camera through rpicam-vid, a network camera or a
//! video through ffmpeg. Says how the program is called; [`super::command`] runs it.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::command_line::CommandLine;
use super::credentials::masked;
use super::{Options, SourceError};
use crate::pixels::format::{FrameFormat, PixelFormat};
use crate::plain_file;

/// Extensions of the videos that are read.
const VIDEOS: [&str; 9] = ["mp4", "mov", "avi", "mkv", "webm", "m4v", "mts", "ts", "mjpeg"];
/// Schemes of the addresses that are read.
const SCHEMES: [&str; 4] = ["rtsp", "rtsps", "http", "https"];
/// Largest number of a CSI camera.
pub(super) const MOST_CAMERAS: u8 = 7;

/// What is read through another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramSource {
    /// The CSI camera of this number, as `rpicam-vid --list-cameras` counts them.
    Csi(u8),
    /// A network camera.
    Stream(Address),
    /// A video file, at the pace at which it was taken.
    Video(PathBuf),
}

/// The address of a network camera. `$NAME` in it stands for a variable of the environment, so that
/// credentials need not stand in the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// `None` if `text` is no address that is read.
    pub(super) fn new(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_plain = !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control());
        (SCHEMES.contains(&scheme) && is_plain).then(|| Self(text.to_owned()))
    }

    /// The address with the values of its variables.
    fn filled(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, SourceError> {
        let mut filled = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some((before, behind)) = rest.split_once('$') {
            filled.push_str(before);
            let inner = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            let (name, after) = behind.split_at(behind.find(|c| !inner(c)).unwrap_or(behind.len()));
            rest = after;
            if name.is_empty() {
                filled.push('$');
                continue;
            }
            let Some(value) = lookup(name) else {
                return Err(SourceError::NoVariable { address: masked(&self.0), name: name.to_owned() });
            };
            coded(&value, &mut filled);
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// Shows no credentials: this is for messages of developers.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

/// Appends a user's name or password as an address takes it.
fn coded(value: &str, address: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Whether a path is that of a video, by its extension.
pub(super) fn is_video(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(OsStr::to_str).unwrap_or_default();
    VIDEOS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The text that reads back.
impl fmt::Display for ProgramSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Csi(0) => f.write_str("csi"),
            Self::Csi(number) => write!(f, "csi:{number}"),
            Self::Stream(Address(address)) => f.write_str(address),
            Self::Video(path) => f.write_str(&path.to_string_lossy()),
        }
    }
}

impl ProgramSource {
    /// The command that writes its frames as Motion JPEG.
    ///
    /// # Errors
    /// [`SourceError::NoProgram`] where the program is not installed, [`SourceError::NoVariable`] where a
    /// variable of an address is not set, [`SourceError::Unreadable`] where there is no such video.
    pub(super) fn command(&self, options: &Options) -> Result<CommandLine, SourceError> {
        let environment = std::env::var_os("PATH").unwrap_or_default();
        let installed =
            |name: &str| std::env::split_paths(&environment).any(|folder| folder.join(name).is_file());
        if let Self::Video(path) = self {
            let unreadable = |error| SourceError::Unreadable { path: path.clone(), error };
            plain_file::open(path).map_err(unreadable)?;
        }
        self.command_with(options, installed, |name| std::env::var(name).ok())
    }

    fn command_with(
        &self,
        options: &Options,
        installed: impl Fn(&str) -> bool,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<CommandLine, SourceError> {
        let (width, height) = options.size;
        let rate = options.frames_per_second;
        let shell = match self {
            Self::Csi(number) => {
                // The older name is that of Raspberry Pi OS 11.
                let program = self.installed(&["rpicam-vid", "libcamera-vid"], "rpicam-apps", installed)?;
                let rate = rate.map_or_else(String::new, |rate| format!(" --framerate {rate}"));
                format!(
                    "exec {program} --nopreview --timeout 0 --camera {number} --codec mjpeg --flush \
                     --width {width} --height {height}{rate} --output -"
                )
            }
            Self::Stream(address) => {
                let program = self.installed(&["ffmpeg"], "ffmpeg", installed)?;
                let address = address.filled(lookup)?;
                // Over UDP a lost packet is a damaged picture; ffmpeg itself opens only http again.
                let input = if address.starts_with("rtsp") {
                    "-rtsp_transport tcp"
                } else {
                    "-reconnect 1 -reconnect_streamed 1 -reconnect_delay_max 5"
                };
                ffmpeg(program, input, &address, options)
            }
            Self::Video(path) => {
                let program = self.installed(&["ffmpeg"], "ffmpeg", installed)?;
                ffmpeg(program, "-re", &format!("file:{}", path.to_string_lossy()), options)
            }
        };
        let name = Some(masked(&self.to_string()));
        Ok(CommandLine { shell, format: FrameFormat::new(PixelFormat::Mjpeg, 0, 0), name })
    }

    /// The first of `names` that is installed.
    fn installed<'a>(
        &self,
        names: &[&'a str],
        package: &'static str,
        installed: impl Fn(&str) -> bool,
    ) -> Result<&'a str, SourceError> {
        let found = names.iter().find(|name| installed(name)).copied();
        let name = names.first().copied().unwrap_or_default().to_owned();
        found.ok_or_else(|| SourceError::NoProgram { input: masked(&self.to_string()), name, package })
    }
}

/// A call of ffmpeg that decodes `input` and writes no larger frames than are asked for.
fn ffmpeg(program: &str, flags: &str, input: &str, options: &Options) -> String {
    let (width, height) = options.size;
    let rate = options.frames_per_second.map_or_else(String::new, |rate| format!("fps={rate},"));
    // The comma within a function of the filter is none between two filters.
    let fit = format!("scale=w='min(iw,{width})':h='min(ih,{height})':force_original_aspect_ratio=decrease");
    format!(
        "exec {program} -nostdin -hide_banner -loglevel error {flags} -i {} -an -vf {} -c:v mjpeg -q:v 3 \
         -pix_fmt yuvj420p -f mjpeg -",
        quoted(input),
        quoted(&format!("{rate}{fit}"))
    )
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { frames_per_second: Some(10.0), ..Options::default() }
    }

    fn shell(program: &ProgramSource) -> String {
        let lookup = |name: &str| (name == "DOOR_PASSWORD").then(|| "a/b@c'd".to_owned());
        program.command_with(&options(), |_| true, lookup).unwrap().shell
    }

    fn stream(address: &str) -> ProgramSource {
        ProgramSource::Stream(Address::new(address).unwrap())
    }

    #[test]
    fn a_csi_camera_is_read_by_its_number() {
        let expected = "exec rpicam-vid --nopreview --timeout 0 --camera 1 --codec mjpeg --flush --width 640 \
                        --height 480 --framerate 10 --output -";
        assert_eq!(shell(&ProgramSource::Csi(1)), expected);
        let older = |name: &str| name == "libcamera-vid";
        let line = ProgramSource::Csi(0).command_with(&options(), older, |_| None).unwrap();
        assert!(line.shell.starts_with("exec libcamera-vid --nopreview"), "{line}");
    }

    #[test]
    fn network_cameras_are_read_over_tcp_and_opened_again() {
        let rtsp = shell(&stream("rtsp://me:$DOOR_PASSWORD@10.0.0.2/1?a=b&c=d"));
        assert!(
            rtsp.contains("-rtsp_transport tcp -i 'rtsp://me:a%2Fb%40c%27d@10.0.0.2/1?a=b&c=d' -an"),
            "{rtsp}"
        );
        assert!(rtsp.contains("-vf 'fps=10,scale=w='\\''min(iw,640)'\\''"), "{rtsp}");
        assert_eq!(masked(&rtsp).matches("a%2F").count(), 0, "{rtsp}");
        assert!(shell(&stream("http://10.0.0.2/video")).contains("-reconnect 1 -reconnect_streamed 1"));
    }

    #[test]
    fn a_video_keeps_its_pace_and_any_name_stays_a_word() {
        let video = shell(&ProgramSource::Video("it's; rm -rf.mp4".into()));
        assert!(video.contains("-re -i 'file:it'\\''s; rm -rf.mp4' -an"), "{video}");
        assert!(is_video("a/b.MP4") && !is_video("mp4") && !is_video("a.jpg"));
    }

    #[test]
    fn what_is_missing_is_named_with_its_mend_and_without_credentials() {
        let told = |program: ProgramSource, is_installed: bool| {
            program.command_with(&options(), |_| is_installed, |_| None).unwrap_err().to_string()
        };
        assert_eq!(
            told(stream("rtsp://me:secret@door/1"), false),
            "rtsp://***@door/1 is read through ffmpeg, which is not installed; sudo apt install ffmpeg"
        );
        assert_eq!(
            told(ProgramSource::Csi(0), false),
            "csi is read through rpicam-vid, which is not installed; sudo apt install rpicam-apps"
        );
        assert_eq!(
            told(stream("rtsp://$USER:$DOOR@door/1"), true),
            "rtsp://***@door/1 needs the variable USER of the environment; set it in /etc/maskwatch/environment"
        );
        assert_eq!(format!("{:?}", stream("rtsp://me:secret@door/1")), "Stream(rtsp://***@door/1)");
    }

    #[test]
    fn addresses_are_those_that_ffmpeg_is_asked_to_read() {
        for text in ["rtsp://", "udp://10.0.0.1", "rtsp://a b", "rtsp://a\nb", "file:///etc/passwd"] {
            assert_eq!(Address::new(text), None, "{text}");
        }
        let plain = Address::new("http://host/$path?cost=$5").unwrap();
        assert!(plain.filled(|_| None).is_err(), "$5 is a name");
        assert_eq!(Address::new("http://host/$path").unwrap().filled(|_| None).unwrap(), "http://host/$path");
    }
}
