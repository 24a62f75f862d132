//! `maskwatch-lab eval video` with the networks, on clips made of the two portraits: no ffmpeg is needed for
//! films without compression.

use crate::command::{self, Ended};
use image::RgbImage;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Frames a second of the films that are written here.
const RATE: usize = 30;

fn portrait(name: &str) -> RgbImage {
    image::open(Path::new("../../tests/fixtures").join(name)).unwrap().into_rgb8()
}

/// Writes a film that shows each of `scenes` for so many frames.
fn write_film(path: &Path, scenes: &[(&RgbImage, usize)]) {
    let (width, height) = scenes[0].0.dimensions();
    let (width, height) = (width & !1, height & !1);
    let mut film = format!("YUV4MPEG2 W{width} H{height} F{RATE}:1 Ip A1:1 C420jpeg\n").into_bytes();
    for (picture, frames) in scenes {
        let luma_of = |[r, g, b]: [f32; 3]| (16.0 + 0.257 * r + 0.504 * g + 0.098 * b) as u8;
        let at = |x, y| picture.get_pixel(x, y).0.map(f32::from);
        let mut planes: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| luma_of(at(x, y)))
            .collect();
        for factors in [[-0.148f32, -0.291, 0.439], [0.439, -0.368, -0.071]] {
            for (x, y) in (0..height / 2).flat_map(|y| (0..width / 2).map(move |x| (2 * x, 2 * y))) {
                let sum: f32 = at(x, y).iter().zip(factors).map(|(value, factor)| value * factor).sum();
                planes.push((128.0 + sum) as u8);
            }
        }
        for _ in 0..*frames {
            film.extend(b"FRAME\n");
            film.extend(&planes);
        }
    }
    fs::File::create(path).unwrap().write_all(&film).unwrap();
}

fn video(table: &Path, more: &[&str]) -> Ended {
    let mut arguments = vec!["eval", "video", table.to_str().unwrap(), "--format", "json"];
    arguments.extend(more);
    command::run(env!("CARGO_BIN_EXE_maskwatch-lab"), &arguments)
}

#[test]
fn clips_are_shown_at_every_rate_and_wrong_ones_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (bare, masked) = (portrait("astronaut.jpg"), portrait("astronaut-masked.jpg"));
    let empty = RgbImage::from_pixel(bare.width(), bare.height(), image::Rgb([90, 90, 90]));
    write_film(&folder.path().join("bare.y4m"), &[(&empty, 15), (&bare, 60)]);
    write_film(&folder.path().join("off.y4m"), &[(&masked, 60), (&bare, 45)]);
    write_film(&folder.path().join("flash.y4m"), &[(&masked, 45), (&bare, 9), (&masked, 45)]);
    write_film(&folder.path().join("nobody.y4m"), &[(&empty, 60)]);
    let table = folder.path().join("clips.csv");
    fs::write(
        &table,
        "clip,expect,note\nbare.y4m,alert,\noff.y4m,pass then alert,\nflash.y4m,pass and never alert,\n\
         nobody.y4m,idle and nothing else,\n",
    )
    .unwrap();
    let strips = folder.path().join("strips");
    let ended = video(&table, &["--pictures", strips.to_str().unwrap()]);
    let report: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_eq!(report["right"], serde_json::json!({"5": 4, "10": 4, "25": 4}), "{report:#}");
    assert_eq!(fs::read_dir(&strips).unwrap().count(), 0, "all clips are right");
    for (clip, expected) in [("bare.y4m", 0.4), ("off.y4m", 2.0)] {
        let clip = &report["clips"][clip];
        assert!(clip["longest_difference_seconds"].as_f64().unwrap() <= 0.3, "{clip:#}");
        for rate in ["5", "10", "25"] {
            let time = clip["rates"][rate]["seconds_to_alert"].as_f64().unwrap();
            assert!((expected..=expected + 1.0).contains(&time), "{time} at {rate}");
        }
    }

    // What is not expected is drawn.
    fs::write(&table, "clip,expect\nbare.y4m,idle and nothing else\n").unwrap();
    let ended = video(&table, &["--rate", "5", "--pictures", strips.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["clips"]["bare.y4m"]["rates"]["5"]["false_alerts"], 1);
    assert!(image::open(strips.join("bare-5-wrong.jpg")).unwrap().width() > 1000);
}

#[test]
fn clips_that_cannot_be_shown_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("clips.csv");
    fs::write(folder.path().join("cut.y4m"), "YUV4MPEG2 W64 H64 F25:1 C420\nFRAME\nshort").unwrap();
    fs::write(&table, "clip,expect\ncut.y4m,alert\n").unwrap();
    let ended = video(&table, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("cut.y4m cannot be shown: it cannot be read to the end"), "{ended:?}");
    fs::write(&table, "clip,expect\ncut.y4m,maybe\n").unwrap();
    assert!(video(&table, &[]).stderr.contains("line 2: \"maybe\" cannot be expected"));
    fs::write(&table, "clip,expect\n").unwrap();
    assert!(video(&table, &[]).stderr.contains("clips.csv is empty"));
}
