//! `maskwatch aim` and `maskwatch why`: beside a running daemon, and alone.

use crate::door_cli::{Running, with_networks, write_config};

const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");

fn printed(arguments: &[&str]) -> (bool, String, String) {
    let output = with_networks(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_daemon_tells_why_it_raised_an_alert_and_where_the_face_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("door.sock").display().to_string();
    let config = write_config(
        &folder,
        &format!(
            "[source]\nspec = \"command: while sleep 0.1; do cat '{PICTURE}'; done\"\n[socket]\npath = \"{socket}\"\n"
        ),
    );
    let mut daemon = Running::start(&mut with_networks(&["run", "--dry-run", "--config", &config]));
    daemon.wait_for("listening at ");
    let (_, before, _) = printed(&["why", "--socket", &socket, "--last", "1"]);
    daemon.wait_for("alert for person #1");
    let (fine, text, _) = printed(&["why", "--socket", &socket]);
    assert!(fine && text.contains("ago, person #1:") && text.contains(" px "), "{text}");
    assert!(before.contains("no alert") || before.contains("person #1"), "{before}");
    let (fine, json, _) = printed(&["why", "--socket", &socket, "--format", "json"]);
    let why: serde_json::Value = serde_json::from_str(&json).unwrap();
    let looks = why["alerts"][0]["looks"].as_array().unwrap();
    assert!(
        fine && looks.iter().any(|look| look["probabilities"]["no_mask"].as_f64().unwrap() > 0.8),
        "{json}"
    );
    // The daemon has the camera, and is asked.
    let (fine, text, errors) = printed(&["aim", "--config", &config, "--socket", &socket, "--for", "1.5"]);
    assert!(fine && text.contains("of the width: judged: mask "), "{text}{errors}");
    assert!(!text.contains("watching"), "{text}");
    daemon.send("-TERM");
    assert!(daemon.child.wait().unwrap().success());
}

#[test]
fn without_a_daemon_the_source_is_opened_and_zones_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock").display().to_string();
    let zones = "[zones.left]\npoints = [[0, 0], [0.1, 0], [0.1, 1], [0, 1]]\n";
    let config = write_config(&folder, zones);
    let aim = |source: &str, more: &[&str]| {
        printed(&[&["aim", "--config", &config, "--socket", &socket, "--source", source], more].concat())
    };
    let (fine, text, errors) = aim(PICTURE, &[]);
    assert!(fine && text.contains("outside of what counts") && text.contains("steep"), "{text}{errors}");
    let (fine, _, errors) = aim("/dev/no-such-camera", &[]);
    assert!(!fine && errors.contains("/dev/no-such-camera"), "{errors}");
    let (fine, _, errors) = printed(&["why", "--socket", &socket]);
    assert!(!fine && errors.contains("no daemon answers"), "{errors}");
}
