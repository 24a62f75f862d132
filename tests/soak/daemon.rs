//! The daemon under test: the real `maskwatch run` in a process of its own, what it says with the time, and
//! what it costs.

use crate::plan::monotonic;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A line of the log, in seconds of the plan's clock.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) at: f64,
    pub(crate) text: String,
}

/// What the process uses at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    /// The format of the frames at that time.
    pub(crate) format: &'static str,
    /// Resident memory in KiB.
    pub(crate) memory: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    log: Arc<Mutex<Vec<Line>>>,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    pub(crate) fn start(config: &Path, start: f64) -> Result<Self, String> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_maskwatch"))
            .args(["run", "--dry-run", "--config"])
            .arg(config)
            .env("RUST_LOG", "maskwatch=debug")
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", env!("CARGO_BIN_EXE_maskwatch")))?;
        let log: Arc<Mutex<Vec<Line>>> = Arc::default();
        let theirs = Arc::clone(&log);
        let stderr = child.stderr.take().ok_or("the daemon has no standard error")?;
        let read = move || {
            for text in BufReader::new(stderr).lines().map_while(Result::ok) {
                let line = Line { at: monotonic() - start, text };
                theirs.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        };
        Ok(Self { child, log, reader: Some(std::thread::spawn(read)) })
    }

    pub(crate) fn log(&self) -> Vec<Line> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn send(&self, signal: libc::c_int) {
        send(self.child.id(), signal);
    }

    /// Whether it has ended by itself, which it must not.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn measure(&self, format: &'static str) -> Option<Use> {
        let folder = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{folder}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let files = std::fs::read_dir(format!("{folder}/fd")).ok()?.count() as u64;
        Some(Use { format, memory: field("VmRSS:")?, threads: field("Threads:")?, files })
    }

    /// Asks it to end, as systemd does; what it said in all, and how it ended, `None` if it had to be killed.
    pub(crate) fn stop(mut self) -> (Vec<Line>, Option<ExitStatus>) {
        self.send(libc::SIGTERM);
        let limit = Instant::now() + Duration::from_secs(20);
        let mut status = None;
        while status.is_none() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(20));
            status = self.child.try_wait().ok().flatten();
        }
        if status.is_none() {
            let _ = self.child.kill();
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        (self.log(), status)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Where it has ended already, this says so and does nothing. A stopped one is killed too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends `signal` to a process that this program, or the daemon that it started, has started.
pub(crate) fn send(process: u32, signal: libc::c_int) {
    let Ok(process @ 2..) = libc::pid_t::try_from(process) else { return };
    // SAFETY: kill takes two integers and touches no memory of ours.
    unsafe {
        libc::kill(process, signal);
    }
}

/// Whether a process runs or could, and is what we started: its command line names `marker`.
pub(crate) fn lives(process: u32, marker: &str) -> bool {
    let read = |file: &str| std::fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&read("cmdline")).contains(marker)
        && !String::from_utf8_lossy(&read("stat")).contains(") Z ")
}
