//! The numbers of events: each is larger than all before it, over restarts of the daemon, too. The number of
//! starts is kept in a file, so that no event needs the disk for its number.

use atomic_write_file::AtomicWriteFile;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// An event's number is the number of starts, then so many bits for the event since.
const EVENT_BITS: u32 = 32;
/// Numbers stay below 2^53, so that every reader of JSON takes them.
const MOST_STARTS: u64 = (1 << (53 - EVENT_BITS)) - 1;
/// 2026-01-01, in seconds since 1970.
const FIRST_DAY: Duration = Duration::from_secs(1_767_225_600);

/// Gives events their numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventNumbers {
    next: u64,
}

impl EventNumbers {
    /// Goes on behind the numbers that were given before, as the file `path` tells. Without a file it begins
    /// at the hours since 2026, which is more than the starts of a door whose card was replaced.
    ///
    /// # Errors
    /// If the file cannot be written; the numbers are good for this start, and a later one may repeat them.
    pub(super) fn open(path: Option<&Path>, now: SystemTime) -> (Self, Result<(), Error>) {
        let told = path.map(std::fs::read_to_string);
        let known = told.and_then(Result::ok).and_then(|text| text.trim().parse::<u64>().ok());
        let hours = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_sub(FIRST_DAY)
            .as_secs()
            / 3600;
        let starts = known.map_or(hours, |known| known.saturating_add(1)).min(MOST_STARTS);
        let saved = match path {
            Some(path) => save(path, starts),
            None => Err(Error::from(ErrorKind::NotFound)),
        };
        (Self { next: starts << EVENT_BITS }, saved)
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

fn save(path: &Path, starts: u64) -> Result<(), Error> {
    let mut file = AtomicWriteFile::open(path)?;
    writeln!(file, "{starts}")?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + FIRST_DAY + Duration::from_secs(3600 * hours)
    }

    #[test]
    fn no_number_comes_twice_whatever_happens_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("starts");
        let mut last = 0;
        let mut start = |at| {
            let (mut numbers, saved) = EventNumbers::open(Some(&path), at);
            saved.unwrap();
            for _ in 0..3 {
                let number = numbers.next();
                assert!(number > last && number < 1 << 53, "{number} after {last}");
                last = number;
            }
        };
        start(hours(5));
        // The clock of a board without one is at the beginning again.
        (0..3).for_each(|_| start(SystemTime::UNIX_EPOCH));
        // Another card.
        std::fs::remove_file(&path).unwrap();
        start(hours(50));
        std::fs::write(&path, "\0\0\0").unwrap();
        start(hours(51));
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let (numbers, saved) = EventNumbers::open(Some(Path::new("/nowhere/starts")), hours(1));
        assert_eq!((numbers.next, saved.is_err()), (1 << EVENT_BITS, true));
    }
}
