//! Pins of a Raspberry Pi through its GPIO registers (crate `rppal`). The kernel does not know who uses them;
//! it is asked first whether it has given a line to somebody else.

use super::button::Button;
use super::driver::{Driver, InputPin, OutputPin};
use super::error::OutputError;
use super::gpiocdev::CharacterDevice;
use super::header::check_header_pin;
use super::level::{Active, Level};
use super::output::{Kind, Output, Pwm};
use super::tone::SoftwareTone;
use rppal::gpio::{self, Error, Gpio, Mode};
use rppal::pwm;
use rppal::system::{DeviceInfo, SoC};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;

/// Devices that Raspberry Pi OS offers to members of the group gpio; the Pi 5 has the second one.
const DEVICES: [&str; 2] = ["/dev/gpiomem", "/dev/gpiomem0"];

/// Checks that rppal can be used without root. The error is a clause that gives the reason.
pub(super) fn available() -> Result<(), String> {
    let mut refused = None;
    for device in DEVICES {
        match OpenOptions::new().read(true).write(true).open(device) {
            Ok(_) => return Gpio::new().map(drop).map_err(|error| format!("rppal reports: {error}")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => refused = Some(format!("{device} cannot be opened ({error})")),
        }
    }
    Err(refused.unwrap_or_else(|| format!("there is no {}", DEVICES.join(" or "))))
}

/// The registers. The kernel does not keep two programs from driving the same pins through them. So the
/// device is locked, and a second maskwatch is refused. The lock ends with the process.
pub(super) struct Registers {
    gpio: Gpio,
    /// Who knows which lines are in use; `None` where this user may not ask.
    kernel: Option<CharacterDevice>,
    compute_module: bool,
    _lock: Option<File>,
}

impl Registers {
    pub(super) fn open(compute_module: bool) -> Result<Self, OutputError> {
        let failed = |error| OutputError::Chip { chip: "of rppal".into(), problem: explain(&error) };
        let gpio = Gpio::new().map_err(failed)?;
        let lock = lock(DEVICES.into_iter().chain(["/dev/mem"]))?;
        let kernel = CharacterDevice::open(None, compute_module)
            .inspect_err(|error| log::debug!("the kernel cannot be asked who uses the pins: {error}"))
            .ok();
        Ok(Self { gpio, kernel, compute_module, _lock: lock })
    }

    fn pin(&self, who: &str, pin: u32) -> Result<gpio::Pin, OutputError> {
        check_header_pin(pin, self.compute_module).map_err(|problem| failed(who, pin, problem))?;
        let number = u8::try_from(pin).unwrap_or(u8::MAX);
        self.gpio.get(number).map_err(|error| failed(who, pin, explain(&error)))
    }

    /// Refuses a pin that the kernel has given to a driver or a program.
    fn nobodys(&self, who: &str, pin: u32) -> Result<(), OutputError> {
        let Some(kernel) = &self.kernel else { return Ok(()) };
        kernel.check(pin).map_err(|problem| failed(who, pin, problem))
    }
}

fn failed(who: &str, pin: u32, problem: String) -> OutputError {
    OutputError::Pin { output: who.into(), pin, chip: "the Raspberry Pi".into(), problem }
}

/// Locks the first of `devices` that can be opened.
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
    fn output(&mut self, output: &Output) -> Result<Box<dyn OutputPin>, OutputError> {
        let pin = self.pin(&output.name, output.pin)?;
        if let Kind::PassiveBuzzer { frequency, pwm } = output.kind
            && pwm != Pwm::Software
            // A channel without a tone is low.
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
                                   19 can be) to /boot/firmware/config.txt and reboot, or use pwm = \"software\"";
                    return Err(failed(&output.name, output.pin, problem.into()));
                }
                None => {}
            }
        }
        self.nobodys(&output.name, output.pin)?;
        // The level is written before the pin becomes an output, so it never has the wrong one.
        let mut pin = match output.active.level(false) {
            Level::Low => pin.into_output_low(),
            Level::High => pin.into_output_high(),
        };
        // A pin that became an input again would leave a relay floating.
        pin.set_reset_on_drop(false);
        match output.kind {
            Kind::PassiveBuzzer { frequency, .. } => {
                Ok(Box::new(SoftwareTone::start(Box::new(Driven(pin)), output.active, frequency)?))
            }
            Kind::Led | Kind::Buzzer | Kind::Relay { .. } => Ok(Box::new(Driven(pin))),
        }
    }

    fn button(&mut self, button: &Button) -> Result<Box<dyn InputPin>, OutputError> {
        let pin = self.pin("button", button.pin)?;
        self.nobodys("button", button.pin)?;
        Ok(Box::new(Read(match button.active.level(false) {
            Level::High => pin.into_input_pullup(),
            Level::Low => pin.into_input_pulldown(),
        })))
    }

    fn let_go(&mut self, output: &Output) -> Result<(), OutputError> {
        let pin = self.pin(&output.name, output.pin)?;
        self.nobodys(&output.name, output.pin)?;
        // Else it would be an output again when this is dropped.
        pin.into_input().set_reset_on_drop(false);
        Ok(())
    }

    fn describe(&self) -> String {
        "GPIO registers of the Raspberry Pi (rppal)".into()
    }
}

/// An output pin. It stays an output at its last level when this is dropped.
struct Driven(gpio::OutputPin);

impl OutputPin for Driven {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        self.0.write(match level {
            Level::Low => gpio::Level::Low,
            Level::High => gpio::Level::High,
        });
        Ok(())
    }
}

struct Read(gpio::InputPin);

impl InputPin for Read {
    fn level(&mut self) -> Result<Level, OutputError> {
        Ok(match self.0.read() {
            gpio::Level::Low => Level::Low,
            gpio::Level::High => Level::High,
        })
    }
}

/// The PWM channel to which a pin is connected in `mode`, by the tables of alternative functions in the data
/// sheets of BCM2835 and RP1.
fn channel(pin: u32, mode: Mode, is_rp1: bool) -> Option<pwm::Channel> {
    match (is_rp1, pin, mode) {
        (_, 12, Mode::Alt0) | (false, 18, Mode::Alt5) => Some(pwm::Channel::Pwm0),
        (_, 13, Mode::Alt0) | (false, 19, Mode::Alt5) => Some(pwm::Channel::Pwm1),
        (true, 18, Mode::Alt3) => Some(pwm::Channel::Pwm2),
        (true, 19, Mode::Alt3) => Some(pwm::Channel::Pwm3),
        _ => None,
    }
}

/// A passive buzzer on a PWM channel, switched on by a high level; silent when dropped.
struct HardwareTone(pwm::Pwm);

impl HardwareTone {
    fn start(channel: pwm::Channel, frequency: u16) -> pwm::Result<Self> {
        pwm::Pwm::with_frequency(channel, f64::from(frequency), 0.5, pwm::Polarity::Normal, false).map(Self)
    }
}

impl OutputPin for HardwareTone {
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
        "cannot use hardware PWM ({error}); let the user write to /sys/class/pwm (under systemd with the drop-in \
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
            "cannot be used: rppal does not know this board; use the backend gpiocdev".into()
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
