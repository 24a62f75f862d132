//! The configuration: TOML in, checked values out. Every mistake is refused with one sentence that names the
//! file, the line, the key and the mend; nothing is guessed, nothing unknown is passed over. What the values
//! do is documented in the default file, [`DOCUMENTED`].

mod outputs;
mod reader;

use crate::decide::{IncorrectMeans, Rules};
use crate::source::{Options, SourceSpec};
use crate::vision::ChainOptions;
use crate::vision::classifier::Input;
use crate::vision::models::{ModelOptions, Precision};
use crate::vision::quality::{Gates, MOST_YAW};
pub use outputs::OutputsConfig;
use reader::{Section, Sourced};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// The default configuration with every key and its documentation, as installed in
/// /etc/maskwatch/maskwatch.toml.
pub const DOCUMENTED: &str = include_str!("../../systemd/maskwatch.toml");

/// No sensible configuration is longer; what is longer is not read to its end.
const LONGEST_FILE: u64 = 1 << 20;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "{file} cannot be read: {cause}; give the path of a maskwatch configuration, or none to use the defaults"
    )]
    Unreadable {
        /// Its path as it was given.
        file: String,
        /// What the system said.
        cause: String,
    },
    /// The text is no TOML.
    #[error("{file} line {line}: this is not TOML: {problem}")]
    Syntax {
        /// Name of the file.
        file: String,
        /// Line of the mistake, counted from 1.
        line: usize,
        /// What the parser met.
        problem: String,
    },
    /// A key is unknown, missing, or has a value that it cannot have.
    #[error("{file} line {line}: {key} {problem}")]
    Value {
        /// Name of the file.
        file: String,
        /// Line of the mistake, counted from 1.
        line: usize,
        /// The key with its sections, such as `outputs.red.pin`.
        key: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
}

/// Where frames come from.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// Camera, picture, folder or command, in the words of [`crate::source`].
    pub spec: String,
    /// Width to ask for, in pixels.
    pub width: u32,
    /// Height to ask for, in pixels.
    pub height: u32,
    /// Frames a second at most.
    pub frames_per_second: f32,
    /// How long to go without a frame before the door shows a fault.
    pub timeout: Duration,
    /// After how long of the very same picture a camera is frozen; `None` for never.
    pub frozen_after: Option<Duration>,
    /// After how long of black pictures a camera or command sees nothing; `None` for never.
    pub black_after: Option<Duration>,
}

/// How faces are searched.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorConfig {
    /// Width of the network's input in pixels, a multiple of 32.
    pub width: u32,
    /// Height of the network's input in pixels, a multiple of 32.
    pub height: u32,
    /// The least score of a face.
    pub score_threshold: f32,
}

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Section `[source]`.
    pub source: SourceConfig,
    /// Section `[models]`.
    pub models: ModelOptions,
    /// Section `[detector]`.
    pub detector: DetectorConfig,
    /// Section `[decision]`, what is decided over time.
    pub decision: Rules,
    /// Section `[decision]`, which faces are seen too badly to be judged.
    pub gates: Gates,
    /// Sections `[outputs]` and `[button]`.
    pub outputs: OutputsConfig,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            spec: "/dev/video0".into(),
            width: 640,
            height: 480,
            frames_per_second: 10.0,
            timeout: Duration::from_secs(5),
            frozen_after: Options::default().frozen_after,
            black_after: Options::default().black_after,
        }
    }
}

impl Default for DetectorConfig {
    fn default() -> Self {
        Self { width: 480, height: 384, score_threshold: 0.5 }
    }
}

impl Config {
    /// Reads and checks the configuration in the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`], one sentence.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let unreadable = |cause: String| ConfigError::Unreadable { file: file.clone(), cause };
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|opened| opened.take(LONGEST_FILE + 1).read_to_end(&mut bytes))
            .map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() as u64 > LONGEST_FILE {
            return Err(unreadable("it is longer than 1 MiB".into()));
        }
        let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".into()))?;
        Self::parse(&text, &file)
    }

    /// The networks and gates that this configuration names.
    #[must_use]
    pub fn vision(&self) -> ChainOptions {
        ChainOptions {
            models: self.models.clone(),
            detector_input: (self.detector.width, self.detector.height),
            score_threshold: self.detector.score_threshold,
            gates: self.gates,
        }
    }

    /// Checks the configuration `text`; `name` stands for the file in errors.
    ///
    /// # Errors
    /// [`ConfigError`], one sentence.
    ///
    /// ```
    /// use maskwatch::config::Config;
    /// let error = Config::parse("[decision]\nvotes = 6\n", "door.toml").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "door.toml line 2: decision.votes is 6, more than the window of 5; use at most 5, or a larger window"
    /// );
    /// ```
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        let mut root = Section::root(text, name)?;
        let source = source(root.section("source")?)?;
        let models = models(root.section("models")?)?;
        let detector = detector(root.section("detector")?)?;
        let (decision, gates) = decision(root.section("decision")?)?;
        let mut config = Self {
            source,
            models,
            detector,
            decision,
            gates,
            outputs: outputs::outputs(root.section("outputs")?)?,
        };
        config.outputs.button = outputs::button(root.optional_section("button")?, &config.outputs.outputs)?;
        root.finish()?;
        Ok(config)
    }
}

fn source(mut section: Section<'_>) -> Result<SourceConfig, ConfigError> {
    let usual = SourceConfig::default();
    let spec = section.text("spec")?;
    if let Some(Err(error)) = spec.as_ref().map(|spec| spec.value.parse::<SourceSpec>()) {
        return Err(section.refuse_any(&spec, format!("is not a source: {error}")));
    }
    // 0 is never.
    let mut limit = |key, usual| {
        let limit = section.seconds(key, 0.0..=3600.0)?;
        Ok(limit.map_or(usual, |limit| (!limit.value.is_zero()).then_some(limit.value)))
    };
    let frozen_after = limit("frozen_seconds", usual.frozen_after)?;
    let black_after = limit("black_seconds", usual.black_after)?;
    let rate = section.number("frames_per_second", 0.1..=120.0)?;
    let timeout = section.seconds("timeout_seconds", 0.5..=60.0)?.map_or(usual.timeout, |time| time.value);
    let frames_per_second = rate.as_ref().map_or(usual.frames_per_second, |rate| rate.value as f32);
    let pause = 1.0 / frames_per_second;
    if pause > timeout.as_secs_f32() {
        let problem = format!(
            "is {frames_per_second}, so {pause} s pass between two frames, more than the timeout of {} s; use a larger timeout_seconds, or more frames",
            timeout.as_secs_f32()
        );
        return Err(section.refuse_any(&rate, problem));
    }
    let config = SourceConfig {
        spec: spec.map_or(usual.spec, |spec| spec.value),
        width: section.whole("width", 64..=4096)?.map_or(usual.width, |width| width.value),
        height: section.whole("height", 64..=4096)?.map_or(usual.height, |height| height.value),
        frames_per_second,
        timeout,
        frozen_after,
        black_after,
    };
    section.finish()?;
    Ok(config)
}

fn models(mut section: Section<'_>) -> Result<ModelOptions, ConfigError> {
    let config = ModelOptions {
        precision: section.choice("precision", &Precision::NAMES)?.unwrap_or_default(),
        int8: section.text("int8")?.map(|path| path.value.into()),
        classifier: section.text("classifier")?.map(|path| path.value.into()),
        detector: section.text("detector")?.map(|path| path.value.into()),
        landmarks: section.text("landmarks")?.map(|path| path.value.into()),
        classifier_input: section
            .whole_or("classifier_input", 32..=512, "auto")?
            .map_or(Input::Auto, |side| side.value.map_or(Input::Auto, Input::Side)),
        threads: section.whole("threads", 1..=64)?.map(|threads| threads.value as u16),
    };
    section.finish()?;
    Ok(config)
}

fn detector(mut section: Section<'_>) -> Result<DetectorConfig, ConfigError> {
    let usual = DetectorConfig::default();
    let mut side = |key, usual| {
        let Some(side) = section.whole(key, 64..=1920)? else { return Ok(usual) };
        if side.value % 32 != 0 {
            let below = side.value / 32 * 32;
            let problem = format!("is {}, not a multiple of 32; use {below} or {}", side.value, below + 32);
            return Err(section.refuse(&side, problem));
        }
        Ok(side.value)
    };
    let (width, height) = (side("width", usual.width)?, side("height", usual.height)?);
    let score_threshold = section
        .number("score_threshold", 0.05..=0.99)?
        .map_or(usual.score_threshold, |threshold| threshold.value as f32);
    section.finish()?;
    Ok(DetectorConfig { width, height, score_threshold })
}

fn gates(section: &mut Section<'_>) -> Result<Gates, ConfigError> {
    let usual = Gates::default();
    let mut number = |key, most, usual: f32| -> Result<_, ConfigError> {
        let written = section.number(key, 0.0..=most)?;
        let value = written.as_ref().map_or(usual, |number| number.value as f32);
        Ok((written, value))
    };
    let (_, min_sharpness) = number("min_sharpness", 64.0, usual.min_sharpness)?;
    let (_, min_contrast) = number("min_contrast", 0.5, usual.min_contrast)?;
    let (darkest, min_brightness) = number("min_brightness", 1.0, usual.min_brightness)?;
    let (brightest, max_brightness) = number("max_brightness", 1.0, usual.max_brightness)?;
    let (_, max_yaw) = number("max_yaw", f64::from(MOST_YAW), usual.max_yaw)?;
    if max_brightness > 0.0 && min_brightness >= max_brightness {
        return Err(match (&darkest, &brightest) {
            (Some(key), _) => section.refuse(
                key,
                format!(
                    "is {min_brightness}, not below max_brightness ({max_brightness}); use less than that"
                ),
            ),
            (None, key) => section.refuse_any(
                key,
                format!(
                    "is {max_brightness}, not above min_brightness ({min_brightness}); use more than that"
                ),
            ),
        });
    }
    Ok(Gates { min_sharpness, min_contrast, min_brightness, max_brightness, max_yaw })
}

fn decision(mut section: Section<'_>) -> Result<(Rules, Gates), ConfigError> {
    let usual = Rules::default();
    let ignore_below = section.number("ignore_below", 0.0..=1000.0)?;
    let min_face_side = section.number("min_face_side", 8.0..=1000.0)?;
    let gates = gates(&mut section)?;
    let certainty = section.number("certainty", 0.5..=0.999)?;
    let incorrect = section.choice("incorrect", &IncorrectMeans::NAMES)?;
    let votes = section.whole("votes", 1..=50)?;
    let window = section.whole("window", 1..=50)?;
    let hold = section.seconds("hold_seconds", 0.0..=3600.0)?;
    let re_arm = section.seconds("re_arm_seconds", 0.5..=3600.0)?;
    let linger = section.seconds("linger_seconds", 0.0..=60.0)?;
    let look_after = section.seconds("look_after_seconds", 0.0..=60.0)?;
    let recheck = section.seconds("recheck_seconds", 0.0..=60.0)?;
    let rules = Rules {
        ignore_below: Sourced::or(&ignore_below, f64::from(usual.ignore_below)) as f32,
        min_face_side: Sourced::or(&min_face_side, f64::from(usual.min_face_side)) as f32,
        certainty: Sourced::or(&certainty, f64::from(usual.certainty)) as f32,
        incorrect: incorrect.unwrap_or(usual.incorrect),
        votes: votes.as_ref().map_or(usual.votes, |votes| votes.value as usize),
        window: window.as_ref().map_or(usual.window, |window| window.value as usize),
        hold: Sourced::or(&hold, usual.hold),
        re_arm: Sourced::or(&re_arm, usual.re_arm),
        linger: Sourced::or(&linger, usual.linger),
        look_after: Sourced::or(&look_after, usual.look_after),
        recheck: Sourced::or(&recheck, usual.recheck),
    };
    // Of two keys that contradict each other the one that was written is named, so the line is one that
    // exists.
    if rules.votes > rules.window {
        let (Rules { votes: v, window: w, .. }, most) = (&rules, rules.window);
        return Err(match (&votes, &window) {
            (Some(votes), _) => section.refuse(
                votes,
                format!("is {v}, more than the window of {w}; use at most {most}, or a larger window"),
            ),
            (None, window) => section
                .refuse_any(window, format!("is {w}, less than the {v} votes needed; use at least {v}")),
        });
    }
    if rules.ignore_below > rules.min_face_side {
        let (ignored, judged) = (rules.ignore_below, rules.min_face_side);
        return Err(match (&ignore_below, &min_face_side) {
            (Some(key), _) => section.refuse(
                key,
                format!("is {ignored}, more than min_face_side ({judged}); use at most {judged}"),
            ),
            (None, key) => section.refuse_any(
                key,
                format!("is {judged}, less than ignore_below ({ignored}); set that lower too"),
            ),
        });
    }
    if rules.linger > rules.re_arm {
        let (linger_for, absent_for) = (rules.linger.as_secs_f64(), rules.re_arm.as_secs_f64());
        return Err(match (&linger, &re_arm) {
            (Some(key), _) => section.refuse(
                key,
                format!("is {linger_for}, more than re_arm_seconds ({absent_for}); use at most {absent_for}"),
            ),
            (None, key) => section.refuse_any(
                key,
                format!(
                    "is {absent_for}, less than linger_seconds ({linger_for}); use at least {linger_for}"
                ),
            ),
        });
    }
    section.finish()?;
    Ok((rules, gates))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
