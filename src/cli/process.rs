//! What the process as a whole needs: its log, its signals, its heap.

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
