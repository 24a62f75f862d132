//! All outputs of a door together, and the promise that they are off whenever nobody looks after them.

use super::button::Silence;
use super::{Active, Button, Driver, Input, Kind, Output, OutputError, Pin};
use crate::decide::DoorState;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// The outputs of one door. Drives every pin inactive when made and when dropped, whatever ends its use.
pub struct Panel {
    lines: Vec<Line>,
    button: Option<ButtonLine>,
    silence: Silence,
    driver: Box<dyn Driver>,
}

/// One output and its pin.
struct Line {
    output: Output,
    pin: Box<dyn Pin>,
    on: bool,
}

/// The button and its pin.
struct ButtonLine {
    button: Button,
    pin: Box<dyn Input>,
}

impl ButtonLine {
    fn open(driver: &mut dyn Driver, button: Option<Button>) -> Result<Option<Self>, OutputError> {
        button.map(|button| Ok(Self { button, pin: driver.button(&button)? })).transpose()
    }
}

impl Line {
    fn open(driver: &mut dyn Driver, output: Output) -> Result<Self, OutputError> {
        let pin = driver.output(&output)?;
        let mut line = Self { output, pin, on: false };
        line.switch(false)?;
        Ok(line)
    }

    fn switch(&mut self, on: bool) -> Result<(), OutputError> {
        self.on = on;
        self.pin.drive(self.output.active.level(on))
    }

    /// Whether `output` needs nothing of the pin that this one does not have already.
    fn serves(&self, output: &Output) -> bool {
        wiring(&self.output) == wiring(output)
    }
}

fn wiring(output: &Output) -> (u32, Active, Option<Kind>) {
    // Lights, active buzzers and relays are switched alike.
    let tone = matches!(output.kind, Kind::PassiveBuzzer { .. }).then_some(output.kind);
    (output.pin, output.active, tone)
}

/// Why [`Panel::reconfigure`] did not do what it was told.
#[derive(Debug)]
pub(super) enum Reconfigure {
    /// The new pins cannot be had; all is as before.
    Refused(OutputError),
    /// The old pins could not be had again either; the panel is of no more use.
    Lost(OutputError),
}

impl Panel {
    /// Opens the pins of `outputs` and of the button through `driver`; all are inactive from then on.
    ///
    /// # Errors
    /// When a pin cannot be opened or driven; the others are inactive then.
    pub fn open(
        driver: Box<dyn Driver>,
        outputs: &[Output],
        button: Option<Button>,
    ) -> Result<Self, OutputError> {
        let mut panel = Self { lines: Vec::new(), button: None, silence: Silence::default(), driver };
        // Into the panel one by one: should one fail, those before are switched off as the panel is dropped.
        for output in outputs {
            let line = Line::open(&mut *panel.driver, output.clone())?;
            panel.lines.push(line);
        }
        panel.button = ButtonLine::open(&mut *panel.driver, button)?;
        Ok(panel)
    }

    /// Shows `state`, which began `elapsed` ago, at `now`; buzzers are silent for some time after the button
    /// was pressed.
    ///
    /// # Errors
    /// When a pin cannot be driven; the caller should then drop the panel.
    pub fn show(&mut self, state: DoorState, elapsed: Duration, now: Instant) -> Result<(), OutputError> {
        self.read_button(now);
        let silent = self.silence.lasts(now);
        for line in &mut self.lines {
            let on =
                line.output.patterns.get(state).is_on(elapsed) && !(silent && line.output.kind.is_heard());
            if line.on != on {
                line.switch(on)?;
            }
        }
        Ok(())
    }

    fn read_button(&mut self, now: Instant) {
        let Some(ButtonLine { button, pin }) = &mut self.button else { return };
        match pin.level() {
            Ok(level) => {
                if self.silence.read(button, level, now) {
                    log::info!("the button silences the buzzers for {} s", button.silence.as_secs());
                }
            }
            // A door without its button is better than one without its lights.
            Err(error) => {
                log::error!("the button is given up: {error}");
                self.button = None;
            }
        }
    }

    /// Goes on with `outputs` and `button`. Pins that both configurations use in the same way are not
    /// touched; the others go off and are let go, new ones are opened.
    pub(super) fn reconfigure(
        &mut self,
        outputs: &[Output],
        button: Option<Button>,
    ) -> Result<(), Reconfigure> {
        let before: Vec<Output> = self.lines.iter().map(|line| line.output.clone()).collect();
        let button_before = self.button.as_ref().map(|line| line.button);
        self.take_over(outputs, button).map_err(|error| match self.take_over(&before, button_before) {
            Ok(()) => Reconfigure::Refused(error),
            Err(lost) => Reconfigure::Lost(lost),
        })
    }

    fn take_over(&mut self, outputs: &[Output], button: Option<Button>) -> Result<(), OutputError> {
        // Off and let go before anything is opened: a pin may come back the other way round.
        let (kept, gone): (Vec<Line>, Vec<Line>) =
            self.lines.drain(..).partition(|line| outputs.iter().any(|output| line.serves(output)));
        self.lines = kept;
        gone.into_iter().for_each(close);
        self.button = None;
        for output in outputs {
            match self.lines.iter_mut().find(|line| line.serves(output)) {
                Some(line) => line.output = output.clone(),
                None => {
                    let line = Line::open(&mut *self.driver, output.clone())?;
                    self.lines.push(line);
                }
            }
        }
        self.button = ButtonLine::open(&mut *self.driver, button)?;
        Ok(())
    }
}

/// Switches an output off for the last time.
fn close(mut line: Line) {
    // Each pin by itself, and a panic caught: one bad pin must not leave the others on, nor may a second
    // panic while unwinding from a first end the process at once.
    match catch_unwind(AssertUnwindSafe(|| line.switch(false))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::error!("{error}"),
        Err(_) => log::error!("output {} could not be switched off", line.output.name),
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.lines.drain(..).for_each(close);
    }
}
