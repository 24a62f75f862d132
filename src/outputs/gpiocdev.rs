//! Pins through the kernel's GPIO character device (crate `gpiocdev`). It works on any board and lets only
//! one process use a pin. The chip is found by its label: the number of a chip changes from boot to boot and
//! from kernel to kernel.

use super::button::Button;
use super::driver::{Driver, InputPin, OutputPin, PinState};
use super::error::OutputError;
use super::header::{HEADER_CHIPS, check_header_pin};
use super::level::Level;
use super::output::{Kind, Output, Pwm};
use super::tone::SoftwareTone;
use gpiocdev::line::{Bias, Value};
use gpiocdev::{Chip, Request, chip};
use std::path::Path;

/// The name under which lines are requested.
const CONSUMER: &str = "maskwatch";

/// A chip. Each line is a request of its own, so that one can be released while the others stay as they are.
pub(super) struct CharacterDevice {
    chip: Chip,
    lines: u32,
    name: String,
    /// Whether its lines are those of a Raspberry Pi's header and no others may be used.
    header_only: bool,
}

impl CharacterDevice {
    pub(super) fn open(wanted: Option<&str>, compute_module: bool) -> Result<Self, OutputError> {
        let chip = find(wanted)?;
        let info = chip.info().map_err(|error| OutputError::Chip {
            chip: chip.path().display().to_string(),
            problem: explain(&error),
        })?;
        let name = format!("{} ({})", info.label, chip.path().display());
        let header_only = HEADER_CHIPS.contains(&info.label.as_str()) && !compute_module;
        Ok(Self { chip, lines: info.num_lines, name, header_only })
    }

    /// Refuses a line that does not exist, is not on the header or is in use, with the end of a sentence that
    /// starts with the pin.
    pub(super) fn check(&self, pin: u32) -> Result<(), String> {
        if pin >= self.lines {
            return Err(format!("does not exist; it has GPIO0 to GPIO{}", self.lines.saturating_sub(1)));
        }
        check_header_pin(pin, !self.header_only)?;
        let info = self.chip.line_info(pin).map_err(|error| explain(&error))?;
        if info.used {
            return Err(in_use(&info.consumer));
        }
        Ok(())
    }

    /// Whether a line could be driven, without touching it.
    pub(super) fn state(&self, pin: u32) -> PinState {
        let ours = |info: gpiocdev::line::Info| info.used && info.consumer == CONSUMER;
        if self.chip.line_info(pin).is_ok_and(ours) {
            return PinState::Ours;
        }
        self.check(pin).map_or_else(PinState::Refused, |()| PinState::Free)
    }

    /// The chip, for a line of a report.
    pub(super) fn describe_chip(&self) -> String {
        format!("GPIO character device {}", self.name)
    }

    /// Requests one line with `settings`; `who` is the output or button that uses it.
    fn request(
        &self,
        who: &str,
        pin: u32,
        settings: impl FnOnce(&mut gpiocdev::request::Builder),
    ) -> Result<RequestedLine, OutputError> {
        let line = |problem| OutputError::Pin { output: who.into(), pin, chip: self.name.clone(), problem };
        self.check(pin).map_err(line)?;
        let mut builder = Request::builder();
        builder.on_chip(self.chip.path()).with_consumer(CONSUMER).with_line(pin);
        settings(&mut builder);
        let request = builder.request().map_err(|error| line(explain(&error)))?;
        Ok(RequestedLine { request, pin, who: who.into(), chip: self.name.clone() })
    }
}

impl Driver for CharacterDevice {
    fn output(&mut self, output: &Output) -> Result<Box<dyn OutputPin>, OutputError> {
        let inactive = value(output.active.level(false));
        let line = self.request(&output.name, output.pin, |line| {
            line.as_output(inactive);
        })?;
        match output.kind {
            Kind::PassiveBuzzer { pwm: Pwm::Hardware, .. } => Err(line.failed(
                "cannot use hardware PWM through the GPIO character device; use the backend rppal, or pwm = \"software\"".into(),
            )),
            Kind::PassiveBuzzer { frequency, .. } => {
                Ok(Box::new(SoftwareTone::start(Box::new(line), output.active, frequency)?))
            }
            Kind::Led | Kind::Buzzer | Kind::Relay { .. } => Ok(Box::new(line)),
        }
    }

    fn button(&mut self, button: &Button) -> Result<Box<dyn InputPin>, OutputError> {
        let bias = match button.active.level(false) {
            Level::High => Bias::PullUp,
            Level::Low => Bias::PullDown,
        };
        let line = self.request("button", button.pin, |line| {
            line.as_input().with_bias(bias);
        })?;
        Ok(Box::new(line))
    }

    fn let_go(&mut self, output: &Output) -> Result<(), OutputError> {
        // The kernel leaves a line as it is when its request ends.
        self.request(&output.name, output.pin, |line| {
            line.as_input();
        })
        .map(drop)
    }

    fn describe(&self) -> String {
        self.describe_chip()
    }
}

/// One requested line. The kernel may set it back to an input when this is dropped.
struct RequestedLine {
    request: Request,
    pin: u32,
    who: String,
    chip: String,
}

impl RequestedLine {
    fn failed(&self, problem: String) -> OutputError {
        OutputError::Pin { output: self.who.clone(), pin: self.pin, chip: self.chip.clone(), problem }
    }
}

impl OutputPin for RequestedLine {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        let driven = self.request.set_value(self.pin, value(level));
        driven.map(drop).map_err(|error| self.failed(explain(&error)))
    }
}

impl InputPin for RequestedLine {
    fn level(&mut self) -> Result<Level, OutputError> {
        match self.request.value(self.pin) {
            Ok(Value::Active) => Ok(Level::High),
            Ok(Value::Inactive) => Ok(Level::Low),
            Err(error) => Err(self.failed(explain(&error))),
        }
    }
}

fn value(level: Level) -> Value {
    match level {
        Level::Low => Value::Inactive,
        Level::High => Value::Active,
    }
}

/// Opens the chip called `wanted` (path, name or label), or the one with the label of a Raspberry Pi.
fn find(wanted: Option<&str>) -> Result<Chip, OutputError> {
    if let Some(path) = wanted.filter(|wanted| wanted.starts_with('/')) {
        let failed = |error| OutputError::Chip { chip: path.into(), problem: explain(&error) };
        // gpiocdev accepts some devices that are no chip; the caller finds out by asking for its info.
        let chip = Chip::from_path(path).map_err(failed)?;
        return Ok(chip);
    }
    let (mut seen, mut refused) = (Vec::new(), None);
    for path in chip::chips().unwrap_or_default() {
        match Chip::from_path(&path).and_then(|chip| Ok((chip.info()?, chip))) {
            Ok((info, chip)) => {
                let found = match wanted {
                    Some(wanted) => wanted == info.label || wanted == chip.name(),
                    None => HEADER_CHIPS.contains(&info.label.as_str()),
                };
                if found {
                    return Ok(chip);
                }
                seen.push(format!("{} ({})", info.label, path.display()));
            }
            Err(error) => refused = Some(unreadable(&path, &error)),
        }
    }
    let seen = match (&refused, seen.is_empty()) {
        (Some(refused), _) => refused.clone(),
        (None, true) => "this system has no GPIO chips".into(),
        (None, false) => format!("set outputs.chip to one of {}", seen.join(", ")),
    };
    Err(match wanted {
        Some(wanted) => OutputError::Chip { chip: wanted.into(), problem: format!("there is none; {seen}") },
        None => OutputError::NoBackend(format!("no GPIO chip has the label of a Raspberry Pi ({seen})")),
    })
}

fn unreadable(path: &Path, error: &gpiocdev::Error) -> String {
    format!("{} {}", path.display(), explain(error))
}

/// Says who uses a line, as the end of a sentence that starts with the pin.
fn in_use(owner: &str) -> String {
    let mend = if owner == CONSUMER {
        "stop the daemon first (sudo systemctl stop maskwatch)"
    } else {
        "stop that program, remove its line from config.txt if it is a driver, or use another pin"
    };
    match owner {
        "" => format!("is in use by the kernel, which does not say for what; {mend}"),
        owner => format!("is in use by \"{owner}\"; {mend}"),
    }
}

fn explain(error: &gpiocdev::Error) -> String {
    let text = error.to_string();
    // The errno stands in different fields for different calls; its text is the same in all.
    if text.contains("Permission denied") || text.contains("Operation not permitted") {
        "may not be used by this user; add the user to the group gpio (sudo usermod -aG gpio USER) and log in again".into()
    } else if text.contains("busy") {
        "is in use by another program; stop that program or use another pin".into()
    } else {
        format!("cannot be used ({})", text.trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_line_is_named_with_the_mend() {
        assert!(in_use("maskwatch").contains("in use by \"maskwatch\"; stop the daemon first"));
        assert!(in_use("spi0 CS0").contains("in use by \"spi0 CS0\"; stop that program"));
        assert!(in_use("").contains("in use by the kernel, which does not say for what"));
    }

    #[test]
    fn no_device_but_a_gpio_chip_is_taken_for_one() {
        for path in ["/dev/null", "/no/such/chip"] {
            let error = CharacterDevice::open(Some(path), false).err().unwrap().to_string();
            assert!(error.starts_with(&format!("GPIO chip {path}:")), "{error}");
        }
    }
}
