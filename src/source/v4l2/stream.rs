//! Captures with mapped buffers: waits with a time limit, drains to the newest frame and copies it out. A
//! buffer belongs either to us or to the driver, never to both.

use std::io;
use std::time::{Duration, Instant};

use super::driver::{CaptureBuffer, CaptureDriver, Filled};

/// Number of buffers: the driver can go on while one frame is copied; more would only hold older frames.
const BUFFERS: u32 = 4;
/// How long to wait for a frame that is newer than those of a full queue: in poor light cameras slow down to
/// 5 frames a second.
pub(super) const FRESH: Duration = Duration::from_millis(250);

/// A running capture. Dropping it stops the capture and closes the device, without a panic.
#[derive(Debug)]
pub(super) struct Stream<D: CaptureDriver> {
    device: D,
    buffers: Vec<D::Buffer>,
}

/// What [`Stream::grab`] found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grab {
    /// A frame was copied out.
    Frame {
        /// The driver's count of frames.
        sequence: u32,
        /// When it was taken.
        captured: Instant,
    },
    /// All frames that came were empty or marked as damaged.
    Damaged,
    /// No frame came in time.
    Nothing,
}

/// What one round over the filled buffers found.
#[derive(Debug, Default)]
struct Drained {
    newest: Option<Filled>,
    damaged: bool,
    count: usize,
}

impl<D: CaptureDriver> Stream<D> {
    /// Maps buffers, gives them to the driver and starts the capture. The format must have been set.
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

    /// The device that captures.
    pub(super) fn device(&self) -> &D {
        &self.device
    }

    /// Waits up to `wait` for a frame and copies the newest one into `into`. After an error the capture
    /// cannot go on.
    pub(super) fn grab(&mut self, wait: Duration, into: &mut Vec<u8>) -> io::Result<Grab> {
        if !self.device.wait(wait)? {
            return Ok(Grab::Nothing);
        }
        let first = self.drain()?;
        let mut damaged = first.damaged;
        let mut grab = self.take(first.newest, into)?;
        // With a full queue the driver had no room for later frames: those that it held may be as old as the
        // caller's last call. All buffers have been given back, so the next frame is a new one.
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

    /// Takes all filled buffers, keeps the newest good one and gives back the others. It makes one round
    /// only, however fast the driver fills them again.
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
        let unknown =
            || io::Error::new(io::ErrorKind::InvalidData, "the driver names a buffer that it never gave");
        self.buffers.get(index as usize).ok_or_else(unknown)
    }
}

impl<D: CaptureDriver> Drop for Stream<D> {
    fn drop(&mut self) {
        // The buffers are unmapped next, and the device is closed last. An unplugged device refuses every
        // call, which does no harm.
        if let Err(error) = self.device.stop() {
            log::debug!("the capture of a camera cannot be stopped: {error}");
        }
        self.buffers.clear();
    }
}

#[cfg(test)]
mod tests;
