//! A camera over a driver that does what a script says: bad answers, damaged, frozen, black and ill-sized
//! frames.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

use super::*;
use crate::source::v4l2::choice::{Offer, Sizes};
use crate::source::v4l2::driver::{CaptureBuffer, ControlLimits, Filled};
use crate::source::v4l2::format::{FourCc, Negotiated};
use crate::source::{Controls, Exposure, Setting};
use v4l::v4l_sys as sys;

const WAIT: Duration = Duration::from_millis(1);

/// What the camera gives when it is waited for.
#[derive(Debug, Clone)]
enum Given {
    Frame(Vec<u8>),
    /// A frame that the driver marks as damaged.
    Marked,
    Nothing,
    Error(i32),
}

#[derive(Debug, Default)]
struct Kernel {
    offers: Vec<Offer>,
    /// What it makes of a format; it agrees to those that are not here.
    answers: Vec<(FormatRequest, FormatRequest)>,
    /// Frames per second of formats.
    rates: Vec<(FormatRequest, f64)>,
    /// What controls are set to.
    values: Vec<(u32, i32)>,
    script: VecDeque<Given>,
    memory: Vec<u8>,
    filled: Option<Filled>,
    queued: VecDeque<u32>,
    sequence: u32,
    error: Option<i32>,
    /// The one control that it has, and what was done, in order.
    control: Option<(u32, ControlLimits)>,
    done: Vec<String>,
}

/// The driver; its copies are the same camera.
#[derive(Debug, Clone, Default)]
struct Scripted(Rc<RefCell<Kernel>>);

impl CaptureBuffer for Scripted {
    fn len(&self) -> usize {
        1 << 20
    }

    fn copy(&self, length: usize, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.0.borrow().memory[..length]);
    }
}

impl CaptureDriver for Scripted {
    type Buffer = Self;

    fn offers(&self) -> Vec<Offer> {
        self.0.borrow().offers.clone()
    }

    fn rates(&self, fourcc: FourCc, width: u32, height: u32) -> Vec<f64> {
        let asked = FormatRequest { fourcc, width, height };
        let kernel = self.0.borrow();
        kernel.rates.iter().filter(|(known, _)| *known == asked).map(|(_, rate)| *rate).collect()
    }

    fn set_format(&self, fourcc: FourCc, width: u32, height: u32) -> io::Result<Negotiated> {
        let asked = FormatRequest { fourcc, width, height };
        let kernel = self.0.borrow();
        let answer = kernel.answers.iter().find(|(known, _)| *known == asked).map(|(_, answer)| *answer);
        let FormatRequest { fourcc, width, height } = answer.unwrap_or(asked);
        Ok(Negotiated { fourcc, width, height, stride: 0, colorspace: 8, encoding: 0, quantization: 0 })
    }

    fn request_buffers(&self, count: u32) -> io::Result<u32> {
        self.0.borrow_mut().queued.clear();
        Ok(count)
    }

    fn map(&self, _: u32) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn queue(&self, index: u32) -> io::Result<()> {
        self.0.borrow_mut().queued.push_back(index);
        Ok(())
    }

    fn dequeue(&self) -> io::Result<Option<Filled>> {
        let mut kernel = self.0.borrow_mut();
        match kernel.error {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(kernel.filled.take()),
        }
    }

    fn start(&self) -> io::Result<()> {
        self.0.borrow_mut().done.push("start".into());
        Ok(())
    }

    fn stop(&self) -> io::Result<()> {
        Ok(())
    }

    fn wait(&self, _: Duration) -> io::Result<bool> {
        let mut kernel = self.0.borrow_mut();
        let given = kernel.script.pop_front().unwrap_or(Given::Nothing);
        let (bytes, damaged) = match given {
            Given::Nothing => return Ok(false),
            Given::Error(errno) => {
                kernel.error = Some(errno);
                return Ok(true);
            }
            Given::Frame(bytes) => (bytes, false),
            Given::Marked => (vec![0; 8], true),
        };
        kernel.sequence += 1;
        let index = kernel.queued.pop_front().unwrap();
        let (used, sequence) = (bytes.len(), kernel.sequence);
        kernel.memory = bytes;
        kernel.filled = Some(Filled { index, used, damaged, sequence, captured: Instant::now() });
        Ok(true)
    }
}

impl ControlDriver for Scripted {
    fn limits(&self, id: u32) -> Option<ControlLimits> {
        self.0.borrow().control.filter(|(known, _)| *known == id).map(|(_, limits)| limits)
    }

    fn has_choice(&self, _: u32, _: u32) -> bool {
        true
    }

    fn control(&self, id: u32) -> Option<i32> {
        self.0.borrow().values.iter().find(|(known, _)| *known == id).map(|(_, value)| *value)
    }

    fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
        self.0.borrow_mut().done.push(format!("{id:#x} = {value}"));
        Ok(())
    }
}

fn size(code: &[u8; 4], width: u32, height: u32) -> FormatRequest {
    FormatRequest { fourcc: FourCc::new(code), width, height }
}

fn offering(offers: &[FormatRequest]) -> Scripted {
    let camera = Scripted::default();
    camera.0.borrow_mut().offers = offers
        .iter()
        .map(|offer| Offer {
            fourcc: offer.fourcc,
            sizes: Sizes::Discrete(vec![(offer.width, offer.height)]),
        })
        .collect();
    camera
}

/// A small camera without compression.
fn yuyv() -> Scripted {
    offering(&[size(b"YUYV", 64, 48)])
}

fn shade(luma: u8) -> Given {
    Given::Frame([luma, 128, luma, 128].repeat(64 * 48 / 2))
}

fn jpeg(width: u32, height: u32) -> Given {
    let mut bytes = Vec::new();
    let picture = RgbImage::from_pixel(width, height, Rgb([90; 3]));
    JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
    Given::Frame(bytes)
}

fn capabilities() -> Capabilities {
    Capabilities { driver: "uvcvideo".into(), card: "Webcam".into(), bus: "usb-1.2".into(), flags: 0 }
}

fn open(
    camera: &Scripted,
    options: &Options,
    memory: &FrozenMemory,
    script: &[Given],
) -> Result<Capture<Scripted>, SourceError> {
    camera.0.borrow_mut().script = script.iter().cloned().collect();
    Capture::start(camera.clone(), &capabilities(), "/dev/video7".into(), options, memory.clone())
}

fn started(camera: &Scripted, script: &[Given]) -> Capture<Scripted> {
    open(camera, &Options::default(), &FrozenMemory::default(), script).unwrap()
}

/// What came, in a word or a sentence.
fn next(camera: &mut Capture<Scripted>) -> String {
    match camera.next(WAIT) {
        Ok(Next::Frame(frame)) => {
            let (width, height) = frame.picture.dimensions();
            format!("{width}x{height}")
        }
        Ok(Next::Skipped(skipped)) => skipped.to_string(),
        Ok(Next::Nothing) => "nothing".into(),
        Ok(Next::End) => "end".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_format_that_changed_is_taken_as_it_is_after_reopening() {
    let first = yuyv();
    let mut camera = started(&first, &[shade(90), shade(91), Given::Error(libc::ENODEV)]);
    assert_eq!(camera.describe(), "camera /dev/video7 (Webcam, 64x48 yuyv422)");
    assert_eq!(next(&mut camera), "64x48");
    assert_eq!(next(&mut camera), "64x48");
    assert_eq!(next(&mut camera), "camera /dev/video7 was unplugged; plug it in again");
    drop(camera);
    // Behind the same name there is another model now.
    let second = offering(&[size(b"MJPG", 32, 16)]);
    let mut camera = started(&second, &[jpeg(32, 16)]);
    assert_eq!(camera.describe(), "camera /dev/video7 (Webcam, 32x16 mjpeg)");
    assert_eq!(next(&mut camera), "32x16");
}

#[test]
fn frames_of_a_wrong_size_are_skipped_and_told() {
    let mut camera =
        started(&yuyv(), &[Given::Frame(vec![90; 6143]), Given::Frame(vec![90; 12288]), shade(90)]);
    assert_eq!(
        next(&mut camera),
        "camera /dev/video7 (Webcam): the frame is short (6143 bytes, 64x48 yuyv422 takes 6144)"
    );
    assert_eq!(
        next(&mut camera),
        "camera /dev/video7 (Webcam): the frame is of another size (12288 bytes, 64x48 takes 6144)"
    );
    assert_eq!(next(&mut camera), "64x48");
    // Some drivers round up what they say.
    let mut camera = started(&yuyv(), &[Given::Frame(vec![90; 8192])]);
    assert_eq!(next(&mut camera), "64x48");
}

#[test]
fn a_jpeg_header_that_says_too_much_does_not_fill_the_memory() {
    let mut camera = started(&offering(&[size(b"MJPG", 64, 48)]), &[jpeg(640, 480), jpeg(64, 48)]);
    assert_eq!(
        next(&mut camera),
        "camera /dev/video7 (Webcam): the frame is of another size (640x480 instead of 64x48)"
    );
    assert_eq!(next(&mut camera), "64x48");
}

#[test]
fn corrupt_frames_are_skipped_and_marked_ones_too() {
    let Given::Frame(whole) = jpeg(64, 48) else { panic!("no frame") };
    let cut = Given::Frame(whole[..whole.len() - 3].to_vec());
    let script = [cut, Given::Frame(b"garbage".to_vec()), Given::Marked, Given::Frame(whole)];
    let mut camera = started(&offering(&[size(b"MJPG", 64, 48)]), &script);
    assert!(next(&mut camera).contains("it is cut off"));
    assert!(next(&mut camera).contains("it is damaged"));
    assert!(next(&mut camera).contains("the driver marked it as damaged"));
    assert_eq!(next(&mut camera), "64x48");
}

#[test]
fn a_size_that_was_promised_and_not_given_is_passed_over_for_a_better_one() {
    let offers = [size(b"YUYV", 640, 480), size(b"MJPG", 640, 480)];
    let camera = offering(&offers);
    assert!(started(&camera, &[]).describe().ends_with("640x480 yuyv422)"));
    // The driver shrinks frames without compression, as on a slow bus.
    camera.0.borrow_mut().answers = vec![(offers[0], size(b"YUYV", 160, 120))];
    assert!(started(&camera, &[]).describe().ends_with("640x480 mjpeg)"));
    // Where it does so with all, the first will do.
    camera.0.borrow_mut().answers.push((offers[1], size(b"MJPG", 176, 144)));
    assert!(started(&camera, &[]).describe().ends_with("160x120 yuyv422)"));
    // Rounding is no refusal.
    camera.0.borrow_mut().answers = vec![(offers[0], size(b"YUYV", 640, 476))];
    assert!(started(&camera, &[]).describe().ends_with("640x476 yuyv422)"));
}

#[test]
fn a_frozen_camera_is_told_also_after_it_was_opened_again() {
    let limit = Duration::from_millis(30);
    let options = Options { frozen_after: Some(limit), ..Options::default() };
    let (driver, memory) = (yuyv(), FrozenMemory::default());
    let mut camera = open(&driver, &options, &memory, &[shade(90), shade(90), shade(90)]).unwrap();
    assert_eq!(next(&mut camera), "64x48");
    std::thread::sleep(limit);
    let told = next(&mut camera);
    assert!(told.starts_with("camera /dev/video7 (Webcam) is frozen: it has given the same frame"), "{told}");
    drop(camera);
    // The same picture is none that was seen just now, so the door goes on showing the fault.
    let mut camera = open(&driver, &options, &memory, &[shade(90), shade(90)]).unwrap();
    assert_eq!(next(&mut camera), "nothing");
    std::thread::sleep(limit);
    assert!(next(&mut camera).contains("is frozen"));
    drop(camera);
    let mut camera = open(&driver, &options, &memory, &[shade(90), shade(91), shade(90)]).unwrap();
    assert_eq!(next(&mut camera), "nothing");
    assert_eq!(next(&mut camera), "64x48");
    assert_eq!(next(&mut camera), "64x48");
}

#[test]
fn a_still_is_shown_where_that_is_wished_and_so_is_the_dark() {
    let pause = Duration::from_millis(30);
    for (frozen_after, luma) in [(None, 90), (Some(pause), 16), (Some(pause), 235)] {
        let options = Options { frozen_after, ..Options::default() };
        let script = [shade(luma), shade(luma), shade(luma)];
        let mut camera = open(&yuyv(), &options, &FrozenMemory::default(), &script).unwrap();
        for _ in 0..3 {
            assert_eq!(next(&mut camera), "64x48", "luma {luma}");
            std::thread::sleep(pause);
        }
    }
}

#[test]
fn without_a_frame_in_time_it_has_stalled_and_the_limits_follow_the_timeout() {
    let with_timeout = |seconds, script: &[Given]| {
        let options = Options { timeout: Duration::from_secs(seconds), ..Options::default() };
        open(&yuyv(), &options, &FrozenMemory::default(), script).unwrap()
    };
    let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
    for (timeout, any, good) in [(1, 5, 10), (5, 5, 10), (20, 20, 40)] {
        let mut camera = with_timeout(timeout, &[Given::Nothing, Given::Nothing]);
        camera.any_frame.renew(ago(any - 1));
        assert_eq!(next(&mut camera), "nothing", "timeout {timeout}");
        camera.any_frame.renew(ago(any));
        let told = next(&mut camera);
        let expected = format!("camera /dev/video7 (Webcam) has given no frame for {any} s");
        assert!(told.starts_with(&expected), "{told}");
        // Damaged frames are frames, but not for ever; a good one begins anew.
        let script = [Given::Marked, shade(90), Given::Marked, Given::Marked];
        let mut camera = with_timeout(timeout, &script);
        camera.good_frame.renew(ago(good - 1));
        assert!(next(&mut camera).ends_with("it is damaged (the driver marked it as damaged)"));
        assert_eq!(next(&mut camera), "64x48");
        camera.any_frame.renew(ago(any - 1));
        assert!(next(&mut camera).ends_with("it is damaged (the driver marked it as damaged)"));
        assert!(!camera.any_frame.is_over(ago(0)) && camera.any_frame.left(ago(0)).as_secs() + 1 >= any);
        camera.good_frame.renew(ago(good));
        let told = next(&mut camera);
        assert!(told.contains(&format!("for {good} s")) && told.contains("marked it as damaged"), "{told}");
    }
}

#[test]
fn controls_are_set_each_time_that_a_camera_is_opened_and_a_wrong_one_stops_nothing() {
    let camera = yuyv();
    let gain = ControlLimits { least: 0, most: 255, step: 1, is_menu: false };
    camera.0.borrow_mut().control = Some((sys::V4L2_CID_GAIN, gain));
    let options = |gain| Options {
        controls: Controls { gain: Some(Setting::Value(gain)), ..Controls::default() },
        ..Options::default()
    };
    for wanted in [7, 7, 999] {
        let mut opened = open(&camera, &options(wanted), &FrozenMemory::default(), &[shade(90)]).unwrap();
        assert_eq!(next(&mut opened), "64x48");
    }
    assert_eq!(camera.0.borrow().done, ["start", "0x980913 = 7", "start", "0x980913 = 7", "start"]);
}

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
         unplug it and plug it in again if this happens again"
    );
}

#[test]
fn the_camera_tells_what_it_offers_and_how_long_it_exposes() {
    let formats = [size(b"YUYV", 640, 480), size(b"YUYV", 320, 240), size(b"H264", 1920, 1080)];
    let driver = offering(&formats);
    {
        let mut kernel = driver.0.borrow_mut();
        kernel.rates =
            vec![(formats[0], 30.0), (formats[0], 15.0), (formats[0], f64::NAN), (formats[1], 60.0)];
        kernel.values = vec![(sys::V4L2_CID_EXPOSURE_ABSOLUTE, 333), (sys::V4L2_CID_EXPOSURE_AUTO, 3)];
    }
    let camera = started(&driver, &[]);
    let survey = camera.survey();
    assert_eq!(survey.rates, [15.0, 30.0], "of the format and size that are taken, sorted");
    let exposure = Exposure { time: Duration::from_micros(33_300), is_automatic: true };
    assert_eq!(survey.exposure, Some(exposure));
    let largest: Vec<_> =
        survey.formats.iter().map(|format| (format.code.as_str(), format.largest)).collect();
    assert_eq!(
        largest,
        [("YUYV", Some((640, 480))), ("YUYV", Some((320, 240))), ("H264", Some((1920, 1080)))]
    );
    for (values, expected) in [
        (vec![], None),
        (vec![(sys::V4L2_CID_EXPOSURE_ABSOLUTE, 0)], None),
        (vec![(sys::V4L2_CID_EXPOSURE_ABSOLUTE, -1)], None),
        (vec![(sys::V4L2_CID_EXPOSURE_ABSOLUTE, 5)], Some(false)),
        (vec![(sys::V4L2_CID_EXPOSURE_ABSOLUTE, 5), (sys::V4L2_CID_EXPOSURE_AUTO, 1)], Some(false)),
        (vec![(sys::V4L2_CID_EXPOSURE_ABSOLUTE, 5), (sys::V4L2_CID_EXPOSURE_AUTO, 0)], Some(true)),
    ] {
        driver.0.borrow_mut().values = values;
        assert_eq!(camera.survey().exposure.map(|exposure| exposure.is_automatic), expected);
    }
}
