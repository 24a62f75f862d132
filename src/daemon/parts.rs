//! Opens the parts of the daemon that a configuration names, and replaces those that another one names
//! differently.

use super::clock::Clock;
use super::driven::DrivenPins;
use super::quiet::QuietTimes;
use super::run::{Daemon, FramePace, STALL};
use super::wall::SystemWallClock;
use super::watch::Watch;
use crate::config::{ClockTrust, Config, SourceConfig};
use crate::nn::NetworkError;
use crate::outputs::{self, OutputError, Outputs, Panel};
use crate::source::{self, Options, Source, SourceError, SourceSpec};
use crate::vision::Chain;
use crate::vision::models::Models;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Why a part could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The outputs.
    #[error(transparent)]
    Outputs(#[from] OutputError),
    /// The networks.
    #[error(transparent)]
    Networks(#[from] NetworkError),
}

/// Opens parts.
#[derive(Debug, Clone)]
pub struct Opener {
    /// The outputs go off when this is true; see [`super::Flags::stop`].
    pub stop: Arc<AtomicBool>,
    /// The longest pause between two attempts to open a source that is away.
    pub longest_pause: Duration,
    /// Where driven pins are recorded.
    pub driven: DrivenPins,
}

/// The networks. On which kernels they run is logged.
fn chain(config: &Config) -> Result<Chain, NetworkError> {
    let options = config.vision();
    let models = Models::open(&options.models)?;
    log::info!("the networks run on {}", models.kernels());
    if let Some(hindrance) = models.hindrance() {
        log::warn!("{hindrance}");
    }
    let chain = Chain::new(&models, &options);
    #[cfg(target_os = "linux")]
    super::memory::release_built_in_weights();
    chain
}

impl Opener {
    /// The daemon that `config` describes. Pins come first: they are off from then on, whatever fails
    /// afterwards.
    ///
    /// # Errors
    /// When a part cannot be opened.
    pub fn daemon<'a>(&self, config: &Config, clock: &'a dyn Clock) -> Result<Daemon<'a>, OpenError> {
        let outputs = self.outputs(config)?;
        let watch = Watch::configured(Box::new(chain(config)?), config);
        let source = self.source(config)?;
        let mut daemon = Daemon::new(source, watch, outputs, FramePace::from(&config.source), clock);
        daemon.quiet = Some(quiet_times(config));
        Ok(daemon)
    }

    /// Opens what [`daemon`](Self::daemon) takes from files, the networks and a folder of pictures, and lets
    /// it go again: what a daemon would refuse, a check of the configuration must refuse too. No device is
    /// touched.
    ///
    /// # Errors
    /// When a part cannot be opened.
    pub fn check(config: &Config) -> Result<(), OpenError> {
        Chain::load(&config.vision())?;
        if let SourceSpec::Pictures(_) = config.source.spec {
            source::open_once(&config.source.spec, &Options::default())?;
        }
        Ok(())
    }

    /// The configured pins, refreshed by a thread of their own.
    ///
    /// # Errors
    /// When a pin cannot be opened.
    pub fn outputs(&self, config: &Config) -> Result<Outputs, OpenError> {
        let config = &config.outputs;
        self.driven.switch_off_others(config);
        let driver = outputs::open(config.access())?;
        log::info!("outputs: {}", driver.describe());
        // Before any of them is driven; an attempt that fails leaves what was driven in the record.
        self.driven.add(config);
        let panel = Panel::open(driver, &config.outputs, config.button)?;
        self.driven.record(config);
        Ok(Outputs::start(panel, Arc::clone(&self.stop), STALL)?)
    }

    fn source(&self, config: &Config) -> Result<Box<dyn Source>, OpenError> {
        let source = source::open(&config.source.spec, &self.options(&config.source))?;
        log::info!("watching {}", source.describe());
        Ok(source)
    }

    fn options(&self, config: &SourceConfig) -> Options {
        Options { longest_pause: self.longest_pause, ..config.options() }
    }

    /// Replaces the parts of `daemon` in which `new` differs from `old`. What can fail is made before
    /// anything is replaced, but for pins: those of the old configuration have to be let go first. If the new
    /// ones cannot be opened, the old ones are opened again.
    ///
    /// # Errors
    /// When a part cannot be opened; the daemon goes on as it was.
    pub fn replace(&self, daemon: &mut Daemon<'_>, old: &Config, new: &Config) -> Result<(), OpenError> {
        let chain = if old.vision() == new.vision() { None } else { Some(chain(new)?) };
        let source = if old.source == new.source { None } else { Some(self.source(new)?) };
        if old.outputs.access() == new.outputs.access() {
            self.driven.add(&new.outputs);
            let outcome = daemon.outputs.reconfigure(new.outputs.outputs.clone(), new.outputs.button);
            self.driven.record(if outcome.is_ok() { &new.outputs } else { &old.outputs });
            outcome?;
        } else {
            daemon.outputs.release();
            match self.outputs(new) {
                Ok(outputs) => daemon.outputs = outputs,
                Err(error) => {
                    daemon.outputs = self.outputs(old)?;
                    return Err(error);
                }
            }
        }
        if let Some(chain) = chain {
            daemon.watch.set_vision(Box::new(chain));
        }
        if let Some(source) = source {
            daemon.source = source;
        }
        daemon.set_pace(FramePace::from(&new.source));
        match &mut daemon.quiet {
            Some(quiet) if old.clock == new.clock => quiet.set_hours(new.quiet.clone()),
            quiet => *quiet = Some(quiet_times(new)),
        }
        daemon.watch.set_rules(new.decision.clone());
        daemon.watch.skip_still(new.detector.skip_still);
        Ok(())
    }
}

fn quiet_times(config: &Config) -> QuietTimes {
    let clock = SystemWallClock::new(config.clock == ClockTrust::Always);
    QuietTimes::new(config.quiet.clone(), Box::new(clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_opened_with_everything_that_is_configured() {
        let text = "[source]\nwidth = 320\nheight = 200\nframes_per_second = 3\ntimeout_seconds = 4\nfrozen_seconds = 21\n\
                    frozen_command_seconds = 22\nblack_seconds = 23\nblind_seconds = 24\ntampered_seconds = 25\nrotate = 90\n\
                    [source.controls]\ngain = 7\n";
        let config = Config::parse(text, "door.toml").unwrap();
        let opener = Opener {
            stop: Arc::default(),
            longest_pause: Duration::from_secs(26),
            driven: DrivenPins::default(),
        };
        let (seconds, usual) = (Duration::from_secs, Options::default());
        assert!(config.source.turn != usual.turn && config.source.controls != usual.controls);
        let expected = Options {
            size: (320, 200),
            turn: config.source.turn,
            controls: config.source.controls,
            frames_per_second: Some(3.0),
            repeat: false,
            timeout: seconds(4),
            frozen_after: Some(seconds(21)),
            frozen_command_after: Some(seconds(22)),
            black_after: Some(seconds(23)),
            blind_after: Some(seconds(24)),
            tampered_after: Some(seconds(25)),
            longest_pause: seconds(26),
        };
        assert_eq!(opener.options(&config.source), expected);
    }
}
