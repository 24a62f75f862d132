//! `maskwatch run`: the daemon in the foreground, as systemd or a terminal starts it.

use super::configuration::ConfigArgs;
use super::outcome::{Outcome, print};
use super::process::{ENDING, keep_memory_small, start_log, stop_flag};
use crate::config::{ClockTrust, Config};
use crate::daemon::listeners::socket::place;
use crate::daemon::listeners::{
    Counts, Hooks, Listener, Log, Metrics, Notice, Service, Socket, counts, problems,
};
#[cfg(feature = "mqtt")]
use crate::daemon::listeners::{DayCounts, Mqtt};
use crate::daemon::{
    Clock, Daemon, DrivenPins, Ended, Flags, Listeners, Opener, OrderSender, SystemClock, SystemWallClock,
    door_name, orders,
};
use crate::outputs::Backend;
use crate::source::SourceSpec;
use crate::text::flattened;
use anyhow::Context;
use signal_hook::consts::SIGHUP;
use signal_hook::flag;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Arguments of `maskwatch run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where frames come from, instead of source.spec: a camera (/dev/video0, `camera` for the first one,
    /// csi), an address (rtsp://…), a video, a picture or folder, `command: …`
    #[arg(long, value_name = "SOURCE")]
    source: Option<SourceSpec>,
    /// Drive no pins: the same as --backend simulated
    #[arg(long, conflicts_with = "backend")]
    dry_run: bool,
    /// Check the configuration and the files that it names, say what is wrong, and end
    #[arg(long)]
    check: bool,
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

/// Says what should be mended, also of the files that the listeners need. These are looked at in a thread of
/// its own: a disk that hangs must not hold up the door.
fn warn(config: &Config) {
    config.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    let config = config.clone();
    let examined = std::thread::Builder::new().name("examine".into()).spawn(move || {
        let problems = problems(&config);
        let new = problems.iter().filter(|problem| !config.warnings.contains(problem));
        new.for_each(|problem| log::warn!("{problem}"));
    });
    if let Err(error) = examined {
        log::warn!(
            "the files of broker, page and metrics are not examined: no thread could be started ({error})"
        );
    }
}

/// Opens the local socket that `config` wants. A door without one works all the same.
fn listen(listeners: &mut Listeners, config: &Config, orders: &OrderSender) {
    let Some(path) = place::wanted(&config.socket) else { return };
    let opened = Socket::open(&path, orders.clone()).and_then(|socket| {
        listeners.add(socket).map_err(|error| format!("the socket's thread could not be started: {error}"))
    });
    match opened {
        Ok(()) => log::info!("listening at {}", path.display()),
        Err(problem) => log::error!("{problem}"),
    }
}

/// Shows the web page that `config` wants. A door without one works all the same.
#[cfg(feature = "web")]
fn show(listeners: &mut Listeners, config: &Config, daemon: &Daemon<'_>, now: Duration, ways: &WaysIn) {
    use crate::daemon::listeners::web::{Web, WebParts};
    listeners.set_window(None);
    if !config.web.enabled {
        return;
    }
    let (orders, reload) = (ways.orders.clone(), Arc::clone(&ways.reload));
    let parts = WebParts { door: door_name(), orders, reload, counts: &config.counts };
    let opened = Web::open(&config.web, parts).and_then(|mut web| {
        let window = web.window();
        daemon.recount(|event| web.hear(now, &event.into()));
        listeners.add(web).map_err(|error| format!("the web page's thread could not be started: {error}"))?;
        listeners.set_window(window);
        Ok(())
    });
    if let Err(problem) = opened {
        log::error!("there is no web page: {problem}");
    }
}

#[cfg(not(feature = "web"))]
fn show(_: &mut Listeners, config: &Config, _: &Daemon<'_>, _: Duration, _: &WaysIn) {
    if config.web.enabled {
        log::error!("there is no web page: this program was built without the feature web");
    }
}

/// By which listeners steer the daemon.
#[cfg_attr(not(feature = "web"), allow(dead_code, reason = "the web page alone uses them"))]
struct WaysIn {
    orders: OrderSender,
    /// Set to read the configuration anew.
    reload: Arc<AtomicBool>,
}

/// Counts where `config` wants it.
fn count(listeners: &mut Listeners, config: &Config) -> anyhow::Result<()> {
    let Some(path) = counts::wanted(&config.counts) else { return Ok(()) };
    let clock = SystemWallClock::new(config.clock == ClockTrust::Always);
    listeners
        .add(Counts::open(&path, Box::new(clock)))
        .context("the thread of the counts could not be started")
}

/// Runs the hooks that `config` wants.
fn hook(listeners: &mut Listeners, config: &Config) -> anyhow::Result<()> {
    if config.hooks.is_empty() {
        return Ok(());
    }
    let clock = SystemWallClock::new(config.clock == ClockTrust::Always);
    Hooks::start(&config.hooks, door_name(), Box::new(clock))
        .and_then(|hooks| listeners.add(hooks))
        .context("the threads of the hooks could not be started")
}

/// Offers the metrics that `config` wants.
fn measure(
    listeners: &mut Listeners,
    config: &Config,
    daemon: &Daemon<'_>,
    now: Duration,
) -> anyhow::Result<()> {
    if !config.metrics.is_on() {
        return Ok(());
    }
    let mut metrics = Metrics::start(&config.metrics, door_name(), listeners.losses(), now)?;
    daemon.recount(|event| metrics.hear(now, &event.into()));
    listeners.add(metrics).context("the thread of the metrics could not be started")
}

/// Tells the broker that `config` names, if there is one.
#[cfg(feature = "mqtt")]
fn publish(
    listeners: &mut Listeners,
    config: &Config,
    daemon: &Daemon<'_>,
    now: Duration,
    orders: &OrderSender,
) -> anyhow::Result<()> {
    let Some(mqtt) = &config.mqtt else { return Ok(()) };
    let clock = || Box::new(SystemWallClock::new(config.clock == ClockTrust::Always));
    let days = counts::wanted(&config.counts).map(|path| DayCounts::new(path, clock()));
    let folder = crate::daemon::state_folder();
    let started = Mqtt::start_counting(mqtt, &door_name(), folder.as_deref(), orders.clone(), clock(), days);
    let told = started.and_then(|listener| {
        // These were events for the listener before.
        daemon.recount(|event| listener.learn(now, &event.into()));
        listeners.add(listener)
    });
    told.context("the threads for the broker could not be started")
}

#[cfg(not(feature = "mqtt"))]
fn publish(
    _: &mut Listeners,
    _: &Config,
    _: &Daemon<'_>,
    _: Duration,
    _: &OrderSender,
) -> anyhow::Result<()> {
    Ok(())
}

pub(crate) fn run(args: Args) -> Outcome {
    start_log();
    let mut config = args.load()?;
    if args.check {
        let mut problems = problems(&config);
        for warning in config.warnings.iter().filter(|warning| !problems.contains(warning)) {
            let _ = writeln!(std::io::stderr(), "{}", flattened(&format!("warning: {warning}")));
        }
        Opener::check(&config)?;
        if let Some(last) = problems.pop() {
            for problem in problems {
                let _ = writeln!(std::io::stderr(), "{}", flattened(&format!("error: {problem}")));
            }
            anyhow::bail!(last);
        }
        print("the configuration is fine\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    keep_memory_small();
    warn(&config);
    let stop = stop_flag(&ENDING)?;
    let reload = Arc::new(AtomicBool::new(false));
    flag::register(SIGHUP, Arc::clone(&reload)).context("SIGHUP cannot be handled")?;

    let service = Service::from_environment();
    let opener = Opener {
        stop: Arc::clone(&stop),
        longest_pause: service.longest_pause(),
        driven: DrivenPins::of_service(),
    };
    let clock = SystemClock::start();
    let mut daemon = opener.daemon(&config, &clock)?;
    let mut listeners = Listeners::default();
    listeners.add(Log::default()).context("the log's thread could not be started")?;
    listeners.add(service).context("the service manager's thread could not be started")?;
    let (sender, received) = orders();
    daemon.orders = received;
    listen(&mut listeners, &config, &sender);
    let ways = WaysIn { orders: sender.clone(), reload: Arc::clone(&reload) };
    show(&mut listeners, &config, &daemon, clock.now(), &ways);
    count(&mut listeners, &config)?;
    hook(&mut listeners, &config)?;
    measure(&mut listeners, &config, &daemon, clock.now())?;
    publish(&mut listeners, &config, &daemon, clock.now(), &sender)?;
    listeners.tell(clock.now(), &Notice::Configured(Arc::new(config.clone())));
    listeners.tell(clock.now(), &Notice::Ready(daemon.status().into()));
    loop {
        match daemon.run(Flags { stop: &stop, reload: &reload }, &mut listeners)? {
            Ended::Reload => {
                listeners.tell(clock.now(), &Notice::Reloading);
                match args.load().and_then(|new| {
                    opener.replace(&mut daemon, &config, &new)?;
                    Ok(new)
                }) {
                    Ok(new) => {
                        warn(&new);
                        if new.socket != config.socket {
                            listeners.remove("socket");
                            listen(&mut listeners, &new, &sender);
                        }
                        if (&new.web, &new.counts) != (&config.web, &config.counts) {
                            listeners.remove("web");
                            show(&mut listeners, &new, &daemon, clock.now(), &ways);
                        }
                        if (&new.counts, new.clock) != (&config.counts, config.clock) {
                            listeners.remove("counts");
                            count(&mut listeners, &new)?;
                        }
                        if (&new.hooks, new.clock) != (&config.hooks, config.clock) {
                            listeners.remove("hooks");
                            hook(&mut listeners, &new)?;
                        }
                        if new.metrics != config.metrics {
                            listeners.remove("metrics");
                            measure(&mut listeners, &new, &daemon, clock.now())?;
                        }
                        if (&new.mqtt, &new.counts, new.clock) != (&config.mqtt, &config.counts, config.clock)
                        {
                            listeners.remove("mqtt");
                            publish(&mut listeners, &new, &daemon, clock.now(), &sender)?;
                        }
                        config = new;
                        listeners.tell(clock.now(), &Notice::Configured(Arc::new(config.clone())));
                        log::info!("the configuration was reloaded");
                    }
                    Err(error) => {
                        listeners.tell(clock.now(), &Notice::Refused(format!("{error:#}").into()));
                    }
                }
                listeners.tell(clock.now(), &Notice::Ready(daemon.status().into()));
            }
            ended => {
                listeners.tell(clock.now(), &Notice::Stopping);
                daemon.outputs.stop()?;
                listeners.finish();
                log::info!("{}", if ended == Ended::Stopped { "stopped" } else { "the source has ended" });
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}
