//! Outputs without pins: what would be driven is recorded, for tests and the demo, and logged.

use super::{Level, Lines, Output, OutputError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// One output was switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// Which output, as its index in the order of opening.
    pub output: usize,
    /// The voltage its pin would have.
    pub level: Level,
}

/// What happened on simulated pins; outlives them.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Change>>>);

impl Recorder {
    /// Every change so far, the oldest first.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The present level of an output's pin; `None` before it was ever driven.
    #[must_use]
    pub fn level(&self, output: usize) -> Option<Level> {
        let changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().rev().find(|change| change.output == output).map(|change| change.level)
    }
}

/// Opens simulated pins at their inactive levels.
#[must_use]
pub fn simulated(outputs: &[Output]) -> (Box<dyn Lines>, Recorder) {
    let recorder = Recorder::default();
    let names = outputs.iter().map(|output| format!("{} (GPIO{})", output.name, output.pin)).collect();
    let mut pins = Simulated { names, recorder: recorder.clone() };
    for (index, output) in outputs.iter().enumerate() {
        pins.record(index, output.active.level(false));
    }
    (Box::new(pins), recorder)
}

struct Simulated {
    names: Vec<String>,
    recorder: Recorder,
}

impl Simulated {
    fn record(&mut self, output: usize, level: Level) {
        let mut changes = self.recorder.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push(Change { at: Instant::now(), output, level });
    }
}

impl Lines for Simulated {
    fn drive(&mut self, index: usize, level: Level) -> Result<(), OutputError> {
        if self.recorder.level(index) != Some(level) {
            if let Some(name) = self.names.get(index) {
                log::debug!("simulated pin {name} is {level:?}");
            }
            self.record(index, level);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "simulated pins".into()
    }
}
