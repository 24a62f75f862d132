//! The section `[detector]`: how faces are searched.

use super::error::ConfigError;
use super::limits;
use super::reader::Section;
use crate::nn::yunet::MULTIPLE;

/// Sides of the detector's input are multiples of this.
const STEP: u32 = MULTIPLE as u32;

/// How faces are searched.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorConfig {
    /// Width of the network's input in pixels, a multiple of 32.
    pub width: u32,
    /// Height of the network's input in pixels, a multiple of 32.
    pub height: u32,
    /// Whether frames are searched a second time, at a small input, for close faces.
    pub close_faces: bool,
    /// Whether frames go without a search in which nothing moved while nobody was there.
    pub skip_still: bool,
    /// Minimum score of a face.
    pub score_threshold: f32,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        Self { width: 480, height: 384, close_faces: true, skip_still: true, score_threshold: 0.5 }
    }
}

/// Reads `[detector]`.
pub(super) fn detector(mut section: Section<'_>) -> Result<DetectorConfig, ConfigError> {
    let usual = DetectorConfig::default();
    let mut side = |key, usual| {
        let Some(side) = section.whole(key, limits::DETECTOR_SIDES)? else { return Ok(usual) };
        if side.value % STEP != 0 {
            let below = side.value / STEP * STEP;
            let problem =
                format!("is {}, not a multiple of {STEP}; use {below} or {}", side.value, below + STEP);
            return Err(section.refuse(&side, problem));
        }
        Ok(side.value)
    };
    let (width, height) = (side("width", usual.width)?, side("height", usual.height)?);
    let close_faces = section.truth("close_faces")?.unwrap_or(usual.close_faces);
    let skip_still = section.truth("skip_still")?.unwrap_or(usual.skip_still);
    let score_threshold = section
        .number("score_threshold", limits::DOOR_SCORES)?
        .map_or(usual.score_threshold, |threshold| threshold.value as f32);
    section.finish()?;
    Ok(DetectorConfig { width, height, close_faces, skip_still, score_threshold })
}
