//! `maskwatch run`: the daemon in the foreground, as systemd or a terminal starts it.

use super::Outcome;
use crate::config::Config;
use crate::daemon::{Daemon, Ended, Flags, STALL, Service, SystemClock, Watch};
use crate::outputs::{self, Backend, Outputs, Panel};
use crate::source::{self, Options, Source, SourceSpec};
use crate::vision::Networks;
use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Read when no configuration is named.
const USUAL_CONFIG: &str = "/etc/maskwatch/maskwatch.toml";

/// The configuration file and what the command line changes about its outputs.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// Configuration file; by default /etc/maskwatch/maskwatch.toml if there is one, else the built-in
    /// defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How pins are driven, instead of outputs.backend
    #[arg(long, value_name = "BACKEND", value_parser = backend_parser())]
    backend: Option<Backend>,
    /// GPIO chip by label, name or path, instead of outputs.chip
    #[arg(long, value_name = "CHIP")]
    chip: Option<String>,
}

/// Arguments of `maskwatch run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where frames come from, instead of source.spec: a camera (/dev/video0), a picture or folder,
    /// `command: …`
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Drive no pins: the same as --backend simulated
    #[arg(long, conflicts_with = "backend")]
    dry_run: bool,
    /// Check the configuration, say what is wrong with it, and end
    #[arg(long)]
    check: bool,
}

impl ConfigArgs {
    /// The file's configuration with the command line's changes.
    pub(super) fn load(&self) -> anyhow::Result<Config> {
        let usual = Path::new(USUAL_CONFIG);
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None if usual.exists() => Config::load(usual)?,
            None => Config::default(),
        };
        config.outputs.backend = self.backend.unwrap_or(config.outputs.backend);
        config.outputs.chip = self.chip.clone().or(config.outputs.chip);
        Ok(config)
    }
}

fn backend_parser() -> impl clap::builder::TypedValueParser<Value = Backend> {
    use clap::builder::TypedValueParser;
    clap::builder::PossibleValuesParser::new(Backend::NAMES.map(|(name, _)| name)).map(|name| {
        Backend::NAMES
            .into_iter()
            .find(|(known, _)| *known == name)
            .map_or(Backend::Auto, |(_, backend)| backend)
    })
}

impl Args {
    fn load(&self) -> anyhow::Result<Config> {
        let mut config = self.config.load()?;
        if let Some(spec) = &self.source {
            config.source.spec.clone_from(spec);
        }
        if self.dry_run {
            config.outputs.backend = Backend::Simulated;
        }
        Ok(config)
    }
}

/// Lets all threads share one heap. The C library would give each its own, and every camera that is opened
/// has a new thread, so that frames would be freed into heaps that nobody uses again: some megabytes over an
/// hour of reopening.
fn keep_memory_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a call without pointers, made before the daemon has threads; if it fails, all stays as it is.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

pub(crate) fn run(args: Args) -> Outcome {
    let mut config = args.load()?;
    if args.check {
        config.source.spec.parse::<SourceSpec>().context("source.spec")?;
        super::print("the configuration is fine\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    start_log();
    keep_memory_small();
    let stop = stop_flag()?;
    let reload = Arc::new(AtomicBool::new(false));
    flag::register(SIGHUP, Arc::clone(&reload)).context("SIGHUP cannot be handled")?;

    // Pins first: they are off from here on, whatever comes.
    let outputs = open_outputs(&config, &stop)?;
    let watch = Watch::new(Box::new(Networks::load(&config)?), config.decision.clone());
    let mut service = Service::from_environment();
    let longest_pause = service.longest_pause();
    let source = open_source(&config, longest_pause)?;
    log::info!("watching {}", source.describe());
    let clock = SystemClock::start();
    let mut daemon = Daemon::new(source, watch, outputs, config.source.timeout, &clock);
    service.ready(&daemon.status());
    loop {
        match daemon.run(Flags { stop: &stop, reload: &reload }, &mut service)? {
            Ended::Reload => {
                service.reloading();
                let changed =
                    args.load().and_then(|new| change(&mut daemon, &config, &new, longest_pause, &stop));
                match changed {
                    Ok(changed) => config = changed,
                    Err(error) => log::error!("the configuration stays as it was: {error:#}"),
                }
                service.ready(&daemon.status());
            }
            ended => {
                service.stopping();
                daemon.outputs.stop()?;
                log::info!("{}", if ended == Ended::Stopped { "stopped" } else { "the source has ended" });
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// Replaces the parts of `daemon` whose configuration differs. Everything that can fail is made before
/// anything is replaced, but for pins: those of the old configuration have to be let go first.
fn change(
    daemon: &mut Daemon<'_>,
    old: &Config,
    new: &Config,
    longest_pause: Duration,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<Config> {
    let networks = if (&old.models, &old.detector) == (&new.models, &new.detector) {
        None
    } else {
        Some(Box::new(Networks::load(new)?))
    };
    let source = if old.source == new.source { None } else { Some(open_source(new, longest_pause)?) };
    if (old.outputs.backend, &old.outputs.chip) == (new.outputs.backend, &new.outputs.chip) {
        daemon.outputs.reconfigure(new.outputs.outputs.clone(), new.outputs.button)?;
    } else {
        daemon.outputs.release();
        match open_outputs(new, stop) {
            Ok(outputs) => daemon.outputs = outputs,
            Err(error) => {
                daemon.outputs = open_outputs(old, stop)?;
                return Err(error);
            }
        }
    }
    if let Some(networks) = networks {
        daemon.watch.set_vision(networks);
    }
    if let Some(source) = source {
        log::info!("watching {}", source.describe());
        daemon.source = source;
    }
    daemon.timeout = new.source.timeout;
    daemon.watch.set_rules(new.decision.clone());
    log::info!("the configuration was read anew");
    Ok(new.clone())
}

fn open_source(config: &Config, longest_pause: Duration) -> anyhow::Result<Box<dyn Source>> {
    let spec: SourceSpec = config.source.spec.parse()?;
    let options = Options {
        size: (config.source.width, config.source.height),
        frames_per_second: Some(config.source.frames_per_second),
        frozen_after: config.source.frozen_after,
        black_after: config.source.black_after,
        longest_pause,
        ..Options::default()
    };
    Ok(source::open(&spec, &options)?)
}

/// Opens the configured pins and starts the thread that refreshes them.
pub(super) fn open_outputs(config: &Config, stop: &Arc<AtomicBool>) -> anyhow::Result<Outputs> {
    let config = &config.outputs;
    let driver = outputs::open(config.backend, config.chip.as_deref())?;
    log::info!("outputs: {}", driver.describe());
    let panel = Panel::open(driver, &config.outputs, config.button)?;
    Ok(Outputs::start(panel, Arc::clone(stop), STALL)?)
}

/// A flag that becomes true on SIGTERM or SIGINT. The second one ends the process at once, in case the first
/// could not.
pub(super) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .context("SIGTERM and SIGINT cannot be handled")?;
    }
    Ok(stop)
}

/// Logs to standard error: for the journal with its priorities and without times (it has its own), else for
/// people.
pub(super) fn start_log() {
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.format(|out, record| {
            let priority = match record.level() {
                log::Level::Error => 3,
                log::Level::Warn => 4,
                log::Level::Info => 6,
                log::Level::Debug | log::Level::Trace => 7,
            };
            writeln!(out, "<{priority}>{}", record.args())
        });
    } else {
        builder.format_target(false).format_timestamp_millis();
    }
    // Only fails where a logger is set already, which is as good.
    let _ = builder.try_init();
}
