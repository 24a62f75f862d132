//! The listener at the local socket: other programs on the board see there what the door does, as lines of
//! JSON, and give orders. Who may connect is up to the rights of the socket: the daemon's user and group. No
//! picture goes through it.
//!
//! - `protocol`: the lines, with `faces`; `figures`: what can be asked for at any moment; `recall`: why
//!   alerts were raised; `events`: what happened last.
//! - `client`: one connection; `server`: the thread that serves them all.
//! - `place`: where the socket is, and how it comes to be there.

mod client;
mod events;
mod faces;
pub(super) mod figures;
pub mod place;
pub mod protocol;
mod recall;
mod server;

#[cfg(any(feature = "mqtt", feature = "web"))]
pub(super) use figures::LiveFigures;

use super::hall::Listener;
use super::notice::Notice;
use crate::daemon::orders::OrderSender;
use server::{Common, Server};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Notices that wait for the server's thread at most.
const QUEUE: usize = 64;

/// Tells the clients of the local socket what happens.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    common: Arc<Common>,
    notices: Option<SyncSender<(Duration, Notice)>>,
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Socket {
    /// Listens at `path` from now on, and hands orders to `orders`.
    ///
    /// # Errors
    /// One sentence, if there can be no socket at `path`.
    pub fn open(path: &Path, orders: OrderSender) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("no socket can be made at {}: {error}", path.display());
        let listener = place::bind(path)?;
        let (bell, theirs) = UnixStream::pair().map_err(failed)?;
        bell.set_nonblocking(true).map_err(failed)?;
        theirs.set_nonblocking(true).map_err(failed)?;
        let (notices, waiting) = sync_channel(QUEUE);
        let common = Arc::<Common>::default();
        let server = Server {
            listener,
            bell: theirs,
            notices: waiting,
            common: Arc::clone(&common),
            orders,
            door: place::door_name(path),
            reference: (Instant::now(), Duration::ZERO),
        };
        let thread = std::thread::Builder::new()
            .name("socket-clients".into())
            .spawn(move || server.serve())
            .map_err(failed)?;
        Ok(Self { path: path.to_owned(), common, notices: Some(notices), bell, thread: Some(thread) })
    }

    fn ring(&mut self) {
        // A bell that is full rings already.
        let _ = self.bell.write(&[0]);
    }
}

impl Listener for Socket {
    fn name(&self) -> &'static str {
        "socket"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        |notice| !matches!(notice, Notice::Progress | Notice::Rested | Notice::Missed(_) | Notice::Reopened)
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        self.common.note(at, notice);
        if self.common.clients.load(Ordering::Relaxed) == 0 {
            return;
        }
        if let Some(notices) = &self.notices {
            // Waits if the server is busy; what cannot wait then is counted before the listeners' queues.
            let _ = notices.send((at, notice.clone()));
        }
        self.ring();
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        place::remove(&self.path);
        self.notices = None;
        self.ring();
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its thread already.
            let _ = thread.join();
        }
    }
}
