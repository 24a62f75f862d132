//! The daemon's metrics in a file, as node_exporter finds them.

use crate::door_cli::{Running, with_networks, write_config};
use std::path::Path;
use std::time::{Duration, Instant};

/// The value of a series in the file at `path`; `None` where there is none.
fn value(path: &Path, series: &str) -> Option<f64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

/// Waits until `is_so` holds for the value of a series.
fn wait(path: &Path, series: &str, is_so: impl Fn(Option<f64>) -> bool) {
    let start = Instant::now();
    while !is_so(value(path, series)) {
        let text = std::fs::read_to_string(path);
        assert!(start.elapsed() < Duration::from_secs(60), "{series} in {text:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn metrics(file: &Path) -> String {
    format!("[metrics]\nfile = \"{}\"\nevery_seconds = 1\n", file.display())
}

#[test]
fn alerts_and_faults_are_in_the_file_until_the_daemon_ends() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.jpg");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg"), &picture).unwrap();
    let shown = picture.display();
    let source = format!("[source]\nspec = \"command: while sleep 0.1; do cat '{shown}' || exit; done\"\n");
    let (file, other) = (folder.path().join("a.prom"), folder.path().join("b.prom"));
    let config = write_config(&folder, &format!("{source}{}", metrics(&file)));
    let mut command = with_networks(&["run", "--dry-run", "--config", &config]);
    // A door may have any name.
    command.env("RUNTIME_DIRECTORY", folder.path().join("no\"rth"));
    let mut daemon = Running::start(&mut command);
    daemon.wait_for("alert for person #1");
    let series = |name: &str, labels: &str| format!("maskwatch_{name}{{door=\"no\\\"rth\"{labels}}} ");
    wait(&file, &series("alerts_total", ""), |value| value == Some(1.0));
    wait(&file, &series("door_state", ",state=\"alert\""), |value| value == Some(1.0));
    wait(&file, &series("time_to_alert_seconds_count", ""), |value| value == Some(1.0));
    let looks = value(&file, &series("looks_total", "")).unwrap();
    assert!(looks >= 1.0 && value(&file, &series("frames_total", "")).unwrap() >= looks);
    // The camera goes, and comes back.
    let away = folder.path().join("away.jpg");
    std::fs::rename(&picture, &away).unwrap();
    wait(&file, &series("fault", ",kind=\"source_away\""), |value| value == Some(1.0));
    // The file moves on a reload, with a fault that nobody tells again.
    write_config(&folder, &format!("{source}{}", metrics(&other)));
    daemon.send("-HUP");
    wait(&other, &series("fault", ",kind=\"source_away\""), |value| value == Some(1.0));
    assert!(!file.exists(), "the old file is gone");
    std::fs::rename(&away, &picture).unwrap();
    wait(&other, &series("source_reopenings_total", ""), |value| value == Some(1.0));
    wait(&other, &series("fault", ",kind=\"source_away\""), |value| value == Some(0.0));
    assert_eq!(value(&other, &series("faults_total", ",kind=\"source_away\"")), Some(1.0));
    // A mistake in the configuration can be seen from afar.
    write_config(&folder, "nonsense");
    daemon.send("-HUP");
    wait(&other, &series("config_last_reload_successful", ""), |value| value == Some(0.0));
    daemon.send("-TERM");
    assert!(daemon.child.wait().unwrap().success());
    assert!(!other.exists(), "a dead door does not look alive");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_with_the_mend_and_the_door_works() {
    let folder = tempfile::tempdir().unwrap();
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    let text = format!("[source]\nspec = \"command: while sleep 0.1; do cat '{picture}'; done\"\n");
    let config = write_config(&folder, &format!("{text}{}", metrics(Path::new("/nowhere/maskwatch.prom"))));
    let mut daemon = Running::start(&mut with_networks(&["run", "--dry-run", "--config", &config]));
    daemon.wait_for_all(&[
        "metrics.file /nowhere/maskwatch.prom cannot be written (No such file or directory (os error 2)); \
         make its folder, or name another file; it is tried again without another warning",
        "alert for person #1",
    ]);
    daemon.send("-TERM");
    assert!(daemon.child.wait().unwrap().success());
}

#[cfg(feature = "web")]
#[test]
fn an_address_of_the_network_is_warned_of_and_answers_until_the_daemon_ends() {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    let folder = tempfile::tempdir().unwrap();
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/astronaut.jpg");
    let text = format!("[source]\nspec = \"command: while sleep 0.1; do cat '{picture}'; done\"\n");
    let port = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let listen = format!("{text}[metrics]\nlisten = \"0.0.0.0:{port}\"\n");
    let config = write_config(&folder, &listen);
    let mut daemon = Running::start(&mut with_networks(&["run", "--dry-run", "--config", &config]));
    daemon.wait_for_all(&["in plain text; use it only in a network that you trust", "metrics are at http"]);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: door\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains("\nmaskwatch_alerts_total{door=\"maskwatch\"} "), "{page}");
    // Switched off by a reload, nothing listens any more.
    write_config(&folder, &text);
    daemon.send("-HUP");
    daemon.wait_for("the configuration was reloaded");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    daemon.send("-TERM");
    assert!(daemon.child.wait().unwrap().success());
}
