//! The whole loop with scripted networks, a scripted source, a clock of our own and simulated pins.

use image::RgbImage;
use maskwatch::config::Config;
use maskwatch::daemon::{Clock, Daemon, DaemonError, Ended, Event, Flags, FramePace, Observer, Watch};
use maskwatch::decide::{DoorState, Finding, Rules, Verdict};
use maskwatch::geometry::Rect;
use maskwatch::outputs::{Output, Outputs, Panel, Recorder, simulated};
use maskwatch::pixels::picture::View;
use maskwatch::source::{Away, Frame, Next, Source, SourceError, State};
use maskwatch::vision::classifier::Probabilities;
use maskwatch::vision::quality::Gate;
use maskwatch::vision::{Choice, JudgedFace, Judgement, Vision, VisionError, judged};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the scripted camera does next; each step takes 200 ms of the test's time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// A frame with this many bare and masked faces.
    Faces { bare: u8, masked: u8 },
    /// A frame on which the networks fail.
    Broken,
    /// A frame on which the networks panic.
    Panic,
    /// No frame in time.
    Nothing,
    /// The camera is away.
    Away,
    /// Somebody wants the configuration read.
    Reload,
}

const NOBODY: Step = Step::Faces { bare: 0, masked: 0 };
const BARE: Step = Step::Faces { bare: 1, masked: 0 };
const MASKED: Step = Step::Faces { bare: 0, masked: 1 };
const BOTH: Step = Step::Faces { bare: 1, masked: 2 };

#[derive(Clone, Default)]
struct TestClock(Arc<AtomicU64>);

impl Clock for TestClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct Camera {
    steps: VecDeque<Step>,
    clock: TestClock,
    /// For how many steps it has been away; an attempt to open it ends at every tenth.
    away: u32,
    since: Instant,
    reload: Arc<AtomicBool>,
}

impl Source for Camera {
    fn next(&mut self, _wait: Duration) -> Result<Next, SourceError> {
        self.clock.0.fetch_add(200, Ordering::Relaxed);
        let Some(step) = self.steps.pop_front() else { return Ok(Next::End) };
        self.away = if step == Step::Away { self.away + 1 } else { 0 };
        // The picture's first pixel tells the scripted networks what to see.
        let code = match step {
            Step::Faces { bare, masked } => [1, bare, masked],
            Step::Broken => [2, 0, 0],
            Step::Panic => [3, 0, 0],
            Step::Nothing | Step::Away => return Ok(Next::Nothing),
            Step::Reload => {
                self.reload.store(true, Ordering::Relaxed);
                return Ok(Next::Nothing);
            }
        };
        let picture = RgbImage::from_pixel(640, 480, image::Rgb(code)).into();
        Ok(Next::Frame(Frame { picture, name: None, sequence: 0, captured: Instant::now() }))
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
            0 => State::Connected,
        }
    }
}

/// Sees what a picture's first pixel says; bare faces stand left, masked ones right.
#[derive(Default)]
struct Script {
    classified: Rc<Cell<usize>>,
}

impl Vision for Script {
    fn look(&mut self, picture: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let [kind, bare, masked] = picture.to_rgb().get_pixel(0, 0).0;
        match kind {
            2 => return Err("the network could not be run".into()),
            3 => panic!("on purpose"),
            _ => {}
        }
        let bare = (0..bare).map(|index| Rect::new(100.0 * f32::from(index), 100.0, 40.0, 50.0));
        let masked = (0..masked).map(|index| Rect::new(400.0 + 100.0 * f32::from(index), 100.0, 40.0, 50.0));
        let found: Vec<Rect> = bare.chain(masked).collect();
        judged(&found, choice, |face| Ok(self.judge(face)))
    }
}

impl Script {
    fn judge(&mut self, face: &Rect) -> Judgement {
        self.classified.set(self.classified.get() + 1);
        Judgement::Answered(Probabilities::of_mask(if face.x < 400.0 { 0.01 } else { 0.99 }))
    }
}

/// Notes what it is told.
#[derive(Default)]
struct Notes {
    states: Vec<DoorState>,
    alerts: usize,
    verdicts: Vec<Verdict>,
    faults: Vec<Option<String>>,
    frames: usize,
    attempts: usize,
    statuses: Vec<String>,
    left_out: usize,
    rare: Vec<Duration>,
}

impl Observer for Notes {
    fn on_event(&mut self, _: Duration, event: &Event<'_>) {
        match event {
            Event::Frame { .. } => self.frames += 1,
            Event::Finding(Finding::Alert { .. }) => self.alerts += 1,
            Event::Finding(Finding::Verdict { verdict, .. }) => self.verdicts.push(*verdict),
            Event::State { signal, .. } => self.states.push(signal.state),
            Event::Fault { reason, began: true } => self.faults.push(Some((*reason).to_owned())),
            Event::LeftOut(count) => self.left_out += count,
            Event::Rare { interval, .. } => self.rare.push(*interval),
            Event::Fault { began: false, .. } | Event::Skipped(_) => {}
            Event::Recovered { .. } => self.faults.push(None),
            Event::Attempt => self.attempts += 1,
            Event::Status(status) => self.statuses.push((*status).to_owned()),
        }
    }
}

struct Run {
    notes: Notes,
    recorder: Recorder,
    ended: Result<Ended, DaemonError>,
    classified: usize,
}

fn lit(recorder: &Recorder) -> Vec<String> {
    let on = |output: &Output| recorder.level(output.pin) == Some(output.active.level(true));
    Config::default().outputs.outputs.into_iter().filter(on).map(|output| output.name).collect()
}

fn run_with(
    steps: &[(usize, Step)],
    notes: &mut Notes,
    recorder_out: &mut Option<Recorder>,
) -> (Result<Ended, DaemonError>, usize) {
    let config = Config::default();
    let clock = TestClock::default();
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let steps = steps.iter().flat_map(|(times, step)| std::iter::repeat_n(*step, *times)).collect();
    let camera =
        Camera { steps, clock: clock.clone(), away: 0, since: Instant::now(), reload: Arc::clone(&reload) };
    let (driver, recorder) = simulated();
    *recorder_out = Some(recorder);
    let panel = Panel::open(driver, &config.outputs.outputs, None).unwrap();
    let outputs = Outputs::start(panel, Arc::clone(&stop), Duration::from_secs(3600)).unwrap();
    let script = Script::default();
    let classified = Rc::clone(&script.classified);
    let watch = Watch::new(Box::new(script), config.decision);
    let mut daemon = Daemon::new(Box::new(camera), watch, outputs, FramePace::from(&config.source), &clock);
    let flags = Flags { stop: &stop, reload: &reload };
    let mut ended = daemon.run(flags, notes);
    if matches!(ended, Ok(Ended::Reload)) {
        ended = daemon.run(flags, notes);
    }
    (ended, classified.get())
}

fn run(steps: &[(usize, Step)]) -> Run {
    let (mut notes, mut recorder) = (Notes::default(), None);
    let (ended, classified) = run_with(steps, &mut notes, &mut recorder);
    let recorder = recorder.unwrap();
    assert!(lit(&recorder).is_empty(), "everything is off in the end");
    Run { notes, recorder, ended, classified }
}

#[test]
fn a_bare_face_turns_red_a_masked_one_green() {
    use DoorState::{Alert, Idle, Pass};
    let run = run(&[(5, NOBODY), (10, BARE), (30, NOBODY), (10, MASKED), (30, NOBODY)]);
    assert!(matches!(run.ended, Ok(Ended::SourceEnded)));
    assert_eq!(run.notes.states, [Idle, Alert, Idle, Pass, Idle]);
    assert_eq!(run.notes.verdicts, [Verdict::Unmasked, Verdict::Masked]);
    assert_eq!((run.notes.alerts, run.notes.frames), (1, 85));
    assert!(run.notes.faults.is_empty());
    assert!(
        run.classified < 20,
        "{} of 20: a face whose verdict stands is left alone for a while",
        run.classified
    );
    // How much of it the pins' own thread got to show depends on the machine; off they are first and, in
    // every run, last.
    let changes = run.recorder.changes();
    for output in &Config::default().outputs.outputs {
        let first = changes.iter().find(|change| change.pin == output.pin).map(|change| change.level);
        assert_eq!(first, Some(output.active.level(false)), "{} is driven off at start", output.name);
    }
}

#[test]
fn one_unmasked_among_masked_alerts() {
    let run = run(&[(3, BOTH), (5, BOTH)]);
    assert_eq!(run.notes.states, [DoorState::Idle, DoorState::Alert]);
    assert_eq!(run.notes.verdicts.len(), 3);
}

#[test]
fn two_frames_are_not_enough() {
    let run = run(&[(3, NOBODY), (2, BARE), (30, NOBODY)]);
    assert_eq!(run.notes.states, [DoorState::Idle]);
    assert_eq!(run.notes.alerts, 0);
}

#[test]
fn a_camera_that_is_away_is_a_fault_until_a_frame_comes() {
    use DoorState::{Fault, Idle, Pass};
    let run = run(&[(1, NOBODY), (50, Step::Away), (3, Step::Nothing), (5, MASKED)]);
    assert_eq!(run.notes.states, [Idle, Fault, Idle, Pass]);
    assert_eq!(run.notes.faults, [Some("camera is unplugged; plug it in".into()), None]);
    assert_eq!(run.notes.attempts, 5, "one for every attempt that ended, however often the loop goes round");
    let watching = |state| format!("door {state}; watching scripted camera");
    let unplugged = "fault: camera is unplugged; plug it in".into();
    let late = "fault: no usable frame from scripted camera for 5 s".into();
    assert_eq!(run.notes.statuses, [watching("idle"), unplugged, late, watching("idle"), watching("pass")]);
}

#[test]
fn no_frames_for_the_timeout_is_a_fault() {
    use DoorState::{Fault, Idle};
    let run = run(&[(1, NOBODY), (20, Step::Nothing), (1, NOBODY), (30, Step::Nothing), (2, NOBODY)]);
    assert_eq!(run.notes.states, [Idle, Fault, Idle]);
    assert_eq!(run.notes.faults, [Some("no usable frame from scripted camera for 5 s".into()), None]);
}

#[test]
fn networks_that_fail_are_a_fault_and_heal() {
    use DoorState::{Fault, Idle};
    let run = run(&[(1, NOBODY), (5, Step::Broken), (1, Step::Nothing), (2, NOBODY)]);
    assert_eq!(run.notes.states, [Idle, Fault, Idle]);
    assert_eq!(run.notes.faults, [Some("the network could not be run".into()), None]);
}

#[test]
fn a_fault_hides_an_alert_and_the_alert_goes_on_behind_it() {
    use DoorState::{Alert, Fault, Idle};
    let run = run(&[(4, BARE), (3, Step::Away), (2, BARE), (30, NOBODY)]);
    assert_eq!(run.notes.states, [Idle, Alert, Fault, Alert, Idle]);
    assert_eq!(run.notes.alerts, 1);
}

#[test]
fn reading_the_configuration_anew_forgets_nobody() {
    let run = run(&[(2, BARE), (1, Step::Reload), (1, BARE)]);
    assert!(matches!(run.ended, Ok(Ended::SourceEnded)));
    assert_eq!(run.notes.alerts, 1, "the third vote came after the reload");
}

#[test]
fn a_panic_in_the_networks_leaves_the_outputs_off() {
    let (mut notes, mut recorder) = (Notes::default(), None);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run_with(&[(5, BARE), (1, Step::Panic)], &mut notes, &mut recorder)
    }));
    assert!(panicked.is_err());
    assert_eq!(notes.states.last(), Some(&DoorState::Alert));
    assert!(lit(&recorder.unwrap()).is_empty());
}

#[test]
fn the_stop_flag_ends_the_loop() {
    struct StopAtAlert(Arc<AtomicBool>);
    impl Observer for StopAtAlert {
        fn on_event(&mut self, _: Duration, event: &Event<'_>) {
            if matches!(event, Event::Finding(Finding::Alert { .. })) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
    }
    let config = Config::default();
    let clock = TestClock::default();
    let stop = Arc::new(AtomicBool::new(false));
    let steps = std::iter::repeat_n(BARE, 1000).collect();
    let camera =
        Camera { steps, clock: clock.clone(), away: 0, since: Instant::now(), reload: Arc::default() };
    let (driver, recorder) = simulated();
    let panel = Panel::open(driver, &config.outputs.outputs, None).unwrap();
    let outputs = Outputs::start(panel, Arc::clone(&stop), Duration::from_secs(3600)).unwrap();
    let watch = Watch::new(Box::new(Script::default()), config.decision);
    let mut daemon = Daemon::new(Box::new(camera), watch, outputs, FramePace::from(&config.source), &clock);
    let flags = Flags { stop: &stop, reload: &AtomicBool::new(false) };
    let ended = daemon.run(flags, &mut StopAtAlert(Arc::clone(&stop))).unwrap();
    assert_eq!(ended, Ended::Stopped);
    daemon.outputs.stop().unwrap();
    assert!(lit(&recorder).is_empty());
}

/// Sees one bare face, which a gate stops for as long as it is blurred.
struct Blurred(Rc<Cell<bool>>, Script);

impl Vision for Blurred {
    fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        judged(&[Rect::new(100.0, 100.0, 40.0, 50.0)], choice, |face| {
            Ok(if self.0.get() { Judgement::Stopped(Gate::Sharpness) } else { self.1.judge(face) })
        })
    }
}

#[test]
fn a_face_that_a_gate_stops_has_no_vote_and_is_asked_to_come_closer() {
    let (blurred, script) = (Rc::new(Cell::new(true)), Script::default());
    let classified = Rc::clone(&script.classified);
    let vision = Blurred(Rc::clone(&blurred), script);
    let mut watch = Watch::new(Box::new(vision), Rules::default());
    let picture = RgbImage::new(640, 480);
    let clock = TestClock::default();
    let mut look = |frames: std::ops::Range<u64>| {
        let mut last = None;
        for frame in frames {
            let now = Duration::from_millis(200 * frame);
            clock.0.store(200 * frame, Ordering::Relaxed);
            let seen = watch.look(View::from(&picture), now, &clock).unwrap();
            last = Some((seen.faces[0].verdict, seen.faces[0].answer, watch.signal(now).state));
        }
        last.unwrap()
    };
    assert_eq!(look(0..10), (Verdict::Unsure, None, DoorState::Look));
    assert_eq!(classified.get(), 0);
    blurred.set(false);
    let (verdict, _, state) = look(10..13);
    assert_eq!((verdict, state, classified.get()), (Verdict::Unmasked, DoorState::Alert, 3));
    // What was decided stays so while the face is blurred once more.
    blurred.set(true);
    let (verdict, _, state) = look(13..30);
    assert_eq!((verdict, state, classified.get()), (Verdict::Unmasked, DoorState::Alert, 3));
}

/// A poster of masked faces and, from some moment on, a bare person before it, on a board so slow that the
/// networks take seconds.
struct Crowd {
    clock: TestClock,
    printed: u16,
    /// When the bare person comes, and the side of that face in pixels.
    comes: (Duration, f32),
}

impl Vision for Crowd {
    fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let Self { clock, printed, comes: (comes, side) } = self;
        let is_there = clock.now() >= *comes;
        clock.0.fetch_add(1000, Ordering::Relaxed);
        let mut found: Vec<Rect> = (0..*printed)
            .map(|index| Rect::new(f32::from(index % 20) * 31.0, f32::from(index / 20) * 36.0, 30.0, 34.0))
            .collect();
        // Below the poster.
        let bare = is_there.then(|| Rect::new(310.0, 400.0, *side, *side));
        found.extend(bare);
        judged(&found, choice, |face| {
            clock.0.fetch_add(500, Ordering::Relaxed);
            Ok(Judgement::Answered(Probabilities::of_mask(if Some(*face) == bare { 0.01 } else { 0.99 })))
        })
    }
}

/// When the alert is raised, from when the bare person comes; and how many faces were left out.
fn time_to_alert(printed: u16, side: f32) -> (Duration, usize) {
    struct AlertTime(Option<Duration>, usize, Arc<AtomicBool>);
    impl Observer for AlertTime {
        fn on_event(&mut self, now: Duration, event: &Event<'_>) {
            match event {
                Event::Finding(Finding::Alert { .. }) => {
                    self.0.get_or_insert(now);
                    self.2.store(true, Ordering::Relaxed);
                }
                Event::LeftOut(count) => self.1 += count,
                _ => {}
            }
        }
    }
    let config = Config::default();
    let clock = TestClock::default();
    let stop = Arc::new(AtomicBool::new(false));
    let comes = Duration::from_secs(60);
    let camera = Camera {
        steps: std::iter::repeat_n(NOBODY, 1000).collect(),
        clock: clock.clone(),
        away: 0,
        since: Instant::now(),
        reload: Arc::default(),
    };
    let (driver, _recorder) = simulated();
    let panel = Panel::open(driver, &config.outputs.outputs, None).unwrap();
    let outputs = Outputs::start(panel, Arc::clone(&stop), Duration::from_secs(3600)).unwrap();
    let crowd = Crowd { clock: clock.clone(), printed, comes: (comes, side) };
    let watch = Watch::new(Box::new(crowd), config.decision);
    let mut daemon = Daemon::new(Box::new(camera), watch, outputs, FramePace::from(&config.source), &clock);
    let mut time = AlertTime(None, 0, Arc::clone(&stop));
    daemon.run(Flags { stop: &stop, reload: &AtomicBool::new(false) }, &mut time).unwrap();
    daemon.outputs.stop().unwrap();
    (time.0.expect("an alert") - comes, time.1)
}

#[test]
fn a_bare_person_before_a_poster_of_masked_faces_is_not_overlooked() {
    let (alone, left_out) = time_to_alert(0, 40.0);
    assert!(alone >= Duration::from_secs(3) && left_out == 0, "{alone:?} {left_out}");
    for side in [20.0, 30.0, 60.0] {
        let (time, left_out) = time_to_alert(200, side);
        assert!(time <= Duration::from_secs(6), "{time:?} with a face of {side} pixels");
        assert!(left_out > 1000, "{left_out}");
    }
}

#[test]
fn looks_that_take_too_long_are_a_fault_and_rare_ones_are_told_once() {
    /// Takes longer and longer for a look.
    struct Slower(TestClock, u64);
    impl Vision for Slower {
        fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
            self.0.0.fetch_add(self.1, Ordering::Relaxed);
            self.1 += 1000;
            judged(&[], choice, |_| Ok(Judgement::Unasked))
        }
    }
    let config = Config::default();
    let clock = TestClock::default();
    let camera = Camera {
        steps: std::iter::repeat_n(NOBODY, 17).collect(),
        clock: clock.clone(),
        away: 0,
        since: Instant::now(),
        reload: Arc::default(),
    };
    let (driver, _recorder) = simulated();
    let stop = Arc::new(AtomicBool::new(false));
    let panel = Panel::open(driver, &config.outputs.outputs, None).unwrap();
    let outputs = Outputs::start(panel, Arc::clone(&stop), Duration::from_secs(3600)).unwrap();
    let watch = Watch::new(Box::new(Slower(clock.clone(), 0)), config.decision);
    let mut daemon = Daemon::new(Box::new(camera), watch, outputs, FramePace::from(&config.source), &clock);
    let mut notes = Notes::default();
    daemon.run(Flags { stop: &stop, reload: &AtomicBool::new(false) }, &mut notes).unwrap();
    daemon.outputs.stop().unwrap();
    assert_eq!(notes.states, [DoorState::Idle, DoorState::Fault]);
    assert!(
        notes.faults[0].as_ref().unwrap().starts_with("the networks took 15 s for one frame"),
        "{:?}",
        notes.faults
    );
    assert_eq!(notes.rare.len(), 1);
}
