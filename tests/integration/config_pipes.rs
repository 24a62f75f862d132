//! A configuration that is a pipe, or has one among its drop-in files, is refused: nothing would come out of
//! it, so who reads it would wait for ever.

use super::command::{Ended, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How each command that takes a configuration is called, which is named behind.
const COMMANDS: [&[&str]; 10] = [
    &["run", "--dry-run", "--config"],
    &["run", "--check", "--config"],
    &["config", "show", "--config"],
    &["config", "diff", "--config"],
    &["setup", "--yes", "--no-camera", "--dry-run", "--config"],
    &["setup", "--yes", "--no-camera", "--output", "red=5", "--config"],
    &["signal", "alert", "--backend", "simulated", "--for", "0.1", "--config"],
    &["doctor", "--root", "/nowhere", "--config"],
    &["aim", "--config"],
    &["detect", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg"), "--config"],
];

fn maskwatch(arguments: &[&str]) -> Ended {
    run(env!("CARGO_BIN_EXE_maskwatch"), arguments)
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A folder with the configuration `door.toml` and its folder of drop-in files.
fn door() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (file, drop_ins) = (folder.path().join("door.toml"), folder.path().join("door.toml.d"));
    std::fs::write(&file, "[source]\nwidth = 320\n").unwrap();
    std::fs::create_dir(&drop_ins).unwrap();
    (folder, file, drop_ins)
}

/// That each command refuses the configuration `file` with `sentence`.
fn refused(file: &Path, sentence: &str) {
    for command in COMMANDS {
        let ended = maskwatch(&[command, &[file.to_str().unwrap()]].concat());
        let said = ended.stdout + &ended.stderr;
        assert!(ended.code == Some(1) && said.contains(sentence), "{command:?}: {:?} {said}", ended.code);
    }
}

#[test]
fn no_command_waits_for_a_configuration_that_is_a_pipe() {
    let (_folder, file, drop_ins) = door();
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_dir(drop_ins).unwrap();
    make_pipe(&file);
    refused(&file, "cannot be read");
    refused(Path::new("/dev/null"), "it is a pipe or a device");
    let off = maskwatch(&["signal", "off", "--backend", "simulated", "--config", file.to_str().unwrap()]);
    assert!(off.code == Some(0) && off.stderr.contains("it is a pipe or a device"), "{off:?}");
}

#[test]
fn no_command_waits_for_a_pipe_among_the_drop_in_files() {
    let (_folder, file, drop_ins) = door();
    make_pipe(&drop_ins.join("10-pipe.toml"));
    refused(&file, "door.toml.d/10-pipe.toml cannot be read: it is a pipe or a device");
    std::fs::remove_dir_all(&drop_ins).unwrap();
    make_pipe(&drop_ins);
    refused(&file, "door.toml.d cannot be read");
}

#[test]
fn a_pipe_is_not_copied_and_a_device_is_not_replaced() {
    let (folder, file, drop_ins) = door();
    make_pipe(&drop_ins.join("10-pipe.toml"));
    let copies = folder.path().join("copies");
    let back_up =
        || maskwatch(&["config", "backup", copies.to_str().unwrap(), "--config", file.to_str().unwrap()]);
    for _ in 0..2 {
        let ended = back_up();
        assert!(ended.code == Some(1) && ended.stderr.contains("it is a pipe or a device"), "{ended:?}");
        assert_eq!(std::fs::read_dir(&copies).unwrap().count(), 0, "half a copy is worse than none");
        // The second time it is the file itself.
        std::fs::remove_file(&file).unwrap();
        make_pipe(&file);
    }
    let password = maskwatch(&["config", "password", file.to_str().unwrap()]);
    assert!(password.code == Some(1) && password.stderr.contains("it is a pipe or a device"), "{password:?}");
}
