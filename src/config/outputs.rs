//! The sections `[outputs]` and `[button]`: what is connected to which pin.

use super::error::ConfigError;
use super::limits;
use super::reader::{Section, Sourced};
use crate::decide::DoorState;
use crate::outputs::{
    Active, Backend, Button, HEADER_CHIPS, Kind, Output, Pattern, Patterns, PinAccess, Pwm, RELAY_DWELL,
    RELAY_PHASE, USUAL_PAUSE, USUAL_TONE, check_header_pin,
};
use std::fmt::Write;
use std::time::Duration;

/// Maximum length of an output's name.
const LONGEST_NAME: usize = 32;

/// The key of the pattern that is shown while a pass is held.
const PASS_HOLD: &str = "pass_hold";

/// The outputs and the button.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputsConfig {
    /// The way to the pins.
    pub backend: Backend,
    /// The GPIO chip by label, name or path.
    pub chip: Option<String>,
    /// Whether the board is a Compute Module, all of whose lines may be used.
    pub compute_module: bool,
    /// The outputs in the order of the file. No two have the same name or pin.
    pub outputs: Vec<Output>,
    /// The button that silences the buzzers.
    pub button: Option<Button>,
}

impl Default for OutputsConfig {
    fn default() -> Self {
        let outputs = ["red", "green", "amber", "buzzer"].into_iter().filter_map(usual_output).collect();
        Self { backend: Backend::Auto, chip: None, compute_module: false, outputs, button: None }
    }
}

impl OutputsConfig {
    /// How the pins are reached.
    #[must_use]
    pub fn access(&self) -> PinAccess<'_> {
        let Self { backend, compute_module, .. } = *self;
        PinAccess { backend, chip: self.chip.as_deref(), compute_module }
    }

    /// Whether the pins are reached in the same way as those of `other`.
    #[must_use]
    pub fn access_is_that_of(&self, other: &Self) -> bool {
        (self.backend, &self.chip) == (other.backend, &other.chip)
    }

    /// The wiring as a configuration: how the pins are reached and switched off, not what they show.
    #[must_use]
    pub fn wiring(&self) -> String {
        let mut text = format!("[outputs]\nbackend = \"{}\"\n", self.backend.name());
        if let Some(chip) = &self.chip {
            text += &format!("chip = {}\n", toml::Value::from(chip.as_str()));
        }
        // What is driven already is not to be refused.
        text += "compute_module = true\n";
        for Output { pin, active, kind, .. } in &self.outputs {
            let (active, name) = (active.name(), kind.name());
            // Writing into a text cannot fail.
            let _ = write!(
                text,
                "[outputs.gpio{pin}]\npin = {pin}\nactive = \"{active}\"\nkind = \"{name}\"\nfault = \"steady\"\n"
            );
            if let Kind::PassiveBuzzer { frequency, pwm } = kind {
                let _ = write!(text, "tone_hz = {frequency}\npwm = \"{}\"\n", pwm.name());
            }
        }
        text
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

/// Reads `[outputs]` and its tables. `may_hold` says whether a pass is ever held.
pub(super) fn outputs(mut section: Section<'_>, may_hold: bool) -> Result<OutputsConfig, ConfigError> {
    let usual = OutputsConfig::default();
    let backend = section.choice("backend", &Backend::NAMES)?.unwrap_or(usual.backend);
    let chip = section.text("chip")?.map(|chip| chip.value);
    let compute_module = section.truth("compute_module")?.unwrap_or(usual.compute_module);
    let dwell = section.seconds("relay_dwell_seconds", limits::RELAY_DWELLS)?.map(|dwell| dwell.value);
    let mut config = OutputsConfig { backend, chip, compute_module, outputs: Vec::new(), button: None };
    for (name, mut table) in section.tables()? {
        let output = output(&name, &mut table, &config, dwell, may_hold)?;
        table.finish()?;
        config.outputs.push(output);
    }
    section.finish()?;
    if config.outputs.is_empty() {
        config.outputs = usual.outputs;
    }
    Ok(config)
}

/// Reads `pin`. Where the chip behind the header of a Raspberry Pi is used, the pin must be on the header.
fn pin(table: &mut Section<'_>, config: &OutputsConfig) -> Result<Option<Sourced<u32>>, ConfigError> {
    let pin = table.whole("pin", limits::PINS)?;
    let header = config.chip.as_deref().is_none_or(|chip| HEADER_CHIPS.contains(&chip));
    if let Some(pin) = pin.as_ref().filter(|_| header) {
        check_header_pin(pin.value, config.compute_module)
            .map_err(|problem| table.refuse(pin, format!("is {}, which {problem}", pin.value)))?;
    }
    Ok(pin)
}

fn output(
    name: &str,
    table: &mut Section<'_>,
    config: &OutputsConfig,
    dwell: Option<Duration>,
    may_hold: bool,
) -> Result<Output, ConfigError> {
    let well_named = name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !well_named || name.is_empty() {
        let problem =
            format!("has a name of other than 1 to {LONGEST_NAME} letters, digits, - and _; rename it");
        return Err(table.refuse_whole(problem));
    }
    let usual = usual_output(name);
    let pin = pin(table, config)?;
    let number = match (&pin, &usual) {
        (Some(pin), _) => pin.value,
        (None, Some(usual)) => usual.pin,
        (None, None) => return Err(table.refuse_whole("has no pin; add for example pin = 24".into())),
    };
    if let Some(other) = config.outputs.iter().find(|other| other.pin == number) {
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
    if let Kind::Relay { .. } = output.kind {
        // The patterns of an LED or a buzzer that nobody has written here are made slow enough.
        let least = dwell.unwrap_or(RELAY_PHASE);
        for state in DoorState::ALL {
            output.patterns.set(state, output.patterns.get(state).slowed(least));
        }
    }
    let wanted = "a pattern in quotes, such as \"steady\", \"blink 1\" or \"off\"";
    for state in DoorState::ALL.map(Some).into_iter().chain([None]) {
        let Some(text) = table.text_of(state.map_or(PASS_HOLD, DoorState::name), wanted)? else { continue };
        if state == Some(DoorState::Off) {
            return Err(
                table.refuse(&text, "cannot be set: off is always silent and dark; remove this line".into())
            );
        }
        let pattern = Pattern::parse(&text.value).map_err(|error| table.refuse(&text, error.to_string()))?;
        match state {
            Some(state) => output.patterns.set(state, pattern),
            None if pattern != Pattern::Off && !may_hold => {
                let problem = "is shown while a pass is held, which never is; set decision.pass_hold_seconds, \
                               for example to 4";
                return Err(table.refuse(&text, problem.into()));
            }
            None => output.patterns.set_pass_hold(pattern),
        }
        let Kind::Relay { .. } = output.kind else { continue };
        let least = dwell.unwrap_or(RELAY_PHASE);
        if pattern.shortest_phase().is_some_and(|phase| phase < least) {
            let problem =
                format!("switches a relay faster than every {} s; use longer times", least.as_secs_f64());
            return Err(table.refuse(&text, problem));
        }
    }
    if let Kind::Relay { dwell: least } = &mut output.kind {
        // A pattern that is allowed is shown as it is.
        let patterns = DoorState::ALL.map(|state| output.patterns.get(state).shortest_phase());
        let patterns = patterns.into_iter().chain([output.patterns.pass_hold().shortest_phase()]);
        *least = dwell.unwrap_or_else(|| patterns.flatten().fold(RELAY_DWELL, Duration::min));
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

/// Reads `[button]`. Its pin must differ from those of the outputs.
pub(super) fn button(
    section: Option<Section<'_>>,
    config: &OutputsConfig,
) -> Result<Option<Button>, ConfigError> {
    let Some(mut section) = section else { return Ok(None) };
    let Some(pin) = pin(&mut section, config)? else {
        return Err(
            section.refuse_whole("has no pin; add for example pin = 24, or remove the section".into())
        );
    };
    if let Some(output) = config.outputs.iter().find(|output| output.pin == pin.value) {
        let problem =
            format!("is {}, which outputs.{} uses; give the button its own pin", pin.value, output.name);
        return Err(section.refuse(&pin, problem));
    }
    let active = section.choice("active", &Active::NAMES)?.unwrap_or(Active::Low);
    let silence = section.seconds("silence_seconds", limits::SILENCES)?;
    let silence = silence.map_or(Duration::from_secs(60), |silence| silence.value);
    let pause = section.number("pause_seconds", limits::BUTTON_PAUSES)?;
    let (seconds, least) = (Sourced::or(&pause, USUAL_PAUSE.as_secs_f64()), *limits::PAUSES.start());
    if let Some(pause) = pause.filter(|_| seconds != 0.0 && seconds < least) {
        let problem = format!("is {seconds}; use 0 for no pause, or {least} and more");
        return Err(section.refuse(&pause, problem));
    }
    let pause = (seconds != 0.0).then(|| Duration::from_secs_f64(seconds));
    section.finish()?;
    Ok(Some(Button { pin: pin.value, active, silence, pause }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, may_hold: bool) -> Result<OutputsConfig, String> {
        let mut root = Section::root(text, "door.toml").map_err(|error| error.to_string())?;
        let section = root.section("outputs").map_err(|error| error.to_string())?;
        outputs(section, may_hold).map_err(|error| error.to_string())
    }

    #[test]
    fn a_relay_may_be_for_held_passes_alone_if_there_are_any() {
        let text = "[outputs.strike]\npin = 24\nkind = \"relay\"\npass_hold = \"steady\"\n";
        let config = read(text, true).unwrap();
        assert_eq!(config.outputs[0].patterns.pass_hold(), Pattern::Steady);
        assert_eq!(
            read(text, false).unwrap_err(),
            "door.toml line 4: outputs.strike.pass_hold is shown while a pass is held, which never is; \
             set decision.pass_hold_seconds, for example to 4"
        );
        assert!(
            read(&text.replace("steady", "blink 0.2"), true).unwrap_err().contains("switches a relay faster")
        );
        assert!(read(&text.replace("steady", "off"), false).unwrap_err().contains("is never on"));
    }

    /// What is written is refused where it is too fast; what is not written becomes slow enough, and reads
    /// back.
    #[test]
    fn no_default_pattern_makes_a_relay_chatter() {
        for (dwell, least) in
            [("", RELAY_PHASE), ("relay_dwell_seconds = 1.5\n", Duration::from_millis(1500))]
        {
            for name in ["red", "amber", "buzzer"] {
                let text = format!("[outputs]\n{dwell}[outputs.{name}]\nkind = \"relay\"\n");
                let config = read(&text, false).unwrap();
                for state in DoorState::ALL {
                    let pattern = config.outputs[0].patterns.get(state);
                    assert!(pattern.shortest_phase().is_none_or(|phase| phase >= least), "{text}{pattern:?}");
                    if state != DoorState::Off {
                        let written = format!("{text}{} = \"{pattern}\"\n", state.name());
                        assert_eq!(read(&written, false).unwrap(), config);
                    }
                }
            }
        }
    }

    #[test]
    fn a_long_press_pauses_for_its_time_or_there_is_none() {
        let pause = |line: &str| {
            let config = crate::config::Config::parse(&format!("[button]\npin = 24\n{line}"), "door.toml");
            config.map(|config| config.outputs.button.and_then(|button| button.pause))
        };
        assert_eq!(pause("").unwrap(), Some(USUAL_PAUSE));
        assert_eq!(pause("pause_seconds = 43200\n").unwrap(), Some(Duration::from_secs(43_200)));
        assert_eq!(pause("pause_seconds = 0\n").unwrap(), None);
        for (line, sentence) in [
            ("pause_seconds = 0.5\n", "is 0.5; use 0 for no pause, or 1 and more"),
            ("pause_seconds = 43201\n", "is 43201; use a number from 0 to 43200"),
        ] {
            let error = pause(line).unwrap_err().to_string();
            assert_eq!(error, format!("door.toml line 3: button.pause_seconds {sentence}"));
        }
    }
}
