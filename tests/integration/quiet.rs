//! Quiet hours and the button's long press, through the loop: what is shown and told, and that they end.

use super::door_cli::{Running, with_networks, write_config};
use super::scripted::{BARE, Camera, NOBODY, Notes, Script, Step, TestClock, door, lit};
use jiff::Zoned;
use jiff::tz::TimeZone;
use maskwatch::config::Config;
use maskwatch::daemon::{Clock, DoorMode, Event, Flags, Observer, QuietTimes, WallClock};
use maskwatch::decide::DoorState;
use maskwatch::outputs::{Level, Recorder};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The button's pin.
const BUTTON: u32 = 24;

/// A clock on the wall that is a minute before ten in the evening when the script begins, and six times as
/// fast: a minute of it is ten seconds of the script.
struct Evening(TestClock);

impl WallClock for Evening {
    fn now(&mut self) -> Option<Zoned> {
        let began: jiff::Timestamp = "2026-12-04T21:59:00Z".parse().unwrap();
        Some((began + 6 * self.0.now()).to_zoned(TimeZone::UTC))
    }
}

/// A clock that nobody has set.
struct Unset;

impl WallClock for Unset {
    fn now(&mut self) -> Option<Zoned> {
        None
    }
}

/// What a turn of the loop showed: the time of the script, the lit outputs.
type Turn = (u64, Vec<String>);

/// Called at each turn with its number.
type EachTurn = Box<dyn FnMut(usize, &Recorder)>;

struct Watcher {
    notes: Notes,
    recorder: Recorder,
    turns: Vec<Turn>,
    modes: Vec<DoorMode>,
    each: EachTurn,
}

impl Observer for Watcher {
    fn on_event(&mut self, now: Duration, event: &Event<'_>) {
        self.notes.on_event(now, event);
        match event {
            Event::Frame { .. } | Event::Rested | Event::Attempt => {
                // The outputs' thread has time to switch them.
                std::thread::sleep(Duration::from_millis(100));
                (self.each)(self.turns.len(), &self.recorder);
                self.turns.push((now.as_secs(), lit(&self.recorder)));
            }
            Event::Mode(mode) => self.modes.push(*mode),
            _ => {}
        }
    }
}

fn run(
    text: &str,
    steps: &[(usize, Step)],
    wall: impl FnOnce(&TestClock) -> Box<dyn WallClock>,
    each: impl FnMut(usize, &Recorder) + 'static,
) -> Watcher {
    let config = Config::parse(text, "door.toml").unwrap();
    let clock = TestClock::default();
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let camera = Camera::new(steps, &clock, &reload);
    let script = Script { clock: clock.clone(), ..Script::default() };
    let (mut daemon, recorder) = door(&config, camera, script, &clock, &stop);
    daemon.quiet = Some(QuietTimes::new(config.quiet, wall(&clock)));
    let (notes, each) = (Notes::default(), Box::new(each));
    let mut watcher = Watcher { notes, recorder, turns: Vec::new(), modes: Vec::new(), each };
    daemon.run(Flags { stop: &stop, reload: &reload }, &mut watcher).unwrap();
    daemon.outputs.stop().unwrap();
    assert!(lit(&watcher.recorder).is_empty(), "everything is off in the end");
    watcher
}

fn evening(clock: &TestClock) -> Box<dyn WallClock> {
    Box::new(Evening(clock.clone()))
}

fn minute(mode: &str) -> String {
    format!("[quiet.test]\nfrom = \"22:00\"\nto = \"22:01\"\nmode = \"{mode}\"\n")
}

fn had(turns: &[Turn], seconds: std::ops::Range<u64>, name: &str) -> bool {
    turns.iter().any(|(at, lit)| seconds.contains(at) && lit.iter().any(|output| output == name))
}

#[test]
fn off_is_dark_and_judges_nobody_but_a_fault_is_told_and_afterwards_all_is_as_before() {
    // Turns of 200 ms: 10 s until the hours begin, 10 s of them, and a while behind.
    let steps = [(55, BARE), (25, Step::Away), (50, BARE)];
    let Watcher { notes, turns, modes, .. } = run(&minute("off"), &steps, evening, |_, _| {});
    assert!(had(&turns, 2..9, "red"), "an alert before");
    assert!(turns.iter().all(|(at, lit)| !(11..20).contains(at) || lit.is_empty()), "{turns:?}");
    assert!(had(&turns, 22..26, "red"), "an alert afterwards");
    assert_eq!(notes.faults, [Some("camera is unplugged; plug it in".into()), None], "told all the same");
    assert!(!notes.states.contains(&DoorState::Fault), "{:?}", notes.states);
    assert_eq!(modes.iter().map(|mode| mode.quiet.is_some()).collect::<Vec<_>>(), [true, false]);
    let statuses = notes.statuses.join("\n");
    for told in [
        "quiet hours: off until 22:01; watching scripted camera",
        "quiet hours: off until 22:01; fault: camera is unplugged; plug it in",
    ] {
        assert!(statuses.contains(told), "{told} is not in\n{statuses}");
    }
    assert!(statuses.ends_with("door alert; watching scripted camera"), "{statuses}");
}

#[test]
fn silent_lets_no_buzzer_sound_and_every_light_shine() {
    let loud = "[outputs.red]\n[outputs.amber]\n[outputs.buzzer]\nalert = \"steady\"\n";
    let steps = [(30, NOBODY), (40, BARE), (25, Step::Away), (40, BARE)];
    let Watcher { notes, turns, .. } = run(&(minute("silent") + loud), &steps, evening, |_, _| {});
    assert!(had(&turns, 11..14, "red") && !had(&turns, 11..20, "buzzer"), "{turns:?}");
    assert!(notes.states.contains(&DoorState::Fault), "a fault is shown: {:?}", notes.states);
    assert!(had(&turns, 22..27, "buzzer"), "{turns:?}");
    let silent = "quiet hours: buzzers silent until 22:01; door alert; watching scripted camera";
    assert!(notes.statuses.iter().any(|status| status == silent), "{:?}", notes.statuses);
}

#[test]
fn with_a_clock_that_nobody_has_set_there_are_no_quiet_hours() {
    let all_day = "[quiet.always]\nfrom = \"00:00\"\nto = \"24:00\"\nmode = \"off\"\n";
    let Watcher { turns, modes, .. } = run(all_day, &[(30, BARE)], |_| Box::new(Unset), |_, _| {});
    assert!(had(&turns, 2..9, "red"), "{turns:?}");
    assert_eq!(modes, []);
}

#[test]
fn a_long_press_pauses_and_another_one_resumes() {
    let text = format!("[button]\npin = {BUTTON}\npause_seconds = 600\n");
    // 100 ms each: pressed for 3.5 s, let go, and pressed again.
    let press = |turn: usize, recorder: &Recorder| {
        let down = (10..45).contains(&turn) || (60..95).contains(&turn);
        recorder.put(BUTTON, if down { Level::Low } else { Level::High });
    };
    let Watcher { turns, modes, notes, .. } = run(&text, &[(120, BARE)], evening, press);
    let lights: Vec<bool> = turns.iter().map(|(_, lit)| lit.contains(&"red".to_owned())).collect();
    assert!(lights[20] && !lights[52] && lights[115], "{lights:?}");
    assert_eq!(modes.iter().map(|mode| mode.paused_until.is_some()).collect::<Vec<_>>(), [true, false]);
    assert!(notes.statuses.iter().any(|status| status == "paused; watching scripted camera"));
}

#[test]
fn a_pause_by_the_button_ends_by_itself() {
    let text = format!("[button]\npin = {BUTTON}\npause_seconds = 5\n");
    let press = |turn: usize, recorder: &Recorder| {
        recorder.put(BUTTON, if turn < 40 { Level::Low } else { Level::High });
    };
    let Watcher { turns, modes, .. } = run(&text, &[(90, BARE)], evening, press);
    assert_eq!(modes.iter().map(|mode| mode.paused_until.is_some()).collect::<Vec<_>>(), [true, false]);
    assert!(turns.last().unwrap().1.contains(&"red".to_owned()), "{turns:?}");
}

/// The whole daemon, with hours that hold at any time of day: a drop-in file brings them, and its end ends
/// them.
#[test]
fn the_log_says_when_quiet_hours_begin_and_end_also_by_a_reload_of_a_drop_in_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(&folder, "[clock]\ntrusted = \"always\"\n");
    let drop_ins = folder.path().join("door.toml.d");
    let put = |text: &str| {
        std::fs::create_dir_all(&drop_ins).unwrap();
        std::fs::write(drop_ins.join("10-quiet.toml"), text).unwrap();
    };
    let source = "/dev/no-such-camera";
    let mut daemon =
        Running::start(&mut with_networks(&["run", "--dry-run", "--source", source, "--config", &config]));
    daemon.wait_for("fault: ");
    put("[quiet.always]\nfrom = \"00:00\"\nto = \"24:00\"\n");
    daemon.send("-HUP");
    daemon.wait_for_all(&[
        "the configuration was reloaded",
        "quiet hours are followed: it is ",
        "quiet hours: buzzers silent until 00:00",
    ]);
    put("[quiet.always]\nfrom = \"00:00\"\nto = \"24:00\"\nmode = \"off\"\n");
    daemon.send("-HUP");
    daemon.wait_for_all(&["quiet hours: off until 00:00", "door: off (was fault)"]);
    put("[quiet.always]\nfrom = 0\n");
    daemon.send("-HUP");
    daemon.wait_for("10-quiet.toml line 2: quiet.always.from is a number");
    std::fs::remove_dir_all(&drop_ins).unwrap();
    daemon.send("-HUP");
    daemon.wait_for_all(&["quiet hours are over", "door: fault (was off)"]);
    daemon.send("-TERM");
    daemon.wait_for("stopped");
    assert!(daemon.child.wait().unwrap().success());
}
