//! Input that nobody should hand in, through the command line: pictures cut off and with flipped bits, wrong
//! and cut weight files, absurd configurations, broken tables. Each must be refused with a message: no panic,
//! no signal, no hang. What is broken where follows from fixed seeds.

use super::command::{Ended, models};

fn maskwatch<Argument: AsRef<std::ffi::OsStr>>(arguments: &[Argument]) -> Ended {
    super::command::run(env!("CARGO_BIN_EXE_maskwatch"), arguments)
}
use maskwatch::nn::weights::Weights;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

const PORTRAIT: &[u8] = include_bytes!("../fixtures/astronaut.jpg");

/// A generator of numbers that are the same in every run (Steele et al. 2014, SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// `bytes` with `flips` bits turned over from `start` on.
fn flipped(bytes: &[u8], start: usize, flips: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..flips {
        let place = start + numbers.below(bytes.len() - start);
        bytes[place] ^= 1 << numbers.below(8);
    }
    bytes
}

fn drawn(format: image::ImageFormat) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(160, 120, |x, y| {
        let inside = (f64::from(x) - 80.0).hypot(f64::from(y) - 60.0) < 40.0;
        image::Rgb(if inside { [220, 180, 150] } else { [x as u8, y as u8, (x * y) as u8] })
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG header that promises `width` × `height` pixels, and nothing behind it.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = drawn(image::ImageFormat::Png)[..33].to_vec();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc32fast::hash(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// The portrait with another size in its frame header (marker C0 or C2: length, precision, height, width).
fn jpeg_of_size(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = PORTRAIT.to_vec();
    let marker = bytes.windows(2).position(|pair| matches!(pair, [0xFF, 0xC0 | 0xC2])).unwrap();
    bytes[marker + 5..marker + 7].copy_from_slice(&height.to_be_bytes());
    bytes[marker + 7..marker + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// A broken picture: its name, its bytes, and whether it cannot be anything but refused. Some flipped bits in
/// a JPEG leave a picture, only with other colours.
struct Broken {
    name: String,
    bytes: Vec<u8>,
    hopeless: bool,
}

fn broken_pictures() -> Vec<Broken> {
    let mut numbers = Numbers(1);
    let mut broken = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>, hopeless| broken.push(Broken { name, bytes, hopeless });
    let originals = [
        ("portrait.jpg", PORTRAIT.to_vec(), 2),
        ("drawn.jpg", drawn(image::ImageFormat::Jpeg), 2),
        // Behind its signature every byte of a PNG is under a checksum, and the last chunk is empty.
        ("drawn.png", drawn(image::ImageFormat::Png), 8),
    ];
    for (name, bytes, signature) in &originals {
        let png = name.ends_with("png");
        // A PNG without its last chunk has all its pixels: nothing is missing but the end mark.
        let whole = if png { bytes.len() - 16 } else { bytes.len() };
        for index in 0..52 {
            let length = numbers.below(whole);
            add(format!("cut-{index}-{name}"), bytes[..length].to_vec(), true);
        }
        for index in 0..24 {
            let flips = 1 + index / 2;
            let bytes = flipped(&bytes[..whole], *signature, flips, &mut numbers);
            add(format!("flipped-{index}-{name}"), bytes, png);
        }
        for index in 0..6 {
            let bytes = flipped(bytes, 0, bytes.len() / 8, &mut numbers);
            add(format!("noise-{index}-{name}"), bytes, true);
        }
    }
    for (width, height) in [(0, 0), (0, 9), (1 << 31, 1), (u32::MAX, u32::MAX), (60_000, 60_000), (9, 9)] {
        add(format!("size-{width}-{height}.png"), png_header(width, height), true);
    }
    for (width, height) in [(0, 512), (65_500, 65_500)] {
        add(format!("size-{width}-{height}.jpg"), jpeg_of_size(width, height), true);
    }
    add("empty.jpg".into(), Vec::new(), true);
    add("zeros.png".into(), vec![0; 4096], true);
    add("text.jpg".into(), b"<html>404 not found</html>".to_vec(), true);
    add("marker.jpg".into(), vec![0xFF, 0xD8, 0xFF], true);
    add("gif.png".into(), b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec(), true);
    broken
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Searches `pictures` with the detector at a small input, so that only what is decoded costs time.
fn detect(pictures: &[PathBuf], more: &[&str]) -> Ended {
    let mut arguments = vec!["detect", "--format", "jsonl", "--detector-input", "64x64"];
    arguments.extend(more);
    let (detector, classifier) =
        (models().join("detector.safetensors"), models().join("classifier.safetensors"));
    let named = |option: &str| more.contains(&option);
    if named("--detector") || named("--classifier") {
        arguments.extend(["--precision", "f32"]);
    }
    if named("--classifier") {
        arguments.extend(["--detector", detector.to_str().unwrap()]);
    }
    if named("--detector") {
        arguments.extend(["--classifier", classifier.to_str().unwrap()]);
    }
    arguments.extend(pictures.iter().map(|path| path.to_str().unwrap()));
    maskwatch(&arguments)
}

#[test]
fn two_hundred_broken_pictures_are_refused_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = broken_pictures();
    let mut refused = 0;
    for part in pictures.chunks(40) {
        let paths: Vec<PathBuf> =
            part.iter().map(|picture| write(folder.path(), &picture.name, &picture.bytes)).collect();
        let ended = detect(&paths, &[]);
        ended.assert_refused(&part[0].name);
        let lines: Vec<serde_json::Value> =
            ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), part.len());
        for ((picture, path), line) in part.iter().zip(&paths).zip(&lines) {
            assert_eq!(line["image"], path.to_str().unwrap());
            match line["error"].as_str() {
                Some(error) => {
                    assert!(error.contains(&picture.name) && error.len() > picture.name.len() + 10, "{line}");
                    refused += 1;
                }
                None => assert!(!picture.hopeless && line["faces"].is_array(), "{line}"),
            }
        }
    }
    assert!(refused >= 200, "only {refused} of {} pictures are broken", pictures.len());
}

#[test]
fn what_is_no_picture_at_all_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let odd = [
        folder.path().join("missing.jpg"),
        folder.path().to_owned(), // a folder without pictures
        PathBuf::from("/dev/null"),
        PathBuf::from("/dev/zero"),
        write(folder.path(), "not-a-folder", b"x").join("below.png"),
    ];
    let ended = detect(&odd, &[]);
    ended.assert_refused("odd paths");
    assert_eq!(ended.stdout.lines().count(), odd.len());
    assert!(ended.stdout.lines().all(|line| line.contains("\"error\"")), "{ended:?}");
}

#[test]
fn wrong_and_cut_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let picture = write(folder.path(), "portrait.jpg", PORTRAIT);
    let mut numbers = Numbers(2);
    for network in ["detector", "classifier", "landmarks", "int8"] {
        let option = format!("--{network}");
        let refuse = |what: &str, path: &Path| {
            let path_text = path.to_str().unwrap();
            let ended = match network {
                // Pictures are searched without it; timing wants all networks.
                "landmarks" => maskwatch(&["bench", "--precision", "f32", &option, path_text]),
                _ => detect(std::slice::from_ref(&picture), &[&option, path_text]),
            };
            ended.assert_refused(&format!("{network}: {what}"));
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(ended.stderr.contains(name), "{what}: {ended:?}");
        };
        // Saved once more, so that there is a checksum whatever file is under test.
        let sound = folder.path().join("sound.safetensors");
        let shipped = models().join(format!("{network}.safetensors"));
        if network == "int8" {
            fs::copy(&shipped, &sound).unwrap();
        } else {
            Weights::load(&shipped).unwrap().save(&sound).unwrap();
        }
        let bytes = fs::read(&sound).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;

        for length in [0, 1, 7, 8, 9, header / 2, header - 1, header, bytes.len() / 2, bytes.len() - 1] {
            refuse(&format!("cut at {length}"), &write(folder.path(), "cut.safetensors", &bytes[..length]));
        }
        for index in 0..4 {
            let broken = flipped(&bytes, header, 1 + index, &mut numbers);
            refuse("a flipped value", &write(folder.path(), "flipped.safetensors", &broken));
        }
        for length in [0, u64::MAX, bytes.len() as u64, 1 << 40] {
            let broken = [&length.to_le_bytes(), &bytes[8..]].concat();
            refuse("a wrong header length", &write(folder.path(), "header.safetensors", &broken));
        }
        let longer = [bytes.as_slice(), &[0; 64]].concat();
        refuse("bytes behind the end", &write(folder.path(), "longer.safetensors", &longer));
        refuse("a picture", &picture);
        refuse("text", &write(folder.path(), "text.safetensors", b"weights"));
        refuse("no file", &folder.path().join("missing.safetensors"));
        refuse("a folder", folder.path());
        let other = if network == "detector" { "classifier" } else { "detector" };
        refuse("the other network", &models().join(format!("{other}.safetensors")));
    }
}

#[test]
fn absurd_configurations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{} = 1\n", "k".repeat(1 << 20));
    let deep = format!("a = {}1{}\n", "[".repeat(20_000), "]".repeat(20_000));
    let texts: [&[u8]; 20] = [
        b"[",
        b"]]]]",
        b"a",
        b"= 1",
        b"a = 1\na = 2",
        b"nonsense = true",
        b"[nonsense]\nkey = 1",
        b"[source]\nspec = 5",
        b"[source]\nspec = []",
        b"[source]\nspecs = \"/dev/video0\"",
        b"source = \"/dev/video0\"",
        b"[source]\n[source]",
        b"[outputs]\nbackend = \"steam\"",
        b"[outputs]\nbackend = 1e400",
        b"[detector]\nscore_threshold = nan",
        b"[detector]\nscore_threshold = -1",
        b"\xFF\xFE[source]",
        b"\0\0\0\0",
        long.as_bytes(),
        deep.as_bytes(),
    ];
    for (index, text) in texts.iter().enumerate() {
        let path = write(folder.path(), "maskwatch.toml", text);
        let ended = maskwatch(&["run", "--check", "--config", path.to_str().unwrap()]);
        let start = String::from_utf8_lossy(&text[..text.len().min(60)]);
        ended.assert_refused(&format!("configuration {index}: {start}"));
        assert!(ended.stderr.contains("maskwatch.toml"), "{start}: {ended:?}");
    }
    for path in [folder.path().join("missing.toml"), folder.path().to_owned(), PathBuf::from("/dev/zero")] {
        maskwatch(&["run", "--check", "--config", path.to_str().unwrap()])
            .assert_refused(&path.display().to_string());
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for option in [
        "--score-threshold=2",
        "--score-threshold=nan",
        "--detector-input=0x0",
        "--detector-input=640x481",
        "--detector-input=4294967296x32",
        "--certainty=0.2",
        "--min-face-side=-1",
        "--format=xml",
    ] {
        maskwatch(&["detect", option, "picture.jpg"]).assert_refused(option);
    }
    for option in ["--threads=0", "--threads=99999"] {
        maskwatch(&["bench", option]).assert_refused(option);
    }
}
