//! Sources by name that are read through other programs. Programs of the test stand for rpicam-vid and
//! ffmpeg: they note how they are called and write a picture.
#![cfg(unix)]

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// A folder with programs of these names; each writes its arguments into `called`, and a picture now and
/// then.
fn programs(folder: &Path, names: &[&str], ends: bool) {
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg).encode_image(&RgbImage::from_pixel(64, 48, Rgb([90; 3]))).unwrap();
    std::fs::write(folder.join("frame"), jpeg).unwrap();
    let at = folder.display();
    let times = if ends { 3 } else { 200 };
    for name in names {
        let script = format!(
            "#!/bin/sh\necho \"$0 $*\" >> {at}/called\necho 'rtsp://me:secret@door/1: warning' >&2\n\
             for frame in $(seq {times}); do cat {at}/frame; sleep 0.05; done\n"
        );
        std::fs::write(folder.join(name), script).unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// The daemon on this source, with the programs of `folder` alone before those of the system; ended after
/// some seconds.
fn watch(folder: &Path, spec: &str, seconds: &str) -> Output {
    let path = format!("{}:/usr/bin:/bin", folder.display());
    Command::new("timeout")
        .args(["-s", "TERM", seconds, env!("CARGO_BIN_EXE_maskwatch"), "run", "--dry-run", "--source", spec])
        .env("PATH", path)
        .env("RUST_LOG", "debug")
        .env("DOOR_PASSWORD", "s@cret")
        .output()
        .unwrap()
}

#[test]
fn a_csi_camera_and_a_network_camera_give_frames_and_no_credential_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    programs(folder.path(), &["rpicam-vid", "ffmpeg"], false);
    let called = || std::fs::read_to_string(folder.path().join("called")).unwrap();
    let log = |spec: &str| String::from_utf8(watch(folder.path(), spec, "3").stderr).unwrap();

    let csi = log("csi:1");
    assert!(csi.contains("watching csi:1") && csi.contains("gives frames"), "{csi}");
    assert!(called().contains("--camera 1 --codec mjpeg"), "{}", called());

    let network = log("rtsp://me:$DOOR_PASSWORD@door/1");
    assert!(network.contains("watching rtsp://***@door/1") && network.contains("gives frames"), "{network}");
    assert!(called().contains("-rtsp_transport tcp -i rtsp://me:s%40cret@door/1 -an"), "{}", called());
    for secret in ["s@cret", "s%40cret", "secret"] {
        assert!(!network.contains(secret), "{network}");
    }
}

#[test]
fn a_video_ends_the_daemon_where_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    programs(folder.path(), &["ffmpeg"], true);
    let video = folder.path().join("door.mp4").display().to_string();
    std::fs::write(&video, "").unwrap();
    let ended = watch(folder.path(), &video, "20");
    let log = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{log}");
    assert!(log.contains("the source has ended"), "{log}");
    let called = std::fs::read_to_string(folder.path().join("called")).unwrap();
    assert!(called.contains(&format!("-re -i file:{video} -an -vf fps=10,scale=")), "{called}");
}

#[test]
fn a_program_or_variable_that_is_missing_is_named_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    programs(folder.path(), &["ffmpeg"], false);
    let log = |spec: &str| String::from_utf8(watch(folder.path(), spec, "2").stderr).unwrap();
    let csi = log("csi");
    if !Path::new("/usr/bin/rpicam-vid").exists() {
        assert!(
            csi.contains("fault: csi is read through rpicam-vid, which is not installed; sudo apt install"),
            "{csi}"
        );
    }
    let network = log("rtsp://me:$NO_SUCH_VARIABLE@door/1");
    assert!(network.contains("needs the variable NO_SUCH_VARIABLE of the environment"), "{network}");
    let nothing = watch(folder.path(), "no-such.mp4", "2");
    let told = String::from_utf8(nothing.stderr).unwrap();
    assert!(told.contains("error: cannot read no-such.mp4"), "{told}");
}
