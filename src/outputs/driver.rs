//! The pins of an open GPIO chip, as traits, so that tests and the demo need no chip.

use super::button::Button;
use super::error::OutputError;
use super::level::Level;
use super::output::Output;

/// Whether a pin can be driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinState {
    /// Nobody has it.
    Free,
    /// A maskwatch has it.
    Ours,
    /// It cannot be driven; the end of a sentence that starts with the pin, with the mend.
    Refused(String),
}

/// An open way to the pins.
pub trait Driver: Send {
    /// Opens the pin of `output` as an output. It has its inactive level from the first moment on.
    ///
    /// # Errors
    /// When the pin cannot be opened, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn output(&mut self, output: &Output) -> Result<Box<dyn OutputPin>, OutputError>;

    /// Opens the pin of `button` as an input, with the resistor that keeps it inactive while nobody presses.
    ///
    /// # Errors
    /// When the pin cannot be opened, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn button(&mut self, button: &Button) -> Result<Box<dyn InputPin>, OutputError>;

    /// Makes the pin of `output` an input, which drives nothing: for one of which it is not known which level
    /// is off. It stays one.
    ///
    /// # Errors
    /// When the pin cannot be opened, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn let_go(&mut self, output: &Output) -> Result<(), OutputError>;

    /// What its pins are called in the log.
    fn pin_kind(&self) -> &'static str {
        "pin"
    }

    /// The driver and chip, for the log.
    fn describe(&self) -> String;
}

/// A pin opened as an output. It stays driven at its last level when this is dropped.
pub trait OutputPin: Send {
    /// Drives the pin; a passive buzzer sounds while its level is the active one.
    ///
    /// # Errors
    /// When the system refuses, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn drive(&mut self, level: Level) -> Result<(), OutputError>;
}

/// A pin opened as an input.
pub trait InputPin: Send {
    /// Reads the level of the pin.
    ///
    /// # Errors
    /// When the system refuses, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn level(&mut self) -> Result<Level, OutputError>;
}
