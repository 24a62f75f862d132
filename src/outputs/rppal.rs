//! Pins of a Raspberry Pi through its GPIO registers (crate `rppal`). Nothing else on the system is told who owns them.

use super::{Level, Lines, Output, OutputError};
use rppal::gpio::{Error, Gpio, Level as Volt, OutputPin};
use std::fs::OpenOptions;
use std::io::ErrorKind;

/// What the kernels of the Raspberry Pi Foundation offer to members of the group gpio; the second is the Pi 5's.
const DEVICES: [&str; 2] = ["/dev/gpiomem", "/dev/gpiomem0"];

/// Whether rppal can be used without root: half a sentence on why not otherwise.
pub(super) fn available() -> Result<(), String> {
    let mut refused = None;
    for device in DEVICES {
        match OpenOptions::new().read(true).write(true).open(device) {
            Ok(_) => return Gpio::new().map(drop).map_err(|error| format!("rppal says: {error}")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => refused = Some(format!("{device} cannot be opened ({error})")),
        }
    }
    Err(refused.unwrap_or_else(|| format!("there is no {}", DEVICES.join(" or "))))
}

/// Output pins, each kept as an output at its last level when dropped.
pub(super) struct Pins(Vec<OutputPin>);

impl Pins {
    pub(super) fn open(outputs: &[Output]) -> Result<Self, OutputError> {
        let gpio = Gpio::new()
            .map_err(|error| OutputError::Chip { chip: "of rppal".into(), problem: explain(&error) })?;
        let mut pins = Vec::new();
        for output in outputs {
            let number = u8::try_from(output.pin).unwrap_or(u8::MAX);
            let pin = gpio.get(number).map_err(|error| OutputError::Pin {
                output: output.name.clone(),
                pin: output.pin,
                chip: "the Raspberry Pi".into(),
                problem: explain(&error),
            })?;
            // The level is written before the pin becomes an output: it never shows the wrong one.
            let mut pin = match output.active.level(false) {
                Level::Low => pin.into_output_low(),
                Level::High => pin.into_output_high(),
            };
            // A pin that went back to an input would let a relay float.
            pin.set_reset_on_drop(false);
            pins.push(pin);
        }
        Ok(Self(pins))
    }
}

impl Lines for Pins {
    fn drive(&mut self, index: usize, level: Level) -> Result<(), OutputError> {
        if let Some(pin) = self.0.get_mut(index) {
            pin.write(match level {
                Level::Low => Volt::Low,
                Level::High => Volt::High,
            });
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "GPIO registers of the Raspberry Pi (rppal)".into()
    }
}

fn explain(error: &Error) -> String {
    match error {
        Error::PermissionDenied(path) => format!(
            "may not be used by this user ({path}: permission denied); add the user to the group gpio \
             (sudo usermod -aG gpio USER) and log in again"
        ),
        Error::PinNotAvailable(_) => {
            "is not a pin of this board; use a BCM number, such as 17 for pin 11 of the header".into()
        }
        Error::UnknownModel => {
            "is not known: this is no Raspberry Pi that rppal knows; use the backend gpiocdev".into()
        }
        other => format!("cannot be used ({other}); try the backend gpiocdev"),
    }
}
