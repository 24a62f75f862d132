//! A door for tests of the loop: a scripted camera, scripted networks, a clock of our own and simulated pins.

use image::RgbImage;
use maskwatch::config::Config;
use maskwatch::daemon::{
    Clock, Daemon, DaemonError, Ended, Event, FaultKind, Flags, FramePace, Observer, Watch,
};
use maskwatch::decide::{DoorState, Finding, Verdict};
use maskwatch::geometry::Rect;
use maskwatch::outputs::{Output, Outputs, Panel, Recorder, simulated};
use maskwatch::pixels::picture::View;
use maskwatch::source::{Away, Blind, Frame, Next, Source, SourceError, State};
use maskwatch::vision::classifier::Probabilities;
use maskwatch::vision::{Choice, JudgedFace, Judgement, Vision, VisionError, judged};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the scripted camera does next; each step takes 200 ms of the test's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// A frame with this many bare and masked faces.
    Faces { bare: u8, masked: u8 },
    /// A frame with nobody, at which the networks look for so many seconds.
    Long(u8),
    /// A frame with a masked face, of a camera that shows nothing of the door any more.
    Blind,
    /// The same camera, without a frame in time.
    BlindNothing,
    /// A frame on which the networks fail.
    Broken,
    /// A frame on which the networks panic.
    Panic,
    /// No frame in time.
    Nothing,
    /// So many frames that are gone before the door asks.
    Missed(u8),
    /// The camera is away.
    Away,
    /// Somebody wants the configuration read.
    Reload,
}

pub(super) const NOBODY: Step = Step::Faces { bare: 0, masked: 0 };
pub(super) const BARE: Step = Step::Faces { bare: 1, masked: 0 };
pub(super) const MASKED: Step = Step::Faces { bare: 0, masked: 1 };
pub(super) const BOTH: Step = Step::Faces { bare: 1, masked: 2 };

#[derive(Clone, Default)]
pub(super) struct TestClock(pub(super) Arc<AtomicU64>);

impl Clock for TestClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

pub(super) struct Camera {
    steps: VecDeque<Step>,
    clock: TestClock,
    /// For how many steps it has been away; an attempt to open it ends at every tenth.
    away: u32,
    is_blind: bool,
    since: Instant,
    reload: Arc<AtomicBool>,
    /// Frames since it was opened.
    sequence: u64,
}

impl Camera {
    /// Does each of `steps` so many times, and asks for a reload by `reload`.
    pub(super) fn new(steps: &[(usize, Step)], clock: &TestClock, reload: &Arc<AtomicBool>) -> Self {
        let steps = steps.iter().flat_map(|(times, step)| std::iter::repeat_n(*step, *times)).collect();
        let (clock, reload) = (clock.clone(), Arc::clone(reload));
        Self { steps, clock, away: 0, is_blind: false, since: Instant::now(), reload, sequence: 0 }
    }
}

impl Source for Camera {
    fn next(&mut self, _wait: Duration) -> Result<Next, SourceError> {
        self.clock.0.fetch_add(200, Ordering::Relaxed);
        let Some(step) = self.steps.pop_front() else { return Ok(Next::End) };
        self.away = if step == Step::Away { self.away + 1 } else { 0 };
        self.is_blind = matches!(step, Step::Blind | Step::BlindNothing);
        // The picture's first pixel tells the scripted networks what to see.
        let code = match step {
            Step::Faces { bare, masked } => [1, bare, masked],
            Step::Broken => [2, 0, 0],
            Step::Panic => [3, 0, 0],
            Step::Long(seconds) => [4, seconds, 0],
            Step::Blind => [1, 0, 1],
            Step::Nothing | Step::BlindNothing => return Ok(Next::Nothing),
            Step::Missed(count) => {
                self.sequence += u64::from(count);
                return Ok(Next::Nothing);
            }
            Step::Away => {
                self.sequence = 0;
                return Ok(Next::Nothing);
            }
            Step::Reload => {
                self.reload.store(true, Ordering::Relaxed);
                return Ok(Next::Nothing);
            }
        };
        let picture = RgbImage::from_pixel(640, 480, image::Rgb(code)).into();
        let sequence = self.sequence;
        self.sequence += 1;
        Ok(Next::Frame(Frame { picture, name: None, sequence, captured: Instant::now() }))
    }

    fn describe(&self) -> String {
        "scripted camera".into()
    }

    fn state(&self) -> State {
        match self.away {
            1.. => State::Away(Away {
                reason: "camera is unplugged; plug it in".into(),
                since: self.since,
                attempts: self.away.div_ceil(10),
                retry_at: None,
            }),
            0 if self.is_blind => {
                State::Blind(Blind { reason: "camera is covered; uncover it".into(), since: self.since })
            }
            0 => State::Connected,
        }
    }
}

/// Sees what a picture's first pixel says; bare faces stand left, masked ones right.
#[derive(Default)]
pub(super) struct Script {
    pub(super) classified: Rc<Cell<usize>>,
    /// The clock that goes on during a long look.
    pub(super) clock: TestClock,
}

impl Vision for Script {
    fn look(&mut self, picture: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let [kind, bare, masked] = picture.to_rgb().get_pixel(0, 0).0;
        match kind {
            2 => return Err("the network could not be run".into()),
            3 => panic!("on purpose"),
            4 => {
                self.clock.0.fetch_add(1000 * u64::from(bare), Ordering::Relaxed);
                return judged(&[], choice, |_| Ok(Judgement::Unasked));
            }
            _ => {}
        }
        let bare = (0..bare).map(|index| Rect::new(100.0 * f32::from(index), 100.0, 40.0, 50.0));
        let masked = (0..masked).map(|index| Rect::new(400.0 + 100.0 * f32::from(index), 100.0, 40.0, 50.0));
        let found: Vec<Rect> = bare.chain(masked).collect();
        judged(&found, choice, |face| Ok(self.judge(face)))
    }
}

impl Script {
    pub(super) fn judge(&mut self, face: &Rect) -> Judgement {
        self.classified.set(self.classified.get() + 1);
        Judgement::Answered(Probabilities::of_mask(if face.x < 400.0 { 0.01 } else { 0.99 }))
    }
}

/// Notes what it is told.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) states: Vec<DoorState>,
    pub(super) alerts: usize,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) faults: Vec<Option<String>>,
    pub(super) frames: usize,
    pub(super) attempts: usize,
    pub(super) statuses: Vec<String>,
    pub(super) left_out: usize,
    pub(super) rare: Vec<(Duration, Duration)>,
    pub(super) other_causes: Vec<String>,
    pub(super) kinds: Vec<FaultKind>,
    pub(super) reopened: usize,
    pub(super) missed: u64,
    /// How long it took from the first sight of somebody to the alert.
    pub(super) until_alert: Vec<Duration>,
}

impl Observer for Notes {
    fn on_event(&mut self, at: Duration, event: &Event<'_>) {
        if let Event::Fault { kind, .. } = event {
            self.kinds.push(*kind);
        }
        match event {
            Event::Frame { .. } => self.frames += 1,
            Event::Finding(Finding::Alert { first_seen, .. }) => {
                self.alerts += 1;
                self.until_alert.push(at - *first_seen);
            }
            Event::Finding(Finding::Verdict { verdict, .. }) => self.verdicts.push(*verdict),
            Event::State { signal, .. } => self.states.push(signal.state),
            Event::Fault { reason, began: true, .. } => self.faults.push(Some((*reason).to_owned())),
            Event::LeftOut(count) => {
                assert!(*count > 0, "nobody was left out");
                self.left_out += count;
            }
            Event::Rare { interval, wanted } => self.rare.push((*interval, *wanted)),
            Event::Fault { reason, began: false, .. } => self.other_causes.push((*reason).to_owned()),
            Event::Reopened => self.reopened += 1,
            Event::Missed(count) => self.missed += count,
            Event::Skipped(_) | Event::Rested | Event::Mode(_) | Event::PassHeld(_) => {}
            Event::Recovered { .. } => self.faults.push(None),
            Event::Attempt => self.attempts += 1,
            Event::Status(status) => self.statuses.push((*status).to_owned()),
        }
    }
}

pub(super) struct Run {
    pub(super) notes: Notes,
    pub(super) recorder: Recorder,
    pub(super) ended: Result<Ended, DaemonError>,
    pub(super) classified: usize,
}

pub(super) fn lit(recorder: &Recorder) -> Vec<String> {
    let on = |output: &Output| recorder.level(output.pin) == Some(output.active.level(true));
    Config::default().outputs.outputs.into_iter().filter(on).map(|output| output.name).collect()
}

/// A door of these parts, with the recorder of its pins.
pub(super) fn door<'a>(
    config: &Config,
    source: impl Source + 'static,
    vision: impl Vision + 'static,
    clock: &'a TestClock,
    stop: &Arc<AtomicBool>,
) -> (Daemon<'a>, Recorder) {
    let (driver, recorder) = simulated();
    let panel = Panel::open(driver, &config.outputs.outputs, config.outputs.button).unwrap();
    let outputs = Outputs::start(panel, Arc::clone(stop), Duration::from_secs(3600)).unwrap();
    let watch = Watch::new(Box::new(vision), config.decision.clone());
    (Daemon::new(Box::new(source), watch, outputs, FramePace::from(&config.source), clock), recorder)
}

/// Runs a door of `config` to the end of the script; it is told to go on after a reload.
pub(super) fn run_with(
    config: &Config,
    steps: &[(usize, Step)],
    observer: &mut dyn Observer,
    recorder_out: &mut Option<Recorder>,
) -> (Result<Ended, DaemonError>, usize) {
    let clock = TestClock::default();
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let camera = Camera::new(steps, &clock, &reload);
    let script = Script { clock: clock.clone(), ..Script::default() };
    let classified = Rc::clone(&script.classified);
    let (mut daemon, recorder) = door(config, camera, script, &clock, &stop);
    *recorder_out = Some(recorder);
    let flags = Flags { stop: &stop, reload: &reload };
    let mut ended = daemon.run(flags, observer);
    if matches!(ended, Ok(Ended::Reload)) {
        ended = daemon.run(flags, observer);
    }
    (ended, classified.get())
}

pub(super) fn run_configured(config: &Config, steps: &[(usize, Step)]) -> Run {
    let (mut notes, mut recorder) = (Notes::default(), None);
    let (ended, classified) = run_with(config, steps, &mut notes, &mut recorder);
    let recorder = recorder.unwrap();
    assert!(lit(&recorder).is_empty(), "everything is off in the end");
    Run { notes, recorder, ended, classified }
}

pub(super) fn run(steps: &[(usize, Step)]) -> Run {
    run_configured(&Config::default(), steps)
}
