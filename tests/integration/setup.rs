//! `maskwatch setup` by its options: the file, the drop-ins, the service.

use crate::door_cli::with_networks;
use std::path::Path;
use std::process::Output;

const INSTALLED: &str = include_str!("../../systemd/maskwatch.toml");

/// A root with the installed configuration and the drop-ins, and a systemctl that notes what it is asked.
pub(super) fn system() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let drop_ins = folder.path().join("usr/share/maskwatch/drop-ins");
    std::fs::create_dir_all(&drop_ins).unwrap();
    std::fs::write(drop_ins.join("network.conf"), "[Service]\n").unwrap();
    std::fs::write(folder.path().join("maskwatch.toml"), INSTALLED).unwrap();
    let systemctl = folder.path().join("systemctl");
    let text = format!("#!/bin/sh\necho \"$*\" >> '{}/asked'\n", folder.path().display());
    std::fs::write(&systemctl, text).unwrap();
    std::fs::set_permissions(&systemctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn setup(folder: &Path, more: &[&str]) -> Output {
    let (root, config) = (folder.to_str().unwrap(), folder.join("maskwatch.toml"));
    let path = format!("{root}:{}", std::env::var("PATH").unwrap());
    let arguments = [&["setup", "--root", root, "--config", config.to_str().unwrap()], more].concat();
    with_networks(&arguments).env("PATH", path).stdin(std::process::Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(super) fn file(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("maskwatch.toml")).unwrap()
}

pub(super) const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");

#[test]
fn what_the_options_say_is_shown_and_written_and_nothing_else() {
    let folder = system();
    let options = ["--source", PICTURE, "--output", "red=5", "--detector-input", "320x256"];
    let shown = setup(folder.path(), &[&options[..], &["--dry-run"]].concat());
    assert!(shown.status.success(), "{shown:?}");
    assert!(text(&shown.stdout).contains("outputs.red.pin: 17 becomes 5"), "{shown:?}");
    assert!(text(&shown.stdout).contains("ok    camera"), "{shown:?}");
    assert_eq!(file(folder.path()), INSTALLED);

    let written = setup(folder.path(), &[&options[..], &["--yes"]].concat());
    assert!(written.status.success(), "{written:?}");
    let now = file(folder.path());
    let differing = INSTALLED.lines().zip(now.lines()).filter(|(old, new)| old != new).count();
    assert_eq!((differing, INSTALLED.lines().count()), (4, now.lines().count()), "{now}");
    let again = setup(folder.path(), &[&options[..], &["--yes"]].concat());
    assert!(text(&again.stdout).contains("nothing changes"), "{again:?}");
    assert!(!folder.path().join("asked").exists());
}

#[test]
fn a_camera_that_gives_nothing_leaves_the_file_as_it_was() {
    let folder = system();
    let output = setup(folder.path(), &["--yes", "--source", "/dev/no-such-camera"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("/dev/no-such-camera"), "{output:?}");
    assert!(text(&output.stderr).contains("nothing is written"), "{output:?}");
    assert_eq!(file(folder.path()), INSTALLED);
    let taken = setup(folder.path(), &["--yes", "--no-camera", "--source", "/dev/no-such-camera"]);
    assert!(taken.status.success() && file(folder.path()).contains("/dev/no-such-camera"), "{taken:?}");
}

#[test]
fn the_service_gets_its_drop_in_and_is_started() {
    let folder = system();
    let output = setup(folder.path(), &["--yes", "--no-camera", "--source", "rtsp://camera/1", "--enable"]);
    assert!(output.status.success(), "{output:?}");
    let drop_in = folder.path().join("etc/systemd/system/maskwatch.service.d/network.conf");
    assert!(drop_in.exists());
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked, "daemon-reload\nenable maskwatch\nrestart maskwatch\n");
}

#[test]
fn wrong_use_is_refused_before_anything_happens() {
    let folder = system();
    let without_terminal = setup(folder.path(), &[]);
    assert!(text(&without_terminal.stderr).contains("with --yes"), "{without_terminal:?}");
    let twice = setup(folder.path(), &["--yes", "--no-camera", "--output", "red=5", "--output", "red=6"]);
    assert!(text(&twice.stderr).contains("names red twice"), "{twice:?}");
    // Two outputs on one pin.
    let clash = setup(folder.path(), &["--yes", "--no-camera", "--output", "red=27"]);
    assert!(text(&clash.stderr).contains("27") && !clash.status.success(), "{clash:?}");
    assert_eq!(file(folder.path()), INSTALLED);
    std::fs::write(folder.path().join("maskwatch.toml"), "[source\n").unwrap();
    let broken = setup(folder.path(), &["--yes", "--no-camera", "--output", "red=5"]);
    assert!(text(&broken.stderr).contains("mend it, or name another file"), "{broken:?}");
    assert_eq!(file(folder.path()), "[source\n");
}
