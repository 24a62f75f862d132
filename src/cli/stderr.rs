//! Standard error of a command that must not wait for it: lines go into a bounded queue, and a thread writes
//! them. A pipe that nobody reads, or a journal that hangs, costs lines, which are counted, and nothing else;
//! one that is closed costs all of them.

use rustix::io::Errno;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Lines that wait at most.
const LINES: usize = 256;
/// Bytes of a line at most; the rest is cut off. So much goes through a pipe in one piece.
const LONGEST_LINE: usize = 4096;
/// How long the end of the process waits for lines that nobody takes.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long to wait where standard error says that it is full instead of waiting itself.
const FULL: Duration = Duration::from_millis(20);

static QUEUE: OnceLock<Arc<LineQueue>> = OnceLock::new();

/// Lines on their way to a thread that writes them.
#[derive(Debug, Default)]
struct LineQueue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// Whether the thread writes a line at this moment.
    writing: bool,
    /// Lines that found the queue full, and that nobody was told of.
    dropped: u64,
}

impl Waiting {
    /// A line about those that were dropped.
    fn told(&mut self) -> Option<Vec<u8>> {
        let dropped = std::mem::take(&mut self.dropped);
        (dropped > 0).then(|| format!("({dropped} lines were dropped: nobody took them)\n").into_bytes())
    }
}

impl LineQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `line`, which ends with a line break; never waits.
    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        // One place is kept for the line about the others.
        if waiting.lines.len() + 1 >= LINES {
            waiting.dropped += 1;
            return;
        }
        let told = waiting.told();
        waiting.lines.extend(told);
        let mut line = line.to_vec();
        if line.len() > LONGEST_LINE {
            line.truncate(LONGEST_LINE - 1);
            line.push(b'\n');
        }
        waiting.lines.push_back(line);
        self.changed.notify_all();
    }

    /// Waits until everything is written, for `limit` at most.
    fn finish(&self, limit: Duration) {
        let busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        drop(self.changed.wait_timeout_while(self.lock(), limit, busy));
    }

    /// Hands the lines to `write`, one by one, for ever.
    fn serve(&self, mut write: impl FnMut(&[u8])) {
        let mut waiting = self.lock();
        loop {
            let line = waiting.lines.pop_front().or_else(|| waiting.told());
            waiting.writing = line.is_some();
            let Some(line) = line else {
                self.changed.notify_all();
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(waiting);
            write(&line);
            waiting = self.lock();
        }
    }
}

/// From now on, what is written to a [`Lines`], and with [`write_line`], goes through the queue.
///
/// # Errors
/// When the system gives no thread; nothing has changed then.
pub(super) fn never_wait() -> io::Result<()> {
    if QUEUE.get().is_some() {
        return Ok(());
    }
    let queue = Arc::<LineQueue>::default();
    let theirs = Arc::clone(&queue);
    // Not by way of the library's handle: its lock would be held while a write waits.
    let stderr = io::stderr().as_fd().try_clone_to_owned()?;
    std::thread::Builder::new()
        .name("log-writer".into())
        .spawn(move || theirs.serve(|line| write_all(&stderr, line)))?;
    QUEUE.get_or_init(|| queue);
    Ok(())
}

/// Writes a whole line, or what goes of it: there is nobody to tell of an error.
fn write_all(stderr: &OwnedFd, mut line: &[u8]) {
    while !line.is_empty() {
        match rustix::io::write(stderr, line) {
            Ok(0) => return,
            Ok(written) => line = &line[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => std::thread::sleep(FULL),
            Err(_) => return,
        }
    }
}

/// Writes `text` and a line break to standard error; never waits after [`never_wait`], and never fails.
pub(super) fn write_line(text: &str) {
    let line = format!("{text}\n");
    match QUEUE.get() {
        Some(queue) => queue.push(line.as_bytes()),
        None => {
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }
}

/// Waits until standard error has taken everything, a second at most.
pub(super) fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.finish(FAREWELL);
    }
}

/// A writer into the queue, for the logger, which writes whole lines.
#[derive(Debug)]
pub(super) struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(queue) = QUEUE.get() {
            queue.push(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many messages may come at once, and how many a second for ever: a busy door has some five a person.
const BURST: f64 = 200.0;
const A_SECOND: f64 = 5.0;

/// A ceiling on the number of messages, whatever they are.
#[derive(Debug)]
pub(super) struct Ceiling {
    left: f64,
    refilled: Instant,
    left_out: u64,
}

impl Ceiling {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, refilled: now, left_out: 0 }
    }

    /// Whether one more message may be written at `now`: then `Some` of how many were left out before it.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.left = (self.left + passed * A_SECOND).min(BURST);
        self.refilled = now;
        if self.left < 1.0 {
            self.left_out += 1;
            return None;
        }
        self.left -= 1.0;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn who_writes_never_waits_and_what_is_dropped_is_counted() {
        let queue = Arc::<LineQueue>::default();
        let (allow, leave) = channel::<()>();
        let (told, heard) = channel();
        let (begin, begun) = channel();
        let theirs = Arc::clone(&queue);
        std::thread::spawn(move || {
            theirs.serve(|line| {
                let _ = begin.send(());
                let _ = leave.recv();
                let _ = told.send(String::from_utf8(line.to_vec()).unwrap());
            });
        });
        queue.push(b"0\n");
        // It is on its way before the others come, however late the thread begins.
        begun.recv().unwrap();
        for number in 1..3 * LINES {
            queue.push(format!("{number}\n").as_bytes());
        }
        queue.push(&[b'x'; 3 * LONGEST_LINE]);
        queue.finish(Duration::from_millis(10));
        assert_eq!(heard.try_iter().count(), 0, "nobody takes them, and the end does not wait for ever");
        drop(allow);
        queue.finish(Duration::from_secs(60));
        queue.push(&[b'y'; 3 * LONGEST_LINE]);
        queue.finish(Duration::from_secs(60));
        let all: Vec<String> = heard.try_iter().collect();
        let kept = all.iter().filter(|line| line.trim().parse::<usize>().is_ok()).count();
        // The one that is being written is no longer in the queue, and one place is kept.
        assert_eq!(kept, LINES);
        let dropped = 3 * LINES + 1 - kept;
        assert_eq!(all[kept], format!("({dropped} lines were dropped: nobody took them)\n"));
        assert_eq!(all[kept + 1].len(), LONGEST_LINE);
        assert!(all.iter().all(|line| line.ends_with('\n')));
    }

    #[test]
    fn no_more_than_the_ceiling_and_what_is_left_out_is_counted() {
        let start = Instant::now();
        let mut ceiling = Ceiling::new(start);
        // Ten a second for a hundred seconds.
        let mut at = |tenth: u32| ceiling.admit(start + Duration::from_millis(100) * tenth);
        let admitted: Vec<u64> = (0..1000).filter_map(&mut at).collect();
        let most = (BURST + 100.0 * A_SECOND) as usize;
        assert!((most - 2..=most).contains(&admitted.len()), "{}", admitted.len());
        let last = at(1_000_000).unwrap();
        assert_eq!(admitted.iter().sum::<u64>() + last, 1000 - admitted.len() as u64);
        assert_eq!(at(1_000_001), Some(0));
    }
}
