//! Faces close to a camera that looks towards the light: they fill much of the frame, and are far darker than
//! what is behind them.

use image::{Rgb, RgbImage, imageops};
use maskwatch::config::Config;
use maskwatch::geometry::Rect;
use maskwatch::nn::int8::QuantizedWeights;
use maskwatch::nn::int8::file::Draft;
use maskwatch::vision::{Chain, Vision, everybody};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
/// The face of both portraits.
const FACE: Rect = Rect { x: 182.0, y: 57.0, w: 90.0, h: 120.0 };

/// A frame of 640×480 that the face of `portrait` fills to `share` of its width, at `brightness` of what it
/// was, before a bright window.
fn backlit(portrait: &str, share: f32, brightness: f32) -> RgbImage {
    let portrait = image::open(format!("{FIXTURES}{portrait}")).unwrap().into_rgb8();
    let (width, height) = (FACE.w / share, FACE.w / share * 0.75);
    let (x, y) = (FACE.x + FACE.w / 2.0, FACE.y + FACE.h / 2.0);
    let [left, top, width, height] =
        [x - width / 2.0, y - height / 2.0, width, height].map(|side| side as u32);
    let crop = imageops::crop_imm(&portrait, left, top, width, height).to_image();
    let mut frame = imageops::resize(&crop, 640, 480, imageops::FilterType::Triangle);
    let (across, down) = (0.75 * share * 640.0, 0.75 * share * 640.0 * FACE.h / FACE.w);
    for (x, y, pixel) in frame.enumerate_pixels_mut() {
        let (dx, dy) = ((x as f32 - 320.0) / across, (y as f32 - 240.0) / down);
        let is_window = dx * dx + dy * dy > 1.0;
        *pixel = if is_window {
            Rgb([235; 3])
        } else {
            Rgb(pixel.0.map(|value| (f32::from(value) * brightness) as u8))
        };
    }
    frame
}

#[test]
fn a_dark_face_before_a_bright_window_is_found() {
    let mut chain = Chain::load(&Config::default().vision()).unwrap();
    for portrait in ["astronaut.jpg", "astronaut-masked.jpg"] {
        for share in [0.6, 0.8, 1.0] {
            for brightness in [0.03, 0.05, 0.1, 0.2] {
                let frame = backlit(portrait, share, brightness);
                let faces = chain.look((&frame).into(), &mut everybody).unwrap();
                assert_eq!(
                    faces.len(),
                    1,
                    "{portrait} at {share} of the width, {brightness} as bright: {faces:?}"
                );
            }
        }
    }
}

/// Files that were made before close faces had a detector of their own, or by somebody who trained one.
#[test]
fn a_weight_file_without_a_detector_of_close_faces_lets_the_other_one_find_them() {
    let shipped = QuantizedWeights::embedded().unwrap();
    let mut older = Draft::default();
    older.metadata = shipped.metadata.clone();
    for network in ["classifier.", "detector.", "landmarks."] {
        older.copy(&shipped, network);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("older.safetensors");
    older.save(&file).unwrap();
    let mut options = Config::default().vision();
    options.models.int8 = Some(file);
    let mut chain = Chain::load(&options).unwrap();
    let frame = backlit("astronaut.jpg", 0.8, 0.2);
    assert_eq!(chain.look((&frame).into(), &mut everybody).unwrap().len(), 1);
}

/// What is dark before a window need not be a face.
#[test]
fn a_dark_shape_without_a_face_is_nobody() {
    let mut chain = Chain::load(&Config::default().vision()).unwrap();
    for brightness in [0.05, 0.1, 0.2] {
        // The jacket of the portrait.
        let mut frame = backlit("astronaut.jpg", 0.8, brightness);
        let portrait = image::open(format!("{FIXTURES}astronaut.jpg")).unwrap().into_rgb8();
        let jacket = imageops::crop_imm(&portrait, 60, 330, 240, 180).to_image();
        let jacket = imageops::resize(&jacket, 640, 480, imageops::FilterType::Triangle);
        for (x, y, pixel) in frame.enumerate_pixels_mut() {
            if *pixel != Rgb([235; 3]) {
                *pixel = Rgb(jacket.get_pixel(x, y).0.map(|value| (f32::from(value) * brightness) as u8));
            }
        }
        let faces = chain.look((&frame).into(), &mut everybody).unwrap();
        let counted = faces.iter().filter(|face| face.judgement != maskwatch::vision::Judgement::Nobody);
        assert_eq!(counted.count(), 0, "{brightness}: {faces:?}");
    }
}
