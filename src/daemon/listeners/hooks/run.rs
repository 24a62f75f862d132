//! Runs one program of a hook: bounded in time, memory, open files and output, and ended with all that it has
//! started in its process group.

use crate::config::Hook;
use crate::text::flattened;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, setrlimit};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often it is looked whether a program has ended.
const GLANCE: Duration = Duration::from_millis(20);
/// How long a killed program may take to end; longer only if it hangs inside the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// Bytes of standard error that are remembered, of its end.
const TAIL: usize = 300;
/// Memory that a program may fill, in bytes.
const MEMORY: u64 = 256 << 20;
/// Longest file that it may write, in bytes.
const LONGEST_FILE: u64 = 16 << 20;
/// Files that it may have open.
const FILES: u64 = 64;

/// Runs the program of `hook` with `input` on its standard input. Ends it early once `is_over` says so.
///
/// # Errors
/// What went wrong, to be read after "the hook … ".
pub(super) fn run(
    hook: &Hook,
    input: &str,
    environment: Vec<(String, String)>,
    is_over: impl Fn() -> bool,
) -> Result<(), String> {
    let mut child =
        command(hook, environment).spawn().map_err(|error| format!("cannot be started ({error})"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read it is none the worse; so little never waits for a reader.
        let _ = stdin.write_all(input.as_bytes());
    }
    let mut tail = Tail::of(child.stderr.take());
    let began = Instant::now();
    let mut ended = None;
    while ended.is_none() && began.elapsed() < hook.limit && !is_over() {
        std::thread::sleep(GLANCE);
        tail.read();
        ended = child.try_wait().map_err(|error| format!("cannot be waited for ({error})"))?;
    }
    // Whatever it has left behind in its group ends with it.
    kill(&child);
    let Some(status) = ended else {
        let limit = Instant::now() + KILL_LIMIT;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < limit {
            std::thread::sleep(GLANCE);
        }
        if is_over() {
            return Ok(());
        }
        return Err(format!("took longer than {} s and was ended", hook.limit.as_secs_f32()));
    };
    tail.read();
    outcome(status, &tail)
}

fn outcome(status: ExitStatus, tail: &Tail) -> Result<(), String> {
    match (status.success(), tail.last_line()) {
        (true, _) => Ok(()),
        (false, line) if line.is_empty() => Err(format!("failed ({status})")),
        (false, line) => Err(format!("failed ({status}): {line}")),
    }
}

fn command(hook: &Hook, environment: Vec<(String, String)>) -> Command {
    let (program, arguments) = hook.run.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(environment)
        // The service manager is not theirs to talk to.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .env_remove("WATCHDOG_PID")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    let seconds = hook.limit.as_secs() + 1;
    // SAFETY: the closure makes system calls with integers; it allocates nothing and touches no memory of
    // ours.
    unsafe {
        command.pre_exec(move || {
            for (resource, most) in [
                (Resource::Cpu, seconds),
                (Resource::Data, MEMORY),
                (Resource::Fsize, LONGEST_FILE),
                (Resource::Nofile, FILES),
                (Resource::Core, 0),
            ] {
                setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
            }
            // The thread that starts it lives as long as the daemon.
            #[cfg(target_os = "linux")]
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        });
    }
    #[cfg(target_os = "linux")]
    crate::source::keep_from_pins(&mut command);
    command
}

fn kill(child: &Child) {
    // A group that has ended is no error.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

/// The end of what a program writes to its standard error.
struct Tail {
    pipe: Option<ChildStderr>,
    bytes: Vec<u8>,
}

impl Tail {
    fn of(pipe: Option<ChildStderr>) -> Self {
        let pipe = pipe.filter(|pipe| {
            fcntl_getfl(pipe).and_then(|flags| fcntl_setfl(pipe, flags | OFlags::NONBLOCK)).is_ok()
        });
        Self { pipe, bytes: Vec::new() }
    }

    /// Reads what is there, up to a limit: a program that writes without end gets no further.
    fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut bite = [0; 4096];
        for _ in 0..16 {
            match pipe.read(&mut bite) {
                Ok(length @ 1..) => self.bytes.extend_from_slice(bite.get(..length).unwrap_or_default()),
                Ok(0) | Err(_) => break,
            }
        }
        let surplus = self.bytes.len().saturating_sub(TAIL);
        self.bytes.drain(..surplus);
    }

    fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        flattened(line.unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HookEvent;

    fn shell(script: &str, milliseconds: u64) -> Hook {
        let run = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        Hook { on: HookEvent::Alert, run, limit: Duration::from_millis(milliseconds) }
    }

    fn outcome_of(script: &str) -> Result<(), String> {
        let environment = vec![("MASKWATCH_EVENT".to_owned(), "alert".to_owned())];
        run(&shell(script, 20_000), "{\"event\":\"alert\"}\n", environment, || false)
    }

    #[test]
    fn a_program_gets_the_event_twice_and_its_failure_is_named() {
        assert_eq!(outcome_of("read -r line; test \"$line\" = '{\"event\":\"alert\"}'"), Ok(()));
        assert_eq!(outcome_of("test $MASKWATCH_EVENT = alert"), Ok(()));
        let failed = outcome_of("echo first >&2; printf 'no \\033[2Jcard\\n\\n' >&2; exit 3").unwrap_err();
        assert_eq!(failed, "failed (exit status: 3): no  [2Jcard");
        let absent = Hook { run: vec!["/nowhere/prompt".into()], ..shell("", 1000) };
        let absent = run(&absent, "", Vec::new(), || false).unwrap_err();
        assert!(absent.starts_with("cannot be started ("), "{absent}");
    }

    #[test]
    fn what_takes_too_long_is_ended_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! >{}; wait", pid.display());
        let began = Instant::now();
        let ended = run(&shell(&script, 1000), "", Vec::new(), || false).unwrap_err();
        assert_eq!(ended, "took longer than 1 s and was ended");
        assert!(began.elapsed() < Duration::from_secs(30));
        let pid = std::fs::read_to_string(pid).unwrap();
        let gone = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
            status.is_empty() || status.contains("State:\tZ")
        };
        while !gone() {
            assert!(began.elapsed() < Duration::from_secs(60), "sleep lives on");
            std::thread::sleep(GLANCE);
        }
    }

    #[test]
    fn output_memory_and_files_are_bounded() {
        // Megabytes of standard error neither block it nor are kept.
        assert_eq!(outcome_of("head -c 3000000 /dev/zero >&2; exit 0"), Ok(()));
        assert_eq!(outcome_of("test $(ulimit -n) = 64 && test $(ulimit -c) = 0"), Ok(()));
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        assert!(outcome_of(&format!("head -c 20000000 /dev/zero >{}", large.display())).is_err());
        assert!(std::fs::metadata(large).unwrap().len() <= LONGEST_FILE);
    }

    #[test]
    fn a_daemon_that_ends_does_not_wait_for_a_program() {
        let began = Instant::now();
        assert_eq!(run(&shell("sleep 60", 50_000), "", Vec::new(), || true), Ok(()));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
