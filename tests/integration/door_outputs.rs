//! Outputs are off whatever ends their use: at start, at stop, on errors, on panics, and when nobody looks
//! after them.

use maskwatch::config::Config;
use maskwatch::decide::DoorState;
use maskwatch::outputs::{
    Active, Button, Driver, InputPin, Kind, Level, Output, OutputError, OutputPin, Outputs, Panel, Recorder,
    simulated,
};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Red, green, amber, buzzer.
const PINS: [u32; 4] = [17, 27, 22, 23];
const LONG: Duration = Duration::from_secs(3600);

/// The usual wiring, with red switched by a low level.
fn outputs() -> Vec<Output> {
    let mut outputs = Config::default().outputs.outputs;
    outputs[0].active = Active::Low;
    outputs
}

fn lit(recorder: &Recorder) -> Vec<String> {
    let on = |output: &Output| recorder.level(output.pin) == Some(output.active.level(true));
    outputs().into_iter().filter(on).map(|output| output.name).collect()
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
    let (driver, recorder) = simulated();
    let panel = Panel::open(driver, &outputs(), None).unwrap();
    (Outputs::start(panel, Arc::clone(stop), stall).unwrap(), recorder)
}

#[test]
fn pins_are_inactive_from_the_first_moment_to_the_last() {
    let (driver, recorder) = simulated();
    let inactive = [Level::High, Level::Low, Level::Low, Level::Low];
    let levels = |recorder: &Recorder| PINS.map(|pin| recorder.level(pin).unwrap());
    let mut panel = Panel::open(driver, &outputs(), None).unwrap();
    assert_eq!(levels(&recorder), inactive);
    panel.show(DoorState::Alert, Duration::ZERO, Instant::now()).unwrap();
    assert_eq!(levels(&recorder), [Level::Low, Level::Low, Level::Low, Level::High]);
    drop(panel);
    assert_eq!(levels(&recorder), inactive);
}

#[test]
fn each_state_lights_its_outputs_and_off_none() {
    let (driver, recorder) = simulated();
    let mut panel = Panel::open(driver, &outputs(), None).unwrap();
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
        panel.show(state, Duration::from_millis(elapsed), Instant::now()).unwrap();
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

/// Pins of which one fails, by an error or a panic, when it is driven high.
struct Faulty {
    levels: Levels,
    bad: u32,
    panics: bool,
}

struct FaultyPin {
    levels: Levels,
    pin: u32,
    /// What happens when it is driven high: an error, or a panic.
    panics: Option<bool>,
}

impl Driver for Faulty {
    fn output(&mut self, output: &Output) -> Result<Box<dyn OutputPin>, OutputError> {
        let panics = (output.pin == self.bad).then_some(self.panics);
        Ok(Box::new(FaultyPin { levels: Arc::clone(&self.levels), pin: output.pin, panics }))
    }

    fn button(&mut self, _: &Button) -> Result<Box<dyn InputPin>, OutputError> {
        Err(OutputError::NoBackend("there are no buttons".into()))
    }

    fn let_go(&mut self, _: &Output) -> Result<(), OutputError> {
        Ok(())
    }

    fn describe(&self) -> String {
        "faulty pins".into()
    }
}

impl OutputPin for FaultyPin {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        if let (Some(panics), Level::High) = (self.panics, level) {
            assert!(!panics, "on purpose");
            return Err(OutputError::Chip { chip: "test".into(), problem: "went away".into() });
        }
        self.levels.lock().unwrap().insert(self.pin, level);
        Ok(())
    }
}

type Levels = Arc<Mutex<BTreeMap<u32, Level>>>;

fn faulty(bad: u32, panics: bool) -> (Box<dyn Driver>, Levels) {
    let levels = Levels::default();
    (Box::new(Faulty { levels: Arc::clone(&levels), bad, panics }), levels)
}

#[test]
fn a_pin_that_fails_ends_the_thread_with_all_others_off_and_the_reason_told() {
    for panics in [false, true] {
        // The buzzer fails after red was lit.
        let (driver, levels) = faulty(23, panics);
        let panel = Panel::open(driver, &outputs(), None).unwrap();
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
        let levels = PINS.map(|pin| levels.lock().unwrap()[&pin]);
        assert_eq!(levels, [Level::High, Level::Low, Level::Low, Level::Low]);
    }
}

/// A pin that takes no level, and never answers, while it is told to be high.
struct HangingPin(Arc<AtomicBool>);

impl OutputPin for HangingPin {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        while level == Level::High && !self.0.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

struct HangingDriver(Arc<AtomicBool>);

impl Driver for HangingDriver {
    fn output(&mut self, _: &Output) -> Result<Box<dyn OutputPin>, OutputError> {
        Ok(Box::new(HangingPin(Arc::clone(&self.0))))
    }

    fn button(&mut self, _: &Button) -> Result<Box<dyn InputPin>, OutputError> {
        Err(OutputError::NoBackend("there are no buttons".into()))
    }

    fn let_go(&mut self, _: &Output) -> Result<(), OutputError> {
        Ok(())
    }

    fn describe(&self) -> String {
        "pins that hang".into()
    }
}

#[test]
fn the_loop_notices_a_thread_that_hangs_and_its_end_does_not_wait_for_it() {
    let answer = Arc::new(AtomicBool::new(false));
    let wiring = Config::default().outputs.outputs;
    let panel = Panel::open(Box::new(HangingDriver(Arc::clone(&answer))), &wiring, None).unwrap();
    let outputs = Outputs::start(panel, Arc::default(), LONG).unwrap();
    outputs.show(DoorState::Idle, Duration::ZERO).unwrap();
    let mut told = Ok(());
    eventually(|| {
        told = outputs.show(DoorState::Alert, Duration::ZERO);
        told.is_err()
    });
    assert_eq!(told, Err(OutputError::ThreadHangs));
    assert_eq!(outputs.reconfigure(wiring, None), Err(OutputError::ThreadHangs));
    let began = Instant::now();
    assert_eq!(outputs.stop(), Err(OutputError::ThreadHangs));
    assert!(began.elapsed() < Duration::from_secs(30));
    answer.store(true, Ordering::Relaxed);
}

/// Pins that take their time to open, and a button that counts how often it is read.
struct Slow(Box<dyn Driver>, Arc<AtomicU32>);

struct CountedInput(Box<dyn InputPin>, Arc<AtomicU32>);

impl Driver for Slow {
    fn output(&mut self, output: &Output) -> Result<Box<dyn OutputPin>, OutputError> {
        std::thread::sleep(Duration::from_millis(100));
        self.0.output(output)
    }

    fn button(&mut self, button: &Button) -> Result<Box<dyn InputPin>, OutputError> {
        Ok(Box::new(CountedInput(self.0.button(button)?, Arc::clone(&self.1))))
    }

    fn let_go(&mut self, output: &Output) -> Result<(), OutputError> {
        self.0.let_go(output)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

impl InputPin for CountedInput {
    fn level(&mut self) -> Result<Level, OutputError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.level()
    }
}

#[test]
fn new_pins_are_waited_for_and_the_thread_rests_between_two_looks() {
    let (driver, recorder) = simulated();
    let reads = Arc::new(AtomicU32::new(0));
    let button = Button { pin: 24, active: Active::Low, silence: Duration::from_secs(60), pause: None };
    let driver = Box::new(Slow(driver, Arc::clone(&reads)));
    let panel = Panel::open(driver, &outputs(), Some(button)).unwrap();
    let thread = Outputs::start(panel, Arc::default(), LONG).unwrap();
    let mut moved = outputs();
    moved.iter_mut().zip([5, 6, 12, 13]).for_each(|(output, pin)| output.pin = pin);
    thread.reconfigure(moved, Some(button)).unwrap();
    assert_eq!([5, 6, 12, 13].map(|pin| recorder.times_opened(pin)), [1; 4]);
    // Forty times a second, as long as nothing happens.
    let before = reads.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs(1));
    let turns = reads.load(Ordering::Relaxed) - before;
    assert!((1..=60).contains(&turns), "{turns} turns in a second");
    thread.stop().unwrap();
}

#[test]
fn a_thread_that_was_only_late_is_not_given_up() {
    let answer = Arc::new(AtomicBool::new(false));
    let wiring = Config::default().outputs.outputs;
    let panel = Panel::open(Box::new(HangingDriver(Arc::clone(&answer))), &wiring, None).unwrap();
    let outputs = Outputs::start(panel, Arc::default(), LONG).unwrap();
    outputs.show(DoorState::Alert, Duration::ZERO).unwrap();
    // As after a pause of the whole process: both begin anew, the loop first.
    std::thread::sleep(Duration::from_secs(6));
    let theirs = Arc::clone(&answer);
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        theirs.store(true, Ordering::Relaxed);
    });
    assert_eq!(outputs.show(DoorState::Alert, Duration::ZERO), Ok(()));
    late.join().unwrap();
    assert_eq!(outputs.stop(), Ok(()));
}

#[test]
fn a_relay_does_not_chatter_however_the_door_flaps_but_goes_off_at_the_end() {
    let (driver, recorder) = simulated();
    let mut wiring = outputs();
    let dwell = Duration::from_secs(2);
    wiring[1].kind = Kind::Relay { dwell };
    let mut panel = Panel::open(driver, &wiring, None).unwrap();
    let start = Instant::now();
    let mut switched: Vec<u64> = Vec::new();
    let mut last = Level::Low;
    // Pass and fault in turns, every 100 ms for 20 s; green is the relay.
    for tenth in 0..200 {
        let state = if tenth % 2 == 0 { DoorState::Pass } else { DoorState::Fault };
        panel.show(state, Duration::ZERO, start + Duration::from_millis(100 * tenth)).unwrap();
        let level = recorder.level(27).unwrap();
        if level != last {
            switched.push(100 * tenth);
            last = level;
        }
    }
    assert!(switched.len() >= 5, "{switched:?}");
    assert!(switched.windows(2).all(|pair| pair[1] - pair[0] >= 2000), "{switched:?}");
    assert_eq!(switched[0], 0, "the first time nothing is waited for");
    panel.show(DoorState::Pass, Duration::ZERO, start + LONG).unwrap();
    assert_eq!(recorder.level(27), Some(Level::High));
    panel.show(DoorState::Off, Duration::ZERO, start + LONG).unwrap();
    assert_eq!(recorder.level(27), Some(Level::Low), "off at once");
}

#[test]
fn a_pin_that_cannot_even_be_switched_off_does_not_keep_the_others_on() {
    for panics in [false, true] {
        // Green comes third and lets itself be switched on once the panel stands.
        let mut wiring = outputs();
        wiring[2].active = Active::Low;
        let (driver, levels) = faulty(22, panics);
        // Amber is off at high level, which fails from the start: red and green were opened before it.
        let outcome = catch_unwind(AssertUnwindSafe(|| Panel::open(driver, &wiring, None).err()));
        assert!(outcome.map_or(true, |error| error.is_some()));
        let levels = levels.lock().unwrap();
        assert_eq!((levels[&17], levels[&27]), (Level::High, Level::Low));
    }
}

#[test]
fn other_patterns_leave_the_pins_alone_and_other_pins_only_their_own() {
    let (outputs, recorder) = started(&Arc::default(), LONG);
    let mut changed = self::outputs();
    let green = changed[1].patterns;
    changed[1].patterns = changed[0].patterns;
    changed[0].patterns = green;
    outputs.show(DoorState::Alert, LONG).unwrap();
    eventually(|| lit(&recorder) == ["red"]);
    outputs.reconfigure(changed.clone(), None).unwrap();
    eventually(|| lit(&recorder) == ["green"]);
    assert_eq!(PINS.map(|pin| recorder.times_opened(pin)), [1, 1, 1, 1]);

    // Green stays lit, without so much as a blink, while red moves to another pin, amber is turned round, and
    // the buzzer goes.
    let before = recorder.changes().len();
    changed[0].pin = 5;
    changed[2].active = Active::Low;
    changed.pop();
    outputs.reconfigure(changed, None).unwrap();
    assert_eq!(PINS.map(|pin| recorder.times_opened(pin)), [1, 1, 2, 1]);
    assert_eq!(recorder.times_opened(5), 1);
    assert!(recorder.changes()[before..].iter().all(|change| change.pin != 27));
    assert_eq!(recorder.level(27), Some(Level::High));
    assert_eq!(recorder.level(22), Some(Level::High), "inactive is high now");
    drop(outputs);
    assert_eq!((recorder.level(27), recorder.level(5)), (Some(Level::Low), Some(Level::High)));
}

/// A driver that refuses some pins, otherwise a simulated one.
struct Refusing(Box<dyn Driver>, Arc<Mutex<Vec<u32>>>);

impl Driver for Refusing {
    fn output(&mut self, output: &Output) -> Result<Box<dyn OutputPin>, OutputError> {
        if self.1.lock().unwrap().contains(&output.pin) {
            return Err(OutputError::NoBackend(format!("GPIO{} is refused", output.pin)));
        }
        self.0.output(output)
    }

    fn button(&mut self, button: &Button) -> Result<Box<dyn InputPin>, OutputError> {
        self.0.button(button)
    }

    fn let_go(&mut self, output: &Output) -> Result<(), OutputError> {
        self.0.let_go(output)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

#[test]
fn pins_that_cannot_be_had_leave_all_as_it_was() {
    let (driver, recorder) = simulated();
    let refused = Arc::new(Mutex::new(vec![6]));
    let driver = Box::new(Refusing(driver, Arc::clone(&refused)));
    let panel = Panel::open(driver, &outputs(), None).unwrap();
    let outputs = Outputs::start(panel, Arc::default(), LONG).unwrap();
    outputs.show(DoorState::Alert, LONG).unwrap();
    eventually(|| lit(&recorder) == ["red"]);
    let mut changed = self::outputs();
    changed[1].pin = 5;
    changed[3].pin = 6;
    let error = outputs.reconfigure(changed.clone(), None).unwrap_err().to_string();
    assert!(error.contains("GPIO6 is refused"), "{error}");
    assert_eq!(lit(&recorder), ["red"], "which was not touched");
    assert_eq!(recorder.times_opened(17), 1);
    outputs.show(DoorState::Pass, LONG).unwrap();
    eventually(|| lit(&recorder) == ["green"]);

    // The old pins cannot be had again either: everything goes off, and the loop is told.
    *refused.lock().unwrap() = vec![6, 27];
    let error = outputs.reconfigure(changed, None).unwrap_err().to_string();
    assert!(error.contains("GPIO27 is refused"), "{error}");
    eventually(|| outputs.show(DoorState::Pass, LONG).is_err());
    assert!(lit(&recorder).is_empty());
}

#[test]
fn the_button_silences_the_buzzers_and_nothing_else() {
    let button = Button { pin: 24, active: Active::Low, silence: Duration::from_secs(60), pause: None };
    let (driver, recorder) = simulated();
    let mut wiring = outputs();
    wiring[3].patterns = wiring[0].patterns;
    let siren = Kind::PassiveBuzzer { frequency: 2700, pwm: maskwatch::outputs::Pwm::Auto };
    wiring.push(Output { name: "siren".into(), pin: 18, kind: siren, ..wiring[3].clone() });
    let mut panel = Panel::open(driver, &wiring, Some(button)).unwrap();
    let start = Instant::now();
    let mut at = |milliseconds: u64| {
        panel.show(DoorState::Alert, LONG, start + Duration::from_millis(milliseconds)).unwrap();
        (recorder.level(17).unwrap(), recorder.level(23).unwrap(), recorder.level(18).unwrap())
    };
    let (loud, silent) = ((Level::Low, Level::High, Level::High), (Level::Low, Level::Low, Level::Low));
    assert_eq!(at(0), loud);
    recorder.put(24, Level::Low);
    assert_eq!(at(100), loud, "a contact that bounces is no press yet");
    assert_eq!(at(200), silent);
    recorder.put(24, Level::High);
    assert_eq!(at(30_000), silent);
    assert_eq!(at(60_199), silent);
    assert_eq!(at(60_200), loud);
}
