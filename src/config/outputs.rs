//! The sections `[outputs]` and `[button]`: what is connected to which pin.

use super::error::ConfigError;
use super::limits;
use super::reader::Section;
use crate::decide::DoorState;
use crate::outputs::{
    Active, Backend, Button, Kind, Output, Pattern, Patterns, Pwm, RELAY_PHASE, USUAL_TONE,
};
use std::time::Duration;

/// Maximum length of an output's name.
const LONGEST_NAME: usize = 32;

/// The outputs and the button.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputsConfig {
    /// The way to the pins.
    pub backend: Backend,
    /// The GPIO chip by label, name or path.
    pub chip: Option<String>,
    /// The outputs in the order of the file. No two have the same name or pin.
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

/// The default of an output; only red, green, amber and buzzer have one.
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
    let well_named = name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !well_named || name.is_empty() {
        let problem =
            format!("has a name of other than 1 to {LONGEST_NAME} letters, digits, - and _; rename it");
        return Err(table.refuse_whole(problem));
    }
    let usual = usual_output(name);
    let pin = table.whole("pin", limits::PINS)?;
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
    let active = table.choice("active", &Active::NAMES)?;
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
        let pattern = Pattern::parse(&text.value).map_err(|error| table.refuse(&text, error.to_string()))?;
        output.patterns.set(state, pattern);
        if output.kind == Kind::Relay && pattern.shortest_phase().is_some_and(|phase| phase < RELAY_PHASE) {
            let problem = format!(
                "switches a relay faster than every {} s; use longer times",
                RELAY_PHASE.as_secs_f64()
            );
            return Err(table.refuse(&text, problem));
        }
    }
    if output.patterns.all_off() {
        return Err(
            table.refuse_whole("is never on; give it a pattern, for example alert = \"steady\"".into())
        );
    }
    Ok(output)
}

/// Reads `kind` and the keys of passive buzzers, for an output that the level `active` switches on.
fn kind(table: &mut Section<'_>, active: Option<Active>) -> Result<Option<Kind>, ConfigError> {
    let kind = table.choice("kind", &Kind::NAMES)?;
    let tones = u32::from(*limits::TONES.start())..=u32::from(*limits::TONES.end());
    let tone = table.whole("tone_hz", tones)?;
    let pwm = table.sourced_choice("pwm", &Pwm::NAMES)?;
    if matches!(kind, Some(Kind::PassiveBuzzer { .. })) {
        if let Some(pwm) = &pwm
            && (pwm.value, active) == (Pwm::Hardware, Some(Active::Low))
        {
            let problem = "is low while it makes no tone, which is on for active = \"low\"; use \"software\"";
            return Err(table.refuse(pwm, problem.into()));
        }
        let frequency = tone.map_or(USUAL_TONE, |tone| tone.value as u16);
        return Ok(Some(Kind::PassiveBuzzer { frequency, pwm: pwm.map_or(Pwm::Auto, |pwm| pwm.value) }));
    }
    let for_others = "is for passive buzzers; add kind = \"passive-buzzer\", or remove this line";
    match (tone, pwm) {
        (Some(tone), _) => Err(table.refuse(&tone, for_others.into())),
        (None, Some(pwm)) => Err(table.refuse(&pwm, for_others.into())),
        (None, None) => Ok(kind),
    }
}

/// Reads `[button]`. Its pin must differ from those of `outputs`.
pub(super) fn button(
    section: Option<Section<'_>>,
    outputs: &[Output],
) -> Result<Option<Button>, ConfigError> {
    let Some(mut section) = section else { return Ok(None) };
    let Some(pin) = section.whole("pin", limits::PINS)? else {
        return Err(
            section.refuse_whole("has no pin; add for example pin = 24, or remove the section".into())
        );
    };
    if let Some(output) = outputs.iter().find(|output| output.pin == pin.value) {
        let problem =
            format!("is {}, which outputs.{} uses; give the button its own pin", pin.value, output.name);
        return Err(section.refuse(&pin, problem));
    }
    let active = section.choice("active", &Active::NAMES)?.unwrap_or(Active::Low);
    let silence = section.seconds("silence_seconds", limits::SILENCES)?;
    let silence = silence.map_or(Duration::from_secs(60), |silence| silence.value);
    section.finish()?;
    Ok(Some(Button { pin: pin.value, active, silence }))
}
