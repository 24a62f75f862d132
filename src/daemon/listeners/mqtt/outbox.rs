//! Events on their way to the broker. While it is there they wait in memory; while it is away they wait in a
//! file, which outlives the daemon and the power. The order stays, and none is forgotten before the broker
//! has confirmed it, unless there are too many.

use super::event_file::EventFile;
use std::collections::VecDeque;
use std::io::Error;
use std::path::Path;

/// Events that wait in memory while the broker is there; a broker that confirms nothing is as good as away.
const MOST_IN_MEMORY: usize = 256;

/// Events that wait.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The older ones.
    file: Option<EventFile>,
    /// The younger ones.
    live: VecDeque<Vec<u8>>,
    /// How many may wait.
    most: usize,
    /// How many of the first are with the broker, which has not confirmed them.
    in_flight: usize,
    /// How many had to go, and nobody was told.
    dropped: u64,
    is_away: bool,
    /// What is wrong with the file, and was not told yet.
    problem: Option<String>,
}

impl Outbox {
    /// Goes on with the events in the file `path`; in memory alone without one. At most `most` events wait.
    pub(super) fn open(path: Option<&Path>, most: usize) -> Self {
        let mut outbox = Self {
            file: None,
            live: VecDeque::new(),
            most,
            in_flight: 0,
            dropped: 0,
            is_away: true,
            problem: None,
        };
        if let Some(path) = path {
            match EventFile::open(path) {
                Ok(mut file) => {
                    if file.torn() > 0 {
                        outbox.problem = Some(format!(
                            "{} ended within a line, as after a power cut: its last {} bytes are no event and were cut off",
                            path.display(),
                            file.torn()
                        ));
                    }
                    // Those that were used or dropped before may be in the file still.
                    let surplus = file.len().saturating_sub(most);
                    match if surplus > 0 { file.remove(surplus) } else { Ok(()) } {
                        Ok(()) => outbox.file = Some(file),
                        Err(error) => outbox.problem = Some(failing(&file, &error)),
                    }
                }
                Err(error) => {
                    let path = path.display();
                    outbox.problem = Some(format!(
                        "{path} cannot be opened ({error}), so events wait in memory; let the daemon's user write it"
                    ));
                }
            }
        }
        outbox
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.in_file() + self.live.len()
    }

    fn in_file(&self) -> usize {
        self.file.as_ref().map_or(0, EventFile::len)
    }

    /// Takes an event. While the broker is away it is on the disk when this returns, if there is a file.
    pub(super) fn add(&mut self, event: Vec<u8>) {
        self.live.push_back(event);
        if self.is_away || self.live.len() > MOST_IN_MEMORY {
            self.store();
        }
        while self.len() > self.most {
            self.drop_oldest();
        }
    }

    /// The broker is there: new events wait in memory.
    pub(super) fn resume(&mut self) {
        self.is_away = false;
    }

    /// The broker is away: what it has not confirmed waits for it on the disk.
    pub(super) fn suspend(&mut self) {
        (self.is_away, self.in_flight) = (true, 0);
        self.store();
    }

    /// The next events to send, at most `most`; `None` while others are in flight or there are none.
    pub(super) fn next_batch(&mut self, most: usize) -> Option<Vec<Vec<u8>>> {
        if self.in_flight > 0 || self.len() == 0 {
            return None;
        }
        if let Some(file) = self.file.as_ref().filter(|file| file.len() > 0) {
            match file.first(most) {
                Ok(batch) if !batch.is_empty() => {
                    self.in_flight = batch.len();
                    return Some(batch);
                }
                Ok(_) => self.give_up(&Error::other("it is shorter than it was")),
                Err(error) => self.give_up(&error),
            }
        }
        let batch: Vec<Vec<u8>> = self.live.iter().take(most).cloned().collect();
        self.in_flight = batch.len();
        Some(batch).filter(|batch| !batch.is_empty())
    }

    /// The broker has confirmed all that were in flight.
    pub(super) fn confirm(&mut self) {
        let count = std::mem::take(&mut self.in_flight);
        if self.in_file() > 0 {
            self.remove_stored(count);
        } else {
            self.live.drain(..count.min(self.live.len()));
        }
    }

    /// How many events had to be dropped since this was asked last.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// What is wrong with the file, told once.
    pub(super) fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Moves all that wait in memory to the end of the file; in memory they stay where that fails.
    fn store(&mut self) {
        let Some(file) = self.file.as_mut().filter(|_| !self.live.is_empty()) else { return };
        match file.add(self.live.iter()) {
            Ok(()) => self.live.clear(),
            Err(error) => {
                let path = file.path().display();
                self.problem = Some(format!(
                    "{path} cannot be written ({error}), so events wait in memory; make room on the disk"
                ));
            }
        }
    }

    fn drop_oldest(&mut self) {
        self.dropped += 1;
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_file() > 0 {
            self.remove_stored(1);
        } else {
            self.live.pop_front();
        }
    }

    fn remove_stored(&mut self, count: usize) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.remove(count.min(file.len())) {
            self.give_up(&error);
        }
    }

    /// Leaves a file that fails: nothing in it may hold up what comes behind.
    fn give_up(&mut self, error: &Error) {
        if let Some(file) = self.file.take() {
            self.problem = Some(failing(&file, error));
        }
    }
}

fn failing(file: &EventFile, error: &Error) -> String {
    let path = file.path().display();
    format!("{path} fails ({error}), so events wait in memory until the next start; check the disk")
}

#[cfg(test)]
mod tests;
