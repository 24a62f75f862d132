//! The calls that a capture needs, as traits, so that tests can replace the kernel.

use std::fmt::Debug;
use std::io;
use std::time::{Duration, Instant};

use super::choice::Offer;
use super::format::{FourCc, Negotiated};

/// A device that captures, as far as the choice of a format and the stream need it.
pub(super) trait CaptureDriver {
    /// A mapped buffer.
    type Buffer: CaptureBuffer + Debug;

    /// The formats and sizes that the device offers, in the driver's order.
    fn offers(&self) -> Vec<Offer>;
    /// The frames per second that the device offers for a format and size; none where it does not tell.
    fn rates(&self, fourcc: FourCc, width: u32, height: u32) -> Vec<f64>;
    /// Asks for a format and returns the one that the driver has set.
    fn set_format(&self, fourcc: FourCc, width: u32, height: u32) -> io::Result<Negotiated>;
    /// Asks for `count` buffers and returns how many there are.
    fn request_buffers(&self, count: u32) -> io::Result<u32>;
    /// Maps a buffer into memory.
    fn map(&self, index: u32) -> io::Result<Self::Buffer>;
    /// Gives a buffer to the driver.
    fn queue(&self, index: u32) -> io::Result<()>;
    /// Takes a filled buffer from the driver, if there is one. Does not wait.
    fn dequeue(&self) -> io::Result<Option<Filled>>;
    /// Starts the capture.
    fn start(&self) -> io::Result<()>;
    /// Stops the capture.
    fn stop(&self) -> io::Result<()>;
    /// Waits for a filled buffer. False after `wait` or a signal; an error when the driver reports one
    /// instead of a buffer.
    fn wait(&self, wait: Duration) -> io::Result<bool>;
}

/// A device whose picture can be adjusted by numbered controls (`V4L2_CID_…`).
pub(super) trait ControlDriver {
    /// What a control takes; `None` where the device has no such control, or does not let it be set.
    fn limits(&self, id: u32) -> Option<ControlLimits>;
    /// Whether a menu has an entry of this index.
    fn has_choice(&self, id: u32, index: u32) -> bool;
    /// The value of a control; `None` where the device has no such control.
    fn control(&self, id: u32) -> Option<i32>;
    /// Sets a control.
    fn set_control(&self, id: u32, value: i32) -> io::Result<()>;
}

/// What a control takes: numbers from `least` to `most` by `step`, or the entries of a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ControlLimits {
    pub(super) least: i32,
    pub(super) most: i32,
    pub(super) step: i32,
    pub(super) is_menu: bool,
}

/// Memory that a driver fills.
pub(super) trait CaptureBuffer {
    /// Its length in bytes.
    fn len(&self) -> usize;
    /// Replaces the content of `into` by the first `length` bytes, or by all if there are fewer.
    fn copy(&self, length: usize, into: &mut Vec<u8>);
}

/// A buffer that the driver has filled. It is ours until it is queued again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    pub(super) index: u32,
    /// Bytes that the driver has written.
    pub(super) used: usize,
    /// The driver marked the frame as damaged, or wrote nothing.
    pub(super) damaged: bool,
    /// The driver's count of frames.
    pub(super) sequence: u32,
    /// When the frame was taken.
    pub(super) captured: Instant,
}
