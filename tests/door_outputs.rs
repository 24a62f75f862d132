//! Outputs are off whatever ends their use: at start, at stop, on errors, on panics, and when nobody looks after them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use maskwatch::config::Config;
use maskwatch::decide::DoorState;
use maskwatch::outputs::{
    Active, Level, Lines, Output, OutputError, Outputs, Panel, Recorder, same_pins, simulated,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(3600);

/// The usual wiring, with red switched by a low level.
fn outputs() -> Vec<Output> {
    let mut outputs = Config::default().outputs.outputs;
    outputs[0].active = Active::Low;
    outputs
}

fn lit(recorder: &Recorder) -> Vec<String> {
    let outputs = outputs();
    let on = |(index, output): &(usize, &Output)| recorder.level(*index) == Some(output.active.level(true));
    outputs.iter().enumerate().filter(on).map(|(_, output)| output.name.clone()).collect()
}

/// Waits for what another thread is about to do; how long that takes is not asserted.
fn eventually(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn started(stop: &Arc<AtomicBool>, stall: Duration) -> (Outputs, Recorder) {
    let (lines, recorder) = simulated(&outputs());
    let panel = Panel::new(lines, outputs()).unwrap();
    (Outputs::start(panel, Arc::clone(stop), stall).unwrap(), recorder)
}

#[test]
fn pins_are_inactive_from_the_first_moment_to_the_last() {
    let (lines, recorder) = simulated(&outputs());
    let inactive = [Level::High, Level::Low, Level::Low, Level::Low];
    let levels = |recorder: &Recorder| (0..4).map(|pin| recorder.level(pin).unwrap()).collect::<Vec<_>>();
    assert_eq!(levels(&recorder), inactive);
    let mut panel = Panel::new(lines, outputs()).unwrap();
    panel.show(DoorState::Alert, Duration::ZERO).unwrap();
    assert_eq!(levels(&recorder), [Level::Low, Level::Low, Level::Low, Level::High]);
    drop(panel);
    assert_eq!(levels(&recorder), inactive);
}

#[test]
fn each_state_lights_its_outputs_and_off_none() {
    let (lines, recorder) = simulated(&outputs());
    let mut panel = Panel::new(lines, outputs()).unwrap();
    for (state, elapsed, expected) in [
        (DoorState::Alert, 0, vec!["red", "buzzer"]),
        (DoorState::Alert, 300, vec!["red"]),
        (DoorState::Alert, 60_000, vec!["red"]),
        (DoorState::Pass, 0, vec!["green"]),
        (DoorState::Look, 0, vec!["amber"]),
        (DoorState::Fault, 0, vec!["amber"]),
        (DoorState::Fault, 700, vec![]),
        (DoorState::Idle, 0, vec![]),
        (DoorState::Alert, 0, vec!["red", "buzzer"]),
        (DoorState::Off, 0, vec![]),
    ] {
        panel.show(state, Duration::from_millis(elapsed)).unwrap();
        assert_eq!(lit(&recorder), expected, "{state} after {elapsed} ms");
    }
}

#[test]
fn the_thread_blinks_by_itself_and_is_off_after_stop() {
    let (outputs, recorder) = started(&Arc::default(), LONG);
    outputs.show(DoorState::Fault, Duration::ZERO).unwrap();
    // On, off and on again without another word from here.
    eventually(|| recorder.changes().iter().filter(|change| change.level == Level::High).count() >= 3);
    outputs.show(DoorState::Alert, Duration::ZERO).unwrap();
    eventually(|| lit(&recorder).contains(&"red".into()));
    outputs.stop().unwrap();
    assert!(lit(&recorder).is_empty());
}

#[test]
fn the_stop_flag_switches_off_without_the_loop() {
    let stop = Arc::new(AtomicBool::new(false));
    let (outputs, recorder) = started(&stop, LONG);
    outputs.show(DoorState::Alert, Duration::ZERO).unwrap();
    eventually(|| !lit(&recorder).is_empty());
    stop.store(true, Ordering::Relaxed);
    eventually(|| lit(&recorder).is_empty());
    outputs.show(DoorState::Alert, Duration::ZERO).unwrap();
    drop(outputs);
    assert!(lit(&recorder).is_empty());
}

#[test]
fn a_loop_that_hangs_becomes_a_fault() {
    let (outputs, recorder) = started(&Arc::default(), Duration::from_millis(100));
    outputs.show(DoorState::Pass, Duration::ZERO).unwrap();
    eventually(|| lit(&recorder) == ["amber"]);
    drop(outputs);
    assert!(lit(&recorder).is_empty());
}

#[test]
fn a_panic_in_the_loop_switches_off() {
    let (outputs, recorder) = started(&Arc::default(), LONG);
    let theirs = recorder.clone();
    let panicked = std::thread::spawn(move || {
        outputs.show(DoorState::Alert, Duration::ZERO).unwrap();
        eventually(|| !lit(&theirs).is_empty());
        panic!("on purpose");
    })
    .join();
    assert!(panicked.is_err());
    assert!(lit(&recorder).is_empty());
    assert!(recorder.changes().len() > 4, "red was lit before");
}

/// Pins of which one fails, by an error or a panic, when it is switched on.
struct Faulty {
    levels: Levels,
    bad: usize,
    panics: bool,
}

impl Lines for Faulty {
    fn drive(&mut self, index: usize, level: Level) -> Result<(), OutputError> {
        if index == self.bad && level == Level::High {
            assert!(!self.panics, "on purpose");
            return Err(OutputError::Chip { chip: "test".into(), problem: "went away".into() });
        }
        self.levels.lock().unwrap()[index] = Some(level);
        Ok(())
    }

    fn describe(&self) -> String {
        "faulty pins".into()
    }
}

type Levels = Arc<Mutex<Vec<Option<Level>>>>;

fn faulty(bad: usize, panics: bool) -> (Box<dyn Lines>, Levels) {
    let levels = Arc::new(Mutex::new(vec![None; 4]));
    (Box::new(Faulty { levels: Arc::clone(&levels), bad, panics }), levels)
}

const ALL_OFF: [Option<Level>; 4] = [Some(Level::High), Some(Level::Low), Some(Level::Low), Some(Level::Low)];

#[test]
fn a_pin_that_fails_ends_the_thread_with_all_others_off_and_the_reason_told() {
    for panics in [false, true] {
        // The buzzer (3) fails after red (0) was lit.
        let (lines, levels) = faulty(3, panics);
        let panel = Panel::new(lines, outputs()).unwrap();
        let outputs = Outputs::start(panel, Arc::default(), LONG).unwrap();
        outputs.show(DoorState::Alert, Duration::ZERO).unwrap();
        let mut error = None;
        eventually(|| {
            error = outputs.show(DoorState::Alert, Duration::ZERO).err();
            error.is_some()
        });
        let error = error.unwrap();
        assert_eq!(error == OutputError::ThreadEnded, panics, "{error}");
        assert!(outputs.stop().is_err());
        assert_eq!(levels.lock().unwrap().as_slice(), ALL_OFF);
    }
}

#[test]
fn a_pin_that_cannot_even_be_switched_off_does_not_keep_the_others_on() {
    for panics in [false, true] {
        // Red (0) is off at high level, which fails from the start.
        let (lines, levels) = faulty(0, panics);
        let outcome = catch_unwind(AssertUnwindSafe(|| Panel::new(lines, outputs()).err()));
        assert!(outcome.map_or(true, |error| error.is_some()));
        assert_eq!(levels.lock().unwrap()[1..], ALL_OFF[1..]);
    }
}

#[test]
fn patterns_change_without_letting_go_of_the_pins() {
    let (lines, recorder) = simulated(&outputs());
    let mut panel = Panel::new(lines, outputs()).unwrap();
    let mut changed = outputs();
    let green = changed[1].patterns;
    changed[1].patterns = changed[0].patterns;
    changed[0].patterns = green;
    assert!(same_pins(&outputs(), &changed));
    panel.show(DoorState::Alert, LONG).unwrap();
    panel.set_patterns(&changed);
    panel.show(DoorState::Alert, LONG).unwrap();
    assert_eq!(lit(&recorder), ["green"]);
    changed[1].pin = 5;
    assert!(!same_pins(&outputs(), &changed));
}
