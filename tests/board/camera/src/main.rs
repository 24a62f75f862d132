//! Plays a camera on a v4l2loopback device: `board-camera DEVICE yuyv|mjpeg LINK` writes the JPEG picture
//! that LINK leads to, ten times a second, as raw frames of 640 × 480 or as the file's own bytes. The link
//! may be changed at any time, so the picture changes without a gap; where it leads to no file there is
//! nobody to see: a grey frame.

mod frame;

use anyhow::{Context, bail};
use frame::Frame;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use v4l::format::FieldOrder;
use v4l::video::Output;
use v4l::{Device, Format, FourCC};

/// The pause from one frame to the next.
const PERIOD: Duration = Duration::from_millis(100);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [device, kind, link] = arguments.as_slice() else {
        bail!("use: board-camera DEVICE yuyv|mjpeg LINK")
    };
    let (link, mjpeg) = (Path::new(link), kind == "mjpeg");
    let mut shown = std::fs::canonicalize(link).ok();
    let mut frame = load(shown.as_ref(), mjpeg)?;

    let mut device = Device::with_path(device).with_context(|| device.clone())?;
    let (code, Frame { width, height, .. }) = (if mjpeg { b"MJPG" } else { b"YUYV" }, &frame);
    let mut format = Format::new(*width as u32, *height as u32, FourCC::new(code));
    format.field_order = FieldOrder::Progressive;
    let set = Output::set_format(&device, &format)?;
    if (set.width, set.height, set.fourcc) != (format.width, format.height, format.fourcc) {
        bail!("the device was asked for {format} and took {set}");
    }
    println!("writing {width}x{height} {}", set.fourcc);

    let (mut next, mut count) = (Instant::now(), 0u8);
    loop {
        let wanted = std::fs::canonicalize(link).ok();
        if wanted != shown {
            frame = load(wanted.as_ref(), mjpeg)?;
            shown = wanted;
        }
        // A camera whose frames are all the same is taken for frozen.
        count = count.wrapping_add(1);
        frame.stamp(count);
        device.write_all(&frame.bytes).context("writing a frame")?;
        next = (next + PERIOD).max(Instant::now());
        sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// A frame that shows `picture`.
fn load(picture: Option<&PathBuf>, mjpeg: bool) -> anyhow::Result<Frame> {
    let jpeg = match picture {
        Some(path) => std::fs::read(path).with_context(|| path.display().to_string())?,
        None if mjpeg => bail!("the link leads nowhere, and there is no grey JPEG picture to show"),
        None => return Ok(Frame::grey()),
    };
    if mjpeg { Frame::mjpeg(&jpeg) } else { Frame::yuyv(&jpeg) }
}
