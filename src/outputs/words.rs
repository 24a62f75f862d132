//! What the outputs have to say. The thread that drives them never writes to the log itself: a log that
//! nobody reads must not keep a light on. It hands its words to a thread of their own, and waits for nothing.

use log::Level;
use std::fmt::Arguments;
use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Words that wait for the log at most; what comes while it is full is counted and dropped.
const QUEUE: usize = 64;

/// Takes what the outputs have to say: for the log at once, or for a thread that writes it.
#[derive(Debug, Default)]
pub(super) struct Words {
    queue: Option<SyncSender<(Level, String)>>,
    /// Words that found the queue full since the last one that did not.
    lost: u32,
}

impl Words {
    /// Words that a thread of their own hands to `write`. The thread ends when they are dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn for_thread(
        mut write: impl FnMut(Level, &str) + Send + 'static,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (queue, waiting) = sync_channel::<(Level, String)>(QUEUE);
        let thread = std::thread::Builder::new()
            .name("outputs-log".into())
            .spawn(move || waiting.iter().for_each(|(level, text)| write(level, &text)))?;
        Ok((Self { queue: Some(queue), lost: 0 }, thread))
    }

    /// Says one sentence; never waits if there is a thread.
    pub(super) fn say(&mut self, level: Level, sentence: Arguments<'_>) {
        if level > log::max_level() {
            return;
        }
        let Some(queue) = &self.queue else {
            log::log!(level, "{sentence}");
            return;
        };
        let text = match self.lost {
            0 => sentence.to_string(),
            lost => format!("{sentence} ({lost} messages of the outputs before this one were dropped)"),
        };
        match queue.try_send((level, text)) {
            Ok(()) => self.lost = 0,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost = self.lost.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    #[test]
    fn a_log_that_hangs_holds_up_nobody_and_what_is_dropped_is_counted() {
        log::set_max_level(log::LevelFilter::Info);
        let (allow, leave) = channel::<()>();
        let (told, heard) = channel();
        let write = move |_, text: &str| {
            let _ = leave.recv();
            let _ = told.send(text.to_owned());
        };
        let (mut words, thread) = Words::for_thread(write).unwrap();
        for number in 0..3 * QUEUE {
            words.say(Level::Warn, format_args!("{number}"));
        }
        words.say(Level::Debug, format_args!("not asked for"));
        // From now on the log takes everything; nothing more is lost once there is room.
        drop(allow);
        let began = Instant::now();
        let mut all: Vec<String> = Vec::new();
        while !all.iter().any(|text| text.starts_with("last")) {
            assert!(began.elapsed() < Duration::from_secs(30), "{all:?}");
            words.say(Level::Warn, format_args!("last"));
            all.extend(heard.try_iter());
        }
        drop(words);
        thread.join().unwrap();
        // Any of them may tell what was lost before it: the thread may take its first one late.
        let first = |text: &String| text.split(' ').next().is_some_and(|word| word.parse::<usize>().is_ok());
        let kept = all.iter().filter(|text| first(text)).count();
        assert!((QUEUE..=QUEUE + 1).contains(&kept), "{kept} were kept");
        let count =
            |text: &String| text.split(['(', ' ']).skip(1).find_map(|word| word.parse::<usize>().ok());
        let lost: usize = all.iter().filter_map(count).sum();
        assert!(lost >= 3 * QUEUE - kept, "{all:?}, {kept} kept");
        assert!(all.iter().all(|text| !text.contains("asked")));
    }
}
