//! The whole loop with scripted networks, a scripted source, a clock of our own and simulated pins.

use super::scripted::{
    BARE, BOTH, Camera, MASKED, NOBODY, Notes, Script, Step, TestClock, door, lit, run, run_with,
};
use image::RgbImage;
use maskwatch::config::Config;
use maskwatch::daemon::{Ended, Event, FaultKind, Flags, Observer, Watch};
use maskwatch::decide::{DoorState, Finding, Rules, Verdict};
use maskwatch::geometry::Rect;
use maskwatch::outputs::{Level, Recorder};
use maskwatch::pixels::picture::View;
use maskwatch::vision::quality::Gate;
use maskwatch::vision::{Choice, JudgedFace, Judgement, Vision, VisionError, judged};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    assert_eq!(run.notes.other_causes, ["no usable frame from scripted camera for 5 s"]);
    assert_eq!(run.notes.statuses, [watching("idle"), unplugged, late, watching("idle"), watching("pass")]);
}

#[test]
fn faults_have_kinds_and_what_the_source_did_is_told() {
    let steps =
        [(2, NOBODY), (2, Step::Missed(3)), (1, NOBODY), (5, Step::Away), (3, NOBODY), (1, Step::Broken)];
    let more = [(2, NOBODY), (12, Step::Blind), (40, Step::Nothing), (1, NOBODY), (1, Step::Long(20))];
    let notes = run(&[&steps[..], &more[..]].concat()).notes;
    let kinds = [
        FaultKind::SourceAway,
        FaultKind::Networks,
        FaultKind::SourceBlind,
        FaultKind::NoFrames,
        FaultKind::TooSlow,
    ];
    assert_eq!(notes.kinds, kinds);
    assert_eq!((notes.reopened, notes.missed), (1, 6), "numbers that begin again are no frames missed");
}

#[test]
fn an_alert_tells_since_when_the_person_was_seen() {
    let notes = run(&[(2, NOBODY), (6, BARE)]).notes;
    // A frame every 0.2 s, and evidence for 0.4 s.
    assert_eq!(notes.until_alert, [Duration::from_millis(400)]);
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
        run_with(&Config::default(), &[(5, BARE), (1, Step::Panic)], &mut notes, &mut recorder)
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
    let (config, clock, stop) = (Config::default(), TestClock::default(), Arc::new(AtomicBool::new(false)));
    let camera = Camera::new(&[(1000, BARE)], &clock, &Arc::default());
    let (mut daemon, recorder) = door(&config, camera, Script::default(), &clock, &stop);
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
            let seen = watch.look(&picture.clone().into(), now, &clock).unwrap();
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

#[test]
fn a_camera_that_shows_nothing_of_the_door_is_a_fault_with_frames_and_without() {
    use DoorState::{Fault, Idle, Pass};
    for hidden in [Step::Blind, Step::BlindNothing] {
        let run = run(&[(5, MASKED), (4, hidden), (4, MASKED)]);
        assert_eq!(run.notes.states, [Idle, Pass, Fault, Pass], "{hidden:?}");
        assert_eq!(run.notes.faults, [Some("camera is covered; uncover it".into()), None], "{hidden:?}");
    }
}

#[test]
fn an_alert_that_comes_back_from_behind_a_fault_does_not_beep_again() {
    /// Waits at each state until its beeps would have been heard, and counts them.
    struct Listening(Recorder, Vec<(DoorState, usize)>);
    impl Observer for Listening {
        fn on_event(&mut self, _: Duration, event: &Event<'_>) {
            if let Event::State { signal, .. } = event {
                let buzzer = |changes: &Recorder| {
                    let loud =
                        |change: &maskwatch::outputs::Change| (change.pin, change.level) == (23, Level::High);
                    changes.changes().into_iter().filter(loud).count()
                };
                let before = buzzer(&self.0);
                std::thread::sleep(Duration::from_millis(1500));
                self.1.push((signal.state, buzzer(&self.0) - before));
            }
        }
    }
    let (config, clock, stop) = (Config::default(), TestClock::default(), Arc::new(AtomicBool::new(false)));
    let camera = Camera::new(&[(4, BARE), (10, Step::Away), (4, BARE)], &clock, &Arc::default());
    let (mut daemon, recorder) = door(&config, camera, Script::default(), &clock, &stop);
    let mut listening = Listening(recorder, Vec::new());
    daemon.run(Flags { stop: &stop, reload: &AtomicBool::new(false) }, &mut listening).unwrap();
    daemon.outputs.stop().unwrap();
    let states: Vec<DoorState> = listening.1.iter().map(|(state, _)| *state).collect();
    assert_eq!(states, [DoorState::Idle, DoorState::Alert, DoorState::Fault, DoorState::Alert]);
    // How many of the three beeps are heard in time depends on the machine.
    assert!(listening.1[1].1 > 0, "{:?}", listening.1);
    assert_eq!(listening.1[3].1, 0, "it has had its beeps");
}
