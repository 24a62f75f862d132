//! All outputs of a door together. They are off before they are first used and after their last use.

use super::button::{Button, LONG_PRESS, Press, Silence};
use super::driver::{Driver, InputPin, OutputPin};
use super::error::OutputError;
use super::level::Active;
use super::output::{Kind, Output};
use super::pattern::Pattern;
use super::words::Words;
use crate::decide::DoorState;
use log::Level;
use std::fmt::Arguments;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// The outputs of one door. Every pin is driven inactive when the panel is opened and when it is dropped.
pub struct Panel {
    outputs: Vec<OpenOutput>,
    button: Option<OpenButton>,
    silence: Silence,
    /// No buzzer sounds, whatever the button and orders say.
    is_quiet: bool,
    /// A long press of the button that nobody has asked about: the pause that it stands for.
    long_press: Option<Duration>,
    held: Option<PassHold>,
    words: Words,
    driver: Box<dyn Driver>,
}

/// A pass that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassHold {
    /// Since when.
    pub since: Instant,
    /// Until when, whatever happens.
    pub until: Instant,
}

/// One output and its pin.
struct OpenOutput {
    output: Output,
    pin: Box<dyn OutputPin>,
    on: bool,
    /// When it was last switched, since it was opened.
    switched: Option<Instant>,
}

/// The button and its pin.
struct OpenButton {
    button: Button,
    pin: Box<dyn InputPin>,
}

impl OpenButton {
    fn open(driver: &mut dyn Driver, button: Option<Button>) -> Result<Option<Self>, OutputError> {
        button.map(|button| Ok(Self { button, pin: driver.button(&button)? })).transpose()
    }
}

impl OpenOutput {
    fn open(driver: &mut dyn Driver, output: Output) -> Result<Self, OutputError> {
        let pin = driver.output(&output)?;
        let mut opened = Self { output, pin, on: false, switched: None };
        opened.switch(false)?;
        Ok(opened)
    }

    fn switch(&mut self, on: bool) -> Result<(), OutputError> {
        self.on = on;
        self.pin.drive(self.output.active.level(on))
    }

    /// Whether it has been on or off for long enough, if it is a relay.
    fn may_switch(&self, now: Instant) -> bool {
        match (self.output.kind, self.switched) {
            (Kind::Relay { dwell }, Some(switched)) => now.saturating_duration_since(switched) >= dwell,
            _ => true,
        }
    }

    /// Says which level its pin has now.
    fn tell(&self, driver: &dyn Driver, words: &mut Words) {
        let Output { name, pin, active, .. } = &self.output;
        let level = active.level(self.on);
        words.say(Level::Debug, format_args!("{} {name} (GPIO{pin}) is {level:?}", driver.pin_kind()));
    }

    /// Whether `output` uses the same pin in the same way.
    fn serves(&self, output: &Output) -> bool {
        wiring(&self.output) == wiring(output)
    }
}

fn wiring(output: &Output) -> (u32, Active, Option<Kind>) {
    // Lights, active buzzers and relays are switched in the same way.
    let tone = matches!(output.kind, Kind::PassiveBuzzer { .. }).then_some(output.kind);
    (output.pin, output.active, tone)
}

/// Why [`Panel::reconfigure`] failed.
#[derive(Debug)]
pub(super) enum Reconfigure {
    /// The new pins cannot be opened; the old ones are used as before.
    Refused(OutputError),
    /// The old pins cannot be opened again either; the panel cannot be used any more.
    Lost(OutputError),
}

impl Panel {
    /// Opens the pins of `outputs` and of the button through `driver`. All outputs are off then.
    ///
    /// # Errors
    /// When a pin cannot be opened or driven; the other outputs are off then.
    pub fn open(
        driver: Box<dyn Driver>,
        outputs: &[Output],
        button: Option<Button>,
    ) -> Result<Self, OutputError> {
        let mut panel = Self {
            outputs: Vec::new(),
            button: None,
            silence: Silence::default(),
            is_quiet: false,
            long_press: None,
            held: None,
            words: Words::default(),
            driver,
        };
        // Added to the panel one by one: if one fails, the panel is dropped and switches off those before it.
        for output in outputs {
            let opened = OpenOutput::open(&mut *panel.driver, output.clone())?;
            panel.outputs.push(opened);
        }
        panel.button = OpenButton::open(&mut *panel.driver, button)?;
        Ok(panel)
    }

    /// Shows `state`, which began `elapsed` ago, at `now`. Buzzers are silent for some time after a press of
    /// the button.
    ///
    /// # Errors
    /// When a pin cannot be driven; the caller should drop the panel then.
    pub fn show(&mut self, state: DoorState, elapsed: Duration, now: Instant) -> Result<(), OutputError> {
        self.read_button(now);
        let silent = self.is_quiet || self.silence.lasts(now);
        // Never in a fault, and never when all is to be off.
        let may_hold = !matches!(state, DoorState::Fault | DoorState::Off);
        let held = self.held.filter(|held| may_hold && now < held.until);
        let held_for = held.map(|held| now.saturating_duration_since(held.since));
        for opened in &mut self.outputs {
            let Output { patterns, kind, .. } = &opened.output;
            let holds = held_for.is_some_and(|elapsed| patterns.pass_hold().is_on(elapsed));
            let on = (patterns.get(state).is_on(elapsed) || holds) && !(silent && kind.is_heard());
            // A way that must not be open any more is closed at once, however short the relay was on.
            let must_close = !on && patterns.pass_hold() != Pattern::Off;
            if opened.on != on && (state == DoorState::Off || must_close || opened.may_switch(now)) {
                opened.switch(on)?;
                opened.switched = Some(now);
                opened.tell(&*self.driver, &mut self.words);
            }
        }
        Ok(())
    }

    /// Holds a pass, or none.
    pub(super) fn hold_pass(&mut self, held: Option<PassHold>) {
        self.held = held;
    }

    /// Silences the buzzers until then.
    pub(super) fn silence(&mut self, until: Option<Instant>) {
        self.silence.set(until);
    }

    /// Lets no buzzer sound from now on, or again as the button and orders say.
    pub(super) fn set_quiet(&mut self, is_quiet: bool) {
        self.is_quiet = is_quiet;
    }

    /// The pause for which a long press of the button stands, once after each.
    pub(super) fn take_long_press(&mut self) -> Option<Duration> {
        self.long_press.take()
    }

    /// Hands what it has to say to `words` from now on.
    pub(super) fn set_words(&mut self, words: Words) {
        self.words = words;
    }

    /// Says something in the name of the outputs.
    pub(super) fn say(&mut self, level: Level, sentence: Arguments<'_>) {
        self.words.say(level, sentence);
    }

    fn read_button(&mut self, now: Instant) {
        let Some(OpenButton { button, pin }) = &mut self.button else { return };
        match pin.level() {
            Ok(level) => match self.silence.read(button, level, now) {
                Some(Press::Began) => {
                    let seconds = button.silence.as_secs();
                    self.words
                        .say(Level::Info, format_args!("the button silences the buzzers for {seconds} s"));
                }
                Some(Press::Long) => {
                    self.long_press = button.pause;
                    let seconds = LONG_PRESS.as_secs();
                    self.words.say(
                        Level::Info,
                        format_args!("the button was held for {seconds} s: instead of that it pauses or resumes the door"),
                    );
                }
                None => {}
            },
            // The door goes on without its button rather than without its lights.
            Err(error) => {
                self.words.say(
                    Level::Error,
                    format_args!("the button no longer works and is not read any more: {error}"),
                );
                self.button = None;
            }
        }
    }

    /// Replaces the outputs and the button. Pins that the old and the new outputs use in the same way stay as
    /// they are; other old pins are switched off and released, new ones are opened.
    pub(super) fn reconfigure(
        &mut self,
        outputs: &[Output],
        button: Option<Button>,
    ) -> Result<(), Reconfigure> {
        let before: Vec<Output> = self.outputs.iter().map(|opened| opened.output.clone()).collect();
        let button_before = self.button.as_ref().map(|opened| opened.button);
        self.take_over(outputs, button).map_err(|error| match self.take_over(&before, button_before) {
            Ok(()) => Reconfigure::Refused(error),
            Err(lost) => Reconfigure::Lost(lost),
        })
    }

    fn take_over(&mut self, outputs: &[Output], button: Option<Button>) -> Result<(), OutputError> {
        // Switched off and released before anything is opened: the same pin may be used in another way.
        let (kept, gone): (Vec<OpenOutput>, Vec<OpenOutput>) =
            self.outputs.drain(..).partition(|opened| outputs.iter().any(|output| opened.serves(output)));
        self.outputs = kept;
        gone.into_iter().for_each(|opened| close(opened, &*self.driver, &mut self.words));
        self.button = None;
        for output in outputs {
            match self.outputs.iter_mut().find(|opened| opened.serves(output)) {
                Some(opened) => opened.output = output.clone(),
                None => {
                    let opened = OpenOutput::open(&mut *self.driver, output.clone())?;
                    self.outputs.push(opened);
                }
            }
        }
        self.button = OpenButton::open(&mut *self.driver, button)?;
        Ok(())
    }
}

/// Switches an output off for the last time.
fn close(mut opened: OpenOutput, driver: &dyn Driver, words: &mut Words) {
    let was_on = opened.on;
    // A panic is caught: one bad pin must not leave the others on, and a second panic during the unwinding of
    // a first one would abort the process.
    match catch_unwind(AssertUnwindSafe(|| opened.switch(false))) {
        Ok(Ok(())) if was_on => opened.tell(driver, words),
        Ok(Ok(())) => {}
        Ok(Err(error)) => words.say(Level::Error, format_args!("{error}")),
        Err(_) => {
            let name = &opened.output.name;
            words.say(Level::Error, format_args!("output {name} could not be switched off"));
        }
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        let Self { outputs, driver, words, .. } = self;
        outputs.drain(..).for_each(|opened| close(opened, &**driver, words));
    }
}
