//! A source on a thread of its own. To open or close a camera can block for seconds inside the kernel, for
//! example when a USB device does not answer. The loop that blinks LEDs and feeds a watchdog must not wait
//! for that.
//!
//! The thread works on one request at a time. So no frame is decoded that nobody asked for. A frame that grew
//! old while its caller did something else is dropped for a newer one.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Away, Next, Source, SourceError, State};

/// How long the thread waits for a frame before it replies that there is none.
const WAIT: Duration = Duration::from_millis(200);
/// A frame that waited for its caller for this long is too old: the process was stopped, or the caller was
/// busy.
const STALE: Duration = Duration::from_millis(250);
/// A source that has not replied for this long is away. To open a USB camera may take 5 s per request.
const REPLY_LIMIT: Duration = Duration::from_secs(10);
/// How long `drop` waits for the thread to close its source.
const CLOSE_LIMIT: Duration = Duration::from_secs(4);

struct Reply {
    next: Result<Next, SourceError>,
    /// Description and state, if they may have changed.
    changed: Option<(String, State)>,
    sent: Instant,
}

/// Runs another source on a thread.
pub struct ThreadedSource {
    requests: Option<SyncSender<()>>,
    replies: Receiver<Reply>,
    thread: Option<JoinHandle<()>>,
    /// When the request was sent that is not answered yet.
    asked: Option<Instant>,
    name: String,
    state: State,
}

impl ThreadedSource {
    /// Moves `source` to a thread. The thread ends when this is dropped.
    #[must_use]
    pub fn new(mut source: impl Source + 'static) -> Self {
        // There is at most one request and one reply; bounded channels allocate their memory once.
        let (requests, requested) = sync_channel(1);
        let (reply, replies) = sync_channel(1);
        let (name, state) = (source.describe(), source.state());
        let mut known = state.clone();
        let run = move || {
            while requested.recv().is_ok() {
                let next = source.next(WAIT);
                let over = matches!(next, Ok(Next::End) | Err(_));
                let state = source.state();
                // A description may change while nothing came yet, and with what cannot be used.
                let usual = match next {
                    Ok(Next::Frame(_)) => true,
                    Ok(Next::Nothing) => state == State::Connected,
                    _ => false,
                };
                let same = usual && state == known;
                let changed = (!same).then(|| (source.describe(), state.clone()));
                known = state;
                if reply.send(Reply { next, changed, sent: Instant::now() }).is_err() || over {
                    break;
                }
            }
        };
        // Without a thread the channels are closed, which `next` reports.
        let thread = thread::Builder::new().name("source".into()).spawn(run);
        let thread = thread
            .inspect_err(|error| log::error!("no thread could be started to read {name}: {error}"))
            .ok();
        Self { requests: Some(requests), replies, thread, asked: None, name, state }
    }

    /// Asks the thread for a frame, unless it has not replied yet.
    fn ask(&mut self) -> Result<(), SourceError> {
        if self.asked.is_none() {
            let sent = self.requests.as_ref().is_some_and(|requests| requests.send(()).is_ok());
            if !sent {
                return Err(self.gone());
            }
            self.asked = Some(Instant::now());
        }
        Ok(())
    }

    fn gone(&self) -> SourceError {
        SourceError::ThreadGone { name: self.name.clone() }
    }
}

impl Source for ThreadedSource {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        self.ask()?;
        match self.replies.recv_timeout(wait) {
            Ok(Reply { next, changed, sent }) => {
                self.asked = None;
                if let Some(changed) = changed {
                    (self.name, self.state) = changed;
                }
                if matches!(next, Ok(Next::Frame(_))) && sent.elapsed() > STALE {
                    drop(next);
                    self.ask()?;
                    return Ok(Next::Nothing);
                }
                next
            }
            Err(RecvTimeoutError::Timeout) => Ok(Next::Nothing),
            Err(RecvTimeoutError::Disconnected) => Err(self.gone()),
        }
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn state(&self) -> State {
        state_after(&self.state, self.asked, &self.name, Instant::now())
    }
}

/// The last known state, or away if the reply is overdue. Pure: the time is handed in.
fn state_after(known: &State, asked: Option<Instant>, name: &str, now: Instant) -> State {
    let Some(since) = asked.filter(|&asked| now.saturating_duration_since(asked) >= REPLY_LIMIT) else {
        return known.clone();
    };
    match known {
        State::Away(away) => State::Away(Away { retry_at: None, ..away.clone() }),
        State::Starting | State::Connected | State::Blind(_) => State::Away(Away {
            reason: format!("{name} does not answer; unplug it and plug it in again"),
            since,
            attempts: 0,
            retry_at: None,
        }),
    }
}

impl Drop for ThreadedSource {
    fn drop(&mut self) {
        self.requests = None;
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + CLOSE_LIMIT;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                log::warn!("{} does not close; its thread is left running", self.name);
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        if thread.join().is_err() {
            log::error!("the thread that reads {} panicked", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;
    use crate::source::Frame;

    /// Takes its time for each frame and counts them; notes when it is dropped.
    struct Slow {
        asked: Arc<AtomicU64>,
        dropped: Arc<AtomicUsize>,
        described: Arc<AtomicUsize>,
        last: u64,
        /// Whether only every tenth answer is a frame.
        seldom: bool,
    }

    impl Slow {
        fn until(last: u64) -> Self {
            let (asked, dropped, described) = (Arc::default(), Arc::default(), Arc::default());
            Self { asked, dropped, described, last, seldom: false }
        }
    }

    impl Source for Slow {
        fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
            thread::sleep(Duration::from_millis(20));
            let sequence = self.asked.fetch_add(1, Ordering::SeqCst);
            if sequence == self.last {
                return Ok(Next::End);
            }
            if self.seldom && !sequence.is_multiple_of(10) {
                return Ok(Next::Nothing);
            }
            let picture = image::RgbImage::new(1, 1).into();
            Ok(Next::Frame(Frame { picture, name: None, sequence, captured: Instant::now() }))
        }

        fn describe(&self) -> String {
            self.described.fetch_add(1, Ordering::SeqCst);
            "slow".into()
        }

        fn state(&self) -> State {
            State::Connected
        }
    }

    impl Drop for Slow {
        fn drop(&mut self) {
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_answers_in_time_and_works_only_when_asked() {
        let slow = Slow::until(3);
        let (asked, dropped) = (Arc::clone(&slow.asked), Arc::clone(&slow.dropped));
        let mut source = ThreadedSource::new(slow);
        let (mut frames, mut nothings) = (Vec::new(), 0);
        loop {
            match source.next(Duration::from_millis(1)).unwrap() {
                Next::Frame(frame) => frames.push(frame.sequence),
                Next::Nothing => nothings += 1,
                Next::End => break,
                Next::Skipped(skipped) => panic!("{skipped}"),
            }
            assert!(asked.load(Ordering::SeqCst) <= frames.len() as u64 + 1, "it worked ahead");
        }
        assert_eq!(frames, [0, 1, 2]);
        assert!(nothings > 0, "a wait of 1 ms cannot have been enough for a 20 ms frame");
        assert!(matches!(source.next(Duration::from_secs(5)), Err(SourceError::ThreadGone { .. })));
        drop(source);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_frame_that_waited_for_its_caller_is_dropped_for_a_newer_one() {
        let mut source = ThreadedSource::new(Slow::until(u64::MAX));
        assert!(matches!(source.next(Duration::ZERO), Ok(Next::Nothing)));
        // The first frame is there long before the caller is.
        thread::sleep(STALE + Duration::from_millis(300));
        let back = Instant::now();
        let frame = loop {
            if let Next::Frame(frame) = source.next(Duration::from_secs(5)).unwrap() {
                break frame;
            }
        };
        assert!(frame.sequence > 0 && frame.captured >= back, "frame {}", frame.sequence);
    }

    /// The thread writes texts only where they may be others now: in its stride it allocates nothing of its
    /// own, with a frame or without.
    #[test]
    fn answers_without_a_frame_describe_nothing_anew() {
        let mut slow = Slow::until(40);
        slow.seldom = true;
        let described = Arc::clone(&slow.described);
        let mut source = ThreadedSource::new(slow);
        assert_eq!(described.load(Ordering::SeqCst), 1);
        let mut nothings = 0;
        loop {
            match source.next(Duration::from_secs(5)).unwrap() {
                Next::End => break,
                Next::Nothing => nothings += 1,
                Next::Frame(_) | Next::Skipped(_) => {}
            }
        }
        assert!(nothings >= 36, "{nothings}");
        assert_eq!(described.load(Ordering::SeqCst), 2, "once at the start, once at the end");
        assert_eq!((source.describe(), source.state()), ("slow".into(), State::Connected));
    }

    #[test]
    fn dropping_closes_the_source() {
        let slow = Slow::until(u64::MAX);
        let dropped = Arc::clone(&slow.dropped);
        let mut source = ThreadedSource::new(slow);
        let _ = source.next(Duration::ZERO);
        drop(source);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_overdue_reply_is_a_fault() {
        let now = Instant::now();
        let late = now + REPLY_LIMIT;
        assert_eq!(state_after(&State::Connected, Some(now), "x", late - WAIT), State::Connected);
        assert_eq!(state_after(&State::Connected, None, "x", late), State::Connected);
        let State::Away(away) = state_after(&State::Connected, Some(now), "x", late) else {
            panic!("not away")
        };
        assert_eq!((away.since, away.attempts), (now, 0));
        // Who was away before is so for the same reason, but nobody knows when it will be tried again.
        let known = Away { reason: "unplugged".into(), since: now, attempts: 3, retry_at: Some(late) };
        let State::Away(away) = state_after(&State::Away(known.clone()), Some(now), "x", late) else {
            panic!("not away")
        };
        assert_eq!(away, Away { retry_at: None, ..known });
    }
}
