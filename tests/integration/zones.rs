//! Zones of the configuration: faces outside are not there, the detector has less to search, and `detect`
//! draws them.

use super::command::run;
use image::RgbImage;
use maskwatch::config::Config;
use maskwatch::geometry::Rect;
use maskwatch::vision::{Chain, Vision, everybody};
use serde_json::Value;

/// The face of the portrait is at 0.44 of its width and 0.23 of its height, 0.18 of the width wide.
const PORTRAIT: &str = "tests/fixtures/astronaut.jpg";

fn zone(kind: &str, left: f32, right: f32, more: &str) -> String {
    format!(
        "[zones.{kind}]\nkind = \"{kind}\"\npoints = [[{left}, 0], [{right}, 0], [{right}, 1], [{left}, 1]]\n{more}\n"
    )
}

#[test]
fn detect_leaves_out_who_does_not_count_and_draws_the_zones() {
    let folder = tempfile::tempdir().unwrap();
    let (config, drawn) = (folder.path().join("door.toml"), folder.path().join("drawn"));
    let faces = |text: &str| {
        std::fs::write(&config, text).unwrap();
        let arguments: [&std::ffi::OsStr; 7] = [
            "detect".as_ref(),
            PORTRAIT.as_ref(),
            "--format=jsonl".as_ref(),
            "--config".as_ref(),
            config.as_ref(),
            "--annotate".as_ref(),
            drawn.as_ref(),
        ];
        let ended = run(env!("CARGO_BIN_EXE_maskwatch"), &arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        let line: Value = serde_json::from_str(&ended.stdout).unwrap();
        let picture = image::open(drawn.join("astronaut-faces.jpg")).unwrap().into_rgb8();
        (line["faces"].as_array().unwrap().len(), picture)
    };
    let (everybody, plain) = faces("");
    assert_eq!(everybody, 1);
    // Blue lines at the zone's edges, in the middle of the picture's height.
    let is_drawn = |picture: &RgbImage, x: u32| {
        let column = picture.get_pixel(x, 400).0;
        column != plain.get_pixel(x, 400).0 && column[2] > 120 && column[0] < 90
    };
    let (left, picture) = faces(&zone("count", 0.2, 0.6, ""));
    assert!(left == 1 && is_drawn(&picture, 102) && is_drawn(&picture, 307), "{left}");
    assert!(!is_drawn(&picture, 450));
    for text in [
        zone("count", 0.6, 0.9, ""),
        zone("ignore", 0.2, 0.6, ""),
        zone("count", 0.2, 0.6, "max_face = 0.1"),
        zone("count", 0.2, 0.6, "") + &zone("ignore", 0.3, 0.5, "min_face = 0.1"),
    ] {
        assert_eq!(faces(&text).0, 0, "{text}");
    }
    assert_eq!(faces(&zone("ignore", 0.2, 0.6, "max_face = 0.1")).0, 1);
}

#[test]
fn the_detector_searches_less_and_finds_the_same() {
    let chain = |text: &str| Chain::load(&Config::parse(text, "door.toml").unwrap().vision()).unwrap();
    let portrait = image::open(PORTRAIT).unwrap().into_rgb8();
    // A face of a tenth of the width, so that it is not left to the search for close faces.
    let mut frame = RgbImage::from_pixel(960, 720, image::Rgb([90, 95, 100]));
    image::imageops::replace(&mut frame, &portrait, 100, 150);
    let find = |chain: &mut Chain| -> Vec<Rect> {
        chain.look((&frame).into(), &mut everybody).unwrap().iter().map(|face| face.rect).collect()
    };
    let (mut whole, mut part) = (chain(""), chain(&zone("count", 0.2, 0.52, "")));
    assert_eq!((whole.detector().input(), part.detector().input()), ((480, 384), (320, 384)));
    let ([all], [counting]) = (&find(&mut whole)[..], &find(&mut part)[..]) else { panic!() };
    assert!(all.iou(counting) > 0.9, "{all:?} {counting:?}");
}

#[test]
fn a_configuration_with_a_bad_zone_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("door.toml").display().to_string();
    std::fs::write(&config, "[zones.door]\npoints = [[0, 0], [40, 0], [40, 80]]\n").unwrap();
    for arguments in [["detect", PORTRAIT, "--config", &config], ["run", "--check", "--config", &config]] {
        let ended = run(env!("CARGO_BIN_EXE_maskwatch"), &arguments);
        ended.assert_refused("a zone in pixels");
        assert!(ended.stderr.contains("line 2: zones.door.points has a point that is none"), "{ended:?}");
    }
}
