//! A relay that opens a door: a pass is held for its time, once per person, and not for everyone while an
//! unmasked one is there, in a fault, or in a pause.

use super::scripted::{BARE, BOTH, Camera, MASKED, NOBODY, Script, Step, TestClock, door};
use maskwatch::config::Config;
use maskwatch::daemon::{Command, Event, Flags, Observer, orders};
use maskwatch::outputs::{Level, Recorder};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The relay's pin.
const STRIKE: u32 = 24;

/// Notes at every turn of the loop whether the relay is on, after the outputs' thread had time to switch it.
struct Strike {
    recorder: Recorder,
    on: Vec<bool>,
    /// For how long a pass was said to be held, each time something else was said of it.
    told: Vec<Option<Duration>>,
}

impl Observer for Strike {
    fn on_event(&mut self, now: Duration, event: &Event<'_>) {
        if let Event::PassHeld(held) = event {
            self.told.push(held.map(|held| held.until - now));
        }
        if matches!(event, Event::Frame { .. } | Event::Rested | Event::Attempt) {
            std::thread::sleep(Duration::from_millis(100));
            self.on.push(self.recorder.level(STRIKE) == Some(Level::High));
        }
    }
}

/// At which turns the relay is on.
fn on(pass_hold_for: &str, steps: &[(usize, Step)], command: Option<Command>) -> Vec<usize> {
    watched(pass_hold_for, steps, command).0
}

/// At which turns the relay is on, and what was said of held passes.
fn watched(
    pass_hold_for: &str,
    steps: &[(usize, Step)],
    command: Option<Command>,
) -> (Vec<usize>, Vec<Option<Duration>>) {
    let text = format!(
        "[decision]\npass_hold_seconds = 2\npass_hold_for = \"{pass_hold_for}\"\n\
         [outputs.strike]\npin = {STRIKE}\nkind = \"relay\"\npass_hold = \"steady\"\n"
    );
    let config = Config::parse(&text, "door.toml").unwrap();
    let clock = TestClock::default();
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let camera = Camera::new(steps, &clock, &reload);
    let script = Script { clock: clock.clone(), ..Script::default() };
    let (mut daemon, recorder) = door(&config, camera, script, &clock, &stop);
    let (sender, received) = orders();
    daemon.orders = received;
    let outcome = command.map(|command| sender.send(command).unwrap());
    let mut strike = Strike { recorder: recorder.clone(), on: Vec::new(), told: Vec::new() };
    daemon.run(Flags { stop: &stop, reload: &reload }, &mut strike).unwrap();
    daemon.outputs.stop().unwrap();
    assert_eq!(recorder.level(STRIKE), Some(Level::Low), "closed in the end");
    assert!(outcome.is_none_or(|outcome| outcome.recv() == Ok(Ok(()))));
    let on = strike.on.iter().enumerate().filter(|(_, on)| **on).map(|(turn, _)| turn).collect();
    (on, strike.told)
}

#[test]
fn a_masked_person_opens_it_once_for_its_time() {
    // A turn takes 200 ms; the third look at the face makes the verdict.
    let (turns, told) = watched("everyone", &[(3, NOBODY), (25, MASKED), (3, NOBODY)], None);
    assert_eq!(turns, (5..15).collect::<Vec<_>>());
    assert_eq!(told, [Some(Duration::from_secs(2)), None], "listeners know of it");
}

#[test]
fn an_unmasked_person_keeps_it_closed_or_not_as_configured() {
    assert_eq!(on("everyone", &[(20, BARE)], None), [0usize; 0]);
    assert_eq!(on("everyone", &[(20, BOTH)], None), [0usize; 0]);
    assert_eq!(on("anyone", &[(20, BOTH)], None).len(), 10);
    // One who comes later closes it.
    let turns = on("everyone", &[(6, MASKED), (14, BOTH)], None);
    assert!(!turns.is_empty() && turns.iter().all(|turn| *turn < 9), "{turns:?}");
}

#[test]
fn a_fault_and_a_pause_close_it_and_a_test_of_pass_opens_it() {
    let turns = on("everyone", &[(5, MASKED), (30, Step::Away)], None);
    // The attempt that fails, turn 5, is told before the outputs show the fault.
    assert!(turns.iter().all(|turn| *turn <= 5) && !turns.is_empty(), "{turns:?}");
    assert_eq!(on("everyone", &[(20, MASKED)], Some(Command::Pause(Duration::from_secs(60)))), [0usize; 0]);
    let test = Command::Test(maskwatch::decide::DoorState::Pass, Duration::from_secs(2));
    assert_eq!(on("everyone", &[(20, NOBODY)], Some(test)), (0..10).collect::<Vec<_>>());
}
