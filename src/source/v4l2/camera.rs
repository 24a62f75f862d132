//! A camera that captures: joins the device, the choice of a format and the stream, and puts every failure
//! into a sentence.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::choice::{self, FormatRequest};
use super::control;
use super::device::{Capabilities, Device};
use super::driver::{CaptureDriver, ControlDriver};
use super::explain::explain;
use super::find::{Finder, Found};
use super::stream::{FRESH, Grab, Stream};
use super::survey::survey;
use crate::pixels::buffer::{Bytes, Pool};
use crate::pixels::delayed::{DelayedPicture, DelayedPools};
use crate::pixels::format::{FrameFormat, PictureError};
use crate::source::frozen::{Freshness, Frozen, FrozenMemory};
use crate::source::timing::Patience;
use crate::source::{CameraSurvey, Frame, Next, Options, Skipped, Source, SourceError, darkness};

/// A camera without a frame for this long has stalled; for longer where a longer timeout says that frames may
/// be rarer.
const FRAME_LIMIT: Duration = Duration::from_secs(5);
/// A camera may give only damaged frames for this long, or for twice the timeout.
const GOOD_FRAME_LIMIT: Duration = Duration::from_secs(10);

/// A camera that captures.
#[derive(Debug)]
pub struct Camera(Capture<Device>);

/// The work of a camera, over any driver.
#[derive(Debug)]
struct Capture<D: CaptureDriver> {
    node: String,
    card: String,
    format: FrameFormat,
    stream: Stream<D>,
    /// Memory for the driver's frames and for decoded JPEG frames.
    raw: Pool,
    decoded: DelayedPools,
    any_frame: Patience,
    good_frame: Patience,
    frozen: Frozen,
    sequence: Sequence,
    last_defect: String,
}

impl Camera {
    /// Opens the camera that `finder` finds and captures frames of about the size in `options`.
    ///
    /// # Errors
    /// One sentence per cause: missing, no permission, in use, not a camera, only raw sensor data, no known
    /// format.
    pub fn open(finder: &mut Finder, options: &Options) -> Result<Self, SourceError> {
        let Found { device, capabilities, node } = finder.open()?;
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

    fn survey(&self) -> Option<CameraSurvey> {
        Some(self.0.survey())
    }
}

impl<D: CaptureDriver + ControlDriver> Capture<D> {
    fn start(
        device: D,
        capabilities: &Capabilities,
        node: String,
        options: &Options,
        memory: FrozenMemory,
    ) -> Result<Self, SourceError> {
        let format = negotiate(&device, capabilities, &node, options.size)?;
        let Capabilities { card, .. } = capabilities;
        let stream = Stream::start(device).map_err(|error| match Errno::from_io_error(&error) {
            // The media links to the sensor are missing or do not fit: nobody has set up the pipeline.
            Some(Errno::PIPE | Errno::NOLINK | Errno::INVAL) if capabilities.is_media_controlled() => {
                SourceError::RawSensor { device: node.clone(), card: card.clone() }
            }
            _ => explain(&node, "starting the capture", error),
        })?;
        // Now and not before: some cameras begin a capture with values of their own. They forget them when
        // they are unplugged, so they are told each time that they are opened.
        for problem in control::set(stream.device(), &options.controls, &name(&node, card)) {
            log::warn!("{problem}");
        }
        let now = Instant::now();
        Ok(Self {
            node,
            card: card.clone(),
            format,
            stream,
            raw: Pool::default(),
            decoded: DelayedPools::default(),
            any_frame: Patience::new(FRAME_LIMIT.max(options.timeout), now),
            good_frame: Patience::new(GOOD_FRAME_LIMIT.max(2 * options.timeout), now),
            frozen: Frozen::new(options.frozen_after, memory),
            sequence: Sequence::default(),
            last_defect: String::new(),
        })
    }

    fn name(&self) -> String {
        name(&self.node, &self.card)
    }

    fn survey(&self) -> CameraSurvey {
        survey(self.stream.device(), &self.format)
    }

    fn take(&self, raw: Bytes) -> Result<DelayedPicture, PictureError> {
        // A driver may round its buffers up, but a frame of twice the length has another size than the one
        // agreed on.
        if let Some(expected) = self.format.bytes()?
            && raw.len() >= 2 * expected
        {
            let (width, height) = (self.format.width, self.format.height);
            return Err(PictureError::LongFrame { got: raw.len(), expected, width, height });
        }
        DelayedPicture::new(raw, &self.format, &self.decoded).map_err(|(error, _)| error)
    }

    fn damaged(&mut self, reason: PictureError, now: Instant) -> Result<Next, SourceError> {
        self.last_defect = reason.to_string();
        if self.good_frame.is_over(now) {
            let reason = std::mem::take(&mut self.last_defect);
            let limit = self.good_frame.limit();
            return Err(SourceError::OnlyDamaged { name: self.name(), limit, reason });
        }
        Ok(Next::Skipped(Skipped { name: self.name(), reason }))
    }

    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        // Long after the last call, for example when the process was stopped, a working camera still gets
        // time for a new frame.
        let wait = wait.min(self.any_frame.left(Instant::now()).max(FRESH));
        let mut raw = self.raw.take();
        let grab = self
            .stream
            .grab(wait, raw.as_mut_vec())
            .map_err(|error| explain(&self.node, "waiting for a frame", error))?;
        let now = Instant::now();
        match grab {
            Grab::Nothing if self.any_frame.is_over(now) => {
                Err(SourceError::Stalled { name: self.name(), limit: self.any_frame.limit() })
            }
            Grab::Nothing => Ok(Next::Nothing),
            Grab::Damaged => {
                self.any_frame.renew(now);
                self.damaged(PictureError::Damaged("the driver marked it as damaged".to_owned()), now)
            }
            Grab::Frame { sequence, captured } => {
                self.any_frame.renew(now);
                let sequence = self.sequence.after(sequence);
                let freshness = self.frozen.look(&raw, now);
                let picture = match self.take(raw) {
                    Ok(picture) => picture,
                    Err(reason) => return self.damaged(reason, now),
                };
                self.good_frame.renew(now);
                match freshness {
                    Freshness::Frozen(_) if darkness::is_clipped_frame(&picture) => self.frozen.pardon(),
                    Freshness::Frozen(limit) => return Err(SourceError::Frozen { name: self.name(), limit }),
                    Freshness::Old => return Ok(Next::Nothing),
                    Freshness::Fresh => {}
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

/// A camera for messages.
fn name(node: &str, card: &str) -> String {
    format!("camera {node} ({card})")
}

/// Sets the best format that the camera offers and accepts.
///
/// A driver may set another size than the one that it offered and was asked for. Then the next format is
/// tried.
fn negotiate(
    device: &impl CaptureDriver,
    capabilities: &Capabilities,
    node: &str,
    wanted: (u32, u32),
) -> Result<FrameFormat, SourceError> {
    let offers = device.offers();
    let (mut last_error, mut fallback) = (None, None);
    for request in choice::requests(&offers, wanted) {
        match device.set_format(request.fourcc, request.width, request.height) {
            Ok(negotiated) => match negotiated.frame_format() {
                Some(format) if request.is_nearly((format.width, format.height)) => return Ok(format),
                Some(_) => fallback = fallback.or(Some(request)),
                None => log::debug!("{node}: asked for {request:?}, got {negotiated:?}"),
            },
            Err(error) if Errno::from_io_error(&error) == Some(Errno::BUSY) => {
                return Err(explain(node, "setting the format", error));
            }
            Err(error) => last_error = Some(error),
        }
    }
    if let Some(FormatRequest { fourcc, width, height }) = fallback
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

/// Turns the driver's frame count, which wraps, starts again or stands still, into one that only grows.
#[derive(Debug, Default)]
struct Sequence {
    last: Option<(u32, u64)>,
}

impl Sequence {
    fn after(&mut self, raw: u32) -> u64 {
        /// A larger step is not a loss of frames: the driver has started to count again.
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
