//! Pictures and folders as a source: order, defects, pacing, repetition. The files are made here.
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use maskwatch::source::files::{Pictures, list, load};
use maskwatch::source::{Next, Options, Source, SourceError, SourceSpec, open};

const WAIT: Duration = Duration::from_millis(20);

fn save(path: &Path, shade: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(24, 16, Rgb([shade; 3])).save(path).unwrap();
}

/// What comes next, in a word: a picture's file name and first value, or a skipped one's file name and
/// reason.
fn word(source: &mut impl Source) -> String {
    let file = |name: &str| Path::new(name).file_name().unwrap().to_string_lossy().into_owned();
    match source.next(WAIT) {
        Ok(Next::Frame(frame)) => {
            format!(
                "{} {}",
                file(&frame.name.unwrap()),
                frame.picture.view().unwrap().to_rgb().get_pixel(3, 3).0[0]
            )
        }
        Ok(Next::Skipped(skipped)) => format!("{}: {}", file(&skipped.name), skipped.reason),
        Ok(Next::Nothing) => "nothing".into(),
        Ok(Next::End) => "end".into(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn folders_are_read_in_order_and_bad_pictures_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    save(&at("b.png"), 20);
    save(&at("a/2.PNG"), 10);
    save(&at("c.jpeg"), 30);
    save(&at(".hidden.png"), 1);
    save(&at(".cache/x.png"), 1);
    fs::write(at("notes.txt"), "no picture").unwrap();
    fs::write(at("d.jpg"), "").unwrap();
    let jpeg = fs::read(at("c.jpeg")).unwrap();
    fs::write(at("e.jpg"), &jpeg[..jpeg.len() - 8]).unwrap();
    fs::write(at("f.png"), b"text, not pixels").unwrap();
    let mut source = Pictures::open([folder.path()], None, false).unwrap();
    assert_eq!(source.len(), 6);
    let words: Vec<String> = (0..8).map(|_| word(&mut source)).collect();
    assert_eq!(
        words,
        [
            "2.PNG 10",
            "b.png 20",
            "c.jpeg 30",
            "d.jpg: it is empty",
            "e.jpg: it is cut off (the end of the JPEG picture is missing)",
            "f.png: it is neither a JPEG nor a PNG picture",
            "end",
            "end",
        ]
    );
}

#[test]
fn a_folder_with_trouble_in_it_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    save(&at("a.png"), 10);
    save(&at("b.png"), 20);
    save(&at("c.png"), 30);
    for (from, to) in [("1.jpg", "1.jfif"), ("2.jpg", "2.JPE"), ("3.jpg", "3.mpo")] {
        save(&at(from), 40);
        fs::rename(at(from), at(to)).unwrap();
    }
    for other in ["x.heic", "y.HEIF", "z.webp", "film.mp4", "notes.txt"] {
        fs::write(at(other), "x").unwrap();
    }
    let listing = list(folder.path()).unwrap();
    assert_eq!(listing.pictures.len(), 6);
    assert!(
        listing.note().unwrap().starts_with("2 HEIC, 1 WebP, 1 video left out: maskwatch reads JPEG and PNG"),
        "{:?}",
        listing.note()
    );
    let mut source = Pictures::open([folder.path()], None, false).unwrap();
    fs::remove_file(at("b.png")).unwrap();
    let words: Vec<String> = (0..7).map(|_| word(&mut source)).collect();
    assert_eq!(words[..4], ["1.jfif 40", "2.JPE 40", "3.mpo 40", "a.png 10"]);
    assert!(words[4].starts_with("b.png: it cannot be read (No such file"), "{}", words[4]);
    assert_eq!(words[5..], ["c.png 30", "end"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_is_told_and_the_others_are_listed() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    save(&at("a/1.png"), 10);
    save(&at("b/2.png"), 20);
    fs::set_permissions(at("a"), fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything; then there is no trouble to test with permissions, only a circle of links.
    let may = fs::read_dir(at("a")).is_ok();
    std::os::unix::fs::symlink(at("b/loop"), at("b/loop")).unwrap();
    let listing = list(folder.path()).unwrap();
    fs::set_permissions(at("a"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(listing.pictures.len(), if may { 2 } else { 1 });
    assert_eq!(listing.problems.len(), usize::from(!may), "{:?}", listing.problems);
    assert!(listing.pictures.contains(&at("b/2.png")));
}

#[test]
fn files_of_which_none_can_be_used_are_an_error_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.png"), "bad").unwrap();
    let mut source = Pictures::open([folder.path()], None, false).unwrap();
    assert!(matches!(source.next(WAIT), Ok(Next::Skipped(_))));
    let error = source.next(WAIT).unwrap_err().to_string();
    assert!(error.starts_with("none of 1 pictures can be used (last error: "), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("real/a.png"), 10);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("real/up")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("real/a.png"), folder.path().join("b.png")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("gone"), folder.path().join("c.png")).unwrap();
    assert_eq!(list(folder.path()).unwrap().pictures.len(), 3);
    let mut source = Pictures::open([folder.path()], None, false).unwrap();
    assert_eq!(word(&mut source), "b.png 10");
    assert!(word(&mut source).starts_with("c.png: it cannot be read (No such file"), "a dangling link");
    assert_eq!(word(&mut source), "a.png 10");
    assert_eq!(word(&mut source), "end");
}

#[test]
fn several_paths_keep_their_order_and_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    save(&at("a.png"), 10);
    save(&at("z.data.png"), 90);
    let mut source = Pictures::open([at("z.data.png"), at("a.png")], None, true).unwrap();
    let words: Vec<String> = (0..5).map(|_| word(&mut source)).collect();
    assert_eq!(words, ["z.data.png 90", "a.png 10", "z.data.png 90", "a.png 10", "z.data.png 90"]);
    let Ok(Next::Frame(frame)) = source.next(WAIT) else { panic!("no frame") };
    assert_eq!(frame.sequence, 5);
}

#[test]
fn a_round_of_bad_pictures_does_not_go_on_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.png"), "bad").unwrap();
    let mut source = Pictures::open([folder.path()], None, true).unwrap();
    assert!(matches!(source.next(WAIT), Ok(Next::Skipped(_))));
    assert!(matches!(source.next(WAIT), Err(SourceError::OnlyBadPictures { count: 1, .. })));
}

#[test]
fn a_pace_makes_the_source_wait_but_never_longer_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("a.png"), 10);
    save(&folder.path().join("b.png"), 20);
    let mut source = Pictures::open([folder.path()], Some(10.0), false).unwrap();
    let start = Instant::now();
    assert_eq!(word(&mut source), "a.png 10");
    let mut nothings = 0;
    while let Ok(Next::Nothing) = source.next(Duration::from_millis(10)) {
        nothings += 1;
    }
    assert!(nothings >= 1);
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[test]
fn what_is_no_picture_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let told = |path: &Path| load(path).unwrap_err().to_string();
    let name = folder.path().display().to_string();
    assert_eq!(told(folder.path()), format!("{name} is not a picture file (it is a folder)"));
    assert!(
        told(&folder.path().join("none.png"))
            .starts_with(&format!("cannot read {name}/none.png (No such file"))
    );
    assert_eq!(told(Path::new("/dev/zero")), "/dev/zero is not a picture file (it is a device or a pipe)");
    let huge = folder.path().join("huge.png");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(told(&huge), format!("{} is not a picture file (it is larger than 256 MiB)", huge.display()));
    let error = Pictures::open([folder.path().join("void")], None, false).unwrap_err();
    assert!(matches!(error, SourceError::Unreadable { .. }));
    fs::create_dir(folder.path().join("void")).unwrap();
    let error = Pictures::open([folder.path().join("void")], None, false).unwrap_err();
    let told = error.to_string();
    assert!(told.starts_with("there is no picture (.jpg, .jpeg, .jpe, .jfif, .mpo, .png) in "), "{told}");
    fs::write(folder.path().join("void/a.HEIC"), "x").unwrap();
    let told = Pictures::open([folder.path().join("void")], None, false).unwrap_err().to_string();
    assert!(told.contains("(1 HEIC left out: maskwatch reads JPEG and PNG; convert"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_rather_than_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is missing");
    assert!(matches!(load(&pipe), Err(SourceError::NotAPictureFile { .. })));
}

#[test]
fn a_spec_opens_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("a.png"), 10);
    let spec: SourceSpec = folder.path().to_str().unwrap().parse().unwrap();
    let mut source = open(&spec, &Options::default()).unwrap();
    assert_eq!(word(&mut source), "a.png 10");
    assert_eq!(word(&mut source), "end");
}
