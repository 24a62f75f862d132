//! A standard error that is full, because nobody reads it, or closed holds up neither the loop nor the
//! outputs, and ends nothing.

#![cfg(target_os = "linux")]
use super::service::Service;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::{ErrorKind, PipeReader, PipeWriter, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const PORTRAIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");

/// A pipe that takes nothing more, as long as the reader is there.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    for size in [4096, 1] {
        while !matches!(writer.write(&vec![b'.'; size]), Err(error) if error.kind() == ErrorKind::WouldBlock)
        {
        }
    }
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// How often the thread that drives the outputs of process `id` has gone to sleep by itself.
fn turns_of_the_outputs(id: u32) -> Option<u64> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).ok()?;
    let named = |folder: &std::path::PathBuf| {
        std::fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.trim() == "outputs")
    };
    let outputs = tasks.filter_map(|task| Some(task.ok()?.path())).find(named)?;
    let status = std::fs::read_to_string(outputs.join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?.trim().parse().ok()
}

fn ended(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it never ended");
}

fn the_door_works_and_ends(stderr: PipeWriter, signal: &str) {
    let source = format!("command: while sleep 0.1; do cat '{PORTRAIT}'; done");
    let mut service =
        Service::with_stderr(Duration::from_secs(180), &["--source", &source], Stdio::from(stderr));
    service.wait_for("STATUS=door alert; watching ");
    let id = service.daemon.id();
    let before = turns_of_the_outputs(id).unwrap();
    // The loop goes on for three seconds, and the outputs are refreshed forty times a second.
    for _ in 0..3 {
        service.wait_for("WATCHDOG=1");
    }
    let start = Instant::now();
    while turns_of_the_outputs(id).unwrap() < before + 40 {
        assert!(start.elapsed() < PATIENCE, "the outputs are no longer refreshed");
        std::thread::sleep(Duration::from_millis(100));
    }
    service.send(signal);
    service.wait_for("STOPPING=1");
    assert_eq!(ended(&mut service.daemon), Some(0));
}

#[test]
fn the_door_works_while_nobody_reads_the_log() {
    let (_reader, writer) = full_pipe();
    the_door_works_and_ends(writer, "-TERM");
}

#[test]
fn the_door_works_when_the_log_is_closed() {
    let (reader, writer) = full_pipe();
    drop(reader);
    the_door_works_and_ends(writer, "-QUIT");
}

#[test]
fn a_command_ends_with_its_code_while_nobody_reads_what_it_says() {
    for (args, code) in [
        (&["run", "--config", "/nowhere/door.toml"][..], 1),
        (&["signal", "alert", "--backend", "simulated", "--for", "0.1"], 0),
        (&["signal", "off", "--backend", "gpiocdev", "--chip", "no-such-chip"], 1),
    ] {
        for closed in [false, true] {
            let ((out, stdout), (err, stderr)) = (full_pipe(), full_pipe());
            // Where they are closed, both readers are dropped here.
            let readers = (!closed).then_some((out, err));
            let mut child = Command::new(env!("CARGO_BIN_EXE_maskwatch"))
                .args(args)
                .env("RUST_LOG", "debug")
                .stdout(Stdio::from(stdout))
                .stderr(Stdio::from(stderr))
                .spawn()
                .unwrap();
            assert_eq!(ended(&mut child), Some(code), "{args:?}, closed: {closed}");
            drop(readers);
        }
    }
}

#[test]
fn the_journals_format_is_for_the_journal_alone() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let (config, log) = (folder.path().join("door.toml"), folder.path().join("log"));
    std::fs::write(&config, "no configuration\n").unwrap();
    for is_journal in [true, false] {
        let stderr = std::fs::File::create(&log).unwrap();
        let (device, inode) = (stderr.metadata().unwrap().dev(), stderr.metadata().unwrap().ino());
        let named = if is_journal { format!("{device}:{inode}") } else { format!("{device}:{}", inode + 1) };
        let off = Command::new(env!("CARGO_BIN_EXE_maskwatch"))
            .args(["signal", "off", "--backend", "simulated", "--config"])
            .arg(&config)
            .env("JOURNAL_STREAM", named)
            .env_remove("RUST_LOG")
            .stderr(Stdio::from(stderr))
            .status()
            .unwrap();
        assert!(off.success());
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.contains("this is not TOML"), "{text}");
        assert_eq!(text.starts_with("<4>"), is_journal, "{text}");
    }
}
