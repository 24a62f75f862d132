//! Pins of a Raspberry Pi through its GPIO registers (crate `rppal`). Nothing else on the system is told who
//! owns them.

use super::tone::SoftwareTone;
use super::{Active, Button, Driver, Input, Kind, Level, Output, OutputError, Pin, Pwm};
use rppal::gpio::{Error, Gpio, InputPin, Level as Volt, Mode, OutputPin};
use rppal::pwm;
use rppal::system::{DeviceInfo, SoC};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;

/// What the kernels of the Raspberry Pi Foundation offer to members of the group gpio; the second is the Pi
/// 5's.
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

/// The registers. Nothing in the kernel keeps two programs from driving the same pins through them, so the
/// device is locked: a second maskwatch is told. The lock goes with the process, however that ends.
pub(super) struct Registers {
    gpio: Gpio,
    _lock: Option<File>,
}

impl Registers {
    pub(super) fn open() -> Result<Self, OutputError> {
        let failed = |error| OutputError::Chip { chip: "of rppal".into(), problem: explain(&error) };
        let gpio = Gpio::new().map_err(failed)?;
        Ok(Self { gpio, _lock: lock(DEVICES.into_iter().chain(["/dev/mem"]))? })
    }

    fn pin(&self, who: &str, pin: u32) -> Result<rppal::gpio::Pin, OutputError> {
        let number = u8::try_from(pin).unwrap_or(u8::MAX);
        self.gpio.get(number).map_err(|error| failed(who, pin, explain(&error)))
    }
}

fn failed(who: &str, pin: u32, problem: String) -> OutputError {
    OutputError::Pin { output: who.into(), pin, chip: "the Raspberry Pi".into(), problem }
}

/// Locks the first of `devices` that opens.
fn lock<'a>(devices: impl IntoIterator<Item = &'a str>) -> Result<Option<File>, OutputError> {
    for device in devices {
        let Ok(file) = OpenOptions::new().read(true).write(true).open(device) else { continue };
        return match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(OutputError::Owned { device: device.into() }),
            Err(TryLockError::Error(error)) => {
                log::debug!("{device} cannot be locked: {error}");
                Ok(None)
            }
        };
    }
    Ok(None)
}

impl Driver for Registers {
    fn output(&mut self, output: &Output) -> Result<Box<dyn Pin>, OutputError> {
        let pin = self.pin(&output.name, output.pin)?;
        if let Kind::PassiveBuzzer { frequency, pwm } = output.kind
            && pwm != Pwm::Software
            // A channel that makes no tone is low.
            && output.active == Active::High
        {
            let is_rp1 = DeviceInfo::new().is_ok_and(|info| info.soc() == SoC::Bcm2712);
            match channel(output.pin, pin.mode(), is_rp1) {
                Some(channel) => {
                    let tone = HardwareTone::start(channel, frequency)
                        .map_err(|error| failed(&output.name, output.pin, explain_pwm(&error)))?;
                    return Ok(Box::new(tone));
                }
                None if pwm == Pwm::Hardware => {
                    let problem = "is not connected to a PWM channel; add dtoverlay=pwm,pin=18,func=2 (GPIO12, 13, 18 and \
                                   19 can be) to /boot/firmware/config.txt and start anew, or use pwm = \"software\"";
                    return Err(failed(&output.name, output.pin, problem.into()));
                }
                None => {}
            }
        }
        // The level is written before the pin becomes an output: it never shows the wrong one.
        let mut pin = match output.active.level(false) {
            Level::Low => pin.into_output_low(),
            Level::High => pin.into_output_high(),
        };
        // A pin that went back to an input would let a relay float.
        pin.set_reset_on_drop(false);
        match output.kind {
            Kind::PassiveBuzzer { frequency, .. } => {
                Ok(Box::new(SoftwareTone::start(Box::new(Driven(pin)), output.active, frequency)?))
            }
            _ => Ok(Box::new(Driven(pin))),
        }
    }

    fn button(&mut self, button: &Button) -> Result<Box<dyn Input>, OutputError> {
        let pin = self.pin("button", button.pin)?;
        Ok(Box::new(Read(match button.active.level(false) {
            Level::High => pin.into_input_pullup(),
            Level::Low => pin.into_input_pulldown(),
        })))
    }

    fn describe(&self) -> String {
        "GPIO registers of the Raspberry Pi (rppal)".into()
    }
}

/// An output pin, kept as an output at its last level when dropped.
struct Driven(OutputPin);

impl Pin for Driven {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        self.0.write(match level {
            Level::Low => Volt::Low,
            Level::High => Volt::High,
        });
        Ok(())
    }
}

struct Read(InputPin);

impl Input for Read {
    fn level(&mut self) -> Result<Level, OutputError> {
        Ok(match self.0.read() {
            Volt::Low => Level::Low,
            Volt::High => Level::High,
        })
    }
}

/// The PWM channel that a pin is connected to at present, by the data sheets of BCM2835 and RP1 (table of
/// alternative functions).
fn channel(pin: u32, mode: Mode, is_rp1: bool) -> Option<pwm::Channel> {
    match (is_rp1, pin, mode) {
        (_, 12, Mode::Alt0) | (false, 18, Mode::Alt5) => Some(pwm::Channel::Pwm0),
        (_, 13, Mode::Alt0) | (false, 19, Mode::Alt5) => Some(pwm::Channel::Pwm1),
        (true, 18, Mode::Alt3) => Some(pwm::Channel::Pwm2),
        (true, 19, Mode::Alt3) => Some(pwm::Channel::Pwm3),
        _ => None,
    }
}

/// A passive buzzer, switched on by a high level, on a PWM channel; quiet when dropped.
struct HardwareTone(pwm::Pwm);

impl HardwareTone {
    fn start(channel: pwm::Channel, frequency: u16) -> pwm::Result<Self> {
        pwm::Pwm::with_frequency(channel, f64::from(frequency), 0.5, pwm::Polarity::Normal, false).map(Self)
    }
}

impl Pin for HardwareTone {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        let switched = match level {
            Level::High => self.0.enable(),
            Level::Low => self.0.disable(),
        };
        switched.map_err(|error| OutputError::Chip { chip: "PWM".into(), problem: explain_pwm(&error) })
    }
}

fn explain_pwm(error: &pwm::Error) -> String {
    format!(
        "cannot use hardware PWM ({error}); the user has to be able to write to /sys/class/pwm (under systemd with the drop-in \
         pwm.conf), or use pwm = \"software\""
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_may_drive_the_registers() {
        let device = tempfile::NamedTempFile::new().unwrap();
        let path = device.path().to_str().unwrap();
        let devices = ["/nowhere/gpiomem", path];
        let first = lock(devices).unwrap();
        assert!(first.is_some());
        let told = lock(devices).unwrap_err().to_string();
        assert!(told.contains(path) && told.contains("stop the daemon first"), "{told}");
        drop(first);
        assert!(lock(devices).unwrap().is_some());
        assert!(
            lock(["/nowhere/gpiomem"]).unwrap().is_none(),
            "where no device opens there is nothing to lock"
        );
    }

    #[test]
    fn a_pin_makes_a_tone_in_hardware_only_where_it_is_connected() {
        assert_eq!(channel(18, Mode::Alt5, false), Some(pwm::Channel::Pwm0));
        assert_eq!(channel(18, Mode::Alt3, true), Some(pwm::Channel::Pwm2));
        assert_eq!(channel(13, Mode::Alt0, false), Some(pwm::Channel::Pwm1));
        assert_eq!(channel(13, Mode::Alt0, true), Some(pwm::Channel::Pwm1));
        for (pin, mode) in [(18, Mode::Output), (12, Mode::Alt5), (23, Mode::Alt0), (17, Mode::Alt5)] {
            assert_eq!((channel(pin, mode, false), channel(pin, mode, true)), (None, None));
        }
        assert_eq!(channel(18, Mode::Alt5, true), None, "the same number is another function on the Pi 5");
    }
}
