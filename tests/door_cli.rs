//! `maskwatch run` and `maskwatch signal` from the outside: what they refuse, in one sentence, and how they end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

fn maskwatch(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maskwatch"));
    command.args(args).env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
    command
}

fn output(args: &[&str]) -> Output {
    maskwatch(args).output().unwrap()
}

/// The one sentence on standard error of a command that has to fail.
fn refusal(args: &[&str]) -> String {
    let output = output(args);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
    text
}

fn write_config(folder: &tempfile::TempDir, text: &str) -> String {
    let path = folder.path().join("door.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_configuration_is_checked_without_pins_camera_or_networks() {
    let folder = tempfile::tempdir().unwrap();
    let good = write_config(&folder, maskwatch::config::DOCUMENTED);
    let checked = output(&["run", "--config", &good, "--check"]);
    assert!(checked.status.success());
    assert_eq!(String::from_utf8(checked.stdout).unwrap(), "the configuration is fine\n");

    let bad = write_config(&folder, "[outputs.red]\npin = 17\n[outputs.blue]\npin = 17\npass = \"steady\"\n");
    assert_eq!(
        refusal(&["run", "--config", &bad, "--check"]),
        format!(
            "error: {bad} line 4: outputs.blue.pin is 17, which outputs.red uses too; give each output its own pin\n"
        )
    );
    let sentence = refusal(&["run", "--config", "/nowhere/door.toml"]);
    assert!(sentence.starts_with("error: /nowhere/door.toml cannot be read: "), "{sentence}");
    let sentence = refusal(&["run", "--check", "--config", &good, "--source", "rtsp://door/1"]);
    assert!(sentence.contains("source") && sentence.contains("rtsp://door/1"), "{sentence}");
}

#[test]
fn pins_that_cannot_be_had_are_named_before_anything_else_happens() {
    let sentence = refusal(&["run", "--backend", "gpiocdev", "--chip", "no-such-chip"]);
    assert!(sentence.contains("error: GPIO chip no-such-chip: there is none; "), "{sentence}");
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    let sentence = refusal(&["signal", "off", "--backend", "gpiocdev", "--chip", "/dev/null"]);
    assert!(sentence.starts_with("error: GPIO chip /dev/null: "), "{sentence}");
}

#[test]
fn a_state_is_shown_for_its_time_and_off_ends_at_once() {
    let shown = output(&["signal", "alert", "--backend", "simulated", "--for", "0.1"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert_eq!(String::from_utf8(shown.stdout).unwrap(), "showing alert for 0.1 s\n");
    let off = output(&["signal", "off", "--backend", "simulated"]);
    assert!(off.status.success() && off.stdout.is_empty() && off.stderr.is_empty());
    let unknown = output(&["signal", "open", "--backend", "simulated"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn a_signal_ends_a_held_state_with_all_outputs_off() {
    for signal in ["-TERM", "-INT"] {
        let mut child = maskwatch(&["signal", "alert", "--backend", "simulated"])
            .env("RUST_LOG", "debug")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let lit = lines.find(|line| line.contains("simulated pin red (GPIO17) is High"));
        assert!(lit.is_some(), "red was never lit");
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let off = lines.find(|line| line.contains("simulated pin red (GPIO17) is Low"));
        assert!(off.is_some(), "red was not switched off after {signal}");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn missing_networks_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(
        &folder,
        "[models]\ndetector = \"/nowhere/detector.safetensors\"\nclassifier = \"/nowhere/c\"\n",
    );
    let sentence = refusal(&["run", "--dry-run", "--config", &config]);
    assert!(sentence.contains("/nowhere/detector.safetensors"), "{sentence}");
}
