//! A source on a thread of its own. Opening or closing a camera can hang for seconds inside the kernel (a USB
//! device that does not answer); whoever blinks LEDs and feeds a watchdog must not wait for that.
//!
//! The thread works only when it is asked, one answer at a time, so no frame is decoded for nobody and none
//! grows old in a queue.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Away, Next, Source, SourceError, State};

/// How long the thread waits for a frame before it answers that there is none.
const WAIT: Duration = Duration::from_millis(200);
/// Without an answer for this long the source counts as away. Opening a USB camera may take 5 s per request.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long dropping waits for the thread to close its source.
const CLOSE_LIMIT: Duration = Duration::from_secs(4);

struct Answer {
    next: Result<Next, SourceError>,
    /// Name and state, where they may have changed.
    told: Option<(String, State)>,
}

/// Runs another source on a thread.
pub struct Background {
    requests: Option<SyncSender<()>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
    asked: Option<Instant>,
    name: String,
    state: State,
}

impl Background {
    /// Moves `source` to a thread, which ends when this is dropped.
    #[must_use]
    pub fn new(mut source: impl Source + 'static) -> Self {
        // There is never more than one of each; channels with a limit have their memory from the start.
        let (requests, requested) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let (name, state) = (source.describe(), source.state());
        let mut known = state.clone();
        let run = move || {
            while requested.recv().is_ok() {
                let next = source.next(WAIT);
                let over = matches!(next, Ok(Next::End) | Err(_));
                let state = source.state();
                let same = state == known && matches!(next, Ok(Next::Frame(_)));
                let told = (!same).then(|| (source.describe(), state.clone()));
                known = state;
                if answer.send(Answer { next, told }).is_err() || over {
                    break;
                }
            }
        };
        // Without a thread the channels are closed, which `next` reports.
        let thread = thread::Builder::new().name("source".into()).spawn(run);
        let thread = thread.inspect_err(|error| log::error!("no thread for {name}: {error}")).ok();
        Self { requests: Some(requests), answers, thread, asked: None, name, state }
    }

    fn gone(&self) -> SourceError {
        SourceError::ThreadGone { name: self.name.clone() }
    }
}

impl Source for Background {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if self.asked.is_none() {
            let sent = self.requests.as_ref().is_some_and(|requests| requests.send(()).is_ok());
            if !sent {
                return Err(self.gone());
            }
            self.asked = Some(Instant::now());
        }
        match self.answers.recv_timeout(wait) {
            Ok(Answer { next, told }) => {
                self.asked = None;
                if let Some(told) = told {
                    (self.name, self.state) = told;
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

/// The state last told, unless the answer is overdue. Pure: the time is handed in.
fn state_after(told: &State, asked: Option<Instant>, name: &str, now: Instant) -> State {
    let Some(since) = asked.filter(|&asked| now.saturating_duration_since(asked) >= ANSWER_LIMIT) else {
        return told.clone();
    };
    match told {
        State::Away(away) => State::Away(Away { retry_at: None, ..away.clone() }),
        State::Starting | State::Connected | State::Blind(_) => State::Away(Away {
            reason: format!("{name} does not answer; unplug it and plug it in again"),
            since,
            attempts: 0,
            retry_at: None,
        }),
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.requests = None;
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + CLOSE_LIMIT;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                log::warn!("{} does not close; it is left behind", self.name);
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        if thread.join().is_err() {
            log::error!("the thread of {} has panicked", self.name);
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
        last: u64,
    }

    impl Source for Slow {
        fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
            thread::sleep(Duration::from_millis(20));
            let sequence = self.asked.fetch_add(1, Ordering::SeqCst);
            if sequence == self.last {
                return Ok(Next::End);
            }
            let picture = image::RgbImage::new(1, 1).into();
            Ok(Next::Frame(Frame { picture, name: None, sequence, captured: Instant::now() }))
        }

        fn describe(&self) -> String {
            "slow".into()
        }
    }

    impl Drop for Slow {
        fn drop(&mut self) {
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_answers_in_time_and_works_only_when_asked() {
        let (asked, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let slow = Slow { asked: Arc::clone(&asked), dropped: Arc::clone(&dropped), last: 3 };
        let mut source = Background::new(slow);
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
    fn dropping_closes_the_source() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let slow = Slow { asked: Arc::default(), dropped: Arc::clone(&dropped), last: u64::MAX };
        let mut source = Background::new(slow);
        let _ = source.next(Duration::ZERO);
        drop(source);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_overdue_answer_is_a_fault() {
        let now = Instant::now();
        let late = now + ANSWER_LIMIT;
        assert_eq!(state_after(&State::Connected, Some(now), "x", late - WAIT), State::Connected);
        assert_eq!(state_after(&State::Connected, None, "x", late), State::Connected);
        let State::Away(away) = state_after(&State::Connected, Some(now), "x", late) else {
            panic!("not away")
        };
        assert_eq!((away.since, away.attempts), (now, 0));
    }
}
