//! The configuration as a whole.

use super::counts::{self, ClockTrust};
use super::detector::{self, DetectorConfig};
use super::error::ConfigError;
use super::files::ConfigFiles;
use super::hooks::{self, Hook};
use super::layers::SourceText;
use super::metrics::{self, MetricsConfig};
use super::mqtt::{self, MqttConfig};
use super::outputs::{self, OutputsConfig};
use super::place::PathChoice;
use super::quiet::{self, QuietHours};
use super::reader::Section;
use super::salvage::{self, Salvaged};
use super::source::{self, SourceConfig};
use super::web::{self, WebCommand, WebConfig};
use super::{decision, drawn, models, socket, zones};
use crate::decide::Rules;
use crate::outputs::{Output, Pattern};
use crate::vision::ChainOptions;
use crate::vision::models::ModelOptions;
use crate::vision::quality::Gates;
use crate::vision::zones::Zones;
use std::path::Path;

/// The default configuration, which documents every key. It is installed as /etc/maskwatch/maskwatch.toml.
pub const DOCUMENTED: &str = include_str!("../../systemd/maskwatch.toml");

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Section `[source]`.
    pub source: SourceConfig,
    /// Section `[models]`.
    pub models: ModelOptions,
    /// Section `[detector]`.
    pub detector: DetectorConfig,
    /// Section `[decision]`: the rules over time.
    pub decision: Rules,
    /// Section `[decision]`: the quality gates.
    pub gates: Gates,
    /// Section `[zones]`: where faces count.
    pub zones: Zones,
    /// Sections `[outputs]` and `[button]`.
    pub outputs: OutputsConfig,
    /// Section `[socket]`.
    pub socket: PathChoice,
    /// Section `[counts]`.
    pub counts: PathChoice,
    /// Section `[metrics]`.
    pub metrics: MetricsConfig,
    /// Section `[clock]`.
    pub clock: ClockTrust,
    /// Section `[quiet]`: hours in which the door is silent or off.
    pub quiet: Vec<QuietHours>,
    /// Section `[mqtt]`; `None` without a broker.
    pub mqtt: Option<MqttConfig>,
    /// Sections `[[hook]]`.
    pub hooks: Vec<Hook>,
    /// Section `[web]`: the page in a browser.
    pub web: WebConfig,
    /// What is accepted but should be mended, each in one sentence.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads and checks the configuration file `path`, with the drop-in files beside it.
    ///
    /// # Errors
    /// [`ConfigError`], one sentence.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Ok(Self::of_files(&ConfigFiles::read(path)?)?.with_drawn_zones())
    }

    /// The same with the zones that were drawn in the web page, where it may write zones and there are any. A
    /// damaged file of them must not keep a door from working: it does not count, and a warning says so.
    #[must_use]
    pub fn with_drawn_zones(mut self) -> Self {
        if !self.web.allows(WebCommand::Zones) {
            return self;
        }
        match drawn::read_drawn(&self.web.zones_file) {
            Ok(Some(drawn)) => {
                if !self.zones.0.is_empty() && self.zones != drawn {
                    self.warnings.push(format!(
                        "the zones in {} count, not those in the configuration; remove that file to go back",
                        self.web.zones_file.display()
                    ));
                }
                self.zones = drawn;
            }
            Ok(None) => {}
            Err(problem) => self.warnings.push(problem),
        }
        self
    }

    /// Checks the configuration that `files` are together.
    ///
    /// # Errors
    /// [`ConfigError`], one sentence.
    pub fn of_files(files: &ConfigFiles) -> Result<Self, ConfigError> {
        Self::of(&files.texts())
    }

    /// The outputs of the file `path` and its drop-in files, though they may be refused as a whole: what can
    /// be read of their wiring. `None` if there is nothing of the kind.
    #[must_use]
    pub fn salvage_outputs(path: &Path) -> Option<Salvaged> {
        salvage::salvage(&ConfigFiles::salvage(path))
    }

    /// Whether its zones are those that were drawn in the web page.
    #[must_use]
    pub fn has_drawn_zones(&self) -> bool {
        self.web.allows(WebCommand::Zones)
            && drawn::read_drawn(&self.web.zones_file).is_ok_and(|drawn| drawn.is_some())
    }

    /// What is wrong if the page and the metrics are to listen at one address and port.
    #[must_use]
    pub fn shared_address(&self) -> Option<String> {
        let address = self.metrics.listen.filter(|address| self.web.is_in_the_way_of(*address))?;
        let page = self.web.listen;
        Some(format!(
            "metrics.listen is {address}, where web.listen ({page}) is in the way; give them different ports"
        ))
    }

    /// The networks and gates of this configuration.
    #[must_use]
    pub fn vision(&self) -> ChainOptions {
        ChainOptions {
            models: self.models.clone(),
            detector_input: (self.detector.width, self.detector.height),
            close_faces: self.detector.close_faces,
            score_threshold: self.detector.score_threshold,
            gates: self.gates,
            zones: self.zones.clone(),
        }
    }

    /// Reads and checks the configuration `text`; errors name the file `name`.
    ///
    /// # Errors
    /// [`ConfigError`], one sentence.
    ///
    /// ```
    /// use maskwatch::config::Config;
    /// let error = Config::parse("[decision]\nwindow_seconds = 0.3\n", "door.toml").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "door.toml line 2: decision.window_seconds is 0.3, shorter than evidence_seconds (0.4); \
    ///      use at least 0.4"
    /// );
    /// ```
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        Self::of(&[SourceText { text, file: name }])
    }

    /// Reads and checks the configuration that `texts` are together, the main file first.
    fn of(texts: &[SourceText<'_>]) -> Result<Self, ConfigError> {
        let mut root = Section::merged(texts)?;
        let (source, mut warnings) = source::source(root.section("source")?)?;
        let models = models::models(root.section("models")?)?;
        let detector = detector::detector(root.section("detector")?)?;
        let (decision, gates, more) = decision::decision(root.section("decision")?)?;
        warnings.extend(more);
        let (web, more) = web::web(root.section("web")?)?;
        warnings.extend(more);
        let (metrics, more) = metrics::metrics(root.section("metrics")?)?;
        warnings.extend(more);
        let (mqtt, more) = mqtt::mqtt(root.section("mqtt")?)?;
        warnings.extend(more);
        let may_hold = !decision.pass_hold.is_zero();
        let mut config = Self {
            source,
            models,
            detector,
            decision,
            gates,
            zones: zones::zones(root.section("zones")?)?,
            outputs: outputs::outputs(root.section("outputs")?, may_hold)?,
            socket: socket::socket(root.section("socket")?)?,
            counts: counts::counts(root.section("counts")?)?,
            metrics,
            clock: counts::clock(root.section("clock")?)?,
            quiet: quiet::quiet(root.section("quiet")?)?,
            mqtt,
            hooks: hooks::hooks(root.list("hook")?)?,
            web,
            warnings,
        };
        config.outputs.button = outputs::button(root.optional_section("button")?, &config.outputs)?;
        let name = texts.first().map_or("", |main| main.file);
        config.warnings.extend(config.shared_address());
        let holds = |output: &Output| output.patterns.pass_hold() != Pattern::Off;
        if may_hold && !config.outputs.outputs.iter().any(holds) {
            config.warnings.push(format!(
                "{name}: decision.pass_hold_seconds has no effect: no output has a pattern pass_hold; add \
                 pass_hold = \"steady\" to that of the door"
            ));
        }
        root.finish()?;
        Ok(config)
    }
}

#[cfg(test)]
mod any_text;
#[cfg(test)]
mod drop_ins;
#[cfg(test)]
mod older;
#[cfg(test)]
mod tests;
