//! Capture by mapped buffers: waits with a time limit, drains to the newest frame, and copies it out, so that
//! no buffer is ever with us and the driver at once.

use std::io;
use std::time::{Duration, Instant};

use super::choice::Offer;
use super::device::Filled;
use super::format::{FourCc, Negotiated};

/// The calls that choosing a format and capturing take, so that tests can stand in for the kernel.
pub(super) trait Driver {
    /// A mapped buffer.
    type Buffer: Buffer + std::fmt::Debug;

    fn offers(&self) -> Vec<Offer>;
    fn set_format(&self, fourcc: FourCc, width: u32, height: u32) -> io::Result<Negotiated>;
    fn request_buffers(&self, count: u32) -> io::Result<u32>;
    fn map(&self, index: u32) -> io::Result<Self::Buffer>;
    fn queue(&self, index: u32) -> io::Result<()>;
    fn dequeue(&self) -> io::Result<Option<Filled>>;
    fn start(&self) -> io::Result<()>;
    fn stop(&self) -> io::Result<()>;
    fn wait(&self, wait: Duration) -> io::Result<bool>;
}

/// Memory that a driver fills.
pub(super) trait Buffer {
    fn len(&self) -> usize;
    fn copy(&self, length: usize, into: &mut Vec<u8>);
}

/// Enough for the driver to go on while one frame is looked at; more would only hold older frames.
const BUFFERS: u32 = 4;
/// How long to wait for a frame that is fresher than those of a full queue: in poor light cameras slow down
/// to 5 a second.
pub(super) const FRESH: Duration = Duration::from_millis(250);

/// A device that captures. Dropping it stops the capture and closes the device; nothing of that can panic.
#[derive(Debug)]
pub(super) struct Stream<D: Driver> {
    device: D,
    buffers: Vec<D::Buffer>,
}

/// What [`Stream::grab`] got.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grab {
    /// A frame was copied out.
    Frame {
        /// The driver's count of frames.
        sequence: u32,
        /// When it was taken.
        captured: Instant,
    },
    /// Only frames came that the driver marked as damaged, or that were empty.
    Damaged,
    /// Nothing came in time.
    Nothing,
}

/// What one round over the filled buffers found.
#[derive(Debug, Default)]
struct Drained {
    newest: Option<Filled>,
    damaged: bool,
    count: usize,
}

impl<D: Driver> Stream<D> {
    /// Maps buffers, gives them all to the driver and starts. The format must have been set.
    pub(super) fn start(device: D) -> io::Result<Self> {
        let count = device.request_buffers(BUFFERS)?;
        let mut stream = Self { device, buffers: Vec::new() };
        for index in 0..count {
            stream.buffers.push(stream.device.map(index)?);
        }
        if stream.buffers.is_empty() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        for index in 0..count {
            stream.device.queue(index)?;
        }
        stream.device.start()?;
        Ok(stream)
    }

    /// Waits up to `wait` for a frame and copies the newest one into `into`. An error ends the capture for
    /// good.
    pub(super) fn grab(&mut self, wait: Duration, into: &mut Vec<u8>) -> io::Result<Grab> {
        if !self.device.wait(wait)? {
            return Ok(Grab::Nothing);
        }
        let first = self.drain()?;
        let mut damaged = first.damaged;
        let mut grab = self.take(first.newest, into)?;
        // A full queue means that the driver had no room for later frames: what it held may be as old as the
        // caller was long away. With all buffers given back, the next frame is a fresh one.
        if first.count >= self.buffers.len() && self.device.wait(FRESH.min(wait))? {
            let second = self.drain()?;
            damaged |= second.damaged;
            if second.newest.is_some() {
                grab = self.take(second.newest, into)?;
            }
        }
        Ok(match grab {
            Some(frame) => frame,
            None if damaged => Grab::Damaged,
            None => Grab::Nothing,
        })
    }

    /// Takes what is filled, keeps the newest good buffer and gives back the others. At most one round,
    /// however fast the driver fills them again.
    fn drain(&self) -> io::Result<Drained> {
        let mut drained = Drained::default();
        for _ in 0..self.buffers.len() {
            let Some(filled) = self.device.dequeue()? else { break };
            let buffer = self.buffer(filled.index)?;
            drained.count += 1;
            if filled.damaged || filled.used > buffer.len() {
                drained.damaged = true;
                self.device.queue(filled.index)?;
                continue;
            }
            if let Some(older) = drained.newest.replace(filled)
                // A loopback device may give the same buffer twice.
                && older.index != filled.index
            {
                self.device.queue(older.index)?;
            }
        }
        Ok(drained)
    }

    /// Copies a buffer out and gives it back.
    fn take(&self, filled: Option<Filled>, into: &mut Vec<u8>) -> io::Result<Option<Grab>> {
        let Some(Filled { index, used, sequence, captured, .. }) = filled else { return Ok(None) };
        self.buffer(index)?.copy(used, into);
        self.device.queue(index)?;
        Ok(Some(Grab::Frame { sequence, captured }))
    }

    fn buffer(&self, index: u32) -> io::Result<&D::Buffer> {
        let told =
            || io::Error::new(io::ErrorKind::InvalidData, "the driver names a buffer that it never gave");
        self.buffers.get(index as usize).ok_or_else(told)
    }
}

impl<D: Driver> Drop for Stream<D> {
    fn drop(&mut self) {
        // The mappings go after this, the device last. An unplugged device says no to everything, which is
        // fine.
        if let Err(error) = self.device.stop() {
            log::debug!("a camera's capture does not stop: {error}");
        }
        self.buffers.clear();
    }
}

#[cfg(test)]
mod tests;
