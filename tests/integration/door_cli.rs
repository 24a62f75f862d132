//! `maskwatch run` and `maskwatch signal` from the outside: what they refuse, in one sentence, and how they
//! end.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

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

/// A running command whose log can be waited for; ended when dropped.
pub(super) struct Running {
    pub(super) child: Child,
    log: Receiver<String>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let (send, log) = channel();
        std::thread::spawn(move || lines.take_while(|line| send.send(line.clone()).is_ok()).count());
        Self { child, log }
    }

    /// Reads the log up to the line with `text`.
    pub(super) fn wait_for(&self, text: &str) {
        self.wait_for_all(&[text]);
    }

    /// Reads the log until each of `texts` was in a line, in any order: the pins have a thread of their own.
    pub(super) fn wait_for_all(&self, texts: &[&str]) {
        let mut missing = texts.to_vec();
        let mut said = Vec::new();
        while let Ok(line) = self.log.recv_timeout(Duration::from_secs(60)) {
            missing.retain(|text| !line.contains(text));
            if missing.is_empty() {
                return;
            }
            said.push(line);
        }
        panic!("never said: {missing:?}, but\n{}", said.join("\n"));
    }

    pub(super) fn send(&self, signal: &str) {
        assert!(
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended already, this says so and does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn write_config(folder: &tempfile::TempDir, text: &str) -> String {
    let path = folder.path().join("door.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_configuration_is_checked_without_pins_and_camera() {
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
    let refused = output(&["run", "--check", "--source", "udp://door/1"]);
    let sentence = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "as for any argument: {sentence}");
    assert!(sentence.contains("--source") && sentence.contains("udp://door/1"), "{sentence}");
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
    for signal in ["-TERM", "-INT", "-HUP", "-QUIT"] {
        let mut command = maskwatch(&["signal", "alert", "--backend", "simulated"]);
        let mut shown = Running::start(command.env("RUST_LOG", "debug"));
        shown.wait_for("simulated pin red (GPIO17) is High");
        shown.send(signal);
        shown.wait_for("simulated pin red (GPIO17) is Low");
        assert!(shown.child.wait().unwrap().success());
    }
}

/// Programs such as `timeout` send their signal twice.
#[test]
fn a_second_signal_that_comes_at_once_does_not_leave_the_outputs_on() {
    for signal in ["-TERM", "-INT"] {
        let mut command = maskwatch(&["signal", "alert", "--backend", "simulated"]);
        let mut shown = Running::start(command.env("RUST_LOG", "debug"));
        shown.wait_for("simulated pin red (GPIO17) is High");
        for _ in 0..5 {
            shown.send(signal);
        }
        shown.wait_for("simulated pin red (GPIO17) is Low");
        assert!(shown.child.wait().unwrap().success(), "{signal}");
    }
}

/// A command with the networks that ship with maskwatch.
pub(super) fn with_networks(args: &[&str]) -> Command {
    let mut command = maskwatch(args);
    if std::env::var_os("MASKWATCH_MODELS").is_none() {
        command.env("MASKWATCH_MODELS", concat!(env!("CARGO_MANIFEST_DIR"), "/models"));
    }
    command
}

#[test]
fn the_demo_lights_red_for_the_bare_face_and_green_for_the_masked_one() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    let shown = with_networks(&["demo", "--no-wait", "--frames-per-second", "4", "--output"])
        .arg(&pictures)
        .output()
        .unwrap();
    let (text, errors) = (String::from_utf8(shown.stdout).unwrap(), String::from_utf8(shown.stderr).unwrap());
    assert!(shown.status.success(), "{text}{errors}");
    assert!(text.contains("● red ○ green ○ amber"), "{text}");
    assert!(text.contains("○ red ● green ○ amber"), "{text}");
    let names: Vec<_> = std::fs::read_dir(&pictures).unwrap().map(|entry| entry.unwrap().path()).collect();
    for state in ["idle", "alert", "pass"] {
        let picture = names.iter().find(|path| path.to_str().unwrap().ends_with(&format!("-{state}.jpg")));
        assert_eq!(image::open(picture.unwrap()).unwrap().width(), 640);
    }
}

#[test]
fn the_daemon_runs_takes_a_new_configuration_refuses_a_bad_one_and_stops_dark() {
    let folder = tempfile::tempdir().unwrap();
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    let source =
        format!("[source]\nspec = \"command: while sleep 0.05; do cat '{picture}'; done\"\n[outputs.red]\n");
    let config = write_config(&folder, &source);
    let mut command = with_networks(&["run", "--dry-run", "--config", &config]);
    let mut daemon = Running::start(command.env("RUST_LOG", "maskwatch=debug"));
    daemon.wait_for_all(&["alert for person #1", "simulated pin red (GPIO17) is High"]);

    write_config(&folder, "[decision]\nvotes = 0\n");
    daemon.send("-HUP");
    daemon.wait_for("the configuration stays as it was: ");

    // Another pattern on the same pin, then another pin.
    write_config(&folder, &format!("{source}alert = \"blink 0.4\"\n"));
    daemon.send("-HUP");
    daemon.wait_for("the configuration was reloaded");
    daemon.wait_for("simulated pin red (GPIO17) is Low");
    daemon.wait_for("simulated pin red (GPIO17) is High");

    // Other rules leave the way to the pins open.
    write_config(&folder, &format!("{source}alert = \"blink 0.4\"\n[decision]\nhold_seconds = 4\n"));
    daemon.send("-HUP");
    let mut said = String::new();
    while !said.contains("the configuration was reloaded") {
        said += &daemon.log.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    assert!(!said.contains("outputs: ") && !said.contains("watching "), "opened anew: {said}");

    write_config(&folder, &format!("{source}pin = 5\n"));
    daemon.send("-HUP");
    daemon.wait_for_all(&["the configuration was reloaded", "simulated pin red (GPIO5) is High"]);
    daemon.send("-TERM");
    daemon.wait_for_all(&["simulated pin red (GPIO5) is Low", "stopped"]);
    assert!(daemon.child.wait().unwrap().success());
}

#[test]
fn damage_of_a_hundred_kinds_is_a_handful_of_warnings() {
    // Another size in the header each time, then other Huffman tables.
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    let spoiled = |from: u32, bytes: u32| {
        let rest = from + bytes + 1;
        format!("head -c {from} '{picture}'; head -c {bytes} /dev/urandom; tail -c +{rest} '{picture}'")
    };
    let source =
        format!("command: while sleep 0.02; do {}; sleep 0.02; {}; done", spoiled(163, 4), spoiled(213, 16));
    let daemon = Running::start(&mut with_networks(&["run", "--dry-run", "--source", &source]));
    daemon.wait_for("skipped a frame of ");
    // For three seconds, some 150 frames.
    let began = std::time::Instant::now();
    let mut more = 0;
    while let Some(left) = Duration::from_secs(3).checked_sub(began.elapsed()) {
        let line = daemon.log.recv_timeout(left).unwrap_or_default();
        more += usize::from(line.contains("skipped a frame of "));
    }
    assert!(more < 8, "{more} more warnings");
}

/// What `signal off` has driven, by its log.
fn switched_off(runtime: &tempfile::TempDir, args: &[&str]) -> (Vec<String>, String) {
    let mut command = maskwatch(&["signal", "off"]);
    let off = command
        .args(args)
        .env("RUNTIME_DIRECTORY", runtime.path())
        .env("RUST_LOG", "debug")
        .output()
        .unwrap();
    let log = String::from_utf8(off.stderr).unwrap();
    assert!(off.status.success(), "{log}");
    let pins = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once("(GPIO")?;
        rest.strip_suffix(" was driven Low")
            .or(rest.strip_suffix(" was driven High"))
            .map(|_| rest.replace(')', ""))
    });
    (pins.collect(), log)
}

#[test]
fn off_is_for_the_pins_that_are_driven_then_for_what_can_be_read_then_for_the_usual_ones() {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = write_config(
        &folder,
        "[outputs.red]\npin = 5\nactive = \"low\"\n[outputs.gate]\npin = 6\nkind = \"relay\"\npass = \"steady\"\n",
    );
    let mut command =
        with_networks(&["run", "--dry-run", "--source", "/dev/no-such-camera", "--config", &config]);
    let mut daemon = Running::start(command.env("RUNTIME_DIRECTORY", runtime.path()));
    daemon.wait_for("fault: ");
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();

    // Since then red was moved, the gate has gone, and there is a typo.
    write_config(
        &folder,
        "[decision]\nvotes = = 3\n[outputs]\nbackend = \"simulated\"\n[outputs.red]\npin = 7\n",
    );
    let (pins, _) = switched_off(&runtime, &["--config", &config]);
    assert_eq!(pins, ["5 was driven High", "6 was driven Low"], "those that the daemon has driven");
    // They are off now. What comes next finds no record.
    let (pins, log) = switched_off(&runtime, &["--config", &config]);
    assert_eq!(pins, ["7 was driven Low"], "those of the file, which is refused: {log}");
    assert!(log.contains(&format!("{config} line 2, column 9: this is not TOML")), "{log}");
    write_config(&folder, "no configuration at all");
    let (pins, log) = switched_off(&runtime, &["--config", &config, "--backend", "simulated"]);
    assert_eq!(pins, [17, 27, 22, 23].map(|pin| format!("{pin} was driven Low")), "{log}");
}

#[test]
fn a_pin_whose_level_cannot_be_read_is_driven_as_recorded_or_not_at_all() {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let text = "[outputs]\nbackend = \"simulated\"\n[outputs.red]\npin = 5\nactive = \"low\"\n[outputs.green]\npin = 6\n";
    let config = write_config(&folder, text);
    let mut command = with_networks(&["run", "--source", "/dev/no-such-camera", "--config", &config]);
    let mut daemon = Running::start(command.env("RUNTIME_DIRECTORY", runtime.path()));
    daemon.wait_for("fault: ");
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    write_config(&folder, &text.replace("\"low\"", "\"lwo\""));
    let (pins, log) = switched_off(&runtime, &["--config", &config]);
    assert_eq!(pins, ["5 was driven High", "6 was driven Low"], "{log}");
    // Without the record nobody knows: low might be on, and so might high.
    let (pins, log) = switched_off(&runtime, &["--config", &config]);
    assert_eq!(pins, ["6 was driven Low"], "{log}");
    let told = "it cannot be read which level switches the output red off: GPIO5 becomes an input, which drives nothing";
    assert!(log.contains(told) && log.contains("(GPIO5) is an input now"), "{log}");
}

#[test]
fn a_daemon_switches_off_what_one_before_it_has_left_on() {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = write_config(&folder, "[outputs.red]\npin = 5\n[outputs.green]\npin = 6\n");
    let start = || {
        let mut command =
            with_networks(&["run", "--dry-run", "--source", "/dev/no-such-camera", "--config", &config]);
        Running::start(command.env("RUNTIME_DIRECTORY", runtime.path()).env("RUST_LOG", "maskwatch=debug"))
    };
    let mut first = start();
    first.wait_for("fault: ");
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    write_config(&folder, "[outputs.red]\npin = 7\n[outputs.green]\npin = 6\n");
    let second = start();
    second.wait_for("(GPIO5) was driven Low");
    second.wait_for("fault: ");
    // A pin that is changed in the file and reloaded is recorded, and the one before it no longer.
    write_config(&folder, "[outputs.red]\npin = 8\n[outputs.green]\npin = 6\n");
    second.send("-HUP");
    second.wait_for("the configuration was reloaded");
    drop(second);
    let (pins, _) = switched_off(&runtime, &["--config", &config]);
    assert_eq!(pins, ["8 was driven Low", "6 was driven Low"]);
}

#[test]
fn a_command_does_not_outlive_a_daemon_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let source = format!("command: echo $$ > '{}'; while sleep 0.05; do :; done", pid.display());
    let mut command = with_networks(&["run", "--dry-run", "--source", &source]);
    let mut daemon = Running::start(&mut command);
    let began = std::time::Instant::now();
    let running = || {
        let shell = std::fs::read_to_string(&pid).unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{}/status", shell.trim())).unwrap_or_default();
        // A zombie is gone, too: only nobody has asked for its status.
        assert!(began.elapsed() < Duration::from_secs(60), "pid {shell}: {status}");
        !status.is_empty() && !status.contains("State:\tZ")
    };
    while !running() {
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    while running() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a daemon refuses, a check refuses too, with the same sentence.
#[test]
fn networks_and_pictures_that_cannot_be_had_are_named_by_a_check_too() {
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.safetensors");
    std::fs::write(&damaged, "no weights").unwrap();
    for (text, named) in [
        (
            "[models]\nprecision = \"f32\"\ndetector = \"/nowhere/detector.safetensors\"\nclassifier = \"/nowhere/c\"\n",
            "/nowhere/detector.safetensors",
        ),
        ("[models]\nint8 = \"/nowhere/int8.safetensors\"\n", "/nowhere/int8.safetensors"),
        (&format!("[models]\nint8 = \"{}\"\n", damaged.display()), "damaged.safetensors"),
        // f32 weights are not silently passed over.
        ("[models]\nclassifier = \"mine.safetensors\"\n", "mine.safetensors is named as f32 weights"),
        ("[source]\nspec = \"pictures:/nowhere/album\"\n", "/nowhere/album"),
    ] {
        let config = write_config(&folder, text);
        let sentences = ["--dry-run", "--check"].map(|way| {
            let told = refusal(&["run", way, "--config", &config]);
            told.lines().find(|line| line.starts_with("error: ")).unwrap_or_default().to_owned()
        });
        assert!(sentences[0].contains(named), "{sentences:?}");
        assert_eq!(sentences[0], sentences[1], "{text}");
    }
}
