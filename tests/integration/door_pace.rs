//! The loop on slow boards and before crowds: looks that are rare or long, and faces for which there is no
//! time.

use super::scripted::{BARE, Camera, NOBODY, Run, Step, TestClock, door, run, run_configured};
use maskwatch::config::Config;
use maskwatch::daemon::{Clock, Ended, Event, Flags, Observer, Watch};
use maskwatch::decide::{DoorState, Finding, Rules};
use maskwatch::geometry::Rect;
use maskwatch::pixels::picture::View;
use maskwatch::vision::classifier::Probabilities;
use maskwatch::vision::{Choice, JudgedFace, Judgement, Vision, VisionError, judged};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A frame every ten seconds. Where the configuration says so, that is as it should be; else it is a fault
/// once, and not between all the frames that follow.
#[test]
fn a_camera_of_a_frame_in_ten_seconds_does_not_flip_between_fault_and_alert() {
    use DoorState::{Alert, Fault, Idle};
    let slow = [(1, BARE), (49, Step::Nothing)].repeat(12);
    let asked_for = Config::parse("[source]\nframes_per_second = 0.1\n", "door.toml").unwrap();
    for (config, states, faults) in
        [(asked_for, vec![Idle, Alert], 0), (Config::default(), vec![Idle, Fault, Alert], 2)]
    {
        let Run { notes, ended, .. } = run_configured(&config, &slow);
        assert!(matches!(ended, Ok(Ended::SourceEnded)));
        assert_eq!((notes.states, notes.faults.len(), notes.alerts), (states, faults, 1));
    }
}

/// A poster of masked faces and, from some moment on, a bare person before it, on a board so slow that the
/// networks take seconds.
struct Crowd {
    clock: TestClock,
    printed: u16,
    /// How many milliseconds it takes to find the faces, and to judge one.
    takes: (u64, u64),
    /// When the bare person comes, and the side of that face in pixels.
    comes: (Duration, f32),
}

impl Vision for Crowd {
    fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let Self { clock, printed, takes: (find, judge), comes: (comes, side) } = self;
        let is_there = clock.now() >= *comes;
        clock.0.fetch_add(*find, Ordering::Relaxed);
        let mut found: Vec<Rect> = (0..*printed)
            .map(|index| Rect::new(f32::from(index % 20) * 31.0, f32::from(index / 20) * 36.0, 30.0, 34.0))
            .collect();
        // Below the poster.
        let bare = is_there.then(|| Rect::new(310.0, 400.0, *side, *side));
        found.extend(bare);
        judged(&found, choice, |face| {
            clock.0.fetch_add(*judge, Ordering::Relaxed);
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
    let (config, clock, stop) = (Config::default(), TestClock::default(), Arc::new(AtomicBool::new(false)));
    let comes = Duration::from_secs(60);
    let camera = Camera::new(&[(1000, NOBODY)], &clock, &Arc::default());
    let crowd = Crowd { clock: clock.clone(), printed, takes: (1000, 500), comes: (comes, side) };
    let (mut daemon, _recorder) = door(&config, camera, crowd, &clock, &stop);
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
    let looks: Vec<(usize, Step)> = (0..17).map(|seconds| (1, Step::Long(seconds))).collect();
    let notes = run(&looks).notes;
    assert_eq!(notes.states, [DoorState::Idle, DoorState::Fault]);
    assert!(
        notes.faults[0].as_ref().unwrap().starts_with("the networks took 15 s for one frame"),
        "{:?}",
        notes.faults
    );
    let [(interval, wanted)] = notes.rare[..] else { panic!("{:?}", notes.rare) };
    assert_eq!(wanted.as_millis(), 100);
    assert!(interval > wanted, "{interval:?}");
}

#[test]
fn before_a_crowd_the_loop_keeps_two_looks_a_second() {
    // A board on which a search takes 40 ms and a face 30 ms: 200 faces would take 6 s.
    let clock = TestClock::default();
    let mut watch = {
        let comes = (Duration::from_secs(3600), 40.0);
        let crowd = Crowd { clock: clock.clone(), printed: 200, takes: (40, 30), comes };
        Watch::new(Box::new(crowd), Rules::default())
    };
    let picture = image::RgbImage::new(640, 480);
    for look in 0..50 {
        let before = clock.now();
        let seen = watch.look(&picture.clone().into(), before, &clock).unwrap();
        assert!(clock.now() - before <= Duration::from_millis(500), "{:?}", clock.now() - before);
        assert!(seen.left_out > 150, "{}", seen.left_out);
        // The budget is used, and not overdrawn: twelve faces, of whom nobody was known.
        assert!(look > 0 || seen.left_out == 188, "{}", seen.left_out);
    }
}

/// A face that walks in, from 4.5 m at 1.4 m/s, half a metre beside the camera's axis, before a lens of 60
/// degrees; a face is 16 cm wide.
struct WalksIn(TestClock);

impl Vision for WalksIn {
    fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let distance = 4.5 - 1.4 * self.0.now().as_secs_f32();
        let (side, across) = (0.16 * 554.0 / distance, 0.25 * 554.0 / distance);
        let found = [Rect::new(320.0 + across - side / 2.0, 200.0, side, 1.2 * side)];
        judged(if distance > 0.25 { &found } else { &[] }, choice, |_| {
            Ok(Judgement::Answered(Probabilities::of_mask(0.01)))
        })
    }
}

#[test]
fn who_walks_in_at_one_frame_a_second_is_alerted() {
    // Whenever the first frame is taken; at 1.4 m/s, two of three or four frames can be judged.
    for first in (0..1000).step_by(100) {
        let clock = TestClock::default();
        let mut watch = Watch::new(Box::new(WalksIn(clock.clone())), Rules::default());
        let picture = image::RgbImage::new(640, 480);
        let (mut judged, mut alerts) = (0, 0);
        for time in (first..4200).step_by(1000) {
            clock.0.store(time, Ordering::Relaxed);
            let seen = watch.look(&picture.clone().into(), clock.now(), &clock).unwrap();
            judged += seen.faces.iter().filter(|face| face.answer.is_some()).count();
            let is_alert = |finding: &&Finding| matches!(finding, Finding::Alert { .. });
            alerts += seen.findings.iter().filter(is_alert).count();
        }
        assert!(judged >= 2 && alerts == 1, "from {first} ms on: {judged} judged, {alerts} alerts");
    }
}

/// The time without a frame counts from the end of a look.
#[test]
fn a_long_look_is_no_gap_between_frames() {
    let gap = |nothings| run(&[(9, NOBODY), (1, Step::Long(4)), (nothings, Step::Nothing)]).notes.faults;
    assert_eq!(gap(24), [], "4.8 s after the look");
    assert_eq!(gap(25), [Some("no usable frame from scripted camera for 5 s".into())]);
}

#[test]
fn fifteen_seconds_without_a_look_are_a_fault_whatever_the_timeout() {
    let patient = Config::parse("[source]\ntimeout_seconds = 60\n", "door.toml").unwrap();
    let gap = |nothings| run_configured(&patient, &[(9, NOBODY), (nothings, Step::Nothing)]).notes.faults;
    assert_eq!(gap(74), []);
    assert_eq!(gap(75), [Some("no usable frame from scripted camera for 15 s".into())]);
    // Nor does the interval between looks stretch it.
    let slow = [(1, NOBODY), (65, Step::Nothing)].repeat(6);
    let faults = |nothings| run(&[&slow[..], &[(nothings, Step::Nothing)]].concat()).notes.faults;
    assert_eq!(faults(9).len(), 2, "the first interval, until it was known");
    assert_eq!(faults(10).last(), Some(&Some("no usable frame from scripted camera for 15 s".into())));
}
