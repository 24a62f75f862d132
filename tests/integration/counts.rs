//! What a daemon counts, through `maskwatch stats`.

use crate::door_cli::{Running, with_networks, write_config};
use std::process::Output;

fn stats(args: &[&str]) -> Output {
    with_networks(&[&["stats"], args].concat()).output().unwrap()
}

#[test]
fn a_bare_person_is_counted_and_the_counts_outlive_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    let counts = folder.path().join("counts.json");
    let file = counts.to_str().unwrap();
    let config = write_config(
        &folder,
        &format!(
            "[source]\nspec = \"command: while sleep 0.1; do cat '{picture}'; done\"\n\
             [clock]\ntrusted = \"always\"\n[counts]\npath = \"{file}\"\n"
        ),
    );
    for run in 1..=2 {
        let mut daemon = Running::start(&mut with_networks(&["run", "--dry-run", "--config", &config]));
        daemon.wait_for("alert for person #1");
        daemon.send("-TERM");
        assert!(daemon.child.wait().unwrap().success());
        let output = stats(&["--file", file, "--format", "csv"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let (header, row) = text.split_once('\n').unwrap();
        assert_eq!(header, "begin,people,masked,unmasked,incorrect,unsure,alerts,faults");
        assert!(row.trim_end().ends_with(&format!(",{run},0,{run},0,0,{run},0")), "{text}");
    }
    let text = String::from_utf8(stats(&["--file", file, "--by", "hour"]).stdout).unwrap();
    assert!(text.starts_with("hour ") && text.contains('▒'), "{text}");
    let json = stats(&["--file", file, "--format", "json", "--last", "1"]).stdout;
    let object: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(object["periods"][0]["people"], 2);
    let png = folder.path().join("chart.png");
    assert!(stats(&["--file", file, "--png", png.to_str().unwrap()]).status.success());
    assert_eq!(image::open(&png).unwrap().width(), 960);
    // Numbers and times, and nothing else.
    let text = std::fs::read_to_string(&counts).unwrap();
    assert!(!text.contains("person") && text.len() < 1000, "{text}");
}

#[test]
fn without_counts_the_reason_is_named() {
    let output = stats(&["--file", "/nowhere/counts.json"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("there are no counts at /nowhere/counts.json yet"), "{text}");
}
