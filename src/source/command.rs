//! A command that writes frames to its standard output: `rpicam-vid` for CSI cameras, `ffmpeg` for everything
//! else. A thread reads its pipe all the time, so the command never has to wait; only the newest frame is
//! kept.
//!
//! [`super::reconnect`] starts a command again that has ended.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::agreed_size::AgreedSize;
use super::credentials::masked;
use super::frozen::{Freshness, Frozen, FrozenMemory};
use super::mailbox::{Mailbox, RawFrame, Received, Taken, lock};
use super::marked::CommandMark;
use super::mjpeg::Splitter;
use super::timing::Patience;
use super::{CommandLine, Frame, Next, Options, Skipped, Source, SourceError, darkness};
use crate::pixels::buffer::{Bytes, Pool};
use crate::pixels::delayed::{DelayedPicture, DelayedPools};
use crate::pixels::format::{PictureError, PixelFormat};
use crate::text::flattened;

/// A command without a usable frame for this long has stalled, or for twice the timeout. Cameras take a few
/// seconds to start, and a frame every ten seconds is enough for the door.
const FRAME_LIMIT: Duration = Duration::from_secs(12);
/// Minimum wait for a frame before the command counts as stalled.
const FRESH: Duration = Duration::from_millis(250);
/// How long a command may take to end after SIGTERM.
const GRACE: Duration = Duration::from_millis(500);
/// How long a command may take to end after SIGKILL; it takes longer only if it hangs inside the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// Maximum length of a line of standard error in bytes; the rest of a line is dropped.
const LINE_LIMIT: usize = 300;
/// What the shell runs: the command in its place, and beside it a guard in the same process group, which ends
/// the group when this process ends, even by SIGKILL. The guard waits for the end of its standard input,
/// whose other end only this process holds. It keeps none of the command's pipes open.
/// Who has left the group is known by the mark in its environment, which the guard itself does not have.
const GUARDED: &str = "exec 3<&0 </dev/null
(trap '' HUP INT QUIT TERM; read -r end <&3
kill -s KILL $(grep -lsF \"$2\" /proc/[0-9]*/environ | cut -d / -f 3); kill -s KILL 0) >/dev/null 2>&1 &
export \"$2\"
exec /bin/sh -c \"$1\" 3<&-";

/// A running command. Dropping it ends the command and everything that the command started. When this process
/// ends without that, the kernel's end of a pipe does.
#[derive(Debug)]
pub struct CommandSource {
    line: CommandLine,
    /// The command for messages, without credentials.
    shown: String,
    /// What everything that the command starts has in its environment.
    mark: CommandMark,
    /// The size of JPEG frames.
    size: AgreedSize,
    child: Child,
    /// The end of a pipe that keeps the guard waiting.
    _alive: Option<ChildStdin>,
    mailbox: Arc<Mailbox>,
    /// Memory for decoded JPEG frames.
    decoded: DelayedPools,
    /// The last line of standard error.
    stderr: Arc<Mutex<String>>,
    stderr_reader: JoinHandle<()>,
    patience: Patience,
    frozen: Frozen,
    last_defect: Option<String>,
}

impl CommandSource {
    /// Starts `line` in a shell. Its standard error goes to the log at level debug; the last line of it goes
    /// into the error when the command ends. Of `options` it uses the timeout and the time after which a
    /// command is frozen.
    ///
    /// # Errors
    /// [`SourceError::CommandStart`] if there is no shell, [`SourceError::CommandFormat`] for an impossible
    /// size. For a command that does not exist, `next` returns [`SourceError::CommandEnded`].
    pub fn start(line: &CommandLine, options: &Options) -> Result<Self, SourceError> {
        Self::start_again(line, options, FrozenMemory::default())
    }

    /// As [`start`](Self::start), with what is remembered of the last run.
    pub(super) fn start_again(
        line: &CommandLine,
        options: &Options,
        memory: FrozenMemory,
    ) -> Result<Self, SourceError> {
        let shown = line.name.clone().unwrap_or_else(|| masked(&line.shell));
        let started = |error| SourceError::CommandStart { command: shown.clone(), error };
        let cutter = Cutter::new(line)?;
        let mark = CommandMark::new();
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", GUARDED, "sh", &line.shell, mark.as_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group of its own, so that a whole pipeline can be ended.
            .process_group(0);
        #[cfg(target_os = "linux")]
        super::confine::keep_from_pins(&mut shell);
        let mut child = shell.spawn().map_err(started)?;
        let alive = child.stdin.take();
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
            let (last_line, name) = (Arc::clone(&last_line), shown.clone());
            move || read_lines(stderr, &name, &last_line)
        };
        let readers = thread::Builder::new().name("command-frames".into()).spawn(frames).and_then(|_| {
            // Neither thread is joined: a grandchild that survives SIGKILL could keep the pipe open.
            thread::Builder::new().name("command-stderr".into()).spawn(words)
        });
        match readers {
            Ok(stderr_reader) => Ok(Self {
                line: line.clone(),
                shown,
                mark,
                size: AgreedSize::default(),
                child,
                _alive: alive,
                mailbox,
                decoded: DelayedPools::default(),
                stderr: last_line,
                stderr_reader,
                patience: Patience::new(FRAME_LIMIT.max(2 * options.timeout), Instant::now()),
                frozen: Frozen::new(options.frozen_command_after, memory),
                last_defect: None,
            }),
            Err(error) => {
                stop(&mut child, &shown);
                mark.end_all();
                Err(started(error))
            }
        }
    }

    fn ended(&mut self) -> SourceError {
        // A command whose output has ended is about to end itself. One that closed its output and goes on is
        // stopped.
        let status = wait_for(&mut self.child, GRACE);
        let status = stop(&mut self.child, &self.shown).or(status);
        self.mark.end_all();
        // The pipe of standard error closes with the command; then its reader has the last line.
        let limit = Instant::now() + Duration::from_millis(200);
        while !self.stderr_reader.is_finished() && Instant::now() < limit {
            thread::sleep(Duration::from_millis(5));
        }
        SourceError::CommandEnded {
            command: self.shown.clone(),
            has_failed: status.is_none_or(|status| !status.success()),
            status: status.map_or_else(|| "it had to be killed".to_owned(), |status| status.to_string()),
            stderr: lock(&self.stderr).clone(),
        }
    }

    fn out_of_patience(&mut self) -> SourceError {
        let Received { frames, bytes } = self.mailbox.received();
        let limit = self.patience.limit();
        let name = format!("`{}`", self.shown);
        match self.last_defect.take() {
            Some(reason) => SourceError::OnlyDamaged { name, limit, reason },
            None if frames == 0 && bytes > 0 => {
                let (command, expected) = (self.shown.clone(), expected(&self.line));
                SourceError::CommandWritesNoFrames { command, bytes, expected, limit }
            }
            None => SourceError::Stalled { name, limit },
        }
    }

    fn take(&mut self, bytes: Bytes) -> Result<DelayedPicture, PictureError> {
        let mut format = self.line.format;
        let is_jpeg = format.pixels == PixelFormat::Mjpeg;
        if is_jpeg {
            (format.width, format.height) = self.size.get();
        }
        let taken = match DelayedPicture::new(bytes, &format, &self.decoded) {
            Err((PictureError::OtherSize { width, height, .. }, bytes))
                if self.size.refused(&bytes, (width, height)) =>
            {
                log::info!("{} gives frames of {width}x{height} now", self.describe());
                (format.width, format.height) = (width, height);
                DelayedPicture::new(bytes, &format, &self.decoded)
            }
            taken => taken,
        };
        let picture = taken.map_err(|(error, _)| error)?;
        if is_jpeg {
            self.size.decoded(picture.dimensions());
        }
        Ok(picture)
    }

    /// Turns what the command wrote into a frame, or into nothing if it repeats an old one.
    fn frame(&mut self, raw: RawFrame) -> Result<Option<Frame>, FrameDefect> {
        let RawFrame { bytes, sequence, captured } = raw;
        let freshness = self.frozen.look(&bytes, captured);
        let picture = self.take(bytes).map_err(FrameDefect::Picture)?;
        self.patience.renew(Instant::now());
        self.last_defect = None;
        match freshness {
            Freshness::Frozen(_) if darkness::is_clipped_frame(&picture) => self.frozen.pardon(),
            Freshness::Frozen(limit) => {
                let command = self.shown.clone();
                return Err(FrameDefect::Frozen(SourceError::FrozenCommand { command, limit }));
            }
            Freshness::Old => return Ok(None),
            Freshness::Fresh => {}
        }
        Ok(Some(Frame { picture, name: None, sequence, captured }))
    }
}

/// Why a frame cannot be used.
enum FrameDefect {
    /// It is no picture.
    Picture(PictureError),
    /// It has been the same for too long.
    Frozen(SourceError),
}

impl Source for CommandSource {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        // Long after the last call, for example when the process was stopped, a working command still gets
        // time for a new frame.
        let wait = wait.min(self.patience.left(Instant::now()).max(FRESH));
        match self.mailbox.take(wait) {
            Taken::Frame(raw) => match self.frame(raw) {
                Ok(Some(frame)) => return Ok(Next::Frame(frame)),
                Ok(None) => return Ok(Next::Nothing),
                Err(FrameDefect::Frozen(error)) => return Err(error),
                Err(FrameDefect::Picture(reason)) => {
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
        match &self.line.name {
            Some(name) => format!("{name} ({})", expected(&self.line)),
            None => format!("command `{}` ({})", self.shown, expected(&self.line)),
        }
    }
}

impl Drop for CommandSource {
    fn drop(&mut self) {
        stop(&mut self.child, &self.shown);
        self.mark.end_all();
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
        match line.format.bytes_in_stream() {
            Ok(None) => Ok(Self::Mjpeg { splitter: Splitter::default(), pool }),
            Ok(Some(size)) => Ok(Self::Raw { size, part: pool.take(), pool }),
            Err(reason) => Err(SourceError::CommandFormat {
                command: masked(&line.shell),
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
        let text = text.trim();
        if !text.is_empty() {
            let text = masked(&flattened(text));
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
    fn the_frame_limit_follows_the_timeout() {
        let line = CommandLine {
            shell: "sleep 60".to_owned(),
            format: crate::pixels::format::FrameFormat::new(PixelFormat::Mjpeg, 0, 0),
            name: None,
        };
        let limit = |seconds| {
            let options = Options { timeout: Duration::from_secs(seconds), ..Options::default() };
            CommandSource::start(&line, &options).unwrap().patience.limit().as_secs()
        };
        assert_eq!([limit(1), limit(5), limit(60)], [12, 12, 120]);
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
