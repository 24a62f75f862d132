//! The door's LEDs, buzzer and relay: what each shows in a door state, and the pins that make it so. Which
//! state the door is in is decided elsewhere ([`crate::decide`]).
//!
//! *Off* means driven to the inactive level and kept there. A [`Panel`] drives every pin inactive when it is
//! opened and when it is dropped, so leaving it on any path (return, error, panic) leaves the outputs off.

mod button;
#[cfg(target_os = "linux")]
mod gpiocdev;
mod panel;
mod pattern;
#[cfg(target_os = "linux")]
mod rppal;
mod simulated;
mod ticker;
mod tone;

pub use button::Button;
pub use panel::Panel;
pub use pattern::{Pattern, Patterns};
pub use simulated::{Change, Recorder, simulated};
pub use ticker::Outputs;
pub use tone::Pwm;

/// What is wrong with the outputs, as one sentence that names the pin or chip and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// No way to the pins works on this machine.
    #[error("no GPIO to drive: {0}; run with --backend simulated to do without pins")]
    NoBackend(String),
    /// The chip cannot be found or opened.
    #[error("GPIO chip {chip}: {problem}")]
    Chip {
        /// Its label, name or path.
        chip: String,
        /// The cause and the mend.
        problem: String,
    },
    /// A pin cannot be had.
    #[error("output {output}: GPIO{pin} on {chip} {problem}")]
    Pin {
        /// Name of the output in the configuration.
        output: String,
        /// Number of the pin.
        pin: u32,
        /// The chip or driver that was asked for it.
        chip: String,
        /// The cause and the mend.
        problem: String,
    },
    /// Another process of ours drives them.
    #[error(
        "the pins are driven by another maskwatch ({device} is locked); stop the daemon first (sudo systemctl stop maskwatch)"
    )]
    Owned {
        /// The device that it locked.
        device: String,
    },
    /// The thread that refreshes the outputs is gone; its pins were driven inactive.
    #[error("the thread that drives the outputs ended unexpectedly; see the log above for its last words")]
    ThreadEnded,
    /// No thread could be started.
    #[error("no thread could be started to drive the outputs: {0}")]
    NoThread(String),
}

/// The voltage on a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Ground.
    Low,
    /// Supply voltage.
    High,
}

/// Which level switches an output on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Active {
    /// On at high level: an LED from the pin to ground.
    #[default]
    High,
    /// On at low level: an LED from supply to the pin, most relay boards.
    Low,
}

impl Active {
    /// The level that switches such an output on or off.
    #[must_use]
    pub const fn level(self, on: bool) -> Level {
        match (self, on) {
            (Self::High, true) | (Self::Low, false) => Level::High,
            (Self::High, false) | (Self::Low, true) => Level::Low,
        }
    }
}

/// What hangs on a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A light.
    #[default]
    Led,
    /// An active buzzer: sounds while it is switched on.
    Buzzer,
    /// A passive buzzer: sounds at the frequency at which its pin changes.
    PassiveBuzzer {
        /// The tone in Hz.
        frequency: u16,
        /// What makes it.
        pwm: Pwm,
    },
    /// A relay: wears out, so it may not switch faster than once a second.
    Relay,
}

impl Kind {
    /// Whether it is heard, and silenced by the button.
    #[must_use]
    pub const fn is_heard(self) -> bool {
        matches!(self, Self::Buzzer | Self::PassiveBuzzer { .. })
    }
}

/// One output as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the configuration and the log.
    pub name: String,
    /// Number of the pin: the BCM number on a Raspberry Pi, the line's offset on any other chip.
    pub pin: u32,
    /// Which level switches it on.
    pub active: Active,
    /// What hangs on it.
    pub kind: Kind,
    /// What it does in each door state.
    pub patterns: Patterns,
}

/// The way to the pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// `Rppal` where its gpiomem device opens, else `Gpiocdev`.
    #[default]
    Auto,
    /// Registers of a Raspberry Pi, through /dev/gpiomem.
    Rppal,
    /// The kernel's GPIO character device.
    Gpiocdev,
    /// No pins at all: changes are logged only.
    Simulated,
}

impl Backend {
    /// Every backend with its name in the configuration and on the command line.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("rppal", Self::Rppal),
        ("gpiocdev", Self::Gpiocdev),
        ("simulated", Self::Simulated),
    ];
}

/// A way to the pins that was opened.
pub trait Driver: Send {
    /// Opens the pin of `output`, at its inactive level from the first moment on.
    ///
    /// # Errors
    /// When it cannot be had, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn output(&mut self, output: &Output) -> Result<Box<dyn Pin>, OutputError>;

    /// Opens the pin of `button` with the resistor that keeps it inactive while nobody presses.
    ///
    /// # Errors
    /// When it cannot be had, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn button(&mut self, button: &Button) -> Result<Box<dyn Input>, OutputError>;

    /// The driver and chip behind the pins, for the log.
    fn describe(&self) -> String;
}

/// A pin that was opened as output. It stays driven, at its last level, when this is dropped.
pub trait Pin: Send {
    /// Drives the pin; a passive buzzer sounds while its level is the active one.
    ///
    /// # Errors
    /// When the system refuses, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn drive(&mut self, level: Level) -> Result<(), OutputError>;
}

/// A pin that was opened as input.
pub trait Input: Send {
    /// The voltage on the pin now.
    ///
    /// # Errors
    /// When the system refuses, [`OutputError::Pin`] or [`OutputError::Chip`].
    fn level(&mut self) -> Result<Level, OutputError>;
}

/// Opens the way to the pins. `chip` (label, name or path) says which GPIO chip [`Backend::Gpiocdev`] uses;
/// without it the chip is found by a Raspberry Pi's labels.
///
/// # Errors
/// [`OutputError`] that names the backend or chip and what to do.
pub fn open(backend: Backend, chip: Option<&str>) -> Result<Box<dyn Driver>, OutputError> {
    match backend {
        Backend::Simulated => Ok(simulated().0),
        #[cfg(target_os = "linux")]
        Backend::Rppal => Ok(Box::new(rppal::Registers::open()?)),
        #[cfg(target_os = "linux")]
        Backend::Gpiocdev => Ok(Box::new(gpiocdev::CharacterDevice::open(chip)?)),
        #[cfg(target_os = "linux")]
        Backend::Auto => automatic(chip),
        #[cfg(not(target_os = "linux"))]
        _ => Err(OutputError::NoBackend("pins are driven on Linux only".into())),
    }
}

/// A chip named by the configuration is gpiocdev's; else rppal where it can be had, else gpiocdev.
#[cfg(target_os = "linux")]
fn automatic(chip: Option<&str>) -> Result<Box<dyn Driver>, OutputError> {
    if chip.is_some() {
        return Ok(Box::new(gpiocdev::CharacterDevice::open(chip)?));
    }
    let reason = match rppal::available() {
        // From here on rppal is the right one, and what it says is the error to show.
        Ok(()) => return Ok(Box::new(rppal::Registers::open()?)),
        Err(reason) => reason,
    };
    log::debug!("not driving pins through rppal: {reason}");
    match gpiocdev::CharacterDevice::open(None) {
        Ok(driver) => Ok(Box::new(driver)),
        Err(OutputError::NoBackend(problem)) => {
            Err(OutputError::NoBackend(format!("{reason}, and {problem}")))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_what_is_active() {
        assert_eq!(Active::High.level(true), Level::High);
        assert_eq!(Active::High.level(false), Level::Low);
        assert_eq!(Active::Low.level(true), Level::Low);
        assert_eq!(Active::Low.level(false), Level::High);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_chip_that_is_not_there_is_named_with_what_is() {
        let error = open(Backend::Gpiocdev, Some("no-such-chip")).err().unwrap().to_string();
        assert!(error.starts_with("GPIO chip no-such-chip: there is none"), "{error}");
        let error = open(Backend::Auto, Some("/dev/null")).err().unwrap().to_string();
        assert!(error.starts_with("GPIO chip /dev/null:"), "{error}");
    }
}
