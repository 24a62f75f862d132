//! What cannot be done to a daemon from outside: pins that take long to switch, a clock that jumps ahead,
//! networks that take long, and a crowd of printed faces before which one person comes and goes.
//! The daemon's loop and outputs are the real ones, with scripted networks and a scripted camera.

use crate::judge::Verdict;
use image::RgbImage;
use maskwatch::config::Config;
use maskwatch::daemon::{Clock, Daemon, Event, Flags, FramePace, Observer, SystemClock, Watch};
use maskwatch::decide::{DoorState, Finding};
use maskwatch::geometry::Rect;
use maskwatch::outputs::{
    Button, Driver, InputPin, Level, Output, OutputError, OutputPin, Outputs, Panel, Recorder, simulated,
};
use maskwatch::pixels::picture::View;
use maskwatch::source::{Frame, Next, Source, SourceError};
use maskwatch::vision::classifier::Probabilities;
use maskwatch::vision::{Choice, JudgedFace, Judgement, Vision, VisionError, judged};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Between two frames of the scripted camera.
const PERIOD: Duration = Duration::from_millis(20);
/// How long each pin takes.
const SLOW: Duration = Duration::from_millis(500);
/// Frames of a scene: three seconds, in which three slow pins can be switched, and two seconds with quick
/// ones.
const SLOW_SCENE: u64 = 150;
const QUICK_SCENE: u64 = 100;
/// Frames of a scene where a look takes a third of a second or more.
const LONG_LOOKS_SCENE: u64 = 14;
/// How long the slow networks take for a frame, and for each face.
const SLOW_DETECTOR: Duration = Duration::from_millis(250);
const SLOW_CLASSIFIER: Duration = Duration::from_millis(15);
/// Printed faces of the crowd, all masked.
const PRINTED: u8 = 60;
/// The frame of a scene before which the clock jumps.
const JUMP: u64 = 30;
/// Red and green of the usual wiring.
const RED: u32 = 17;
const GREEN: u32 = 27;

/// Shows nobody, a bare and a masked face in turn, for so many frames each.
struct Camera {
    frames: u64,
    each: u64,
    rounds: u64,
    jumps: Arc<AtomicU64>,
}

impl Source for Camera {
    fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
        std::thread::sleep(PERIOD);
        if self.frames == 3 * self.each * self.rounds {
            return Ok(Next::End);
        }
        // The first pixel tells the scripted networks whom to see.
        let scene = (self.frames / self.each % 3) as u8;
        if self.frames % self.each == JUMP {
            self.jumps.fetch_add(1, Ordering::Relaxed);
        }
        let sequence = self.frames;
        self.frames += 1;
        let picture = RgbImage::from_pixel(64, 48, image::Rgb([scene; 3])).into();
        Ok(Next::Frame(Frame { picture, name: None, sequence, captured: Instant::now() }))
    }

    fn describe(&self) -> String {
        "scripted camera".into()
    }
}

struct Script;

impl Vision for Script {
    fn look(&mut self, picture: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let face = |x| vec![Rect::new(x, 4.0, 40.0, 40.0)];
        let found = match picture.to_rgb().get_pixel(0, 0).0[0] {
            1 => face(0.0),
            2 => face(24.0),
            _ => Vec::new(),
        };
        judged(&found, choice, |face| {
            Ok(Judgement::Answered(Probabilities::of_mask(if face.x < 20.0 { 0.01 } else { 0.99 })))
        })
    }
}

/// Takes its time, and sees some printed faces beside whoever comes.
struct SlowScript {
    printed: u8,
}

impl Vision for SlowScript {
    fn look(&mut self, picture: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        std::thread::sleep(SLOW_DETECTOR);
        let mut found: Vec<Rect> = match picture.to_rgb().get_pixel(0, 0).0[0] {
            1 => vec![Rect::new(0.0, 4.0, 40.0, 40.0)],
            2 => vec![Rect::new(24.0, 4.0, 40.0, 40.0)],
            _ => Vec::new(),
        };
        found.extend((0..self.printed).map(|index| Rect::new(50.0 * f32::from(index), 300.0, 30.0, 30.0)));
        judged(&found, choice, |face| {
            std::thread::sleep(SLOW_CLASSIFIER);
            let bare = face.y < 100.0 && face.x < 20.0;
            Ok(Judgement::Answered(Probabilities::of_mask(if bare { 0.01 } else { 0.99 })))
        })
    }
}

/// Simulated pins that take their time.
struct SlowDriver(Box<dyn Driver>);

struct SlowPin(Box<dyn OutputPin>);

impl Driver for SlowDriver {
    fn output(&mut self, output: &Output) -> Result<Box<dyn OutputPin>, OutputError> {
        Ok(Box::new(SlowPin(self.0.output(output)?)))
    }

    fn button(&mut self, button: &Button) -> Result<Box<dyn InputPin>, OutputError> {
        self.0.button(button)
    }

    fn let_go(&mut self, output: &Output) -> Result<(), OutputError> {
        self.0.let_go(output)
    }

    fn describe(&self) -> String {
        "slow pins".into()
    }
}

impl OutputPin for SlowPin {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        std::thread::sleep(SLOW);
        self.0.drive(level)
    }
}

/// Ahead of the system's by an hour more with every jump.
struct JumpingClock {
    system: SystemClock,
    jumps: Arc<AtomicU64>,
}

impl Clock for JumpingClock {
    fn now(&self) -> Duration {
        let jumps = u32::try_from(self.jumps.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        self.system.now() + Duration::from_secs(3600) * jumps
    }
}

/// Counts alerts, and looks at the pins when the scene ends.
struct Notes {
    recorder: Recorder,
    each: u64,
    frames: u64,
    alerts: u64,
    slowest: Duration,
    last: Instant,
    /// Whether it only counts that red is on for the bare person, and for nobody else.
    only_red: bool,
    wrong: Vec<String>,
}

impl Observer for Notes {
    fn on_event(&mut self, _: Duration, event: &Event<'_>) {
        match event {
            Event::Finding(Finding::Alert { .. }) => self.alerts += 1,
            Event::Frame { signal, .. } => {
                let now = Instant::now();
                self.slowest = self.slowest.max(now.saturating_duration_since(self.last));
                self.last = now;
                self.frames += 1;
                if self.frames.is_multiple_of(self.each) {
                    self.end_of_scene(signal.state);
                }
            }
            _ => {}
        }
    }
}

impl Notes {
    fn end_of_scene(&mut self, state: DoorState) {
        let on = |pin| self.recorder.level(pin) == Some(Level::High);
        let (expected, lit) = match (self.frames / self.each - 1) % 3 {
            0 => (DoorState::Idle, (false, false)),
            1 => (DoorState::Alert, (true, false)),
            _ => (DoorState::Pass, (false, true)),
        };
        let found = (on(RED), on(GREEN));
        let right = if self.only_red { found.0 == lit.0 } else { state == expected && found == lit };
        if !right {
            self.wrong.push(format!(
                "frame {}: door {state} instead of {expected}, red and green {found:?}",
                self.frames
            ));
        }
    }
}

/// Runs both; what was found goes into `verdict`.
pub(crate) fn run(verdict: &mut Verdict) -> Result<(), String> {
    let (system, jumps) = (SystemClock::start(), Arc::new(AtomicU64::new(0)));
    with(verdict, Trial::new("slow pins", SLOW_SCENE).with_slow_pins(), &system, &Arc::default())?;
    let clock = JumpingClock { system, jumps: Arc::clone(&jumps) };
    with(verdict, Trial::new("clock jumps by hours", QUICK_SCENE), &clock, &jumps)?;
    let system = SystemClock::start();
    for (name, printed) in [("slow networks", 0), ("crowd of printed faces", PRINTED)] {
        let trial = Trial { printed: Some(printed), ..Trial::new(name, LONG_LOOKS_SCENE) };
        with(verdict, trial, &system, &Arc::default())?;
    }
    Ok(())
}

/// What is tried.
struct Trial {
    name: &'static str,
    /// Frames of a scene.
    each: u64,
    slow: Option<Duration>,
    /// Slow networks with so many printed faces.
    printed: Option<u8>,
}

impl Trial {
    fn new(name: &'static str, each: u64) -> Self {
        Self { name, each, slow: None, printed: None }
    }

    fn with_slow_pins(self) -> Self {
        Self { slow: Some(SLOW), ..self }
    }
}

fn with(
    verdict: &mut Verdict,
    Trial { name, each, slow, printed }: Trial,
    clock: &dyn Clock,
    jumps: &Arc<AtomicU64>,
) -> Result<(), String> {
    let rounds = 2;
    let config = Config::default();
    let mut rules = config.decision;
    (rules.hold, rules.linger) = (Duration::from_millis(300), Duration::from_millis(300));
    (rules.re_arm, rules.recheck) = (Duration::from_millis(1000), Duration::from_millis(100));
    let (driver, recorder) = simulated();
    let driver: Box<dyn Driver> = if slow.is_some() { Box::new(SlowDriver(driver)) } else { driver };
    let told = |error: OutputError| error.to_string();
    let panel = Panel::open(driver, &config.outputs.outputs, None).map_err(told)?;
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let outputs = Outputs::start(panel, Arc::clone(&stop), Duration::from_secs(3600)).map_err(told)?;
    let camera = Box::new(Camera { frames: 0, each, rounds, jumps: Arc::clone(jumps) });
    let vision: Box<dyn Vision> = match printed {
        Some(printed) => Box::new(SlowScript { printed }),
        None => Box::new(Script),
    };
    let watch = Watch::new(vision, rules);
    let pace = FramePace { timeout: Duration::from_secs(2), interval: PERIOD };
    let mut daemon = Daemon::new(camera, watch, outputs, pace, clock);
    let (last, slowest, wrong) = (Instant::now(), Duration::ZERO, Vec::new());
    let only_red = printed.is_some_and(|printed| printed > 0);
    let recorder_of_notes = recorder.clone();
    let mut notes =
        Notes { recorder: recorder_of_notes, each, frames: 0, alerts: 0, slowest, last, only_red, wrong };
    daemon.run(Flags { stop: &stop, reload: &reload }, &mut notes).map_err(|error| error.to_string())?;
    daemon.outputs.stop().map_err(told)?;
    let row = verdict.row(name);
    let wrong = std::mem::take(&mut notes.wrong);
    (0..3 * rounds)
        .for_each(|scene| row.check(wrong.get(scene as usize).is_none(), || wrong[scene as usize].clone()));
    row.check(notes.alerts >= rounds, || format!("{} alerts for {rounds} people", notes.alerts));
    let dark = config.outputs.outputs.iter().all(|output| recorder.level(output.pin) == Some(Level::Low));
    row.check(dark, || "an output is on at the end".into());
    if let Some(slow) = slow {
        // A loop that waited for its pins would stand still for at least as long as one of them takes.
        row.check(notes.slowest < slow, || format!("the loop stood still for {:?}", notes.slowest));
    }
    Ok(())
}
