//! The section `[source]`: where frames come from.

use super::error::ConfigError;
use super::limits;
use super::reader::{Section, Sourced};
use crate::source::{CameraName, FRAME_RATES, FRAME_SIDES, Options, SourceSpec};
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

impl Default for SourceConfig {
    fn default() -> Self {
        let usual = Options::default();
        let (width, height) = usual.size;
        Self {
            spec: SourceSpec::Camera(CameraName::Path("/dev/video0".into())),
            width,
            height,
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
    let config = SourceConfig {
        spec,
        width: Sourced::or(&section.whole("width", FRAME_SIDES)?, usual.width),
        height: Sourced::or(&section.whole("height", FRAME_SIDES)?, usual.height),
        frames_per_second,
        timeout,
        frozen_after,
        frozen_command_after,
        black_after,
        blind_after,
        tampered_after,
    };
    Ok((config, section.finish()?))
}
