//! Simulated pins: every change is recorded, for tests and the demo.

use super::button::Button;
use super::driver::{Driver, InputPin, OutputPin};
use super::error::OutputError;
use super::level::Level;
use super::output::Output;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Maximum number of changes in the record; a daemon without pins may run for months.
const REMEMBERED: usize = 4096;

/// A change of one pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Time of the change.
    pub at: Instant,
    /// Number of the pin.
    pub pin: u32,
    /// The level after the change.
    pub level: Level,
}

#[derive(Debug, Default)]
struct Record {
    changes: VecDeque<Change>,
    levels: BTreeMap<u32, Level>,
    /// How often a pin was opened as output.
    opened: BTreeMap<u32, u32>,
}

/// The record of simulated pins; outlives them.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

impl Recorder {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last 4096 changes of outputs, the oldest first.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.record().changes.iter().cloned().collect()
    }

    /// The level of a pin; `None` before it is first driven, and after it was let go.
    #[must_use]
    pub fn level(&self, pin: u32) -> Option<Level> {
        self.record().levels.get(&pin).copied()
    }

    /// How often a pin was opened as an output.
    #[must_use]
    pub fn times_opened(&self, pin: u32) -> u32 {
        self.record().opened.get(&pin).copied().unwrap_or(0)
    }

    /// Sets the level of a pin from outside, as a button does.
    pub fn put(&self, pin: u32, level: Level) {
        self.record().levels.insert(pin, level);
    }

    fn drive(&self, pin: u32, level: Level) {
        let mut record = self.record();
        record.levels.insert(pin, level);
        if record.changes.len() == REMEMBERED {
            record.changes.pop_front();
        }
        record.changes.push_back(Change { at: Instant::now(), pin, level });
    }
}

/// Makes a driver of simulated pins, and the recorder of their changes.
#[must_use]
pub fn simulated() -> (Box<dyn Driver>, Recorder) {
    let recorder = Recorder::default();
    (Box::new(Simulated(recorder.clone())), recorder)
}

struct Simulated(Recorder);

impl Driver for Simulated {
    fn output(&mut self, output: &Output) -> Result<Box<dyn OutputPin>, OutputError> {
        *self.0.record().opened.entry(output.pin).or_default() += 1;
        let inactive = output.active.level(false);
        self.0.drive(output.pin, inactive);
        let pin = output.pin;
        // The tone of a passive buzzer has thousands of changes a second: it is recorded as the active level.
        Ok(Box::new(SimulatedPin { pin, recorder: self.0.clone(), level: inactive }))
    }

    fn button(&mut self, button: &Button) -> Result<Box<dyn InputPin>, OutputError> {
        self.0.put(button.pin, button.active.level(false));
        Ok(Box::new(SimulatedInput { pin: button.pin, recorder: self.0.clone() }))
    }

    fn let_go(&mut self, output: &Output) -> Result<(), OutputError> {
        self.0.record().levels.remove(&output.pin);
        Ok(())
    }

    fn pin_kind(&self) -> &'static str {
        "simulated pin"
    }

    fn describe(&self) -> String {
        "simulated pins".into()
    }
}

struct SimulatedPin {
    pin: u32,
    recorder: Recorder,
    level: Level,
}

impl OutputPin for SimulatedPin {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        if self.level != level {
            self.recorder.drive(self.pin, level);
            self.level = level;
        }
        Ok(())
    }
}

struct SimulatedInput {
    pin: u32,
    recorder: Recorder,
}

impl InputPin for SimulatedInput {
    fn level(&mut self) -> Result<Level, OutputError> {
        Ok(self.recorder.level(self.pin).unwrap_or(Level::High))
    }
}
