//! A real capture device, where there is one: name it in MASKWATCH_CAMERA (such as /dev/video0). With the
//! kernel's test driver vivid its colours and injected faults are checked as well.
#![cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use maskwatch::source::v4l2::{Camera, Finder};
use maskwatch::source::{CameraName, Frame, Next, Options, Source, SourceError, SourceSpec, State, open};
use v4l::control::{Control, Value};

fn camera_under_test() -> Option<String> {
    let camera = std::env::var("MASKWATCH_CAMERA").ok();
    if camera.is_none() {
        eprintln!("skipped: MASKWATCH_CAMERA names no capture device");
    }
    camera
}

fn frame(source: &mut impl Source) -> Frame {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        match source.next(Duration::from_millis(200)) {
            Ok(Next::Frame(frame)) => return frame,
            Ok(Next::Nothing | Next::Skipped(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("no frame in 60 s");
}

fn error(source: &mut impl Source) -> SourceError {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Err(error) = source.next(Duration::from_millis(200)) {
            return error;
        }
    }
    panic!("no error in 60 s");
}

fn camera(path: &str, size: (u32, u32)) -> Result<Camera, SourceError> {
    Camera::open(&mut Finder::new(CameraName::Path(path.into())), &Options { size, ..Options::default() })
}

/// Presses one of vivid's controls; false if the device has none of that name.
fn control(path: &str, name: &str, value: Value) -> bool {
    let device = v4l::Device::with_path(path).unwrap();
    let Ok(controls) = device.query_controls() else { return false };
    let Some(found) = controls.iter().find(|control| control.name == name) else { return false };
    device.set_control(Control { id: found.id, value }).is_ok()
}

/// One test, not several: they would all want the device at once.
#[test]
fn a_device_captures_is_guarded_and_recovers() {
    let Some(path) = camera_under_test() else { return };

    for size in [(640, 480), (320, 180), (1280, 720)] {
        let mut source = camera(&path, size).unwrap();
        eprintln!("{}", source.describe());
        let first = frame(&mut source);
        let again = frame(&mut source);
        assert!(again.sequence > first.sequence);
        assert!(again.captured >= first.captured);
        assert!(
            again.captured.elapsed() < Duration::from_secs(5),
            "the frame is {:?} old",
            again.captured.elapsed()
        );
        let (width, height) = again.picture.dimensions();
        assert!(width >= 16 && height >= 16);
        let busy = camera(&path, size).unwrap_err();
        assert!(matches!(busy, SourceError::CameraBusy { .. }), "{busy}");
        // After a pause longer than the driver's queue the next frame must be a fresh one.
        std::thread::sleep(Duration::from_millis(1500));
        let asked = Instant::now();
        let fresh = frame(&mut source);
        let age = asked.saturating_duration_since(fresh.captured);
        // An emulated machine draws and decodes larger frames too slowly for that.
        assert!(age < Duration::from_millis(500) || size.0 > 640, "the frame was {age:?} old");
    }

    if !control(&path, "Test Pattern", Value::Integer(1)) {
        eprintln!("not vivid: no faults injected");
        return;
    }
    // Vivid's 100 % colour bars: white, yellow, cyan, green, magenta, red, blue, black.
    let bars = [0o7u8, 0o6, 0o3, 0o2, 0o5, 0o4, 0o1, 0o0];
    for movement in ["Horizontal Movement", "Vertical Movement"] {
        control(&path, movement, Value::Integer(3));
    }
    let mut source = camera(&path, (640, 360)).unwrap();
    frame(&mut source);
    let picture = frame(&mut source).picture.view().unwrap().to_rgb();
    for (index, bar) in bars.into_iter().enumerate() {
        let x = (2 * index as u32 + 1) * picture.width() / 16;
        let pixel = picture.get_pixel(x, picture.height() * 3 / 4).0;
        let expected = [bar >> 2 & 1, bar >> 1 & 1, bar & 1].map(|on| on * 255);
        let apart = pixel.iter().zip(expected).map(|(&got, want)| got.abs_diff(want)).max().unwrap();
        assert!(apart <= 6, "bar {index}: {pixel:?} for {expected:?}");
    }

    assert!(control(&path, "Inject V4L2_BUF_FLAG_ERROR", Value::None));
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut skipped = false;
    while !skipped && Instant::now() < deadline {
        match source.next(Duration::from_millis(200)) {
            Ok(Next::Skipped(bad)) => {
                eprintln!("{bad}");
                skipped = true;
            }
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
    eprintln!("a frame marked as damaged was {}", if skipped { "skipped" } else { "drained past" });
    frame(&mut source);

    assert!(control(&path, "Inject Fatal Streaming Error", Value::None));
    let fatal = error(&mut source);
    eprintln!("{fatal}");
    drop(source);

    let mut source = camera(&path, (640, 360)).unwrap();
    frame(&mut source);
    assert!(control(&path, "Percentage of Dropped Buffers", Value::Integer(100)));
    let stalled = error(&mut source);
    eprintln!("{stalled}");
    assert!(matches!(stalled, SourceError::Stalled { .. }), "{stalled}");
    drop(source);
    assert!(control(&path, "Percentage of Dropped Buffers", Value::Integer(0)));

    // The whole wrapper: it starts, loses the camera, and comes back by itself.
    let spec: SourceSpec = path.parse().unwrap();
    let mut source = open(&spec, &Options::default()).unwrap();
    frame(&mut source);
    assert_eq!(source.state(), State::Connected);
    // Unplugging: vivid takes its node away until the last user has closed it.
    for fault in ["Inject Fatal Streaming Error", "Disconnect"] {
        assert!(control(&path, fault, Value::None));
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            assert!(Instant::now() < deadline, "the fault was not noticed: {fault}");
            source.next(Duration::from_millis(100)).unwrap();
            if let State::Away(away) = source.state() {
                eprintln!("{fault}: {}", away.reason);
                break;
            }
        }
        frame(&mut source);
        assert_eq!(source.state(), State::Connected);
    }
}
