//! `maskwatch doctor` on systems that are faked by a folder and by programs in PATH.

use crate::door_cli::{Running, with_networks, write_config};
use std::path::Path;
use std::process::Output;

/// A door without a fault: a command as camera, simulated pins.
fn healthy() -> String {
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    format!(
        "[source]\nframes_per_second = 2\nspec = \"command: while sleep 0.4; do cat '{picture}'; done\"\n\
         [outputs]\nbackend = \"simulated\"\n[clock]\ntrusted = \"always\"\n"
    )
}

fn program(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Systemd and the journal as programs that say this.
fn doctor(folder: &tempfile::TempDir, config: &str, systemctl: &str, journal: &str, more: &[&str]) -> Output {
    let programs = folder.path().join("bin");
    std::fs::create_dir_all(&programs).unwrap();
    program(&programs, "systemctl", systemctl);
    program(&programs, "journalctl", journal);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let root = folder.path().to_str().unwrap();
    let socket = folder.path().join("none.sock");
    let mut arguments = vec!["doctor", "--config", config, "--root", root];
    if !more.contains(&"--socket") {
        arguments.extend(["--socket", socket.to_str().unwrap()]);
    }
    arguments.extend(more);
    with_networks(&arguments).env("PATH", path).output().unwrap()
}

const RUNS: &str = "printf 'LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\nNRestarts=0\\nStatusText=idle\\n'";

#[test]
fn a_healthy_door_has_no_error_and_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(&folder, &healthy());
    let output = doctor(&folder, &config, RUNS, "true", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for line in [
        "ok    config ",
        "ok    camera    command ",
        "ok    service   maskwatch runs (idle)",
        "ok    journal ",
    ] {
        assert!(text.lines().any(|told| told.starts_with(line)), "{line}\n{text}");
    }
    assert!(text.contains("red on GPIO17 (header pin 11)"), "{text}");
    assert!(!text.contains("error "), "{text}");
}

#[test]
fn what_is_wrong_is_an_error_with_its_mend_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let flags = folder.path().join("sys/devices/platform/soc/soc:firmware");
    std::fs::create_dir_all(&flags).unwrap();
    std::fs::write(flags.join("get_throttled"), "50005\n").unwrap();
    let text = healthy().replace("[outputs]\nbackend = \"simulated\"\n", "[outputs]\nchip = \"/dev/null\"\n");
    let text = text.split_once("spec =").map(|(before, rest)| {
        let (_, after) = rest.split_once('\n').unwrap();
        format!("{before}spec = \"/dev/no-such-camera\"\n{after}")
    });
    let config = write_config(&folder, &text.unwrap());
    let failing = RUNS.replace("active\\nUnit", "failed\\nUnit").replace("NRestarts=0", "NRestarts=9");
    let journal = "echo 'camera is away'; printf 'two\\033[2Jlines\\n'";
    let output = doctor(&folder, &config, &failing, journal, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = |check: &str| {
        let checks = report["checks"].as_array().unwrap();
        let found = checks.iter().find(|found| found["check"] == check).unwrap();
        (found["level"].as_str().unwrap().to_owned(), found["text"].as_str().unwrap().to_owned())
    };
    for (check, level, said) in [
        ("supply", "error", "too low now"),
        ("camera", "error", "/dev/no-such-camera"),
        ("pins", "error", "/dev/null"),
        ("service", "error", "does not come up"),
        ("restarts", "warn", "9 times"),
        ("journal", "warn", "camera is away | two"),
    ] {
        let (found, text) = told(check);
        assert!(found == level && text.contains(said), "{check}: {found} {text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    assert_eq!(report["errors"], 4, "{report}");
}

#[test]
fn a_refused_configuration_is_the_first_thing_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(&folder, "[source]\nspec = 3\n");
    let output = doctor(&folder, &config, "exit 1", "exit 1", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.starts_with("error config ") && text.contains("source.spec"), "{text}");
    assert!(!text.contains(" camera  ") && text.contains(" board "), "{text}");
    assert!(text.ends_with("mend the lines that start with error first\n"), "{text}");
}

#[test]
fn a_daemon_that_runs_is_asked_and_keeps_its_camera() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("door.sock");
    let text = format!("{}[socket]\npath = \"{}\"\n", healthy(), socket.display());
    let config = write_config(&folder, &text);
    let mut daemon = Running::start(&mut with_networks(&["run", "--dry-run", "--config", &config]));
    daemon.wait_for("alert for person #1");
    let output = doctor(&folder, &config, RUNS, "true", &["--socket", socket.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("in use by the daemon, which looks at"), "{text}");
    daemon.send("-TERM");
    assert!(daemon.child.wait().unwrap().success());
}
