//! Pins through the kernel's GPIO character device (crate `gpiocdev`), which works on any board and lets one process
//! own a pin. The chip is found by its label: numbers of chips change from boot to boot and from kernel to kernel.

use super::{Level, Lines, Output, OutputError};
use gpiocdev::line::Value;
use gpiocdev::{Chip, Request, chip};
use std::path::Path;

/// Labels of the chip behind the header of a Raspberry Pi: 5; 4; all before.
const LABELS: [&str; 3] = ["pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"];

/// Lines requested as outputs. The kernel may set them back to inputs when the request ends.
pub(super) struct Pins {
    request: Request,
    outputs: Vec<(String, u32)>,
    chip: String,
}

impl Pins {
    pub(super) fn open(wanted: Option<&str>, outputs: &[Output]) -> Result<Self, OutputError> {
        let chip = find(wanted)?;
        let failed = |problem: String| OutputError::Chip { chip: chip.path().display().to_string(), problem };
        let info = chip.info().map_err(|error| failed(explain(&error)))?;
        let name = format!("{} ({})", info.label, chip.path().display());
        for output in outputs {
            check(&chip, info.num_lines, output).map_err(|problem| OutputError::Pin {
                output: output.name.clone(),
                pin: output.pin,
                chip: name.clone(),
                problem,
            })?;
        }
        let mut builder = Request::builder();
        builder.on_chip(chip.path()).with_consumer("maskwatch");
        for output in outputs {
            builder.with_line(output.pin).as_output(value(output.active.level(false)));
        }
        let request = builder.request().map_err(|error| failed(explain(&error)))?;
        let outputs = outputs.iter().map(|output| (output.name.clone(), output.pin)).collect();
        Ok(Self { request, outputs, chip: name })
    }
}

impl Lines for Pins {
    fn drive(&mut self, index: usize, level: Level) -> Result<(), OutputError> {
        let Some((output, pin)) = self.outputs.get(index) else { return Ok(()) };
        self.request.set_value(*pin, value(level)).map_err(|error| OutputError::Pin {
            output: output.clone(),
            pin: *pin,
            chip: self.chip.clone(),
            problem: explain(&error),
        })
    }

    fn describe(&self) -> String {
        format!("GPIO character device {}", self.chip)
    }
}

fn value(level: Level) -> Value {
    match level {
        Level::Low => Value::Inactive,
        Level::High => Value::Active,
    }
}

/// Opens the chip called `wanted` (path, name or label), or the one with a Raspberry Pi's label.
fn find(wanted: Option<&str>) -> Result<Chip, OutputError> {
    if let Some(path) = wanted.filter(|wanted| wanted.starts_with('/')) {
        let failed = |error| OutputError::Chip { chip: path.into(), problem: explain(&error) };
        // gpiocdev takes any character device that it cannot rule out; asking for its info tells.
        let chip = Chip::from_path(path).map_err(failed)?;
        return Ok(chip);
    }
    let (mut seen, mut refused) = (Vec::new(), None);
    for path in chip::chips().unwrap_or_default() {
        match Chip::from_path(&path).and_then(|chip| Ok((chip.info()?, chip))) {
            Ok((info, chip)) => {
                let found = match wanted {
                    Some(wanted) => wanted == info.label || wanted == chip.name(),
                    None => LABELS.contains(&info.label.as_str()),
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
        (None, true) => "this system has no GPIO chips at all".into(),
        (None, false) => format!("set outputs.chip to one of {}", seen.join(", ")),
    };
    Err(match wanted {
        Some(wanted) => OutputError::Chip { chip: wanted.into(), problem: format!("there is none; {seen}") },
        None => OutputError::NoBackend(format!("no GPIO chip has a Raspberry Pi's label ({seen})")),
    })
}

fn unreadable(path: &Path, error: &gpiocdev::Error) -> String {
    format!("{} {}", path.display(), explain(error))
}

/// Whether a line can be had: half a sentence on why not otherwise.
fn check(chip: &Chip, lines: u32, output: &Output) -> Result<(), String> {
    if output.pin >= lines {
        return Err(format!("does not exist; it has GPIO0 to GPIO{}", lines.saturating_sub(1)));
    }
    let info = chip.line_info(output.pin).map_err(|error| explain(&error))?;
    if info.used {
        let owner =
            if info.consumer.is_empty() { "something".into() } else { format!("\"{}\"", info.consumer) };
        let mend = if info.consumer == "maskwatch" {
            "stop the daemon first (sudo systemctl stop maskwatch)"
        } else {
            "stop that program or use another pin"
        };
        return Err(format!("is in use by {owner}; {mend}"));
    }
    Ok(())
}

fn explain(error: &gpiocdev::Error) -> String {
    let text = error.to_string();
    // The errno sits in different places for different calls, its text is the same in all.
    if text.contains("Permission denied") || text.contains("Operation not permitted") {
        "may not be used by this user; add the user to the group gpio (sudo usermod -aG gpio USER) and log in again".into()
    } else if text.contains("busy") {
        "is in use by another program; stop that program or use another pin".into()
    } else {
        format!("cannot be used ({})", text.trim_end_matches('.'))
    }
}
