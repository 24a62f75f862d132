//! What `maskwatch run` tells the service manager that started it, over a socket as systemd's.

#![cfg(target_os = "linux")]
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon and the socket on which it tells how it fares; killed when dropped.
pub(super) struct Service {
    pub(super) daemon: Child,
    socket: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Service {
    fn start(watchdog: Duration, args: &[&str]) -> Self {
        Self::with_stderr(watchdog, args, Stdio::null())
    }

    pub(super) fn with_stderr(watchdog: Duration, args: &[&str], stderr: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let daemon = Command::new(env!("CARGO_BIN_EXE_maskwatch"))
            .args(["run", "--dry-run"])
            .args(args)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self { daemon, socket, _folder: folder }
    }

    /// The next message that contains `wanted`.
    pub(super) fn wait_for(&self, wanted: &str) -> String {
        let mut heard = Vec::new();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let mut message = [0; 4096];
            let length = match self.socket.recv(&mut message) {
                Ok(length) => length,
                // A machine that was suspended wakes up with this.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let text = String::from_utf8(message[..length].to_vec()).unwrap();
            if text.contains(wanted) {
                return text;
            }
            heard.push(text);
        }
        panic!("never told: {wanted:?}, but {heard:?}");
    }

    pub(super) fn send(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.daemon.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Where it has ended already, this says so and does nothing.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn without_a_camera_it_is_ready_says_so_and_every_attempt_feeds_the_watchdog() {
    let watchdog = Duration::from_secs(8);
    let service = Service::start(watchdog, &["--source", "/dev/no-such-camera"]);
    let ready = service.wait_for("READY=1");
    assert!(ready.contains("STATUS=waiting for /dev/no-such-camera"), "{ready}");
    let fault = service.wait_for("STATUS=fault: ");
    assert!(fault.contains("/dev/no-such-camera is not there; plug it in"), "{fault}");
    // The usual pauses, 5 s and more, are cut to what the watchdog waits for.
    for _ in 0..4 {
        let began = Instant::now();
        service.wait_for("WATCHDOG=1");
        assert!(began.elapsed() < watchdog, "systemd would have killed it");
    }
}

#[test]
fn frames_feed_the_watchdog_the_status_follows_the_door_and_a_reload_is_told() {
    let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    let source = format!("command: while sleep 0.1; do cat '{pictures}'; done");
    let service = Service::start(Duration::from_secs(180), &["--source", &source]);
    service.wait_for("READY=1");
    let status = service.wait_for("STATUS=door alert; watching ");
    assert!(status.contains("astronaut.jpg"), "{status}");
    service.wait_for("WATCHDOG=1");
    service.send("-HUP");
    let reloading = service.wait_for("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    let ready = service.wait_for("READY=1");
    assert!(ready.contains("STATUS=door alert"), "{ready}");
    service.send("-TERM");
    service.wait_for("STOPPING=1");
}

#[test]
fn a_refused_reload_is_seen_in_the_status_until_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("door.toml");
    std::fs::write(&file, "[decision]\nvotes = 3\n").unwrap();
    let config = file.to_str().unwrap();
    let args = ["--config", config, "--source", "/dev/no-such-camera"];
    let service = Service::start(Duration::from_secs(180), &args);
    service.wait_for("READY=1");
    std::fs::write(&file, "[decision]\nvote = 3\n").unwrap();
    service.send("-HUP");
    service.wait_for("RELOADING=1");
    let ready = service.wait_for("READY=1");
    let refused = format!(
        "the last reload was refused: {config} line 2: decision.vote is not known; did you mean evidence_seconds?"
    );
    assert!(ready.contains(&refused), "{ready}");
    std::fs::write(&file, "[decision]\nvotes = 2\n").unwrap();
    service.send("-HUP");
    service.wait_for("RELOADING=1");
    let ready = service.wait_for("READY=1");
    assert!(!ready.contains("refused"), "{ready}");
}

/// A portrait, played for ever, and settings on top.
fn playing(portrait: &str, settings: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    format!("[source]\nspec = \"command: while sleep 0.1; do cat '{folder}/{portrait}'; done\"\n{settings}")
}

#[test]
fn a_reload_takes_over_every_part_that_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("door.toml");
    let bare = playing("astronaut.jpg", "");
    std::fs::write(&file, &bare).unwrap();
    let service = Service::start(Duration::from_secs(180), &["--config", file.to_str().unwrap()]);
    service.wait_for("STATUS=door alert");
    for (part, text, status) in [
        (
            "rules",
            playing("astronaut.jpg", "[decision]\nignore_below = 400\nmin_face_side = 400\n"),
            "door idle",
        ),
        (
            "networks",
            playing("astronaut.jpg", "[detector]\nscore_threshold = 0.99\nclose_faces = false\n"),
            "door idle",
        ),
        ("source", playing("astronaut-masked.jpg", ""), "door pass"),
        (
            "pace",
            "[source]\nspec = \"command: sleep 99\"\ntimeout_seconds = 2\n".into(),
            "fault: no usable frame from command `sleep 99` (Motion JPEG) for 2 s",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        service.send("-HUP");
        service.wait_for("RELOADING=1");
        service.wait_for(&format!("STATUS={status}"));
        std::fs::write(&file, &bare).unwrap();
        service.send("-HUP");
        service.wait_for("RELOADING=1");
        let back = service.wait_for("STATUS=door alert");
        assert!(back.contains("astronaut.jpg"), "{part}: {back}");
    }
}
