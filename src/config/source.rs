//! The section `[source]`: where frames come from.

use super::error::ConfigError;
use super::limits;
use super::reader::{Section, Sourced};
use crate::source::{
    CameraName, Controls, FRAME_RATES, FRAME_SIDES, Flip, Options, PowerLine, Rotation, Setting, SourceSpec,
    Turn,
};
use std::time::Duration;

/// Where frames come from.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// The camera, picture, folder or command.
    pub spec: SourceSpec,
    /// Width to ask for, in pixels.
    pub width: u32,
    /// Height to ask for, in pixels.
    pub height: u32,
    /// How frames are made upright.
    pub turn: Turn,
    /// What a camera is told of exposure, focus and the like.
    pub controls: Controls,
    /// Maximum frames a second.
    pub frames_per_second: f32,
    /// Time without a frame after which the door shows a fault.
    pub timeout: Duration,
    /// Time of equal frames after which a camera is frozen; `None` for never.
    pub frozen_after: Option<Duration>,
    /// The same for a command, which may show stills; `None` for never.
    pub frozen_command_after: Option<Duration>,
    /// Time of black frames after which a camera or command is blind; `None` for never.
    pub black_after: Option<Duration>,
    /// Time of frames without detail after which it is blind; `None` for never.
    pub blind_after: Option<Duration>,
    /// Time of frames of another scene after which it was tampered with; `None` for never.
    pub tampered_after: Option<Duration>,
}

impl SourceConfig {
    /// How frames are wanted.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            size: (self.width, self.height),
            turn: self.turn,
            controls: self.controls,
            frames_per_second: Some(self.frames_per_second),
            timeout: self.timeout,
            frozen_after: self.frozen_after,
            frozen_command_after: self.frozen_command_after,
            black_after: self.black_after,
            blind_after: self.blind_after,
            tampered_after: self.tampered_after,
            ..Options::default()
        }
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        let usual = Options::default();
        let (width, height) = usual.size;
        Self {
            spec: SourceSpec::Camera(CameraName::Path("/dev/video0".into())),
            width,
            height,
            turn: usual.turn,
            controls: usual.controls,
            frames_per_second: 10.0,
            timeout: usual.timeout,
            frozen_after: usual.frozen_after,
            frozen_command_after: usual.frozen_command_after,
            black_after: usual.black_after,
            blind_after: usual.blind_after,
            tampered_after: usual.tampered_after,
        }
    }
}

/// Frames may be late by half the time between two of them before that is a fault.
const PATIENCE: f32 = 1.5;

/// Reads `[source]`; also returns what is accepted but should be mended.
pub(super) fn source(mut section: Section<'_>) -> Result<(SourceConfig, Vec<String>), ConfigError> {
    let usual = SourceConfig::default();
    let spec = match section.text("spec")? {
        None => usual.spec,
        Some(text) => text
            .value
            .parse::<SourceSpec>()
            .map_err(|error| section.refuse(&text, format!("is not a source: {error}")))?,
    };
    // 0 is never.
    let mut limit = |key, usual| {
        let limit = section.seconds(key, limits::FAULT_AFTER)?;
        Ok(limit.map_or(usual, |limit| (!limit.value.is_zero()).then_some(limit.value)))
    };
    let frozen_after = limit("frozen_seconds", usual.frozen_after)?;
    let frozen_command_after = limit("frozen_command_seconds", usual.frozen_command_after)?;
    let black_after = limit("black_seconds", usual.black_after)?;
    let blind_after = limit("blind_seconds", usual.blind_after)?;
    let tampered_after = limit("tampered_seconds", usual.tampered_after)?;
    let rate = section.number("frames_per_second", FRAME_RATES)?;
    let written = section.seconds("timeout_seconds", limits::TIMEOUTS)?;
    let timeout = Sourced::or(&written, usual.timeout);
    if let Some(written) = written.filter(|written| written.value > limits::NO_LOOK) {
        let longest = limits::NO_LOOK.as_secs();
        section.warn(
            &written,
            format!("counts as {longest}: without a look for {longest} s the door shows a fault"),
        );
    }
    let frames_per_second = rate.as_ref().map_or(usual.frames_per_second, |rate| rate.value as f32);
    // A rate below one frame per timeout is no contradiction: the timeout follows it.
    let timeout = timeout.max(Duration::from_secs_f32(PATIENCE / frames_per_second));
    let turn = turn(&mut section)?;
    let (controls, mut warnings) = controls(section.section("controls")?, &spec)?;
    let config = SourceConfig {
        spec,
        width: Sourced::or(&section.whole("width", FRAME_SIDES)?, usual.width),
        height: Sourced::or(&section.whole("height", FRAME_SIDES)?, usual.height),
        turn,
        controls,
        frames_per_second,
        timeout,
        frozen_after,
        frozen_command_after,
        black_after,
        blind_after,
        tampered_after,
    };
    warnings.extend(section.finish()?);
    Ok((config, warnings))
}

/// Reads how frames are made upright.
fn turn(section: &mut Section<'_>) -> Result<Turn, ConfigError> {
    let rotate = match section.whole("rotate", 0..=360)? {
        None => Rotation::default(),
        Some(degrees) => Rotation::from_name(&degrees.value.to_string()).ok_or_else(|| {
            section.refuse(&degrees, format!("is {}; use 0, 90, 180 or 270", degrees.value))
        })?,
    };
    Ok(Turn { rotate, flip: section.choice("flip", &Flip::NAMES)?.unwrap_or_default() })
}

/// Reads `[source.controls]`.
fn controls(mut section: Section<'_>, spec: &SourceSpec) -> Result<(Controls, Vec<String>), ConfigError> {
    let mut setting = |key| {
        let setting = section.whole_or(key, limits::CONTROLS, "auto")?;
        Ok(setting.map(|setting| setting.value.map_or(Setting::Auto, Setting::Value)))
    };
    let exposure = setting("exposure")?;
    let gain = setting("gain")?;
    let white_balance = setting("white_balance")?;
    let focus = setting("focus")?;
    let power_line_frequency = match section.whole_or("power_line_frequency", 0..=60, "auto")? {
        None => None,
        Some(hertz) => Some(match hertz.value {
            None => PowerLine::Auto,
            Some(0) => PowerLine::Off,
            Some(50) => PowerLine::Hertz50,
            Some(60) => PowerLine::Hertz60,
            Some(other) => {
                let problem = format!("is {other}; use 50 or 60 (hertz), 0 for off, or \"auto\"");
                return Err(section.refuse(&hertz, problem));
            }
        }),
    };
    let backlight_compensation =
        section.whole("backlight_compensation", limits::CONTROLS)?.map(|setting| setting.value);
    let controls =
        Controls { exposure, gain, white_balance, focus, power_line_frequency, backlight_compensation };
    if controls != Controls::default() && !matches!(spec, SourceSpec::Camera(_)) {
        section.warn_whole("has no effect: only a camera by its name or path has controls".into());
    }
    Ok((controls, section.finish()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> SourceConfig {
        Config::parse(&format!("[source]\n{text}"), "door.toml").unwrap().source
    }

    fn refusal(text: &str) -> String {
        Config::parse(&format!("[source]\n{text}"), "door.toml").unwrap_err().to_string()
    }

    #[test]
    fn frames_are_turned_as_written() {
        assert_eq!(read("").turn, Turn::default());
        let turned = Turn { rotate: Rotation::ThreeQuarters, flip: Flip::Vertical };
        assert_eq!(read("rotate = 270\nflip = \"vertical\"").turn, turned);
        assert_eq!(refusal("rotate = 45"), "door.toml line 2: source.rotate is 45; use 0, 90, 180 or 270");
        assert_eq!(
            refusal("flip = true"),
            "door.toml line 2: source.flip is true; use one of \"none\", \"horizontal\", \"vertical\""
        );
    }

    #[test]
    fn controls_are_numbers_or_the_cameras_own_choice() {
        let controls = "[source.controls]\nexposure = 156\ngain = \"auto\"\nwhite_balance = 4600\nfocus = 0\n\
                        power_line_frequency = 50\nbacklight_compensation = 1\n";
        let expected = Controls {
            exposure: Some(Setting::Value(156)),
            gain: Some(Setting::Auto),
            white_balance: Some(Setting::Value(4600)),
            focus: Some(Setting::Value(0)),
            power_line_frequency: Some(PowerLine::Hertz50),
            backlight_compensation: Some(1),
        };
        assert_eq!(read(controls).controls, expected);
        let line = |text: &str| read(&format!("[source.controls]\npower_line_frequency = {text}")).controls;
        assert_eq!(line("0").power_line_frequency, Some(PowerLine::Off));
        assert_eq!(line("60").power_line_frequency, Some(PowerLine::Hertz60));
        assert_eq!(line("\"auto\"").power_line_frequency, Some(PowerLine::Auto));
        for (mistake, sentence) in [
            (
                "power_line_frequency = 55",
                "power_line_frequency is 55; use 50 or 60 (hertz), 0 for off, or \"auto\"",
            ),
            ("exposure = -1", "exposure is -1; use a whole number from 0 to 1000000"),
            ("exposre = 1", "exposre is not known; did you mean exposure?"),
        ] {
            assert_eq!(
                refusal(&format!("[source.controls]\n{mistake}")),
                format!("door.toml line 3: source.controls.{sentence}")
            );
        }
    }

    #[test]
    fn controls_of_what_is_no_camera_are_told() {
        let warnings = |spec: &str, more: &str| {
            let text = format!("[source]\nspec = \"{spec}\"\n[source.controls]\n{more}");
            Config::parse(&text, "door.toml").unwrap().warnings
        };
        assert_eq!(
            warnings("door.jpg", "gain = 1"),
            [
                "door.toml line 3: source.controls has no effect: only a camera by its name or path has controls"
            ]
        );
        assert!(warnings("/dev/video1", "gain = 1").is_empty() && warnings("door.jpg", "").is_empty());
    }
}
