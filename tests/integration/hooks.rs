//! Hooks of a running daemon, and the ready examples with programs that note what they are given.

use crate::door_cli::{Running, with_networks, write_config};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until `file` has `lines` lines.
fn wait_for_lines(file: &Path, lines: usize) -> String {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= lines {
            return text;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{}: {text:?}", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program in `folder` that notes its arguments and its standard input in NAME.log.
fn noting(folder: &Path, name: &str) {
    let path = folder.join(name);
    let log = folder.join(format!("{name}.log"));
    let script = format!("#!/bin/sh\n{{ echo \"$@\"; cat; }} >>'{}'\n", log.display());
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_alert_runs_the_ready_examples_and_a_failure_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["aplay", "msmtp", "curl"] {
        noting(folder.path(), name);
    }
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/hooks");
    let config = write_config(
        &folder,
        &format!(
            "[source]\nspec = \"command: while sleep 0.1; do cat '{picture}'; done\"\n\
             [clock]\ntrusted = \"always\"\n\
             [[hook]]\non = \"alert\"\nrun = [\"{examples}/sound\", \"prompt.wav\"]\n\
             [[hook]]\non = \"alert\"\nrun = [\"{examples}/mail\", \"owner@example.org\"]\n\
             [[hook]]\non = \"alert\"\nrun = [\"{examples}/webhook\", \"https://example.org/door\"]\n\
             [[hook]]\non = \"verdict\"\nrun = [\"sh\", \"-c\", \"echo no such card >&2; exit 7\"]\n"
        ),
    );
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut command = with_networks(&["run", "--dry-run", "--config", &config]);
    let mut daemon = Running::start(command.env("PATH", path));
    daemon.wait_for_all(&[
        "alert for person #1",
        "the hook `sh -c echo no such card >&2; exit 7` failed (exit status: 7): no such card; \
         1 of 1 runs have failed",
    ]);
    let aplay = wait_for_lines(&folder.path().join("aplay.log"), 2);
    let (arguments, event) = aplay.split_once('\n').unwrap();
    assert_eq!(arguments, "--quiet -- prompt.wav");
    assert!(event.starts_with("{\"event\":\"alert\",\"door\":\"maskwatch\",\"time\":\"20"), "{event}");
    let mail = wait_for_lines(&folder.path().join("msmtp.log"), 6);
    assert!(
        mail.starts_with(
            "-- owner@example.org\nTo: owner@example.org\nSubject: maskwatch maskwatch: alert\n"
        )
    );
    let webhook = wait_for_lines(&folder.path().join("curl.log"), 2);
    assert!(webhook.contains("--url https://example.org/door\n{\"event\":\"alert\""), "{webhook}");

    // A hook that is taken out of the file is run no more, and a new one is.
    let other = folder.path().join("states");
    write_config(
        &folder,
        &format!(
            "[source]\nspec = \"command: while sleep 0.1; do cat '{picture}'; done\"\n\
             [[hook]]\non = \"recovered\"\nrun = [\"sh\", \"-c\", \"cat >>{}\"]\n",
            other.display()
        ),
    );
    daemon.send("-HUP");
    daemon.wait_for("the configuration was reloaded");
    daemon.send("-TERM");
    assert!(daemon.child.wait().unwrap().success());
    assert!(!other.exists());
}

#[test]
fn a_daemon_ends_though_a_hook_still_runs() {
    let folder = tempfile::tempdir().unwrap();
    let began = folder.path().join("began");
    let config = write_config(
        &folder,
        &format!(
            "[source]\nspec = \"/dev/no-such-camera\"\n\
             [[hook]]\non = \"fault\"\nrun = [\"sh\", \"-c\", \"echo $$ >{}; sleep 60\"]\ntimeout_seconds = 120\n",
            began.display()
        ),
    );
    let mut daemon = Running::start(&mut with_networks(&["run", "--dry-run", "--config", &config]));
    let pid = wait_for_lines(&began, 1);
    let end = Instant::now();
    daemon.send("-TERM");
    assert!(daemon.child.wait().unwrap().success());
    assert!(end.elapsed() < Duration::from_secs(30));
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    assert!(status.is_empty() || status.contains("State:\tZ"), "the hook lives on: {status}");
}
