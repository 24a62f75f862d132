//! A camera that hangs on its side, upside down or behind a mirror: every kind of source gives upright
//! frames, and the door sees in them what it sees in those of an upright camera.

use super::command::run;
use image::imageops::{flip_horizontal, rotate90, rotate180};
use image::{Rgb, RgbImage};
use maskwatch::config::Config;
use maskwatch::source::{Flip, Next, Options, Rotation, Source, SourceSpec, Turn, open, open_once};
use maskwatch::vision::{Chain, Vision, everybody};
use std::path::Path;
use std::time::{Duration, Instant};

fn next(source: &mut dyn Source) -> RgbImage {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Next::Frame(frame) = source.next(Duration::from_millis(200)).unwrap() {
            return frame.picture.view().unwrap().to_rgb();
        }
    }
    panic!("no frame in 60 s");
}

/// Dark on the left, and a white pixel of 16×8 in the upper right corner.
fn picture() -> RgbImage {
    let mut picture = RgbImage::from_fn(64, 32, |x, _| Rgb([if x < 32 { 40 } else { 160 }; 3]));
    (48..64).for_each(|x| (0..8).for_each(|y| picture.put_pixel(x, y, Rgb([250; 3]))));
    picture
}

fn alike(one: &RgbImage, other: &RgbImage) -> bool {
    let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) < 24;
    one.dimensions() == other.dimensions() && one.as_raw().iter().zip(other.as_raw()).all(near)
}

#[test]
fn every_kind_of_source_is_turned() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    picture().save(at("a.png")).unwrap();
    picture().save(at("a.jpg")).unwrap();
    let yuyv: Vec<u8> = picture().as_raw().chunks(6).flat_map(|pair| [pair[0], 128, pair[3], 128]).collect();
    std::fs::write(at("yuyv"), yuyv).unwrap();
    let turn = Turn { rotate: Rotation::Quarter, flip: Flip::Horizontal };
    let expected = flip_horizontal(&rotate90(&picture()));
    for spec in [
        at("a.png"),
        format!("command: cat {}; sleep 9", at("a.jpg")),
        format!("command(yuyv422 64x32): cat {}; sleep 9", at("yuyv")),
    ] {
        let spec: SourceSpec = spec.parse().unwrap();
        let options = Options { turn, ..Options::default() };
        let once = next(&mut *open_once(&spec, &options).unwrap());
        assert!(alike(&once, &expected), "{spec}");
        assert_eq!(next(&mut *open(&spec, &options).unwrap()), once, "{spec}");
    }
}

#[test]
fn faces_of_a_turned_camera_are_judged_like_those_of_an_upright_one() {
    let mut chain = Chain::load(&Config::default().vision()).unwrap();
    for name in ["astronaut.jpg", "astronaut-masked.jpg"] {
        let upright = image::open(Path::new("tests/fixtures").join(name)).unwrap().into_rgb8();
        let [expected] = chain.look((&upright).into(), &mut everybody).unwrap()[..] else { panic!() };
        let turned = |rotate, flip| Turn { rotate, flip }.orientation();
        for (lying, orientation) in [
            (rotate90(&upright), turned(Rotation::ThreeQuarters, Flip::None)),
            (rotate180(&upright), turned(Rotation::Half, Flip::None)),
            (flip_horizontal(&upright), turned(Rotation::None, Flip::Horizontal)),
            (rotate90(&flip_horizontal(&upright)), turned(Rotation::ThreeQuarters, Flip::Horizontal)),
        ] {
            let picture = maskwatch::pixels::picture::Picture::from(lying).oriented(orientation);
            let [face] = chain.look(picture.view(), &mut everybody).unwrap()[..] else { panic!() };
            assert!(face.rect.iou(&expected.rect) > 0.9, "{orientation:?}: {face:?} {expected:?}");
            let (answer, upright) = (face.judgement.answer().unwrap(), expected.judgement.answer().unwrap());
            assert!((answer.mask - upright.mask).abs() < 0.1, "{orientation:?}: {answer:?} {upright:?}");
        }
    }
}

/// The daemon itself, on a camera that hangs on its side.
#[test]
fn the_configuration_turns_what_the_daemon_sees() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let upright = image::open("tests/fixtures/astronaut.jpg").unwrap().into_rgb8();
    rotate90(&upright).save(at("lying.jpg")).unwrap();
    let log = |rotate: u32| {
        // So many frames, and then the end.
        let show = format!("for frame in $(seq 30); do cat {}; sleep 0.1; done", at("lying.jpg"));
        let text = format!(
            "[source]\nspec = \"command: {show}\"\nrotate = {rotate}\n[outputs]\nbackend = \"simulated\"\n"
        );
        std::fs::write(at("door.toml"), text).unwrap();
        let limit =
            format!("timeout -s TERM 6 {} run --config {}", env!("CARGO_BIN_EXE_maskwatch"), at("door.toml"));
        run("sh", &["-c", &limit]).stderr
    };
    let (turned, as_it_lies) = (log(270), log(0));
    assert!(turned.contains("alert for person"), "{turned}");
    assert!(!as_it_lies.contains("alert for person"), "{as_it_lies}");
}
