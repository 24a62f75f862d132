//! The sections `[outputs]` and `[button]`: what hangs on which pin.

use super::ConfigError;
use super::reader::Section;
use crate::decide::DoorState;
use crate::outputs::{Active, Backend, Button, Kind, Output, Pattern, Patterns, Pwm};
use std::time::Duration;

/// Piezo buzzers are loudest near 2.7 kHz.
const USUAL_TONE: u16 = 2700;
const LEVELS: [(&str, Active); 2] = [("high", Active::High), ("low", Active::Low)];

/// What is switched.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputsConfig {
    /// The way to the pins.
    pub backend: Backend,
    /// The GPIO chip by label, name or path.
    pub chip: Option<String>,
    /// The outputs in the order of the file; names and pins differ.
    pub outputs: Vec<Output>,
    /// The button that silences the buzzers.
    pub button: Option<Button>,
}

impl Default for OutputsConfig {
    fn default() -> Self {
        let outputs = ["red", "green", "amber", "buzzer"].into_iter().filter_map(usual_output).collect();
        Self { backend: Backend::Auto, chip: None, outputs, button: None }
    }
}

/// The usual wiring of the four outputs that have one.
fn usual_output(name: &str) -> Option<Output> {
    let blink = Pattern::Blink { period: Duration::from_secs(1), duty: 0.5 };
    let fifth = Duration::from_millis(200);
    let beeps = Pattern::Beep { times: 3, on: fifth, off: fifth };
    let patterns = Patterns::default();
    let (pin, kind, patterns) = match name {
        "red" => (
            17,
            Kind::Led,
            patterns.with(DoorState::Alert, Pattern::Steady).with(DoorState::Incorrect, blink),
        ),
        "green" => (27, Kind::Led, patterns.with(DoorState::Pass, Pattern::Steady)),
        "amber" => {
            (22, Kind::Led, patterns.with(DoorState::Look, Pattern::Steady).with(DoorState::Fault, blink))
        }
        "buzzer" => (23, Kind::Buzzer, patterns.with(DoorState::Alert, beeps)),
        _ => return None,
    };
    Some(Output { name: name.into(), pin, active: Active::High, kind, patterns })
}

/// Reads `[outputs]` and its tables.
pub(super) fn outputs(mut section: Section<'_>) -> Result<OutputsConfig, ConfigError> {
    let usual = OutputsConfig::default();
    let backend = section.choice("backend", &Backend::NAMES)?.unwrap_or(usual.backend);
    let chip = section.text("chip")?.map(|chip| chip.value);
    let mut outputs: Vec<Output> = Vec::new();
    for (name, mut table) in section.tables()? {
        let output = output(&name, &mut table, &outputs)?;
        table.finish()?;
        outputs.push(output);
    }
    section.finish()?;
    let outputs = if outputs.is_empty() { usual.outputs } else { outputs };
    Ok(OutputsConfig { backend, chip, outputs, button: None })
}

fn output(name: &str, table: &mut Section<'_>, others: &[Output]) -> Result<Output, ConfigError> {
    let well_named =
        name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !well_named || name.is_empty() {
        return Err(
            table.refuse_whole("has a name of other than 1 to 32 letters, digits, - and _; rename it".into())
        );
    }
    let usual = usual_output(name);
    let pin = table.whole("pin", 0..=511)?;
    let number = match (&pin, &usual) {
        (Some(pin), _) => pin.value,
        (None, Some(usual)) => usual.pin,
        (None, None) => return Err(table.refuse_whole("has no pin; add for example pin = 24".into())),
    };
    if let Some(other) = others.iter().find(|other| other.pin == number) {
        let problem =
            format!("is {number}, which outputs.{} uses too; give each output its own pin", other.name);
        return Err(match &pin {
            Some(pin) => table.refuse(pin, problem),
            None => table.refuse_key("pin", problem),
        });
    }
    let active = table.choice("active", &LEVELS)?;
    let kind = kind(table, active)?;
    let mut output = usual.unwrap_or(Output {
        name: name.into(),
        pin: number,
        active: Active::High,
        kind: Kind::Led,
        patterns: Patterns::default(),
    });
    output.pin = number;
    output.active = active.unwrap_or(output.active);
    output.kind = kind.unwrap_or(output.kind);
    for state in DoorState::ALL {
        let Some(text) = table.text(state.name())? else { continue };
        if state == DoorState::Off {
            return Err(
                table.refuse(&text, "cannot be set: off is always silent and dark; remove this line".into())
            );
        }
        let pattern = Pattern::parse(&text.value).map_err(|problem| table.refuse(&text, problem))?;
        output.patterns.set(state, pattern);
        let relay_phase = Duration::from_millis(500);
        if output.kind == Kind::Relay && pattern.shortest_phase().is_some_and(|phase| phase < relay_phase) {
            return Err(
                table.refuse(&text, "switches a relay faster than every 0.5 s; use longer times".into())
            );
        }
    }
    if output.patterns.all_off() {
        return Err(
            table.refuse_whole("is never on; give it a pattern, for example alert = \"steady\"".into())
        );
    }
    Ok(output)
}

/// Reads `kind` with what belongs to it, for an output that is switched on by the level `active`.
fn kind(table: &mut Section<'_>, active: Option<Active>) -> Result<Option<Kind>, ConfigError> {
    let passive = Kind::PassiveBuzzer { frequency: USUAL_TONE, pwm: Pwm::Auto };
    let kinds =
        [("led", Kind::Led), ("buzzer", Kind::Buzzer), ("passive-buzzer", passive), ("relay", Kind::Relay)];
    let kind = table.choice("kind", &kinds)?;
    let tone = table.whole("tone_hz", 100..=10_000)?;
    let pwm = table.sourced_choice("pwm", &Pwm::NAMES)?;
    if kind == Some(passive) {
        if let Some(pwm) = &pwm
            && (pwm.value, active) == (Pwm::Hardware, Some(Active::Low))
        {
            let problem = "is low while it makes no tone, which is on for active = \"low\"; use \"software\"";
            return Err(table.refuse(pwm, problem.into()));
        }
        let frequency = tone.map_or(USUAL_TONE, |tone| tone.value as u16);
        return Ok(Some(Kind::PassiveBuzzer { frequency, pwm: pwm.map_or(Pwm::Auto, |pwm| pwm.value) }));
    }
    let useless = "is for passive buzzers; add kind = \"passive-buzzer\", or remove this line";
    match (tone, pwm) {
        (Some(tone), _) => Err(table.refuse(&tone, useless.into())),
        (None, Some(pwm)) => Err(table.refuse(&pwm, useless.into())),
        (None, None) => Ok(kind),
    }
}

/// Reads `[button]`, whose pin is none of `outputs`.
pub(super) fn button(
    section: Option<Section<'_>>,
    outputs: &[Output],
) -> Result<Option<Button>, ConfigError> {
    let Some(mut section) = section else { return Ok(None) };
    let Some(pin) = section.whole("pin", 0..=511)? else {
        return Err(
            section.refuse_whole("has no pin; add for example pin = 24, or remove the section".into())
        );
    };
    if let Some(output) = outputs.iter().find(|output| output.pin == pin.value) {
        let problem =
            format!("is {}, which outputs.{} uses; give the button its own pin", pin.value, output.name);
        return Err(section.refuse(&pin, problem));
    }
    let active = section.choice("active", &LEVELS)?.unwrap_or(Active::Low);
    let silence = section.seconds("silence_seconds", 1.0..=3600.0)?;
    let silence = silence.map_or(Duration::from_secs(60), |silence| silence.value);
    section.finish()?;
    Ok(Some(Button { pin: pin.value, active, silence }))
}
