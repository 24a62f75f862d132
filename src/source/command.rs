//! A command that writes frames to its standard output: `rpicam-vid` for CSI cameras, `ffmpeg` for everything
//! else. A thread reads its pipe all the time, so the command never has to wait; only the newest frame is
//! kept.
//!
//! [`super::reconnect`] starts a command again that has ended.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::mjpeg::Splitter;
use super::timing::Patience;
use super::{CommandLine, Frame, Next, Skipped, Source, SourceError};
use crate::pixels::buffer::{Bytes, Pool};
use crate::pixels::decode;
use crate::pixels::format::{FrameFormat, PixelFormat};

/// A command without a usable frame for this long has stalled. Cameras take a few seconds to start.
const FRAME_LIMIT: Duration = Duration::from_secs(10);
/// Minimum wait for a frame before the command counts as stalled.
const FRESH: Duration = Duration::from_millis(250);
/// How long a command may take to end after SIGTERM.
const GRACE: Duration = Duration::from_millis(500);
/// How long a command may take to end after SIGKILL; it takes longer only if it hangs inside the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// Maximum length of a line of standard error in bytes; the rest of a line is dropped.
const LINE_LIMIT: usize = 300;

/// A running command. Dropping it ends the command and everything that the command started.
#[derive(Debug)]
pub struct CommandSource {
    line: CommandLine,
    /// As in `line`, with the size of the first JPEG frame: a later frame that states a far larger size has a
    /// damaged header and must not fill the memory.
    format: FrameFormat,
    child: Child,
    mailbox: Arc<Mailbox>,
    /// Memory for decoded JPEG frames.
    decoded: Pool,
    /// The last line of standard error.
    stderr: Arc<Mutex<String>>,
    stderr_reader: JoinHandle<()>,
    patience: Patience,
    last_defect: Option<String>,
}

impl CommandSource {
    /// Starts `line` in a shell. Its standard error goes to the log at level debug; the last line of it goes
    /// into the error when the command ends.
    ///
    /// # Errors
    /// [`SourceError::CommandStart`] if there is no shell, [`SourceError::CommandFormat`] for an impossible
    /// size. For a command that does not exist, `next` returns [`SourceError::CommandEnded`].
    pub fn start(line: &CommandLine) -> Result<Self, SourceError> {
        let started = |error| SourceError::CommandStart { command: line.shell.clone(), error };
        let cutter = Cutter::new(line)?;
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(&line.shell)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group of its own, so that a whole pipeline can be ended.
            .process_group(0);
        #[cfg(target_os = "linux")]
        die_with_parent(&mut shell);
        #[cfg(target_os = "linux")]
        super::confine::keep_from_pins(&mut shell);
        let mut child = shell.spawn().map_err(started)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(started(std::io::ErrorKind::BrokenPipe.into()));
        };
        let mailbox = Arc::new(Mailbox::default());
        let last_line = Arc::new(Mutex::new(String::new()));
        let frames = {
            let mailbox = Arc::clone(&mailbox);
            move || read_frames(stdout, cutter, &mailbox)
        };
        let words = {
            let (last_line, name) = (Arc::clone(&last_line), line.shell.clone());
            move || read_lines(stderr, &name, &last_line)
        };
        let readers = thread::Builder::new().name("command-frames".into()).spawn(frames).and_then(|_| {
            // Neither thread is joined: a grandchild that survives SIGKILL could keep the pipe open.
            thread::Builder::new().name("command-stderr".into()).spawn(words)
        });
        match readers {
            Ok(stderr_reader) => Ok(Self {
                line: line.clone(),
                format: line.format,
                child,
                mailbox,
                decoded: Pool::default(),
                stderr: last_line,
                stderr_reader,
                patience: Patience::new(FRAME_LIMIT, Instant::now()),
                last_defect: None,
            }),
            Err(error) => {
                stop(&mut child, &line.shell);
                Err(started(error))
            }
        }
    }

    fn ended(&mut self) -> SourceError {
        // A command whose output has ended is about to end itself. One that closed its output and goes on is
        // stopped.
        let status = wait_for(&mut self.child, GRACE);
        let status = stop(&mut self.child, &self.line.shell).or(status);
        // The pipe of standard error closes with the command; then its reader has the last line.
        let limit = Instant::now() + Duration::from_millis(200);
        while !self.stderr_reader.is_finished() && Instant::now() < limit {
            thread::sleep(Duration::from_millis(5));
        }
        SourceError::CommandEnded {
            command: self.line.shell.clone(),
            status: status.map_or_else(|| "it had to be killed".to_owned(), |status| status.to_string()),
            stderr: lock(&self.stderr).clone(),
        }
    }

    fn out_of_patience(&mut self) -> SourceError {
        let Received { frames, bytes } = self.mailbox.received();
        let limit = FRAME_LIMIT;
        let name = format!("`{}`", self.line.shell);
        match self.last_defect.take() {
            Some(reason) => SourceError::OnlyDamaged { name, limit, reason },
            None if frames == 0 && bytes > 0 => {
                let (command, expected) = (self.line.shell.clone(), expected(&self.line));
                SourceError::CommandWritesNoFrames { command, bytes, expected, limit }
            }
            None => SourceError::Stalled { name, limit },
        }
    }
}

impl Source for CommandSource {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        // Long after the last call, for example when the process was stopped, a working command still gets
        // time for a new frame.
        let wait = wait.min(self.patience.left(Instant::now()).max(FRESH));
        match self.mailbox.take(wait) {
            Taken::Frame(raw) => match decode::frame(raw.bytes, &self.format, &self.decoded) {
                Ok(picture) => {
                    self.patience.renew(Instant::now());
                    self.last_defect = None;
                    if self.format.width == 0 {
                        (self.format.width, self.format.height) = picture.dimensions();
                    }
                    let (sequence, captured) = (raw.sequence, raw.captured);
                    return Ok(Next::Frame(Frame { picture, name: None, sequence, captured }));
                }
                Err(reason) => {
                    self.last_defect = Some(reason.to_string());
                    if !self.patience.is_over(Instant::now()) {
                        return Ok(Next::Skipped(Skipped { name: self.describe(), reason }));
                    }
                }
            },
            Taken::Ended => return Err(self.ended()),
            Taken::Nothing => {}
        }
        if self.patience.is_over(Instant::now()) { Err(self.out_of_patience()) } else { Ok(Next::Nothing) }
    }

    fn describe(&self) -> String {
        format!("command `{}` ({})", self.line.shell, expected(&self.line))
    }
}

impl Drop for CommandSource {
    fn drop(&mut self) {
        stop(&mut self.child, &self.line.shell);
    }
}

/// What the command has to write, for messages.
fn expected(line: &CommandLine) -> String {
    match line.format.pixels {
        PixelFormat::Mjpeg => "Motion JPEG".to_owned(),
        pixels => format!("{pixels} {}x{}", line.format.width, line.format.height),
    }
}

/// Ends the child and its process group, first with SIGTERM, then with SIGKILL, and reaps it. `None` if it
/// hangs inside the kernel.
fn stop(child: &mut Child, name: &str) -> Option<ExitStatus> {
    let mut status = wait_for(child, Duration::ZERO);
    if status.is_none() {
        signal_group(child, Signal::TERM);
        status = wait_for(child, GRACE);
    }
    // When the leader has ended, others of its group may still run.
    signal_group(child, Signal::KILL);
    let status = status.or_else(|| wait_for(child, KILL_LIMIT));
    if status.is_none() {
        log::warn!("`{name}` does not end, not even after SIGKILL; it is left running");
    }
    status
}

fn wait_for(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Makes the kernel kill the shell when the thread that started it ends, even if our process is killed.
#[cfg(target_os = "linux")]
fn die_with_parent(shell: &mut Command) {
    // SAFETY: between fork and exec the closure makes one system call with integers; it allocates nothing and
    // touches no memory of ours.
    unsafe {
        shell.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

/// Sends `signal` to the child's process group, which is its own (`process_group(0)`).
fn signal_group(child: &Child, signal: Signal) {
    // The group may have ended already, which is as good.
    let _ = kill_process_group(Pid::from_child(child), signal);
}

/// Cuts the command's output into frames.
#[derive(Debug)]
enum Cutter {
    Mjpeg { splitter: Splitter, pool: Pool },
    Raw { size: usize, part: Bytes, pool: Pool },
}

impl Cutter {
    fn new(line: &CommandLine) -> Result<Self, SourceError> {
        let pool = Pool::default();
        match line.format.bytes() {
            Ok(None) => Ok(Self::Mjpeg { splitter: Splitter::default(), pool }),
            Ok(Some(size)) => Ok(Self::Raw { size, part: pool.take(), pool }),
            Err(reason) => Err(SourceError::CommandFormat {
                command: line.shell.clone(),
                expected: expected(line),
                reason,
            }),
        }
    }

    fn push(&mut self, mut chunk: &[u8], mut found: impl FnMut(Bytes)) {
        match self {
            Self::Mjpeg { splitter, pool } => splitter.push(chunk, |picture| {
                let mut bytes = pool.take();
                std::mem::swap(picture, bytes.as_mut_vec());
                found(bytes);
            }),
            Self::Raw { size, part, pool } => {
                while !chunk.is_empty() {
                    let (now, later) = chunk.split_at(chunk.len().min(*size - part.len()));
                    let missing = *size - part.len();
                    part.as_mut_vec().reserve_exact(missing);
                    part.as_mut_vec().extend_from_slice(now);
                    chunk = later;
                    if part.len() == *size {
                        // Before `take`: this may return the memory of a frame that nobody took.
                        found(std::mem::take(part));
                        *part = pool.take();
                    }
                }
            }
        }
    }
}

fn read_frames(mut stdout: impl Read, mut cutter: Cutter, mailbox: &Mailbox) {
    let mut chunk = vec![0; 64 << 10];
    loop {
        match stdout.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => {
                mailbox.count(length);
                cutter.push(&chunk[..length], |frame| mailbox.put(frame));
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                log::debug!("the output of a command cannot be read: {error}");
                break;
            }
        }
    }
    mailbox.end();
}

fn read_lines(mut stderr: impl Read, name: &str, last: &Mutex<String>) {
    let mut chunk = [0; 1024];
    let mut line = Vec::new();
    let finish = |line: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(line);
        let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !text.is_empty() {
            log::debug!("`{name}`: {text}");
            *lock(last) = text;
        }
        line.clear();
    };
    while let Ok(length) = stderr.read(&mut chunk) {
        if length == 0 {
            break;
        }
        for &byte in &chunk[..length] {
            // Progress lines end with a carriage return only.
            if byte == b'\n' || byte == b'\r' {
                finish(&mut line);
            } else if line.len() < LINE_LIMIT {
                line.push(byte);
            }
        }
    }
    finish(&mut line);
}

/// Holds the newest frame between the reading thread and the caller; it replaces one that nobody took.
#[derive(Debug, Default)]
struct Mailbox {
    content: Mutex<MailboxContent>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct MailboxContent {
    frame: Option<Raw>,
    received: Received,
    ended: bool,
}

/// What the command has written so far.
#[derive(Debug, Default, Clone, Copy)]
struct Received {
    frames: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Raw {
    bytes: Bytes,
    sequence: u64,
    captured: Instant,
}

enum Taken {
    Frame(Raw),
    Nothing,
    Ended,
}

impl Mailbox {
    fn put(&self, bytes: Bytes) {
        let mut content = lock(&self.content);
        let sequence = content.received.frames;
        content.received.frames += 1;
        content.frame = Some(Raw { bytes, sequence, captured: Instant::now() });
        self.changed.notify_one();
    }

    fn count(&self, bytes: usize) {
        lock(&self.content).received.bytes += bytes as u64;
    }

    fn end(&self) {
        lock(&self.content).ended = true;
        self.changed.notify_one();
    }

    fn received(&self) -> Received {
        lock(&self.content).received
    }

    /// Takes the frame and waits for one up to `wait`. The last frame comes before [`Taken::Ended`].
    fn take(&self, wait: Duration) -> Taken {
        let content = lock(&self.content);
        let empty = |content: &mut MailboxContent| content.frame.is_none() && !content.ended;
        let waited = self.changed.wait_timeout_while(content, wait, empty);
        let (mut content, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match content.frame.take() {
            Some(frame) => Taken::Frame(frame),
            None if content.ended => Taken::Ended,
            None => Taken::Nothing,
        }
    }
}

/// Locks `mutex`. A poisoned one guards plain data here, which is consistent at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn raw_frames_are_cut_however_they_arrive(
            bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1usize..40, step in 1usize..60,
        ) {
            let mut cutter = Cutter::Raw { size, part: Bytes::default(), pool: Pool::default() };
            let mut found = Vec::new();
            for chunk in bytes.chunks(step) {
                cutter.push(chunk, |frame| found.push(frame.into_vec()));
            }
            let expected: Vec<Vec<u8>> = bytes.chunks_exact(size).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_standard_error_is_read(bytes: Vec<u8>) {
            let last = Mutex::new(String::new());
            read_lines(&bytes[..], "x", &last);
            prop_assert!(!lock(&last).chars().any(char::is_control));
        }
    }

    #[test]
    fn the_newest_frame_wins_and_comes_before_the_end() {
        let mailbox = Mailbox::default();
        mailbox.put(vec![1].into());
        mailbox.put(vec![2].into());
        mailbox.end();
        let Taken::Frame(raw) = mailbox.take(Duration::ZERO) else { panic!("no frame") };
        assert_eq!((&*raw.bytes, raw.sequence), (&[2][..], 1));
        assert!(matches!(mailbox.take(Duration::from_secs(60)), Taken::Ended));
    }

    #[test]
    fn the_last_line_is_remembered_and_cut() {
        let last = Mutex::new(String::new());
        let long = "x".repeat(LINE_LIMIT * 2);
        read_lines(format!("first\nprogress 1\rprogress 2\r\n{long}").as_bytes(), "x", &last);
        assert_eq!(lock(&last).len(), LINE_LIMIT);
        read_lines(&b"ERROR: no cameras available \n\n"[..], "x", &last);
        assert_eq!(*lock(&last), "ERROR: no cameras available");
    }
}
