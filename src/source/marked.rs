//! Finds what a command has started, wherever it went: a process may leave the command's group (`setsid`) and
//! lose its parent, but it keeps the environment. What clears that too is ended by the service's control
//! group alone, when the service stops.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The variable that holds the mark.
const NAME: &str = "MASKWATCH_COMMAND";
/// How long marked processes are looked for: one may start others while it is ended.
const LIMIT: Duration = Duration::from_secs(1);

/// A variable for the environment of one command, `NAME=VALUE`.
#[derive(Debug)]
pub(super) struct CommandMark(String);

impl CommandMark {
    /// A mark that no other command has, not even one of an earlier daemon with the same number.
    pub(super) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self(format!("{NAME}={}-{time}-{count}.", std::process::id()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Ends all processes with this mark.
    pub(super) fn end_all(&self) {
        let limit = Instant::now() + LIMIT;
        loop {
            let found = self.processes();
            if found.is_empty() {
                return;
            }
            for process in found {
                // It may have ended already, which is as good.
                let _ = kill_process(process, Signal::KILL);
            }
            if Instant::now() >= limit {
                log::warn!("processes that a command has started do not end, not even after SIGKILL");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The processes with this mark, as far as their environments may be read: those of this user.
    fn processes(&self) -> Vec<Pid> {
        let marked = |entry: fs::DirEntry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            variables.any(|variable| variable == self.0.as_bytes()).then(|| Pid::from_raw(number))?
        };
        fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| marked(entry.ok()?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn those_with_the_mark_are_ended_and_no_others() {
        let (mine, other) = (CommandMark::new(), CommandMark::new());
        assert_ne!(mine.as_str(), other.as_str());
        let start = |mark: &CommandMark| {
            let (name, value) = mark.as_str().split_once('=').unwrap();
            Command::new("sleep").arg("60").env(name, value).spawn().unwrap()
        };
        let (mut ended, mut left) = (start(&mine), start(&other));
        let deadline = Instant::now() + Duration::from_secs(30);
        // A child has the environment only from its exec on.
        while mine.processes().is_empty() || other.processes().is_empty() {
            assert!(Instant::now() < deadline, "it was never seen");
            std::thread::sleep(Duration::from_millis(5));
        }
        mine.end_all();
        assert!(!ended.wait().unwrap().success());
        assert!(left.try_wait().unwrap().is_none());
        left.kill().unwrap();
        left.wait().unwrap();
    }
}
