//! The file in which events wait while the broker is away: one line each, the oldest first. A line that is
//! whole is an event, so that a power cut takes at most the one that was being written.

use atomic_write_file::AtomicWriteFile;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file is written anew without its used events once these are so many bytes, and more than the others.
const MOST_USED: u64 = 256 << 10;
/// The daemon's user may write it, its group read it.
const RIGHTS: u32 = 0o640;

/// Events on the disk.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    /// Where the first event begins, and the last one ends.
    head: u64,
    end: u64,
    count: usize,
    /// Bytes of a torn line that were cut off.
    torn: u64,
}

impl EventFile {
    /// Goes on with the events in the file `path`, or makes it.
    ///
    /// # Errors
    /// When the system gives no file; a line that is torn is no error, and is cut off.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path).is_ok_and(|known| !known.is_file()) {
            return Err(io::Error::other("it is not a plain file"));
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.set_permissions(Permissions::from_mode(RIGHTS))?;
        if let Some(folder) = path.parent() {
            // So that the file itself outlives a power cut.
            File::open(folder)?.sync_all()?;
        }
        let (mut end, mut count) = (0, 0);
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            end += length as u64;
            count += 1;
        }
        let torn = file.metadata()?.len().saturating_sub(end);
        if torn > 0 {
            file.set_len(end)?;
        }
        Ok(Self { path: path.to_owned(), file, head: 0, end, count, torn })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes of a torn line were cut off when it was opened.
    pub(super) fn torn(&self) -> u64 {
        self.torn
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds events to the end: all of them are on the disk then, or none.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn add<'a>(&mut self, events: impl Iterator<Item = &'a Vec<u8>>) -> io::Result<()> {
        let (mut lines, mut count) = (Vec::new(), 0);
        for event in events {
            lines.extend_from_slice(event);
            lines.push(b'\n');
            count += 1;
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // A part would be read as an event with what comes behind it.
            self.file.set_len(self.end)?;
            return Err(error);
        }
        self.end += lines.len() as u64;
        self.count += count;
        Ok(())
    }

    /// The first events, `most` of them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn first(&self, most: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut reader = BufReader::new(&self.file);
        reader.seek(SeekFrom::Start(self.head))?;
        reader.take(self.end - self.head).split(b'\n').take(most).collect()
    }

    /// Forgets the first `count` events.
    ///
    /// # Errors
    /// When the file cannot be read or written; they are still there then.
    pub(super) fn remove(&mut self, count: usize) -> io::Result<()> {
        let lengths: usize = self.first(count)?.iter().map(|event| event.len() + 1).sum();
        let left = self.count.saturating_sub(count);
        if left == 0 {
            self.file.set_len(0)?;
            self.file.sync_data()?;
            (self.head, self.end, self.count) = (0, 0, 0);
            return Ok(());
        }
        self.head += lengths as u64;
        self.count = left;
        if self.head > MOST_USED && self.head > self.end - self.head {
            self.write_anew()?;
        }
        Ok(())
    }

    /// Writes the file without the events that are used.
    fn write_anew(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.head))?;
        let mut anew = AtomicWriteFile::open(&self.path)?;
        io::copy(&mut Read::by_ref(&mut self.file), &mut anew)?;
        anew.commit()?;
        let head = self.head;
        self.file = OpenOptions::new().read(true).append(true).open(&self.path)?;
        self.end -= head;
        self.head = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(numbers: std::ops::Range<usize>) -> Vec<Vec<u8>> {
        numbers.map(|number| format!("{number:0300}").into_bytes()).collect()
    }

    #[test]
    fn a_power_cut_takes_the_line_that_was_being_written_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut file = EventFile::open(&path).unwrap();
        file.add(events(0..3).iter()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut file = EventFile::open(&path).unwrap();
            let left = cut / 301;
            assert_eq!(file.torn(), cut as u64 % 301);
            assert_eq!(file.first(9).unwrap(), events(0..left), "cut at {cut}");
            file.add(events(7..8).iter()).unwrap();
            assert_eq!(file.len(), left + 1);
            assert_eq!(EventFile::open(&path).unwrap().first(9).unwrap()[left], events(7..8)[0]);
        }
    }

    #[test]
    fn the_file_stays_small_while_old_events_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut file = EventFile::open(&path).unwrap();
        for number in 0..10_000 {
            file.count += 1;
            let line = [&events(number..number + 1)[0][..], b"\n"].concat();
            // As `add` does, without waiting for the disk ten thousand times.
            file.file.write_all(&line).unwrap();
            file.end += line.len() as u64;
            if file.len() > 100 {
                file.remove(1).unwrap();
            }
        }
        assert_eq!(file.first(1000).unwrap(), events(9900..10_000));
        assert!(std::fs::metadata(&path).unwrap().len() < 2 * MOST_USED);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, RIGHTS);
        file.remove(100).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}
