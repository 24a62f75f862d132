//! Holds the newest frame between the thread that reads a command's output and the caller; it replaces one
//! that nobody took.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::pixels::buffer::Bytes;

/// A frame that has waited for this long may be older than what the command has to give: this process was
/// stopped or starved, and so the pipe and the command's own buffers are full of old frames.
const STALE: Duration = Duration::from_millis(250);
/// How long to wait then for frames that are newer.
const FRESH: Duration = Duration::from_millis(250);
/// Old frames come in at once; after a pause of this length those that come are new.
const SETTLED: Duration = Duration::from_millis(30);

/// The mailbox.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    content: Mutex<MailboxContent>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct MailboxContent {
    frame: Option<RawFrame>,
    received: Received,
    /// When the newest frame came, and how long after the one before.
    last: Option<(Instant, Duration)>,
    ended: bool,
}

/// What the command has written so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Received {
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

/// A frame as it was written.
#[derive(Debug)]
pub(super) struct RawFrame {
    pub(super) bytes: Bytes,
    pub(super) sequence: u64,
    pub(super) captured: Instant,
}

/// What was in the mailbox.
pub(super) enum Taken {
    Frame(RawFrame),
    Nothing,
    Ended,
}

impl Mailbox {
    pub(super) fn put(&self, bytes: Bytes) {
        self.put_at(bytes, Instant::now());
    }

    fn put_at(&self, bytes: Bytes, now: Instant) {
        let mut content = lock(&self.content);
        let sequence = content.received.frames;
        content.received.frames += 1;
        let gap = content.last.map_or(Duration::ZERO, |(last, _)| now.saturating_duration_since(last));
        content.last = Some((now, gap));
        content.frame = Some(RawFrame { bytes, sequence, captured: now });
        self.changed.notify_one();
    }

    pub(super) fn count(&self, bytes: usize) {
        lock(&self.content).received.bytes += bytes as u64;
    }

    pub(super) fn end(&self) {
        lock(&self.content).ended = true;
        self.changed.notify_one();
    }

    pub(super) fn received(&self) -> Received {
        lock(&self.content).received
    }

    /// Takes the newest frame and waits for one up to `wait`. The last frame comes before [`Taken::Ended`].
    pub(super) fn take(&self, wait: Duration) -> Taken {
        let content = lock(&self.content);
        let empty = |content: &mut MailboxContent| content.frame.is_none() && !content.ended;
        let waited = self.changed.wait_timeout_while(content, wait, empty);
        let (mut content, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if is_stale(&content, Instant::now()) {
            content = self.catch_up(content, FRESH.min(wait));
        }
        match content.frame.take() {
            Some(frame) => Taken::Frame(frame),
            None if content.ended => Taken::Ended,
            None => Taken::Nothing,
        }
    }

    /// Waits up to `limit` for newer frames, until they no longer follow each other at once.
    fn catch_up<'a>(
        &self,
        mut content: MutexGuard<'a, MailboxContent>,
        limit: Duration,
    ) -> MutexGuard<'a, MailboxContent> {
        let deadline = Instant::now() + limit;
        let mut pause = limit;
        loop {
            let seen = content.received.frames;
            let left = pause.min(deadline.saturating_duration_since(Instant::now()));
            let same = |content: &mut MailboxContent| content.received.frames == seen && !content.ended;
            let waited = self.changed.wait_timeout_while(content, left, same);
            content = waited.unwrap_or_else(PoisonError::into_inner).0;
            if content.received.frames == seen || content.ended {
                return content;
            }
            pause = SETTLED;
        }
    }
}

/// Whether the frame has waited for longer than a command at work leaves one alone.
fn is_stale(content: &MailboxContent, now: Instant) -> bool {
    let waited = content.last.map(|(last, gap)| (now.saturating_duration_since(last), gap));
    content.frame.is_some() && waited.is_some_and(|(waited, gap)| waited > STALE.max(2 * gap))
}

/// Locks `mutex`. A poisoned one guards plain data here, which is consistent at every moment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    fn taken(mailbox: &Mailbox) -> (u8, u64) {
        let Taken::Frame(raw) = mailbox.take(Duration::from_secs(60)) else { panic!("no frame") };
        (raw.bytes[0], raw.sequence)
    }

    #[test]
    fn the_newest_frame_wins_and_comes_before_the_end() {
        let mailbox = Mailbox::default();
        mailbox.put(vec![1].into());
        mailbox.put(vec![2].into());
        mailbox.end();
        assert_eq!(taken(&mailbox), (2, 1));
        assert!(matches!(mailbox.take(Duration::from_secs(60)), Taken::Ended));
    }

    #[test]
    fn after_a_stop_old_frames_are_passed_over() {
        let mailbox = Arc::new(Mailbox::default());
        // A frame that came before the stop; then what the pipe holds comes at once, then the new one.
        mailbox.put_at(vec![0].into(), Instant::now() - Duration::from_secs(3));
        let writer = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || (1..=20).for_each(|frame| mailbox.put(vec![frame].into())))
        };
        assert_eq!(taken(&mailbox), (20, 20));
        writer.join().unwrap();
    }

    #[test]
    fn a_slow_command_and_one_that_has_ended_are_not_waited_for() {
        let now = Instant::now();
        let ago = |milliseconds| now - Duration::from_millis(milliseconds);
        let mailbox = Mailbox::default();
        mailbox.put_at(vec![1].into(), ago(2_900));
        mailbox.put_at(vec![2].into(), ago(900));
        assert!(!is_stale(&lock(&mailbox.content), now), "one frame in two seconds");
        assert!(is_stale(&lock(&mailbox.content), now + Duration::from_secs(4)));
        assert_eq!(taken(&mailbox), (2, 1));
        assert!(!is_stale(&lock(&mailbox.content), now + Duration::from_secs(9)), "there is no frame");
        mailbox.put_at(vec![3].into(), ago(800));
        mailbox.end();
        assert_eq!(taken(&mailbox), (3, 2), "its last frame");
    }
}
