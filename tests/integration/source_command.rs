//! Commands as a source, with real children: frames arrive, the newest wins, ends and silence are told,
//! nothing is left behind.
#![cfg(unix)]
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use maskwatch::source::command::CommandSource;
use maskwatch::source::{
    CommandLine, Next, Options, Source, SourceError, SourceSpec, State, open, open_once,
};

const WAIT: Duration = Duration::from_millis(50);

fn line(text: &str) -> CommandLine {
    match text.parse().unwrap() {
        SourceSpec::Command(line) => line,
        other => panic!("{other:?}"),
    }
}

fn jpeg(shade: u8) -> Vec<u8> {
    jpeg_of_size(shade, 32, 16)
}

fn jpeg_of_size(shade: u8, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new(&mut bytes).encode_image(&RgbImage::from_pixel(width, height, Rgb([shade; 3]))).unwrap();
    bytes
}

/// Asks until something other than nothing comes; a test that hangs fails here.
fn something(source: &mut impl Source) -> Result<Next, SourceError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        match source.next(WAIT) {
            Ok(Next::Nothing) => {}
            other => return other,
        }
    }
    panic!("nothing came in 30 s");
}

fn process_lives(pid: &str) -> bool {
    // A zombie that nobody has reaped yet still has its folder, but runs no more.
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait_for_text(path: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Ok(text) = fs::read_to_string(path)
            && text.ends_with('\n')
        {
            return text;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{} was not written", path.display());
}

#[test]
fn motion_jpeg_comes_through_garbage_and_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = b"HTTP/1.1 200 OK\r\n".to_vec();
    let cut = jpeg(10);
    stream.extend(&cut[..cut.len() - 10]);
    stream.extend(jpeg(200));
    fs::write(folder.path().join("stream"), stream).unwrap();
    let path = folder.path().join("stream");
    let mut source = CommandSource::start(
        &line(&format!("command: cat {}; sleep 60", path.display())),
        &Options::default(),
    )
    .unwrap();
    let Next::Frame(frame) = something(&mut source).unwrap() else { panic!("no frame") };
    assert_eq!((frame.picture.dimensions(), frame.sequence), ((32, 16), 0));
    assert!(frame.picture.view().unwrap().to_rgb().get_pixel(5, 5).0[0].abs_diff(200) < 4);
}

#[test]
fn raw_frames_are_decoded_and_the_newest_wins() {
    let shell = "command(gray 2x1): printf '\\020\\020\\353\\353'; sleep 60";
    let mut source = CommandSource::start(&line(shell), &Options::default()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let Next::Frame(frame) = something(&mut source).unwrap() else { panic!("no frame") };
    assert_eq!(frame.sequence, 1);
    assert_eq!(frame.picture.view().unwrap().to_rgb().as_raw(), &[255; 6]);
    assert_eq!(source.describe(), format!("command `{}` (gray 2x1)", &shell[19..]));
}

#[test]
fn a_child_is_never_held_up() {
    // Far more than a pipe holds, written while nobody asks.
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let shell =
        format!("command(gray 100x100): head -c 3000000 /dev/zero; echo done > {}; sleep 60", done.display());
    let mut source = CommandSource::start(&line(&shell), &Options::default()).unwrap();
    wait_for_text(&done);
    let Next::Frame(frame) = something(&mut source).unwrap() else { panic!("no frame") };
    assert_eq!(frame.sequence, 299);
}

#[test]
fn the_end_of_a_command_is_an_error_that_says_why() {
    let mut source = CommandSource::start(
        &line("command: echo starting >&2; echo no camera >&2; exit 7"),
        &Options::default(),
    )
    .unwrap();
    let error = something(&mut source).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`echo starting >&2; echo no camera >&2; exit 7` ended (exit status: 7) after it wrote \"no camera\"; \
         run it in a terminal to see why"
    );
    let mut source =
        CommandSource::start(&line("command: no-such-program-xyz"), &Options::default()).unwrap();
    let error = something(&mut source).unwrap_err().to_string();
    assert!(error.contains("exit status: 127") && error.contains("not found"), "{error}");
}

#[test]
fn the_last_frame_comes_before_the_end() {
    let mut source =
        CommandSource::start(&line("command(gray 1x1): printf '\\353'"), &Options::default()).unwrap();
    assert!(matches!(something(&mut source), Ok(Next::Frame(_))));
    assert!(matches!(something(&mut source), Err(SourceError::CommandEnded { .. })));
}

#[test]
fn a_bad_frame_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stream");
    // Markers in order, but no picture: a scan header without a frame header.
    fs::write(&path, [0xFF, 0xD8, 0xFF, 0xDA, 0x00, 0x03, 0x00, 0x55, 0xFF, 0xD9]).unwrap();
    let mut source = CommandSource::start(
        &line(&format!("command: cat {}; sleep 60", path.display())),
        &Options::default(),
    )
    .unwrap();
    let Ok(Next::Skipped(skipped)) = something(&mut source) else { panic!("not skipped") };
    assert!(skipped.to_string().contains("it is damaged"), "{skipped}");
}

#[test]
fn a_frame_that_says_it_is_far_larger_than_the_first_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    fs::write(path("first"), jpeg(90)).unwrap();
    fs::write(path("large"), jpeg_of_size(90, 320, 160)).unwrap();
    let (first, large) = (path("first"), path("large"));
    let shell = format!("command: cat {}; sleep 1; cat {}; sleep 60", first.display(), large.display());
    let mut source = CommandSource::start(&line(&shell), &Options::default()).unwrap();
    assert!(matches!(something(&mut source), Ok(Next::Frame(_))));
    let Ok(Next::Skipped(skipped)) = something(&mut source) else { panic!("not skipped") };
    assert!(
        skipped.to_string().ends_with("the frame is of another size (320x160 instead of 32x16)"),
        "{skipped}"
    );
}

#[test]
fn dropping_ends_the_whole_pipeline() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    // Neither part heeds a polite request.
    let shell = format!(
        "command: trap '' TERM; (trap '' TERM; sh -c 'echo $$' > {}; sleep 300) | (trap '' TERM; echo $$ > {}; sleep 300)",
        one.display(),
        two.display()
    );
    let source = CommandSource::start(&line(&shell), &Options::default()).unwrap();
    let leader = wait_for_text(&two);
    wait_for_text(&one);
    assert!(process_lives(&leader));
    drop(source);
    assert!(!process_lives(&leader), "the shell lives on");
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let cmdline = entry.ok()?.path().join("cmdline");
        fs::read_to_string(cmdline).ok()
    });
    let marker = one.display().to_string();
    let left: Vec<String> = children.filter(|cmdline| cmdline.contains(&marker)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A session of its own, the way programs become daemons: no longer in the command's group, and nobody's
/// child.
fn runaway(file: &Path) -> String {
    format!(
        "(setsid sh -c 'trap \"\" TERM HUP; echo $$ > {}; while :; do sleep 1; done' >/dev/null 2>&1 &)",
        file.display()
    )
}

#[test]
fn what_left_the_commands_group_ends_with_the_command_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let shell = format!("command: {}; sleep 60", runaway(&file));
    let source = CommandSource::start(&line(&shell), &Options::default()).unwrap();
    let pid = wait_for_text(&file);
    assert!(process_lives(&pid));
    drop(source);
    assert!(!process_lives(&pid), "{pid} lives on after its command was ended");
    // A command that ends by itself leaves nothing behind either.
    fs::remove_file(&file).unwrap();
    let shell =
        format!("command: {}; while ! [ -s {} ]; do sleep 0.01; done", runaway(&file), file.display());
    let mut source = CommandSource::start(&line(&shell), &Options::default()).unwrap();
    assert!(matches!(something(&mut source), Err(SourceError::CommandEnded { .. })));
    let pid = wait_for_text(&file);
    assert!(!process_lives(&pid), "{pid} lives on after its command has ended");
}

#[test]
fn what_open_gives_restarts_the_command_and_tells_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    // Each run writes one frame and ends.
    let text = format!("command(gray 1x1): echo run >> {}; printf '\\353'; exit 3", count.display());
    let spec: SourceSpec = text.parse().unwrap();
    let mut source = open(&spec, &Options::default()).unwrap();
    assert_eq!(source.state(), State::Starting);
    assert!(matches!(something(&mut source), Ok(Next::Frame(_))));
    assert_eq!(source.state(), State::Connected);
    let deadline = Instant::now() + Duration::from_secs(30);
    let away = loop {
        assert!(Instant::now() < deadline, "the end of the command was not noticed");
        assert!(source.next(WAIT).is_ok());
        if let State::Away(away) = source.state() {
            break away;
        }
    };
    assert!(away.reason.contains("exit status: 3"), "{}", away.reason);
    assert!(matches!(something(&mut source), Ok(Next::Frame(_))));
    assert_eq!(source.state(), State::Connected);
    assert_eq!(fs::read_to_string(count).unwrap(), "run\nrun\n");
}

#[test]
fn a_camera_that_is_not_there_is_a_state_for_the_daemon_and_an_error_for_one_use() {
    let spec: SourceSpec = "/dev/video-none".parse().unwrap();
    assert!(matches!(open_once(&spec, &Options::default()), Err(SourceError::NoSuchCamera { .. })));
    let mut source = open(&spec, &Options::default()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        assert!(Instant::now() < deadline, "no state was told");
        assert!(matches!(source.next(WAIT), Ok(Next::Nothing)));
        if let State::Away(away) = source.state() {
            assert!(away.reason.contains("/dev/video-none is not there"), "{}", away.reason);
            assert!(away.attempts >= 1);
            break;
        }
    }
}

#[test]
fn a_new_size_on_which_several_frames_agree_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    fs::write(path("first"), jpeg(90)).unwrap();
    fs::write(path("large"), jpeg_of_size(90, 320, 160)).unwrap();
    let (first, large) = (path("first"), path("large"));
    // Each is taken before the next one is written.
    let shell = format!(
        "command: cat {}; for i in 1 2 3 4; do sleep 0.3; cat {}; done; sleep 60",
        first.display(),
        large.display()
    );
    let mut source = CommandSource::start(&line(&shell), &Options::default()).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        match something(&mut source).unwrap() {
            Next::Frame(frame) => seen.push(format!("{:?}", frame.picture.dimensions())),
            Next::Skipped(_) => seen.push("skipped".to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, ["(32, 16)", "skipped", "skipped", "(320, 160)", "(320, 160)"]);
}

#[test]
fn rows_with_gaps_are_read() {
    let shell = "command(gray 2x2 stride 3): printf '\\020\\353\\001\\353\\020\\001\\353\\353\\001\\020\\020\\001'; sleep 60";
    let mut source = CommandSource::start(&line(shell), &Options::default()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let Next::Frame(frame) = something(&mut source).unwrap() else { panic!("no frame") };
    assert_eq!(frame.sequence, 1, "two frames of six bytes");
    let luma: Vec<u8> = frame.picture.view().unwrap().to_rgb().pixels().map(|pixel| pixel.0[0]).collect();
    assert_eq!(luma, [255, 255, 0, 0]);
}

#[test]
fn credentials_are_never_shown() {
    let shell = "command: echo cannot open rtsp://me:secret@door/1 >&2; false rtsp://me:secret@door/1";
    let mut source = CommandSource::start(&line(shell), &Options::default()).unwrap();
    let shown = [source.describe(), something(&mut source).unwrap_err().to_string()].concat();
    assert!(!shown.contains("secret"), "{shown}");
    assert_eq!(shown.matches("rtsp://***@door/1").count(), 5, "{shown}");
    let spec: SourceSpec = shell.parse().unwrap();
    let source = open(&spec, &Options::default()).unwrap();
    assert!(!source.describe().contains("secret"), "{}", source.describe());
}

#[test]
fn a_command_that_repeats_its_frame_is_frozen_where_that_is_asked_for() {
    let shell = "command(gray 2x1): while :; do printf '\\020\\353'; sleep 0.02; done";
    let frozen = |limit| Options { frozen_command_after: limit, ..Options::default() };
    let limit = Duration::from_millis(300);
    let mut source = CommandSource::start(&line(shell), &frozen(Some(limit))).unwrap();
    let error = loop {
        if let Err(error) = something(&mut source) {
            break error;
        }
    };
    assert!(matches!(error, SourceError::FrozenCommand { .. }), "{error}");
    let mut source = CommandSource::start(&line(shell), &frozen(None)).unwrap();
    let start = Instant::now();
    while start.elapsed() < 3 * limit {
        assert!(matches!(something(&mut source), Ok(Next::Frame(_))));
    }
}

#[test]
fn after_a_long_look_the_newest_frame_is_taken() {
    // A frame each 20 ms, which counts up; the caller looks away for a second.
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let shell = format!(
        "command(gray 1x1): i=20; while [ $i -lt 200 ]; do i=$((i + 1)); printf \"\\\\$(printf %o $i)\"; echo $i > {}; sleep 0.02; done; sleep 60",
        count.display()
    );
    let mut source = CommandSource::start(&line(&shell), &Options::default()).unwrap();
    assert!(matches!(something(&mut source), Ok(Next::Frame(_))));
    std::thread::sleep(Duration::from_secs(1));
    let before: u64 = wait_for_text(&count).trim().parse().unwrap();
    let Next::Frame(frame) = something(&mut source).unwrap() else { panic!("no frame") };
    assert!(frame.sequence + 21 + 2 >= before, "frame {} of {before}", frame.sequence);
}

#[test]
fn what_a_command_started_ends_with_the_daemon_even_if_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let away = folder.path().join("away");
    // A part of a pipeline that heeds no polite request, and is no child of the daemon's; and one that has
    // left the pipeline.
    let source = format!(
        "command: {}; sh -c 'trap \"\" TERM HUP PIPE; echo $$ > {}; while :; do sleep 1; done' | cat",
        runaway(&away),
        file.display()
    );
    let mut daemon = std::process::Command::new(env!("CARGO_BIN_EXE_maskwatch"))
        .args(["run", "--dry-run", "--source", &source])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let (pid, away) = (wait_for_text(&file), wait_for_text(&away));
    assert!(process_lives(&pid) && process_lives(&away));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while process_lives(&pid) || process_lives(&away) {
        assert!(Instant::now() < deadline, "{pid} or {away} lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}
