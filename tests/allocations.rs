//! Once the daemon's loop is in its stride, a frame costs no allocation: not in the reader of the command,
//! not between the threads, not on the way to the networks' buffers, not in the networks. What the JPEG
//! decoder allocates is its own affair and counted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use image::RgbImage;
use maskwatch::config::Config;
use maskwatch::daemon::{
    Clock, Daemon, Event, Flags, FramePace, Observer, QuietTimes, SystemClock, SystemWallClock, Watch,
};
use maskwatch::geometry::Rect;
use maskwatch::outputs::{Outputs, Panel, simulated};
use maskwatch::pixels::buffer::Pool;
use maskwatch::pixels::delayed::{DelayedPicture, DelayedPools};
use maskwatch::pixels::format::{FrameFormat, PixelFormat};
use maskwatch::pixels::picture::View;
use maskwatch::source;
use maskwatch::vision::classifier::Input;
use maskwatch::vision::quality::Gates;
use maskwatch::vision::{Chain, ChainOptions, Choice, JudgedFace, Vision, VisionError};
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is done by the system's allocator with the arguments as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// The daemon's chain, which finds nobody, and is asked about two places all the same, which the gates look
/// at too.
struct Looking {
    chain: Chain,
    frames: u16,
}

/// What looking at a frame costs: lists of the answers about its faces and of the judgements.
const LISTS: usize = 2;

impl Vision for Looking {
    fn look(&mut self, picture: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        assert_eq!(self.chain.look(picture, choice)?, [], "nobody is on these frames");
        // Faces that come nearer, one of them over the edge of the picture; in the end no longer.
        let side = 40.0 + f32::from(self.frames.min(WARM)) * 2.0;
        let places = [-20.0, 300.0].map(|x| Rect::new(x, 100.0, side, side));
        let judged = self.chain.judge(picture, &places)?;
        assert!(judged.iter().all(|judgement| judgement.answer().is_some()), "{judged:?}");
        self.frames += 1;
        if self.frames < WARM / 2 {
            // While this takes its time, the reader fills every buffer that there ever is.
            std::thread::sleep(Duration::from_millis(40));
        }
        Ok(Vec::new())
    }
}

/// Frames after which everything has the size it needs, and those that are counted then.
const WARM: u16 = 30;
const COUNTED: u16 = 40;

/// Notes the allocations of frames `WARM` to `WARM` + `COUNTED`, then stops the loop.
struct Count {
    frames: u16,
    before: usize,
    counted: Option<usize>,
    stop: Arc<AtomicBool>,
}

impl Observer for Count {
    fn on_event(&mut self, _: Duration, event: &Event<'_>) {
        if matches!(event, Event::Frame { .. }) {
            self.frames += 1;
            if self.frames == WARM {
                self.before = allocations();
            } else if self.frames == WARM + COUNTED {
                self.counted = Some(allocations() - self.before);
                self.stop.store(true, Ordering::Relaxed);
            }
        } else if let Event::Fault { reason, .. } = event {
            panic!("{reason}");
        }
    }
}

/// The allocations of [`COUNTED`] frames that a command repeats from `file`.
fn in_the_loop(format: &str, file: &Path) -> usize {
    let spec = format!("command({format}): while cat {}; do sleep 0.01; done", file.display());
    // On a busy machine so many grey frames take longer than a camera may see nothing.
    let options = source::Options { blind_after: None, ..source::Options::default() };
    let source = source::open(&spec.parse().unwrap(), &options).unwrap();
    let config = Config::default();
    let stop = Arc::new(AtomicBool::new(false));
    let (driver, _recorder) = simulated();
    let panel = Panel::open(driver, &config.outputs.outputs, None).unwrap();
    let outputs = Outputs::start(panel, Arc::clone(&stop), Duration::from_secs(3600)).unwrap();
    // Gates that stop nobody and are asked all the same, and small networks: what allocates is the same.
    let gates = Gates { max_yaw: 4.0, ..Gates::OPEN };
    let mut options = ChainOptions { gates, detector_input: (160, 128), ..config.vision() };
    options.models.classifier_input = Input::Side(128);
    let vision = Looking { chain: Chain::load(&options).unwrap(), frames: 0 };
    let watch = Watch::new(Box::new(vision), config.decision);
    let clock = SystemClock::start();
    assert!(clock.now() < Duration::from_secs(60));
    let mut daemon = Daemon::new(source, watch, outputs, FramePace::from(&config.source), &clock);
    // Silent all the time: the clock on the wall is asked once a second.
    let quiet =
        Config::parse("[quiet.always]\nfrom = \"00:00\"\nto = \"24:00\"\n", "door.toml").unwrap().quiet;
    daemon.quiet = Some(QuietTimes::new(quiet, Box::new(SystemWallClock::new(true))));
    let mut count = Count { frames: 0, before: 0, counted: None, stop: Arc::clone(&stop) };
    let never = AtomicBool::new(false);
    daemon.run(Flags { stop: &stop, reload: &never }, &mut count).unwrap();
    daemon.outputs.stop().unwrap();
    count.counted.unwrap()
}

/// One test, since tests of one program run at once and the allocator counts for all.
#[test]
fn frames_cost_no_allocation_outside_the_jpeg_decoder() {
    let folder = tempfile::tempdir().unwrap();
    for format in [PixelFormat::Yuyv422, PixelFormat::Nv12, PixelFormat::Yuv420p, PixelFormat::Rgb24] {
        let bytes = FrameFormat::new(format, 640, 480).bytes().unwrap().unwrap();
        let file = folder.path().join(format.name());
        std::fs::write(&file, (0..bytes).map(|index| (index % 251) as u8).collect::<Vec<u8>>()).unwrap();
        let spec = format!("{format} 640x480");
        assert_costs(LISTS * usize::from(COUNTED), format.name(), || in_the_loop(&spec, &file));
    }

    let picture = RgbImage::from_fn(640, 480, |x, y| image::Rgb([(x / 3) as u8, (y / 2) as u8, 99]));
    let file = folder.path().join("frame.jpg");
    picture.save(&file).unwrap();
    let (jpeg, pools) = (std::fs::read(&file).unwrap(), (Pool::default(), DelayedPools::default()));
    let decode = || {
        let mut bytes = pools.0.take();
        bytes.as_mut_vec().extend_from_slice(&jpeg);
        let before = allocations();
        let decoded = DelayedPicture::new(bytes, &FrameFormat::new(PixelFormat::Mjpeg, 0, 0), &pools.1);
        let decoded = decoded.map_err(|(error, _)| error).unwrap();
        assert_eq!(decoded.view().unwrap().dimensions(), (640, 480));
        allocations() - before
    };
    decode();
    let decoder = decode();
    assert!(decoder > 0, "the decoder allocates nothing: this test can be simpler");
    let expected = (decoder + LISTS) * usize::from(COUNTED);
    assert_costs(expected, "mjpeg", || in_the_loop("mjpeg", &file));
}

/// Makes sure that `count` gives exactly `expected` once in three runs. What every frame costs is in all of
/// them; a pause of a busy machine, after which a buffer more is kept, is not.
fn assert_costs(expected: usize, what: &str, count: impl Fn() -> usize) {
    let mut counted = Vec::new();
    while counted.len() < 3 && !counted.contains(&expected) {
        counted.push(count());
    }
    println!("{what}: {counted:?}");
    assert!(counted.contains(&expected), "{what}: {counted:?} allocations, {expected} expected");
    assert!(counted.iter().all(|count| *count >= expected), "{what}: {counted:?}, fewer than {expected}");
}
