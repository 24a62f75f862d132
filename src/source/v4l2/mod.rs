//! A V4L2 camera. `find` tells which device a name means, `device` holds the system calls, `format` and `choice` pick
//! what to ask for, `stream` captures; this file joins them and puts every failure into a sentence.
//!
//! Nothing here reopens anything: after an error a [`Camera`] is dropped, and [`super::reconnect`] opens a new one.

mod choice;
mod device;
mod find;
mod format;
mod stream;

use std::io;
use std::time::{Duration, Instant};

pub use find::Finder;

use self::device::{Capabilities, Device};
use self::stream::{Grab, Stream};
use super::{Frame, Next, Patience, Skipped, Source, SourceError};
use crate::pixels::buffer::Pool;
use crate::pixels::decode::{FrameFormat, PictureError};
use crate::pixels::picture::Picture;

/// How long a camera may give nothing, and how long nothing but damaged frames.
const FRAME_LIMIT: Duration = Duration::from_secs(5);
const GOOD_FRAME_LIMIT: Duration = Duration::from_secs(10);

/// A camera that captures.
#[derive(Debug)]
pub struct Camera {
    node: String,
    card: String,
    format: FrameFormat,
    stream: Stream,
    /// For what the driver gives, and for what JPEG frames become.
    raw: Pool,
    decoded: Pool,
    any_frame: Patience,
    good_frame: Patience,
    sequence: Sequence,
    last_defect: String,
}

impl Camera {
    /// Opens the camera that `finder` finds and starts to capture frames of about `wanted` pixels (width, height).
    ///
    /// # Errors
    /// One sentence per cause: not there, no permission, in use, no camera, only raw sensor data, no known format.
    pub fn open(finder: &mut Finder, wanted: (u32, u32)) -> Result<Self, SourceError> {
        let find::Found { device, capabilities, node } = finder.open()?;
        let format = negotiate(&device, &capabilities, &node, wanted)?;
        let Capabilities { card, .. } = &capabilities;
        let stream = Stream::start(device).map_err(|error| match error.raw_os_error() {
            // No link, or links that do not fit: the pipeline behind the sensor was not set up.
            Some(libc::EPIPE | libc::ENOLINK | libc::EINVAL) if capabilities.is_media_controlled() => {
                SourceError::RawSensor { device: node.clone(), card: card.clone() }
            }
            _ => explain(&node, "starting the capture", error),
        })?;
        let now = Instant::now();
        Ok(Self {
            node,
            card: card.clone(),
            format,
            stream,
            raw: Pool::default(),
            decoded: Pool::default(),
            any_frame: Patience::new(FRAME_LIMIT, now),
            good_frame: Patience::new(GOOD_FRAME_LIMIT, now),
            sequence: Sequence::default(),
            last_defect: String::new(),
        })
    }

    fn name(&self) -> String {
        format!("camera {} ({})", self.node, self.card)
    }

    fn damaged(&mut self, reason: PictureError, now: Instant) -> Result<Next, SourceError> {
        self.last_defect = reason.to_string();
        if self.good_frame.is_over(now) {
            let reason = std::mem::take(&mut self.last_defect);
            return Err(SourceError::OnlyDamaged { name: self.name(), limit: GOOD_FRAME_LIMIT, reason });
        }
        Ok(Next::Skipped(Skipped { name: self.name(), reason }))
    }
}

impl Source for Camera {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        let wait = wait.min(self.any_frame.left(Instant::now()));
        let mut raw = self.raw.take();
        let grab = self
            .stream
            .grab(wait, raw.as_mut_vec())
            .map_err(|error| explain(&self.node, "waiting for a frame", error))?;
        let now = Instant::now();
        match grab {
            Grab::Nothing if self.any_frame.is_over(now) => {
                Err(SourceError::Stalled { name: self.name(), limit: FRAME_LIMIT })
            }
            Grab::Nothing => Ok(Next::Nothing),
            Grab::Damaged => {
                self.any_frame.renew(now);
                self.damaged(PictureError::Damaged("the driver says so".to_owned()), now)
            }
            Grab::Frame { sequence, captured } => {
                self.any_frame.renew(now);
                let sequence = self.sequence.after(sequence);
                match Picture::decode(raw, &self.format, &self.decoded) {
                    Ok(picture) => {
                        self.good_frame.renew(now);
                        Ok(Next::Frame(Frame { picture, name: None, sequence, captured }))
                    }
                    Err(reason) => self.damaged(reason, now),
                }
            }
        }
    }

    fn describe(&self) -> String {
        let FrameFormat { pixels, width, height, .. } = self.format;
        format!("camera {} ({}, {width}x{height} {pixels})", self.node, self.card)
    }
}

/// Sets the best format that the camera offers and that it then really gives.
fn negotiate(
    device: &Device,
    capabilities: &Capabilities,
    node: &str,
    wanted: (u32, u32),
) -> Result<FrameFormat, SourceError> {
    let offers = device.offers();
    let mut last_error = None;
    for candidate in choice::candidates(&offers, wanted) {
        match device.set_format(candidate.fourcc, candidate.width, candidate.height) {
            Ok(negotiated) => match negotiated.frame_format() {
                Some(format) => return Ok(format),
                None => log::debug!("{node}: asked for {candidate:?}, got {negotiated:?}"),
            },
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                return Err(explain(node, "setting the format", error));
            }
            Err(error) => last_error = Some(error),
        }
    }
    let device = node.to_owned();
    let bayer = offers.iter().any(|offer| offer.fourcc.is_bayer());
    let readable = offers.iter().any(|offer| offer.fourcc.pixels().is_some());
    if bayer && (!readable || capabilities.is_media_controlled()) {
        return Err(SourceError::RawSensor { device, card: capabilities.card.clone() });
    }
    match last_error {
        Some(error) => Err(explain(node, "setting the format", error)),
        None => {
            let mut offered: Vec<_> = offers.iter().map(|offer| offer.fourcc.to_string()).collect();
            if offered.is_empty() {
                offered.push("no format at all".to_owned());
            }
            Err(SourceError::NoUsableFormat { device, offered })
        }
    }
}

/// A system call's error as a sentence.
fn explain(node: &str, action: &'static str, error: io::Error) -> SourceError {
    let device = node.to_owned();
    match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) if action != "opening" => SourceError::Unplugged { device },
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => SourceError::NoSuchCamera { device },
        Some(libc::EACCES | libc::EPERM) => SourceError::CameraPermission { device },
        Some(libc::EBUSY) => SourceError::CameraBusy { device },
        Some(libc::ENOSPC) => SourceError::NoBandwidth { device },
        _ => SourceError::Camera { device, action, error },
    }
}

/// Makes a count that only grows from the driver's, which wraps, starts anew or stands still.
#[derive(Debug, Default)]
struct Sequence {
    last: Option<(u32, u64)>,
}

impl Sequence {
    fn after(&mut self, raw: u32) -> u64 {
        /// More frames than this are not lost at once; the driver has started anew.
        const MOST_LOST: u32 = 100_000;
        let count = match self.last {
            None => 0,
            Some((last, count)) => {
                let step = raw.wrapping_sub(last);
                count + u64::from(if (1..=MOST_LOST).contains(&step) { step } else { 1 })
            }
        };
        self.last = Some((raw, count));
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_only_grows() {
        let mut sequence = Sequence::default();
        let counts: Vec<u64> =
            [u32::MAX - 1, u32::MAX, 2, 2, 2, 0, 7].into_iter().map(|raw| sequence.after(raw)).collect();
        assert_eq!(counts, [0, 1, 4, 5, 6, 7, 14]);
    }

    #[test]
    fn errors_name_device_cause_and_mend() {
        let told =
            |action, errno| explain("/dev/video0", action, io::Error::from_raw_os_error(errno)).to_string();
        for (errno, words) in [
            (libc::ENOENT, "is not there; plug it in"),
            (libc::ENODEV, "is not there; plug it in"),
            (libc::EACCES, "group `video`"),
            (libc::EBUSY, "in use by another program"),
        ] {
            let text = told("opening", errno);
            assert!(text.contains("/dev/video0") && text.contains(words), "{text}");
        }
        assert!(told("waiting for a frame", libc::ENODEV).contains("was unplugged"));
        assert!(told("starting the capture", libc::ENOSPC).contains("bandwidth"));
        assert_eq!(
            told("waiting for a frame", libc::EIO),
            "camera /dev/video0: waiting for a frame failed (Input/output error (os error 5)); \
             unplug it and plug it in again if this stays"
        );
    }
}
