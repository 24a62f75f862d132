//! All outputs of a door together, and the promise that they are off whenever nobody looks after them.

use super::{Active, Lines, Output, OutputError};
use crate::decide::DoorState;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The outputs of one door. Drives every pin inactive when made and when dropped, whatever ends its use.
pub struct Panel {
    lines: Box<dyn Lines>,
    outputs: Vec<Output>,
    lit: Vec<bool>,
}

impl Panel {
    /// Takes over `lines`, which were opened for `outputs` in the same order, and switches everything off.
    ///
    /// # Errors
    /// When a pin cannot be driven; the others are inactive then.
    pub fn new(lines: Box<dyn Lines>, outputs: Vec<Output>) -> Result<Self, OutputError> {
        let lit = vec![false; outputs.len()];
        let mut panel = Self { lines, outputs, lit };
        panel.all_off()?;
        Ok(panel)
    }

    /// Shows `state`, which began `elapsed` ago.
    ///
    /// # Errors
    /// When a pin cannot be driven; the caller should then drop the panel.
    pub fn show(&mut self, state: DoorState, elapsed: Duration) -> Result<(), OutputError> {
        for (index, output) in self.outputs.iter().enumerate() {
            let on = output.patterns.get(state).is_on(elapsed);
            if self.lit[index] != on {
                self.lines.drive(index, output.active.level(on))?;
                self.lit[index] = on;
            }
        }
        Ok(())
    }

    /// Drives every pin inactive, also those that are thought to be so already.
    ///
    /// # Errors
    /// The first failure, after all pins were tried.
    pub fn all_off(&mut self) -> Result<(), OutputError> {
        let mut outcome = Ok(());
        for (index, output) in self.outputs.iter().enumerate() {
            let driven = self.lines.drive(index, output.active.level(false));
            self.lit[index] = false;
            outcome = outcome.and(driven);
        }
        outcome
    }

    /// The outputs, in the order in which they were opened.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Goes on with the patterns of `outputs`; has no effect where these are not [`same_pins`].
    pub fn set_patterns(&mut self, outputs: &[Output]) {
        if same_pins(&self.outputs, outputs) {
            self.outputs = outputs.to_vec();
        }
    }
}

/// Whether two configurations use the same pins in the same way, so that no pin has to be opened anew to change from
/// one to the other.
#[must_use]
pub fn same_pins(left: &[Output], right: &[Output]) -> bool {
    let pins = |outputs: &[Output]| -> Vec<(String, u32, Active)> {
        outputs.iter().map(|output| (output.name.clone(), output.pin, output.active)).collect()
    };
    pins(left) == pins(right)
}

impl Drop for Panel {
    fn drop(&mut self) {
        for (index, output) in self.outputs.iter().enumerate() {
            // Each pin by itself, and a panic caught: one bad pin must not leave the others on, nor may a second panic
            // while unwinding from a first end the process at once.
            let driven =
                catch_unwind(AssertUnwindSafe(|| self.lines.drive(index, output.active.level(false))));
            match driven {
                Ok(Ok(())) => {}
                Ok(Err(error)) => log::error!("{error}"),
                Err(_) => log::error!("output {} could not be switched off", output.name),
            }
        }
    }
}
