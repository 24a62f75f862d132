//! The questions of `maskwatch setup`, asked in a terminal and answered by keys.

use crate::door_cli::with_networks;
use crate::setup::{PICTURE, file, system};
use crate::terminal::Session;
use std::path::Path;
use std::time::Duration;

const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";
/// The cursor goes and comes.
const HIDDEN: &str = "\x1b[?25l";
const SHOWN: &str = "\x1b[?25h";

/// A door with two outputs that are wired the wrong way round.
fn text() -> String {
    format!(
        "# the door at the yard\n[source]\nspec = \"{PICTURE}\" # as it is\n\n[outputs]\nbackend = \"simulated\"\n\
         [outputs.red]\npin = 17\nalert = \"steady\"\n[outputs.green]\npin = 27 # by the wall\npass = \"steady\"\n"
    )
}

fn start(folder: &Path, more: &[&str]) -> Session {
    std::fs::write(folder.join("maskwatch.toml"), text()).unwrap();
    let (root, config) = (folder.to_str().unwrap(), folder.join("maskwatch.toml"));
    let path = format!("{root}:{}", std::env::var("PATH").unwrap());
    let arguments = [&["setup", "--root", root, "--config", config.to_str().unwrap()], more].concat();
    Session::start(with_networks(&arguments).env("PATH", path))
}

#[test]
fn answers_are_followed_and_the_difference_is_shown_before_it_is_written() {
    let folder = system();
    let mut session = start(folder.path(), &[]);
    session.wait_for("Camera");
    session.wait_for("(as it is)");
    session.send(ENTER);
    session.wait_for("ok    camera");
    session.wait_for("Blink each output");
    session.send("y");
    session.wait_for("GPIO17 is on for 3 s, as red should be");
    // The outputs of the question come in the order of the file.
    session.wait_for("Which one was on");
    session.send(&(DOWN.to_owned() + ENTER));
    session.wait_for("GPIO27 is on for 3 s, as green should be");
    session.wait_for("Which one was on");
    session.send(&(UP.to_owned() + ENTER));
    session.wait_for("Time the networks");
    session.send("n");
    session.wait_for("outputs.green.pin: 27 becomes 17");
    session.wait_for("outputs.red.pin: 17 becomes 27");
    session.wait_for("Write it?");
    assert_eq!(file(folder.path()), text(), "not before the answer");
    session.send("y");
    session.wait_for("written");
    session.wait_for("Start the service now");
    session.send("n");
    session.wait_for("next: sudo systemctl restart maskwatch");
    assert!(session.end().success(), "{}", session.text);
    assert!(session.is_usable());
    let expected =
        text().replace("pin = 17", "pin = other").replace("pin = 27", "pin = 17").replace("other", "27");
    assert_eq!(file(folder.path()), expected);
    assert!(!folder.path().join("asked").exists(), "systemctl was not asked");
}

#[test]
fn no_leaves_the_file_and_yes_starts_the_service() {
    let folder = system();
    let options = ["--source", "/dev/no-such-camera", "--output", "red=5", "--detector-input", "320x256"];
    let mut session = start(folder.path(), &options);
    session.wait_for("outputs.red.pin: 17 becomes 5");
    session.wait_for("Write it?");
    session.send("n");
    session.wait_for("nothing was written");
    assert!(session.end().success(), "{}", session.text);
    assert_eq!(file(folder.path()), text());

    let mut session = start(folder.path(), &options);
    session.wait_for("Write it?");
    session.send(ENTER);
    session.wait_for("Start the service now");
    session.send(ENTER);
    session.wait_for("maskwatch runs");
    assert!(session.end().success(), "{}", session.text);
    assert!(file(folder.path()).contains("\nspec = \"/dev/no-such-camera\" # as it is\n"));
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked, "daemon-reload\nenable maskwatch\nrestart maskwatch\n");
}

#[test]
fn ctrl_c_at_any_time_leaves_file_and_terminal_as_they_were() {
    let camera: &[&str] = &["--source", PICTURE];
    let all: &[&str] =
        &["--source", "/dev/no-such-camera", "--output", "red=5", "--detector-input", "320x256"];
    // What is on the screen, and with which options.
    let moments = [
        ("(as it is)", &[][..]),
        ("Blink each output", camera),
        ("GPIO17 is on for 3 s", camera),
        ("Which one was on", camera),
        ("Write it?", all),
    ];
    for (moment, options) in moments {
        let folder = system();
        let mut session = start(folder.path(), options);
        if ["GPIO17 is on for 3 s", "Which one was on"].contains(&moment) {
            session.wait_for("Blink each output");
            session.send("y");
        }
        let before = session.wait_for(moment);
        // A question is written before its key is waited for.
        std::thread::sleep(Duration::from_millis(300));
        session.send(CTRL_C);
        let status = session.end();
        assert_eq!(status.code(), Some(1), "{moment}: {}", session.text);
        let told = "error: setup was stopped, and nothing was written";
        assert!(session.text.contains(told), "{moment}: {}", session.text);
        assert_eq!(file(folder.path()), text(), "{moment}");
        assert!(session.is_usable(), "{moment}: keys are not shown");
        let all = before + &session.text;
        assert!(all.rfind(HIDDEN) < all.rfind(SHOWN), "{moment}: no cursor in {all:?}");
    }
}
