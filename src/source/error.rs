//! What keeps a source from giving frames, each in one sentence that names the device, file or command and
//! the mend.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::pixels::decode::PictureError;

/// Why a source gives no (more) frames.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such device.
    #[error("camera {device} is not there; plug it in, or see what there is with `ls -l /dev/v4l/by-id`")]
    NoSuchCamera {
        /// As the user named it.
        device: String,
    },
    /// A name fits several cameras.
    #[error("{name} fits several cameras ({}); write the whole name of one of them", found.join(", "))]
    SeveralCameras {
        /// As the user named it.
        name: String,
        /// The names that fit.
        found: Vec<String>,
    },
    /// The device node cannot be opened by this user.
    #[error(
        "no permission to open camera {device}; add the user to the group `video` (sudo usermod -aG video USER) and log in again"
    )]
    CameraPermission {
        /// The device.
        device: String,
    },
    /// Another program captures from it.
    #[error(
        "camera {device} is in use by another program; stop that one first (`fuser -v {device}` names it)"
    )]
    CameraBusy {
        /// The device.
        device: String,
    },
    /// Not a V4L2 device, or one that does not capture.
    #[error("{device} is not a camera ({found}); name the capture device, see `v4l2-ctl --list-devices`")]
    NotACamera {
        /// The device.
        device: String,
        /// What it is instead.
        found: String,
    },
    /// A CSI camera behind the media controller: raw Bayer data that the CPU cannot develop.
    #[error(
        "camera {device} ({card}) is a CSI camera that gives only raw sensor data; read it through `command: rpicam-vid --nopreview --timeout 0 --width 640 --height 480 --codec mjpeg --output -`"
    )]
    RawSensor {
        /// The device.
        device: String,
        /// What the driver calls it.
        card: String,
    },
    /// It captures, but in formats that are not known here.
    #[error("camera {device} offers only {}; maskwatch reads YUYV, UYVY, NV12, YU12, MJPG, GREY and RGB3: convert with `command: ffmpeg -f v4l2 -i {device} -f mjpeg -`", offered.join(", "))]
    NoUsableFormat {
        /// The device.
        device: String,
        /// The four-character codes that it offers.
        offered: Vec<String>,
    },
    /// The USB bus is full.
    #[error(
        "camera {device} gets no bandwidth on its USB bus; set a smaller size, or move it away from other cameras and hubs"
    )]
    NoBandwidth {
        /// The device.
        device: String,
    },
    /// The device was unplugged, or its driver gave up.
    #[error("camera {device} was unplugged; plug it in again")]
    Unplugged {
        /// The device.
        device: String,
    },
    /// A system call failed in another way.
    #[error("camera {device}: {action} failed ({error}); unplug it and plug it in again if this stays")]
    Camera {
        /// The device.
        device: String,
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// Open, but nothing comes.
    #[error("{name} has given no frame for {} s; check its cable, its power and its load", limit.as_secs())]
    Stalled {
        /// The source.
        name: String,
        /// The time that was waited.
        limit: Duration,
    },
    /// Frames come, but none that can be used.
    #[error("{name} has given only damaged frames for {} s, the last one so: {reason}; check its cable and its power", limit.as_secs())]
    OnlyDamaged {
        /// The source.
        name: String,
        /// The time that was waited.
        limit: Duration,
        /// What was wrong with the last one.
        reason: String,
    },
    /// The very same frame comes again and again.
    #[error("{name} is frozen, it has given the very same frame for {} s; unplug it and plug it in again if this stays", limit.as_secs())]
    Frozen {
        /// The source.
        name: String,
        /// How long that has been so.
        limit: Duration,
    },
    /// The shell that runs a command did not start.
    #[error("cannot start `{command}` ({error}); check that /bin/sh may be run")]
    CommandStart {
        /// The command line.
        command: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The command has ended.
    #[error("`{command}` ended ({status}){}; run it in a terminal to see why", last_words(.stderr))]
    CommandEnded {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// The last line that it wrote to its standard error, or nothing.
        stderr: String,
    },
    /// The command writes, but no frames.
    #[error("`{command}` has written {bytes} bytes but no whole frame in {} s; check that it writes {expected} to its standard output", limit.as_secs())]
    CommandWritesNoFrames {
        /// The command line.
        command: String,
        /// Bytes read so far.
        bytes: u64,
        /// What was expected.
        expected: String,
        /// The time that was waited.
        limit: Duration,
    },
    /// The size in a command's specification cannot be.
    #[error("frames of {expected} from `{command}` cannot be read: {reason}")]
    CommandFormat {
        /// The command line.
        command: String,
        /// The format and size.
        expected: String,
        /// Why not.
        reason: PictureError,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {} ({error}); check the path and its permissions", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// A file that is not a regular one, or too large for a picture.
    #[error("{} is not a picture file ({found})", path.display())]
    NotAPictureFile {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// A picture cannot be used.
    #[error("{}: {reason}", path.display())]
    BadPicture {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: PictureError,
    },
    /// No pictures in a folder.
    #[error("there is no picture (.jpg, .jpeg, .png) in {}", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// A whole round through the pictures gave not one frame.
    #[error("not one of {count} pictures can be used, the last one so: {last}")]
    OnlyBadPictures {
        /// How many there are.
        count: usize,
        /// The last one's defect.
        last: String,
    },
    /// The source's thread is gone, which is a defect of this program.
    #[error("the thread of {name} has ended unexpectedly; restart maskwatch and report this")]
    ThreadGone {
        /// The source.
        name: String,
    },
    /// Cameras are read through V4L2.
    #[error("cameras can be read on Linux only; name pictures or a command instead")]
    NoCamerasHere,
}

fn last_words(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(" after it wrote \"{stderr}\"") }
}
