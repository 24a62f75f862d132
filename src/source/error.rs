//! Errors of sources, each in one sentence that names the device, file or command and the mend.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::pixels::format::PictureError;

/// Why a source gives no frames.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such device.
    #[error("camera {device} is not there; plug it in, or see what there is with `ls -l /dev/v4l/by-id`")]
    NoSuchCamera {
        /// The name that the user gave.
        device: String,
    },
    /// A name fits several cameras.
    #[error("{name} fits several cameras ({}); write the whole name of one of them", found.join(", "))]
    SeveralCameras {
        /// The name that the user gave.
        name: String,
        /// The names that fit.
        found: Vec<String>,
    },
    /// This user may not open the device.
    #[error(
        "no permission to open camera {device}; add the user to the group `video` (sudo usermod -aG video USER) and log in again"
    )]
    CameraPermission {
        /// The device.
        device: String,
    },
    /// Another program captures from the device.
    #[error("camera {device} is in use by another program; stop it first (`fuser -v {device}` names it)")]
    CameraBusy {
        /// The device.
        device: String,
    },
    /// The device is not a V4L2 device, or does not capture.
    #[error("{device} is not a camera ({found}); name the capture device, see `v4l2-ctl --list-devices`")]
    NotACamera {
        /// The device.
        device: String,
        /// What the device is.
        found: String,
    },
    /// The device is a CSI camera behind the media controller and gives raw Bayer data.
    #[error(
        "camera {device} ({card}) is a CSI camera that gives only raw sensor data; write csi as source.spec (csi:1 for the second), and give the service the drop-in rpicam.conf"
    )]
    RawSensor {
        /// The device.
        device: String,
        /// Its name by the driver.
        card: String,
    },
    /// The device captures, but offers no format that can be read.
    #[error("camera {device} offers only {}; maskwatch reads YUYV, UYVY, YVYU, NV12, NV21, YU12, YV12, MJPG, GREY, RGB3 and BGR3: convert with `command: ffmpeg -f v4l2 -i {device} -f mjpeg -`", offered.join(", "))]
    NoUsableFormat {
        /// The device.
        device: String,
        /// Four-character codes of the formats that it offers.
        offered: Vec<String>,
    },
    /// The USB bus has no bandwidth left.
    #[error(
        "camera {device} gets no bandwidth on its USB bus; set a smaller size, or move it away from other cameras and hubs"
    )]
    NoBandwidth {
        /// The device.
        device: String,
    },
    /// The device was unplugged, or its driver failed.
    #[error("camera {device} was unplugged; plug it in again")]
    Unplugged {
        /// The device.
        device: String,
    },
    /// A system call failed for another reason.
    #[error(
        "camera {device}: {action} failed ({error}); unplug it and plug it in again if this happens again"
    )]
    Camera {
        /// The device.
        device: String,
        /// The action that failed.
        action: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// The source is open, but gives no frames.
    #[error("{name} has given no frame for {} s; check its cable, its power and its load", limit.as_secs())]
    Stalled {
        /// The source.
        name: String,
        /// The time that was waited.
        limit: Duration,
    },
    /// Frames come, but all are damaged.
    #[error("{name} has given only damaged frames for {} s (last error: {reason}); check its cable and its power", limit.as_secs())]
    OnlyDamaged {
        /// The source.
        name: String,
        /// The time that was waited.
        limit: Duration,
        /// The error of the last frame.
        reason: String,
    },
    /// All frames are the same, bit for bit.
    #[error("{name} is frozen: it has given the same frame for {} s; unplug it and plug it in again if this happens again", limit.as_secs())]
    Frozen {
        /// The source.
        name: String,
        /// For how long.
        limit: Duration,
    },
    /// All frames of a command are the same, bit for bit.
    #[error("`{command}` is frozen: it has written the same frame for {} s; check what it reads from, or set frozen_command_seconds to 0 if it shows stills", limit.as_secs())]
    FrozenCommand {
        /// The command line.
        command: String,
        /// For how long.
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
    #[error("`{command}` ended ({status}){}; run it in a terminal to see why", last_line(.stderr))]
    CommandEnded {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// Whether it says that something went wrong.
        has_failed: bool,
        /// The last line of its standard error, or nothing.
        stderr: String,
    },
    /// The command writes, but no frames.
    #[error("`{command}` has written {bytes} bytes but no whole frame in {} s; check that it writes {expected} to its standard output", limit.as_secs())]
    CommandWritesNoFrames {
        /// The command line.
        command: String,
        /// Bytes read so far.
        bytes: u64,
        /// What it should write.
        expected: String,
        /// The time that was waited.
        limit: Duration,
    },
    /// The size of the frames of a command is impossible.
    #[error("frames of {expected} from `{command}` cannot be read: {reason}; write another size")]
    CommandFormat {
        /// The command line.
        command: String,
        /// The format and size.
        expected: String,
        /// What is wrong with the size.
        reason: PictureError,
    },
    /// The program that reads a source is not there.
    #[error("{input} is read through {name}, which is not installed; sudo apt install {package}")]
    NoProgram {
        /// The source, without credentials.
        input: String,
        /// The program.
        name: String,
        /// The package that has it.
        package: &'static str,
    },
    /// A variable in an address is not set.
    #[error("{address} needs the variable {name} of the environment; set it in /etc/maskwatch/environment")]
    NoVariable {
        /// The address, without credentials.
        address: String,
        /// The variable.
        name: String,
    },
    /// There is no camera at all.
    #[error("no camera is there{seen}; plug one in, or write csi for a camera on the ribbon cable")]
    NoCamera {
        /// What there is instead, as a part of a sentence that begins with its separator, or nothing.
        seen: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {} ({error}); check the path and its permissions", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// The path is not a regular file, or the file is too large for a picture.
    #[error("{} is not a picture file ({found})", path.display())]
    NotAPictureFile {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        found: &'static str,
    },
    /// A picture cannot be decoded.
    #[error("{}: {reason}", path.display())]
    BadPicture {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: PictureError,
    },
    /// A folder contains no pictures.
    #[error("there is no picture (.jpg, .jpeg, .jpe, .jfif, .mpo, .png) in {}{left_out}", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
        /// What was left out, as a part of a sentence that begins with its separator, or nothing.
        left_out: String,
    },
    /// None of the pictures can be decoded.
    #[error("none of {count} pictures can be used (last error: {last})")]
    OnlyBadPictures {
        /// Number of pictures.
        count: usize,
        /// The last picture with its error.
        last: String,
    },
    /// The source's thread has ended, which is a defect of this program.
    #[error("the thread that reads {name} ended unexpectedly; restart maskwatch and report this")]
    ThreadGone {
        /// The source.
        name: String,
    },
    /// This system has no V4L2.
    #[error("cameras can be read on Linux only; name pictures or a command instead")]
    NoCamerasHere,
}

fn last_line(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(" after it wrote \"{stderr}\"") }
}
