//! The connection of a command to a running daemon, through its local socket.

use crate::daemon::listeners::socket::place;
use crate::daemon::listeners::socket::protocol::{Message, PROTOCOL, Request};
use anyhow::{Context, anyhow, bail};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long the daemon may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest line that is read.
const LONGEST_LINE: u64 = 1 << 20;

/// Which daemon is meant.
#[derive(Debug, clap::Args)]
pub(super) struct SocketArgs {
    /// Socket of the daemon, as in socket.path; by default that of the service
    #[arg(long, value_name = "FILE", conflicts_with = "door")]
    socket: Option<PathBuf>,
    /// Name of the door, where the board has several: NAME of the service maskwatch@NAME
    #[arg(long, value_name = "NAME")]
    door: Option<String>,
}

/// A connection whose first line was read.
pub(super) struct Connection {
    reader: BufReader<UnixStream>,
    path: PathBuf,
    /// The door's name.
    pub(super) door: String,
}

impl SocketArgs {
    /// Name of the service that is meant.
    pub(super) fn service(&self) -> String {
        self.door.as_ref().map_or_else(|| "maskwatch".into(), |door| format!("maskwatch@{door}"))
    }

    /// Connects to the daemon.
    pub(super) fn connect(&self) -> anyhow::Result<Connection> {
        let path = match &self.socket {
            Some(path) => path.clone(),
            None => place::find(self.door.as_deref()).map_err(|problem| anyhow!(problem))?,
        };
        let stream = UnixStream::connect(&path).map_err(|error| {
            let mend = match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => "start the daemon, or name its socket",
                ErrorKind::PermissionDenied => {
                    "join the daemon's group (sudo usermod -aG maskwatch $USER, then log in again)"
                }
                _ => "try again",
            };
            anyhow!("no daemon answers at {} ({error}); {mend}", path.display())
        })?;
        stream.set_read_timeout(Some(PATIENCE)).context("the socket cannot be used")?;
        stream.set_write_timeout(Some(PATIENCE)).context("the socket cannot be used")?;
        let mut connection = Connection { reader: BufReader::new(stream), path, door: String::new() };
        match connection.receive()? {
            Some(Message::Hello { protocol: PROTOCOL, door, .. }) => connection.door = door,
            Some(Message::Hello { protocol, version, .. }) => bail!(
                "the daemon (version {version}) speaks protocol {protocol}, and this program {PROTOCOL}; use the program of the same version"
            ),
            Some(Message::Answer { error: Some(error), .. }) => bail!("the daemon refuses: {error}"),
            _ => bail!("{} is not the socket of a maskwatch daemon", connection.path.display()),
        }
        Ok(connection)
    }
}

impl Connection {
    /// Sends a request.
    pub(super) fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        let sent = self.reader.get_mut().write_all(line.as_bytes());
        sent.with_context(|| format!("{} takes no request", self.path.display()))
    }

    /// The next line; `None` when the daemon has ended the connection.
    ///
    /// # Errors
    /// When nothing comes for five seconds, or what comes is not the daemon's.
    pub(super) fn receive_line(&mut self) -> anyhow::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut line);
        match read {
            Ok(0) => Ok(None),
            Ok(_) => {
                let text = String::from_utf8(line).ok();
                let path = self.path.display();
                Ok(Some(text.with_context(|| format!("{path} is not the socket of a maskwatch daemon"))?))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                bail!(
                    "the daemon at {} does not answer within {} s; see `systemctl status maskwatch`",
                    self.path.display(),
                    PATIENCE.as_secs()
                )
            }
            // The daemon has ended while lines were on their way.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", self.path.display())),
        }
    }

    /// The next message; `None` when the daemon has ended the connection.
    pub(super) fn receive(&mut self) -> anyhow::Result<Option<Message>> {
        let Some(line) = self.receive_line()? else { return Ok(None) };
        let message = Message::parse(line.as_bytes());
        message.map(Some).map_err(|problem| anyhow!("{}: {problem}", self.path.display()))
    }
}
