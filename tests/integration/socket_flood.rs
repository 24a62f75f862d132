//! A flood of clients, bytes and orders at the local socket, while a bare person comes to the door: the alert
//! is not late.

use image::RgbImage;
use maskwatch::config::Config;
use maskwatch::daemon::listeners::Socket;
use maskwatch::daemon::{
    Clock, Daemon, Event, Flags, FramePace, Listeners, Observer, OrderSender, SystemClock, Watch, orders,
};
use maskwatch::decide::Finding;
use maskwatch::geometry::Rect;
use maskwatch::outputs::{Outputs, Panel, simulated};
use maskwatch::pixels::picture::View;
use maskwatch::source::{Frame, Next, Source, SourceError, State};
use maskwatch::vision::classifier::Probabilities;
use maskwatch::vision::{Choice, JudgedFace, Judgement, Vision, VisionError, judged};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Frames come in this rhythm.
const STEP: Duration = Duration::from_millis(20);
/// When the bare person comes.
const COMES: Duration = Duration::from_secs(3);

/// Gives a grey frame every 20 ms.
struct Camera(u64);

impl Source for Camera {
    fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
        std::thread::sleep(STEP);
        self.0 += 1;
        let picture = RgbImage::new(64, 48).into();
        Ok(Next::Frame(Frame { picture, name: None, sequence: self.0, captured: Instant::now() }))
    }

    fn describe(&self) -> String {
        "grey camera".into()
    }

    fn state(&self) -> State {
        State::Connected
    }
}

/// Sees a bare face from some moment on.
struct FromThen(SystemClock);

impl Vision for FromThen {
    fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let bare = (self.0.now() >= COMES).then(|| Rect::new(10.0, 10.0, 30.0, 30.0));
        let faces: Vec<Rect> = bare.into_iter().collect();
        judged(&faces, choice, |_| Ok(Judgement::Answered(Probabilities::of_mask(0.01))))
    }
}

/// Notes when the alert comes and how long the loop was held up, and hands everything to the listeners.
struct Times {
    listeners: Listeners,
    alert: Option<Duration>,
    last: Option<Duration>,
    longest: Duration,
    stop: Arc<AtomicBool>,
}

impl Observer for Times {
    fn on_event(&mut self, now: Duration, event: &Event<'_>) {
        self.listeners.on_event(now, event);
        match event {
            Event::Finding(Finding::Alert { .. }) => {
                self.alert.get_or_insert(now);
                self.stop.store(true, Ordering::Relaxed);
            }
            Event::Frame { .. } => {
                let step = self.last.map_or(Duration::ZERO, |last| now - last);
                (self.last, self.longest) = (Some(now), self.longest.max(step));
            }
            _ => {}
        }
    }
}

/// Threads that trouble the socket until told to end; how often each got through.
struct Flood {
    end: Arc<AtomicBool>,
    done: [Arc<AtomicU64>; 4],
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    fn start(path: &Path) -> Self {
        let end = Arc::<AtomicBool>::default();
        let done: [Arc<AtomicU64>; 4] = Default::default();
        let kinds: [fn(UnixStream) -> Option<u64>; 4] = [
            // Comes and goes.
            |_| Some(1),
            // Sends without an end of line.
            |mut stream| stream.write_all(&[b'x'; 4096]).ok().map(|()| 1),
            // Watches, and never reads.
            |mut stream| {
                let _ = stream.write_all(b"{\"command\":\"watch\"}\n");
                std::thread::sleep(Duration::from_millis(500));
                Some(1)
            },
            // Gives orders, and reads the answers.
            |mut stream| {
                let mut answers = [0; 4096];
                let mut count = 0;
                while stream.write_all(&b"{\"command\":\"silence\",\"seconds\":1}\n".repeat(20)).is_ok() {
                    count += 20;
                    if !matches!(stream.read(&mut answers), Ok(1..)) || count > 1000 {
                        break;
                    }
                }
                Some(count)
            },
        ];
        let threads = kinds.into_iter().zip(&done).flat_map(|(kind, done)| {
            std::iter::repeat_n((kind, Arc::clone(done), Arc::clone(&end), PathBuf::from(path)), 4)
        });
        let threads = threads
            .map(|(kind, done, end, path)| {
                std::thread::spawn(move || {
                    while !end.load(Ordering::Relaxed) {
                        let Ok(stream) = UnixStream::connect(&path) else { continue };
                        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                        let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
                        done.fetch_add(kind(stream).unwrap_or(0), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self { end, done, threads }
    }

    fn finish(self) -> [u64; 4] {
        self.end.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.done.map(|count| count.load(Ordering::Relaxed))
    }
}

/// Ends a flood; it fails if some kind of it did not get through.
pub(super) type EndOfFlood = Box<dyn FnOnce()>;

/// How long after the bare person came the alert was raised, and the longest pause between two frames. `open`
/// adds the listener and may begin a flood.
pub(super) fn time_to_alert(
    open: impl FnOnce(&Path, OrderSender, &mut Listeners) -> Option<EndOfFlood>,
) -> (Duration, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::default();
    let clock = SystemClock::start();
    let stop = Arc::<AtomicBool>::default();
    let (driver, _recorder) = simulated();
    let panel = Panel::open(driver, &config.outputs.outputs, None).unwrap();
    let outputs = Outputs::start(panel, Arc::clone(&stop), Duration::from_secs(3600)).unwrap();
    let watch = Watch::new(Box::new(FromThen(clock)), config.decision);
    let pace = FramePace::from(&config.source);
    let mut daemon = Daemon::new(Box::new(Camera(0)), watch, outputs, pace, &clock);
    let (sender, received) = orders();
    daemon.orders = received;
    let mut listeners = Listeners::default();
    let end = open(folder.path(), sender, &mut listeners);
    let mut times =
        Times { listeners, alert: None, last: None, longest: Duration::ZERO, stop: Arc::clone(&stop) };
    daemon.run(Flags { stop: &stop, reload: &AtomicBool::new(false) }, &mut times).unwrap();
    if let Some(end) = end {
        end();
    }
    times.listeners.finish();
    daemon.outputs.stop().unwrap();
    (times.alert.expect("an alert") - COMES, times.longest)
}

/// The same with the local socket.
fn with_socket(flooded: bool) -> (Duration, Duration) {
    time_to_alert(|folder, orders, listeners| {
        let path = folder.join("door.sock");
        listeners.add(Socket::open(&path, orders).unwrap()).unwrap();
        let flood = flooded.then(|| Flood::start(&path))?;
        Some(Box::new(|| {
            let done = flood.finish();
            assert!(done.iter().all(|count| *count > 0), "each kind of flood got through: {done:?}");
        }))
    })
}

#[test]
fn a_flood_of_clients_bytes_and_orders_does_not_delay_an_alert() {
    let (quiet, _) = with_socket(false);
    let (flooded, longest) = with_socket(true);
    // Four tenths of a second of evidence; the rest is for a machine that does other things, too.
    assert!(flooded < Duration::from_secs(1), "{flooded:?} in a flood, {quiet:?} without");
    assert!(longest < Duration::from_millis(500), "{longest:?} between two frames");
}
