//! The metrics as a file that node_exporter reads. It is written again and again, replaced as a whole each
//! time, and removed when the daemon ends: a dead door must not look alive.

use std::fs::{OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// node_exporter runs as another user.
const RIGHTS: u32 = 0o644;

/// The thread that writes the file.
#[derive(Debug)]
pub(super) struct TextFile {
    /// Dropped to end the thread.
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TextFile {
    /// Writes what `text` returns to `path` now and every `every` from now on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        path: &Path,
        every: Duration,
        text: impl Fn() -> String + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let mut writer = Writer { path: path.to_owned(), failed: None };
        let run = move || writer.run(every, &stopped, text);
        let thread = std::thread::Builder::new().name("metrics-file".into()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its thread already.
            let _ = thread.join();
        }
    }
}

struct Writer {
    path: PathBuf,
    /// Why it could not be written last, if it could not.
    failed: Option<ErrorKind>,
}

impl Writer {
    fn run(&mut self, every: Duration, stopped: &Receiver<()>, text: impl Fn() -> String) {
        loop {
            let written = write(&self.path, &text());
            self.tell(written);
            if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound && self.failed.is_none() => {
                log::warn!("the metrics in {} cannot be removed: {error}", self.path.display());
            }
            _ => {}
        }
    }

    /// Logs that the file cannot be written, once for each reason, and that it can again.
    fn tell(&mut self, written: Result<(), Error>) {
        let failed = written.as_ref().err().map(Error::kind);
        let before = std::mem::replace(&mut self.failed, failed);
        let path = self.path.display();
        match written {
            Err(error) if before != failed => log::warn!(
                "metrics.file {path} cannot be written ({error}); {}; it is tried again without another warning",
                mend(error.kind())
            ),
            Ok(()) if before.is_some() => log::info!("metrics.file {path} is written again"),
            _ => {}
        }
    }
}

/// Replaces the file at `path`. Nothing waits for the disk: metrics need not outlive the power, and memory
/// cards wear.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    // node_exporter passes over names that do not end in .prom.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = || {
        // A link that somebody has put there is not followed.
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(RIGHTS)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&beside)?;
        file.set_permissions(Permissions::from_mode(RIGHTS))?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&beside, path)
    };
    written().inspect_err(|_| {
        // It may not even be there.
        let _ = std::fs::remove_file(&beside);
    })
}

fn mend(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "make its folder, or name another file",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "let the daemon's user write its folder (the service needs the drop-in metrics-file.conf for that)"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room",
        _ => "check the folder and the disk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    fn until(what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn the_file_is_written_at_once_and_again_whole_and_for_all_and_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maskwatch.prom");
        let calls = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&calls);
        let text = move || format!("{}\n", counted.fetch_add(1, Ordering::Relaxed)).repeat(10_000);
        let file = TextFile::start(&path, Duration::from_millis(5), text).unwrap();
        until("it is written", || path.exists());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, RIGHTS);
        while calls.load(Ordering::Relaxed) < 20 {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().count(), 10_000, "no reader sees half a file");
        }
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_folder_that_is_not_there_holds_up_nothing_and_is_written_once_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        let path = below.join("maskwatch.prom");
        let file = TextFile::start(&path, Duration::from_millis(5), || "a 1\n".into()).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        std::fs::create_dir(&below).unwrap();
        until("it is written", || path.exists());
        std::fs::remove_dir_all(&below).unwrap();
        drop(file);
    }

    #[test]
    fn each_reason_is_told_once_until_it_is_over() {
        let mut writer = Writer { path: "/nowhere/maskwatch.prom".into(), failed: None };
        let failed = |writer: &mut Writer, kind: ErrorKind| {
            writer.tell(Err(kind.into()));
            writer.failed
        };
        assert_eq!(failed(&mut writer, ErrorKind::NotFound), Some(ErrorKind::NotFound));
        assert_eq!(failed(&mut writer, ErrorKind::StorageFull), Some(ErrorKind::StorageFull));
        writer.tell(Ok(()));
        assert_eq!(writer.failed, None);
    }

    #[test]
    fn a_link_in_its_way_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("a.prom"), folder.path().join("victim"));
        std::fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("a.prom.new")).unwrap();
        assert!(write(&path, "theirs").is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
        // The link is gone, and the next attempt goes well.
        write(&path, "theirs").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        std::os::unix::fs::symlink(&victim, folder.path().join("b.prom")).unwrap();
        write(&folder.path().join("b.prom"), "theirs").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine", "a link of that name is replaced");
    }
}
