//! The local socket of a running daemon, through `maskwatch ctl`, `maskwatch watch` and by hand.

use crate::door_cli::{Running, with_networks};
use crate::terminal::Session;
use maskwatch::daemon::listeners::socket::protocol::{Message, StateMessage};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

/// A daemon with a socket, that sees `pictures` one after the other.
struct Door {
    daemon: Running,
    socket: PathBuf,
    folder: tempfile::TempDir,
}

impl Door {
    fn start(source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("door.sock");
        let door = Self { daemon: Self::daemon(&folder, source, &socket), socket, folder };
        door.daemon.wait_for("listening at ");
        door
    }

    fn write_config(folder: &tempfile::TempDir, source: &str, socket: &Path) -> String {
        let path = folder.path().join("door.toml");
        let text = format!("[source]\nspec = \"{source}\"\n[socket]\npath = \"{}\"\n", socket.display());
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn daemon(folder: &tempfile::TempDir, source: &str, socket: &Path) -> Running {
        let config = Self::write_config(folder, source, socket);
        let mut command = with_networks(&["run", "--dry-run", "--config", &config]);
        Running::start(command.env("RUST_LOG", "maskwatch=debug"))
    }

    fn command(&self, name: &str, args: &[&str]) -> Output {
        let socket = self.socket.to_str().unwrap();
        with_networks(&[&[name, "--socket", socket], args].concat()).output().unwrap()
    }

    /// What `maskwatch ctl` prints, which has to succeed.
    fn ctl(&self, args: &[&str]) -> String {
        let output = self.command("ctl", args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.command("ctl", args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn connect(&self) -> Client {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client(BufReader::new(stream))
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn receive(&mut self) -> Message {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// The next message that `is_wanted`.
    fn wait_for(&mut self, is_wanted: impl Fn(&Message) -> bool) -> Message {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            let message = self.receive();
            if is_wanted(&message) {
                return message;
            }
        }
        panic!("never told");
    }

    fn state(&mut self) -> StateMessage {
        self.send(r#"{"command":"state"}"#);
        match self.wait_for(|message| matches!(message, Message::State(_))) {
            Message::State(state) => state,
            _ => unreachable!("it is a state"),
        }
    }
}

fn bare_face() -> String {
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    format!("command: while sleep 0.05; do cat '{picture}'; done")
}

#[test]
fn a_door_is_watched_paused_silenced_and_tested_through_its_socket() {
    let door = Door::start(&bare_face());
    let mut client = door.connect();
    let Message::Hello { protocol: 1, door: name, .. } = client.receive() else { panic!("no hello") };
    assert_eq!(Some(name.as_str()), door.folder.path().file_name().and_then(|name| name.to_str()));
    client.send(r#"{"command":"watch"}"#);
    let look = client.wait_for(|message| {
        matches!(message, Message::Look(look) if look.faces.iter().any(|face| face.probabilities.is_some()))
    });
    let Message::Look(look) = look else { unreachable!() };
    assert_eq!(look.frame, (512, 512));
    assert!(look.faces[0].rect[2] > 50.0 && look.stages.detect > 0.0, "{look:?}");
    client.wait_for(|message| matches!(message, Message::Alert { person: 1, .. }));
    let alert = |message: &Message| matches!(message, Message::State(state) if state.state == "alert");
    client.wait_for(alert);
    assert!(door.ctl(&["state"]).starts_with("door: alert for "));
    assert!(door.ctl(&["health"]).contains(" looks a second\n"));

    // An alert goes before a test.
    let refused = door.refused(&["test", "pass", "5"]);
    assert!(refused.contains("the door is in the state alert, which goes before any test"), "{refused}");
    assert_eq!(door.ctl(&["silence", "30"]), "");
    door.daemon.wait_for("buzzers silent for 30 s");

    // In a pause it is dark, nobody is judged, and a test is shown.
    door.ctl(&["pause", "60"]);
    client.wait_for(|message| matches!(message, Message::State(state) if state.state == "off"));
    door.daemon.wait_for("simulated pin red (GPIO17) is Low");
    let state = client.state();
    assert!(state.paused.is_some_and(|left| left > 50.0), "{state:?}");
    assert!(state.status.starts_with("paused; watching command "), "{state:?}");
    door.ctl(&["test", "pass", "1"]);
    door.daemon.wait_for("simulated pin green (GPIO27) is High");
    door.daemon.wait_for("simulated pin green (GPIO27) is Low");
    door.ctl(&["resume"]);
    client.wait_for(alert);

    // A pause ends by itself.
    door.ctl(&["pause", "1"]);
    client.wait_for(|message| matches!(message, Message::State(state) if state.state == "off"));
    client.wait_for(alert);
    door.daemon.send("-TERM");
    let mut rest = String::new();
    client.0.read_to_string(&mut rest).unwrap();
    let began = Instant::now();
    while door.socket.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "the socket is left behind");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_happens_is_shown_as_lines_where_the_output_is_no_terminal() {
    let door = Door::start(&bare_face());
    door.daemon.wait_for("alert for person #1");
    let watched = door.command("watch", &["--for", "3"]);
    let text = String::from_utf8(watched.stdout).unwrap();
    assert!(watched.status.success(), "{}", String::from_utf8_lossy(&watched.stderr));
    assert!(text.contains(" s  door alert; watching command "), "{text}");
    assert!(text.contains(" looks a second, ") && !text.contains('\u{1b}'), "{text}");
    let raw = door.command("watch", &["--for", "2", "--format", "jsonl"]);
    let text = String::from_utf8(raw.stdout).unwrap();
    let types = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].clone();
    assert!(text.lines().any(|line| types(line) == "look"), "{text}");
    let live = door.command("watch", &["--for", "2", "--format", "live"]);
    let text = String::from_utf8(live.stdout).unwrap();
    assert!(text.contains("● red steady"), "{text}");
    assert!(text.ends_with("\u{1b}[?25h\u{1b}[?1049l"), "the terminal is as it was: {text}");
}

#[test]
fn without_a_daemon_the_mend_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("no.sock");
    let output = with_networks(&["ctl", "--socket", socket.to_str().unwrap(), "state"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("no daemon answers at ") && text.contains("start the daemon"), "{text}");
    let output = with_networks(&["ctl", "test", "pass", "61"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text, "error: test cannot last 61 s; use 0.5 to 60 seconds\n");
}

#[test]
fn a_reload_moves_the_socket_and_an_empty_path_closes_it() {
    let source = "/dev/no-such-camera";
    let door = Door::start(source);
    let other = door.folder.path().join("other.sock");
    Door::write_config(&door.folder, source, &other);
    door.daemon.send("-HUP");
    door.daemon.wait_for("the configuration was reloaded");
    assert!(other.exists() && !door.socket.exists());
    Door::write_config(&door.folder, source, Path::new(""));
    door.daemon.send("-HUP");
    door.daemon.wait_for("the configuration was reloaded");
    assert!(!other.exists());
}

#[test]
fn a_socket_that_cannot_be_made_is_said_and_the_door_works_without() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Door::daemon(&folder, &bare_face(), Path::new("/nowhere/door.sock"));
    daemon.wait_for("no socket can be made at /nowhere/door.sock");
    daemon.wait_for("alert for person #1");
}

/// The inodes of the sockets that a process has open.
fn sockets_of(pid: u32) -> Vec<String> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let names =
        links.filter_map(|link| std::fs::read_link(link.path()).ok()?.into_os_string().into_string().ok());
    names.filter_map(|name| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

#[test]
fn by_default_a_service_listens_at_its_local_socket_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_networks(&["run", "--dry-run", "--source", &bare_face()]);
    let daemon = Running::start(command.env("RUNTIME_DIRECTORY", folder.path()));
    daemon.wait_for("alert for person #1");
    let sockets = sockets_of(daemon.child.id());
    let table =
        |name: &str| std::fs::read_to_string(format!("/proc/{}/net/{name}", daemon.child.id())).unwrap();
    for name in ["tcp", "tcp6", "udp", "udp6", "raw", "packet"] {
        // Where the kernel has no such family, there is no such table.
        let Ok(table) = std::fs::read_to_string(format!("/proc/{}/net/{name}", daemon.child.id())) else {
            continue;
        };
        let used = table
            .lines()
            .filter(|line| line.split_whitespace().any(|word| sockets.iter().any(|one| one == word)));
        assert_eq!(used.count(), 0, "{name}: {table}");
    }
    // The sixth column is the state (01 listens), the seventh the inode, the last the path.
    let listening: Vec<String> = table("unix")
        .lines()
        .filter(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(5) == Some(&"01")
                && words.get(6).is_some_and(|inode| sockets.iter().any(|one| one == inode))
        })
        .filter_map(|line| line.split_whitespace().nth(7).map(str::to_owned))
        .collect();
    assert_eq!(listening, [folder.path().join("maskwatch.sock").display().to_string()]);
}

#[test]
fn the_live_view_fits_its_terminal_and_leaves_it_as_it_was() {
    let door = Door::start(&bare_face());
    door.daemon.wait_for("alert for person #1");
    let mut session = Session::start(&with_networks(&["watch", "--socket", door.socket.to_str().unwrap()]));
    session.wait_for("ALERT for ");
    // What happened before somebody watched.
    session.wait_for("alert for person #1");
    assert!(!session.is_usable(), "keys would be written across the screen");
    session.resize(60, 20);
    session.wait_for("\u{1b}[2J");
    session.wait_for(&format!("last events {}\u{1b}", "─".repeat(45)));
    session.send("q");
    assert!(session.end().success(), "{}", session.text);
    assert!(session.is_usable() && session.text.ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{}", session.text);
}
