//! What the process as a whole needs: its log, its signals, its heap.

use super::stderr::{Ceiling, Lines, never_wait};
use crate::text::flattened;
use anyhow::Context;
use env_logger::{Builder, Env, Logger, Target, WriteStyle};
use log::{Level, LevelFilter, Log, Metadata, Record};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use std::ffi::c_int;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Signals that end a daemon. SIGHUP has another meaning there.
pub(super) const ENDING: [c_int; 3] = [SIGTERM, SIGINT, SIGQUIT];
/// Signals that end a command that a person has started: a terminal that is closed sends SIGHUP.
pub(super) const ENDING_OR_CLOSED: [c_int; 4] = [SIGTERM, SIGINT, SIGQUIT, SIGHUP];

/// How long the process has to switch its outputs off after the first signal, before another one ends it at
/// once. Programs such as `timeout` send theirs twice.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether that time has begun.
const GLANCE: Duration = Duration::from_millis(250);

/// A flag that becomes true on each of `signals`. A signal that comes three seconds after the first ends the
/// process at once, in case the first could not.
pub(super) fn stop_flag(signals: &[c_int]) -> anyhow::Result<Arc<AtomicBool>> {
    let (stop, overdue) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    for signal in signals {
        flag::register_conditional_default(*signal, Arc::clone(&overdue))
            .and_then(|_| flag::register(*signal, Arc::clone(&stop)))
            .context("the signals that end the process cannot be handled")?;
    }
    let stopping = Arc::clone(&stop);
    let watch = move || {
        while !stopping.load(Ordering::Relaxed) {
            thread::sleep(GLANCE);
        }
        thread::sleep(PATIENCE);
        overdue.store(true, Ordering::Relaxed);
    };
    thread::Builder::new()
        .name("stop-watch".into())
        .spawn(watch)
        .context("the thread that watches the end could not be started")?;
    Ok(stop)
}

/// Logs to standard error, and never waits for it: for the journal with its priorities and without times (it
/// has its own), else for people. A panic is told in the same way.
pub(super) fn start_log() {
    let mut builder = Builder::from_env(Env::default().default_filter_or("info"));
    if is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()) {
        builder.format(|out, record| {
            let priority = match record.level() {
                Level::Error => 3,
                Level::Warn => 4,
                Level::Info => 6,
                Level::Debug | Level::Trace => 7,
            };
            writeln!(out, "<{priority}>{}", record.args())
        });
    } else {
        builder.format_target(false).format_timestamp_millis();
    }
    // Without a thread for it, it is written as ever.
    if never_wait().is_ok() {
        if std::env::var_os("RUST_LOG_STYLE").is_none() {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let colours = std::io::stderr().is_terminal() && !plain;
            builder.write_style(if colours { WriteStyle::Always } else { WriteStyle::Never });
        }
        builder.target(Target::Pipe(Box::new(Lines)));
    }
    let logger = builder.build();
    let filter = logger.filter();
    let ceiling = Mutex::new(Ceiling::new(Instant::now()));
    // Only fails where a logger is set already, which is as good.
    if log::set_boxed_logger(Box::new(DaemonLog { logger, ceiling })).is_ok() {
        log::set_max_level(filter);
        std::panic::set_hook(Box::new(|panic| {
            let thread = std::thread::current().name().unwrap_or("without a name").to_owned();
            log::error!("thread {thread} {panic}");
        }));
    }
}

/// The log of the process: one line a message, and no more messages than a reader can bear.
struct DaemonLog {
    logger: Logger,
    ceiling: Mutex<Ceiling>,
}

impl DaemonLog {
    fn write(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        self.logger.log(
            &Record::builder()
                .metadata(record.metadata().clone())
                .args(format_args!("{}", flattened(&text)))
                .build(),
        );
    }
}

impl Log for DaemonLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.logger.matches(record) {
            return;
        }
        // Who asks for more than the usual gets all of it.
        if log::max_level() <= LevelFilter::Info {
            let mut ceiling = self.ceiling.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(left_out) = ceiling.admit(Instant::now()) else { return };
            drop(ceiling);
            if left_out > 0 {
                self.write(
                    &Record::builder()
                        .level(Level::Warn)
                        .target(module_path!())
                        .args(format_args!("{left_out} messages were left out: too many came at once"))
                        .build(),
                );
            }
        }
        self.write(record);
    }

    fn flush(&self) {
        super::stderr::finish();
    }
}

/// Whether standard error is the journal: what `stream`, the value of JOURNAL_STREAM, names. The variable is
/// inherited by programs whose standard error is another one.
fn is_journal(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else { return false };
    let (Ok(device), Ok(inode)) = (device.parse::<u64>(), inode.parse::<u64>()) else { return false };
    rustix::fs::fstat(std::io::stderr()).is_ok_and(|stderr| {
        #[allow(clippy::unnecessary_cast, reason = "their types differ from one architecture to another")]
        let named = (stderr.st_dev as u64, stderr.st_ino as u64);
        named == (device, inode)
    })
}

/// Lets all threads share one heap. The C library would give each its own, and every camera that is opened
/// has a new thread, so that frames would be freed into heaps that nobody uses again: some megabytes over an
/// hour of reopening.
pub(super) fn keep_memory_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a call without pointers, made before the daemon has threads; if it fails, all stays as it is.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_believed_only_where_it_is_this_standard_error() {
        let stderr = rustix::fs::fstat(std::io::stderr()).unwrap();
        let (device, inode) = (stderr.st_dev, stderr.st_ino);
        assert!(is_journal(Some(&format!("{device}:{inode}"))));
        let other = inode + 1;
        for stream in [format!("{device}:{other}"), format!("{device}"), "8:".into(), String::new()] {
            assert!(!is_journal(Some(&stream)), "{stream}");
        }
        assert!(!is_journal(None));
    }
}
