//! The system calls on a V4L2 device, each behind a safe function. Nothing is decided here.
//!
//! Structures and request numbers come from the crate `v4l`, which generates its bindings from the kernel's
//! header for the target. Its `Device` and `Stream` are not used: they panic on invalid text and on errors in
//! `Drop`, queue a buffer that the kernel still owns after a timeout, and ignore `bytesused` and the error
//! flag.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::choice::{Offer, Sizes};
use super::driver::{CaptureBuffer, CaptureDriver, ControlDriver, ControlLimits, Filled};
use super::format::{FourCc, Negotiated};

const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;
/// V4L2 nodes are opened so that no call waits: `wait` does that, with a time limit.
const NONBLOCK: i32 = OFlags::NONBLOCK.bits() as i32;
/// The major number of every V4L2 node (Documentation/admin-guide/devices.txt).
const VIDEO_MAJOR: u32 = 81;
/// More formats or sizes than this are not read.
const MAX_ENUMERATED: u32 = 256;
/// A timestamp older than this is not on the clock that the driver names.
const MAX_AGE: Duration = Duration::from_secs(10);

/// C structures that the kernel fills; all zeros are a valid value of each.
///
/// # Safety
/// Only structures of integers may implement this, and unions and raw pointers that this file does not use.
unsafe trait Plain: Sized {
    fn zeroed() -> Self {
        // SAFETY: the implementer promises that all zeros are a value of the type.
        unsafe { std::mem::zeroed() }
    }
}

// SAFETY: integers and arrays of integers.
unsafe impl Plain for sys::v4l2_capability {}
// SAFETY: integers and arrays of integers.
unsafe impl Plain for sys::v4l2_fmtdesc {}
// SAFETY: integers and a union of structures of integers.
unsafe impl Plain for sys::v4l2_frmsizeenum {}
// SAFETY: integers and a union of structures of integers.
unsafe impl Plain for sys::v4l2_frmivalenum {}
// SAFETY: integers and a union; for capture its member `pix` is used, which is integers.
unsafe impl Plain for sys::v4l2_format {}
// SAFETY: integers.
unsafe impl Plain for sys::v4l2_requestbuffers {}
// SAFETY: integers, and a union that holds an offset for single-planar capture by mmap.
unsafe impl Plain for sys::v4l2_buffer {}
// SAFETY: integers and arrays of integers.
unsafe impl Plain for sys::v4l2_queryctrl {}
// SAFETY: integers and a union of integers and arrays of integers.
unsafe impl Plain for sys::v4l2_querymenu {}
// SAFETY: integers.
unsafe impl Plain for sys::v4l2_control {}
// SAFETY: an integer.
unsafe impl Plain for libc::c_int {}

/// Name and abilities of a device (VIDIOC_QUERYCAP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Capabilities {
    pub(super) driver: String,
    pub(super) card: String,
    pub(super) bus: String,
    pub(super) flags: u32,
}

impl Capabilities {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag == flag
    }

    /// Whether the device captures into one plane, with buffers that can be mapped.
    pub(super) fn can_capture(&self) -> bool {
        self.has(sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_STREAMING)
    }

    /// Whether the media controller sets the formats, as for CSI sensors.
    pub(super) fn is_media_controlled(&self) -> bool {
        // V4L2_CAP_IO_MC, which headers before Linux 5.9 lack.
        self.has(0x2000_0000)
    }

    /// The kind of a device that does not capture.
    pub(super) fn other_kind(&self) -> &'static str {
        if self.flags & (sys::V4L2_CAP_VIDEO_M2M | sys::V4L2_CAP_VIDEO_M2M_MPLANE) != 0 {
            "a video codec"
        } else if self.has(sys::V4L2_CAP_META_CAPTURE) {
            "a camera's metadata device"
        } else if self.has(sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE) {
            "a multi-planar capture device; read it through a command"
        } else if self.flags & (sys::V4L2_CAP_VIDEO_OUTPUT | sys::V4L2_CAP_VIDEO_OUTPUT_MPLANE) != 0 {
            "a video output, or a loopback that nothing is written to yet"
        } else if self.has(sys::V4L2_CAP_VIDEO_CAPTURE) {
            "a capture device without streaming"
        } else {
            "a video device that does not capture"
        }
    }
}

/// An open device.
#[derive(Debug)]
pub(super) struct Device {
    file: File,
}

impl Device {
    /// Opens a node if it is a video device. Any other node is not opened: to open a watchdog, for example,
    /// starts its timer.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.file_type().is_char_device() || rustix::fs::major(metadata.rdev()) != VIDEO_MAJOR {
            return Ok(None);
        }
        let file = OpenOptions::new().read(true).write(true).custom_flags(NONBLOCK).open(path)?;
        Ok(Some(Self { file }))
    }

    /// Calls one ioctl, again if a signal interrupts it.
    fn ioctl<T: Plain>(&self, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
        // The request number holds the size of its argument: a mismatch would let the kernel write past the
        // end.
        if (request >> 16) as usize & 0x3FFF != size_of::<T>() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        loop {
            let pointer = std::ptr::from_mut(argument).cast();
            // SAFETY: the descriptor lives as long as `self`; `pointer` is valid for the request's size
            // (checked above); the plain structures behind it are valid with any values.
            match unsafe { v4l::v4l2::ioctl(self.file.as_raw_fd(), request, pointer) } {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub(super) fn capabilities(&self) -> io::Result<Capabilities> {
        let mut raw = sys::v4l2_capability::zeroed();
        self.ioctl(vidioc::VIDIOC_QUERYCAP, &mut raw)?;
        let has_own = raw.capabilities & sys::V4L2_CAP_DEVICE_CAPS != 0;
        Ok(Capabilities {
            driver: text(&raw.driver),
            card: text(&raw.card),
            bus: text(&raw.bus_info),
            // The flags of this node, if the driver gives them, rather than of the whole device.
            flags: if has_own { raw.device_caps } else { raw.capabilities },
        })
    }

    fn sizes(&self, fourcc: FourCc) -> Sizes {
        let mut discrete = Vec::new();
        for index in 0..MAX_ENUMERATED {
            let mut raw = sys::v4l2_frmsizeenum { index, pixel_format: fourcc.0, ..Plain::zeroed() };
            if self.ioctl(vidioc::VIDIOC_ENUM_FRAMESIZES, &mut raw).is_err() {
                break;
            }
            if raw.type_ == sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
                // SAFETY: both members of the union are integers, so any bytes are a value; the type says
                // which is meant.
                let size = unsafe { raw.__bindgen_anon_1.discrete };
                discrete.push((size.width, size.height));
            } else {
                // SAFETY: as above.
                let steps = unsafe { raw.__bindgen_anon_1.stepwise };
                return Sizes::Steps {
                    least: (steps.min_width, steps.min_height),
                    most: (steps.max_width, steps.max_height),
                    step: (steps.step_width, steps.step_height),
                };
            }
        }
        if discrete.is_empty() { Sizes::Unknown } else { Sizes::Discrete(discrete) }
    }
}

impl CaptureDriver for Device {
    type Buffer = Mapping;

    fn offers(&self) -> Vec<Offer> {
        let mut offers = Vec::new();
        for index in 0..MAX_ENUMERATED {
            let mut raw = sys::v4l2_fmtdesc { index, type_: CAPTURE, ..Plain::zeroed() };
            if self.ioctl(vidioc::VIDIOC_ENUM_FMT, &mut raw).is_err() {
                break;
            }
            let fourcc = FourCc(raw.pixelformat);
            offers.push(Offer { fourcc, sizes: self.sizes(fourcc) });
        }
        offers
    }

    fn rates(&self, fourcc: FourCc, width: u32, height: u32) -> Vec<f64> {
        let mut rates = Vec::new();
        for index in 0..MAX_ENUMERATED {
            let asked =
                sys::v4l2_frmivalenum { index, pixel_format: fourcc.0, width, height, ..Plain::zeroed() };
            let mut raw = asked;
            if self.ioctl(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut raw).is_err() {
                break;
            }
            let is_listed = raw.type_ == sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE;
            // SAFETY: both members of the union are integers, so any bytes are a value; the type says which
            // is meant. The shortest pause is the first of the other.
            let pause = unsafe {
                if is_listed { raw.__bindgen_anon_1.discrete } else { raw.__bindgen_anon_1.stepwise.min }
            };
            rates.push(f64::from(pause.denominator) / f64::from(pause.numerator));
            if !is_listed {
                break;
            }
        }
        rates
    }

    fn set_format(&self, fourcc: FourCc, width: u32, height: u32) -> io::Result<Negotiated> {
        let mut raw = sys::v4l2_format { type_: CAPTURE, ..Plain::zeroed() };
        raw.fmt.pix = sys::v4l2_pix_format {
            width,
            height,
            pixelformat: fourcc.0,
            field: sys::v4l2_field_V4L2_FIELD_ANY,
            bytesperline: 0,
            sizeimage: 0,
            colorspace: 0,
            priv_: sys::V4L2_PIX_FMT_PRIV_MAGIC,
            flags: 0,
            __bindgen_anon_1: sys::v4l2_pix_format__bindgen_ty_1 { ycbcr_enc: 0 },
            quantization: 0,
            xfer_func: 0,
        };
        self.ioctl(vidioc::VIDIOC_S_FMT, &mut raw)?;
        // SAFETY: for a capture format the kernel fills `pix`, which is integers, so any bytes are a value.
        let pix = unsafe { raw.fmt.pix };
        // SAFETY: both members of this union are the same integer type.
        let encoding = unsafe { pix.__bindgen_anon_1.ycbcr_enc };
        Ok(Negotiated {
            fourcc: FourCc(pix.pixelformat),
            width: pix.width,
            height: pix.height,
            stride: pix.bytesperline,
            colorspace: pix.colorspace,
            encoding,
            quantization: pix.quantization,
        })
    }

    fn request_buffers(&self, count: u32) -> io::Result<u32> {
        let mut raw = sys::v4l2_requestbuffers { count, type_: CAPTURE, memory: MMAP, ..Plain::zeroed() };
        self.ioctl(vidioc::VIDIOC_REQBUFS, &mut raw)?;
        Ok(raw.count)
    }

    fn map(&self, index: u32) -> io::Result<Mapping> {
        let mut raw = buffer(index);
        self.ioctl(vidioc::VIDIOC_QUERYBUF, &mut raw)?;
        // SAFETY: for a single-planar buffer in mmap memory the kernel fills `offset`; all members begin with
        // integers.
        let offset = unsafe { raw.m.offset };
        let length = raw.length as usize;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours. Read and
        // write, as the V4L2 documentation recommends for every driver.
        let start = unsafe {
            v4l::v4l2::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                self.file.as_raw_fd(),
                i64::from(offset) as libc::off_t,
            )?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, length })
    }

    fn queue(&self, index: u32) -> io::Result<()> {
        self.ioctl(vidioc::VIDIOC_QBUF, &mut buffer(index))
    }

    fn dequeue(&self) -> io::Result<Option<Filled>> {
        let mut raw = buffer(0);
        match self.ioctl(vidioc::VIDIOC_DQBUF, &mut raw) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(Some(Filled {
            index: raw.index,
            used: raw.bytesused as usize,
            damaged: raw.flags & sys::V4L2_BUF_FLAG_ERROR != 0 || raw.bytesused == 0,
            sequence: raw.sequence,
            captured: captured(&raw),
        }))
    }

    fn start(&self) -> io::Result<()> {
        self.ioctl(vidioc::VIDIOC_STREAMON, &mut (CAPTURE as libc::c_int))
    }

    fn stop(&self) -> io::Result<()> {
        self.ioctl(vidioc::VIDIOC_STREAMOFF, &mut (CAPTURE as libc::c_int))
    }

    fn wait(&self, wait: Duration) -> io::Result<bool> {
        let mut waited = [PollFd::new(&self.file, PollFlags::IN)];
        // A wait that the kernel cannot count is one without end.
        match poll(&mut waited, Timespec::try_from(wait).ok().as_ref()) {
            Err(Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let [waited] = waited;
        if waited.revents().contains(PollFlags::IN) {
            return Ok(true);
        }
        if waited.revents().is_empty() {
            return Ok(false);
        }
        // An error without data. `dequeue` names it; if it does not, an error must still end the loop of the
        // caller.
        match self.dequeue() {
            Ok(_) => Err(Errno::IO.into()),
            Err(error) => Err(error),
        }
    }
}

impl ControlDriver for Device {
    fn limits(&self, id: u32) -> Option<ControlLimits> {
        let mut raw = sys::v4l2_queryctrl { id, ..Plain::zeroed() };
        self.ioctl(vidioc::VIDIOC_QUERYCTRL, &mut raw).ok()?;
        if raw.flags & (sys::V4L2_CTRL_FLAG_DISABLED | sys::V4L2_CTRL_FLAG_READ_ONLY) != 0 {
            return None;
        }
        let menus =
            [sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU, sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU];
        let is_menu = menus.contains(&raw.type_);
        Some(ControlLimits { least: raw.minimum, most: raw.maximum, step: raw.step, is_menu })
    }

    fn has_choice(&self, id: u32, index: u32) -> bool {
        let mut raw = sys::v4l2_querymenu { id, index, ..Plain::zeroed() };
        self.ioctl(vidioc::VIDIOC_QUERYMENU, &mut raw).is_ok()
    }

    fn control(&self, id: u32) -> Option<i32> {
        let mut raw = sys::v4l2_control { id, value: 0 };
        self.ioctl(vidioc::VIDIOC_G_CTRL, &mut raw).ok().map(|()| raw.value)
    }

    fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
        self.ioctl(vidioc::VIDIOC_S_CTRL, &mut sys::v4l2_control { id, value })
    }
}

fn buffer(index: u32) -> sys::v4l2_buffer {
    sys::v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..Plain::zeroed() }
}

/// The driver's time of capture if it is on the monotonic clock, which `Instant` uses too; otherwise now.
fn captured(raw: &sys::v4l2_buffer) -> Instant {
    let now = Instant::now();
    let age = || {
        if raw.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK != sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC {
            return None;
        }
        let seconds = u64::try_from(raw.timestamp.tv_sec).ok()?;
        let microseconds = u64::try_from(raw.timestamp.tv_usec).ok()?;
        let then = Duration::from_secs(seconds).checked_add(Duration::from_micros(microseconds))?;
        let age = monotonic()?.checked_sub(then)?;
        (age <= MAX_AGE).then_some(age)
    };
    age().and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

fn monotonic() -> Option<Duration> {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).ok()
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A mapped buffer of a driver. The driver, and with some drivers other processes, may write to it at any
/// time: so its bytes are copied out and never borrowed.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and `Mapping` is its only owner.
unsafe impl Send for Mapping {}

impl CaptureBuffer for Mapping {
    fn len(&self) -> usize {
        self.length
    }

    fn copy(&self, length: usize, into: &mut Vec<u8>) {
        let length = length.min(self.length);
        into.clear();
        into.reserve(length);
        // SAFETY: both are valid for `length` bytes (at most the mapping's length; reserved in the vector)
        // and do not overlap. Any copied bytes are initialised.
        unsafe {
            std::ptr::copy_nonoverlapping(self.start.as_ptr(), into.as_mut_ptr(), length);
            into.set_len(length);
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping, nothing borrows from it, and it is not used
        // again.
        if let Err(error) = unsafe { v4l::v4l2::munmap(self.start.as_ptr().cast(), self.length) } {
            log::debug!("a camera buffer cannot be unmapped: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_text_does_no_harm() {
        assert_eq!(text(b"HD Webcam\0\0rest"), "HD Webcam");
        assert_eq!(text(b"full"), "full");
        assert_eq!(text(&[0xFF, b'a', 0]), "\u{FFFD}a");
    }

    #[test]
    fn only_video_devices_are_opened() {
        assert!(Device::open(Path::new("/dev/null")).unwrap().is_none());
        assert!(Device::open(Path::new("/dev")).unwrap().is_none());
        assert_eq!(Device::open(Path::new("/dev/video-none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_wrong_argument_never_reaches_the_kernel() {
        let device = Device { file: File::open("/dev/null").unwrap() };
        let error = device.ioctl(vidioc::VIDIOC_QUERYCAP, &mut buffer(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = device.capabilities().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::NOTTY.raw_os_error()));
    }

    #[test]
    fn a_timestamp_counts_only_on_the_right_clock() {
        let mut raw = buffer(0);
        let then = monotonic().unwrap() - Duration::from_secs(2);
        raw.timestamp.tv_sec = then.as_secs().try_into().unwrap();
        raw.timestamp.tv_usec = u64::from(then.subsec_micros()).try_into().unwrap();
        raw.flags = sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        assert!(captured(&raw).elapsed() >= Duration::from_secs(2));
        raw.flags = sys::V4L2_BUF_FLAG_TIMESTAMP_COPY;
        assert!(captured(&raw).elapsed() < Duration::from_secs(2));
        raw.flags = sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        raw.timestamp.tv_sec = 0;
        raw.timestamp.tv_usec = -1;
        assert!(captured(&raw).elapsed() < Duration::from_secs(2), "a negative time is no time");
    }
}
