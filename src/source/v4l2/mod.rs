//! A V4L2 camera. `find` tells which device a name means, `device` holds the system calls, `format` and
//! `choice` pick what to ask for, `stream` captures, `frozen` tells new frames from old; this file joins them
//! and puts every failure into a sentence.
//!
//! Nothing here reopens anything: after an error a [`Camera`] is dropped, and [`super::reconnect`] opens a
//! new one.

mod choice;
mod device;
mod find;
mod format;
mod frozen;
mod stream;

use std::io;
use std::time::{Duration, Instant};

pub use find::Finder;

use self::choice::Candidate;
use self::device::{Capabilities, Device};
use self::frozen::{Finding, Frozen, Memory};
use self::stream::{Driver, FRESH, Grab, Stream};
use super::timing::Patience;
use super::{Frame, Next, Options, Skipped, Source, SourceError, darkness};
use crate::pixels::buffer::{Bytes, Pool};
use crate::pixels::decode::{FrameFormat, PictureError};
use crate::pixels::picture::Picture;

/// How long a camera may give nothing, and how long nothing but damaged frames.
const FRAME_LIMIT: Duration = Duration::from_secs(5);
const GOOD_FRAME_LIMIT: Duration = Duration::from_secs(10);

/// A camera that captures.
#[derive(Debug)]
pub struct Camera(Capture<Device>);

/// What a camera does, over any driver.
#[derive(Debug)]
struct Capture<D: Driver> {
    node: String,
    card: String,
    format: FrameFormat,
    stream: Stream<D>,
    /// For what the driver gives, and for what JPEG frames become.
    raw: Pool,
    decoded: Pool,
    any_frame: Patience,
    good_frame: Patience,
    frozen: Frozen,
    sequence: Sequence,
    last_defect: String,
}

impl Camera {
    /// Opens the camera that `finder` finds and starts to capture frames of about the size wished for.
    ///
    /// # Errors
    /// One sentence per cause: not there, no permission, in use, no camera, only raw sensor data, no known
    /// format.
    pub fn open(finder: &mut Finder, options: &Options) -> Result<Self, SourceError> {
        let find::Found { device, capabilities, node } = finder.open()?;
        Capture::start(device, &capabilities, node, options, finder.frozen()).map(Self)
    }
}

impl Source for Camera {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        self.0.next(wait)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

impl<D: Driver> Capture<D> {
    fn start(
        device: D,
        capabilities: &Capabilities,
        node: String,
        options: &Options,
        memory: Memory,
    ) -> Result<Self, SourceError> {
        let format = negotiate(&device, capabilities, &node, options.size)?;
        let Capabilities { card, .. } = capabilities;
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
            frozen: Frozen::new(options.frozen_after, memory),
            sequence: Sequence::default(),
            last_defect: String::new(),
        })
    }

    fn name(&self) -> String {
        format!("camera {} ({})", self.node, self.card)
    }

    fn decode(&self, raw: Bytes) -> Result<Picture, PictureError> {
        // A driver may round its buffers up, but frames of twice the length are not of the size that was
        // agreed on.
        if let Some(expected) = self.format.bytes()?
            && raw.len() >= 2 * expected
        {
            let (width, height) = (self.format.width, self.format.height);
            return Err(PictureError::LongFrame { got: raw.len(), expected, width, height });
        }
        Picture::decode(raw, &self.format, &self.decoded)
    }

    fn damaged(&mut self, reason: PictureError, now: Instant) -> Result<Next, SourceError> {
        self.last_defect = reason.to_string();
        if self.good_frame.is_over(now) {
            let reason = std::mem::take(&mut self.last_defect);
            return Err(SourceError::OnlyDamaged { name: self.name(), limit: GOOD_FRAME_LIMIT, reason });
        }
        Ok(Next::Skipped(Skipped { name: self.name(), reason }))
    }

    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        // Long after the last call, as when the process was stopped, a sound camera still gets the time for a
        // new frame.
        let wait = wait.min(self.any_frame.left(Instant::now()).max(FRESH));
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
                let finding = self.frozen.look(&raw, now);
                let picture = match self.decode(raw) {
                    Ok(picture) => picture,
                    Err(reason) => return self.damaged(reason, now),
                };
                self.good_frame.renew(now);
                match finding {
                    Finding::Frozen(_) if darkness::is_clipped(picture.view()) => self.frozen.pardon(),
                    Finding::Frozen(limit) => return Err(SourceError::Frozen { name: self.name(), limit }),
                    Finding::Old => return Ok(Next::Nothing),
                    Finding::Fresh => {}
                }
                Ok(Next::Frame(Frame { picture, name: None, sequence, captured }))
            }
        }
    }

    fn describe(&self) -> String {
        let FrameFormat { pixels, width, height, .. } = self.format;
        format!("camera {} ({}, {width}x{height} {pixels})", self.node, self.card)
    }
}

/// Sets the best format that the camera offers and that it then really gives.
///
/// A driver may answer with another size than it was asked for, though it offered that: then the next format
/// may do better.
fn negotiate(
    device: &impl Driver,
    capabilities: &Capabilities,
    node: &str,
    wanted: (u32, u32),
) -> Result<FrameFormat, SourceError> {
    let offers = device.offers();
    let (mut last_error, mut fallback) = (None, None);
    for candidate in choice::candidates(&offers, wanted) {
        match device.set_format(candidate.fourcc, candidate.width, candidate.height) {
            Ok(negotiated) => match negotiated.frame_format() {
                Some(format) if candidate.is_nearly((format.width, format.height)) => return Ok(format),
                Some(_) => fallback = fallback.or(Some(candidate)),
                None => log::debug!("{node}: asked for {candidate:?}, got {negotiated:?}"),
            },
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                return Err(explain(node, "setting the format", error));
            }
            Err(error) => last_error = Some(error),
        }
    }
    if let Some(Candidate { fourcc, width, height }) = fallback
        && let Ok(negotiated) = device.set_format(fourcc, width, height)
        && let Some(format) = negotiated.frame_format()
    {
        return Ok(format);
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
mod tests;
