//! The resampling is that of fast_image_resize, byte for byte, on every instruction set: networks were fitted
//! to pictures that it resized.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use image::RgbImage;
use maskwatch::geometry::Rect;
use maskwatch::pixels::preprocess;
use maskwatch::pixels::sampler::{Sampler, resized_side, resized_square};
use maskwatch_resize::Filter;
use proptest::prelude::*;

const PORTRAIT: &[u8] = include_bytes!("fixtures/astronaut.jpg");

/// The picture as fast_image_resize resizes it.
fn reference(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    maskwatch_resize::resize(picture, None, (width, height), Filter::Bilinear).unwrap()
}

fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
    let mut state = seed | 1;
    RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        image::Rgb([(state >> 56) as u8, (state >> 48) as u8, (state >> 40) as u8])
    })
}

proptest! {
    #[test]
    fn it_is_fast_image_resize_byte_for_byte(
        sizes in prop::collection::vec((1u32..90, 1u32..90, 1u32..90, 1u32..90), 1..4), seed: u64,
    ) {
        for (width, height, across, down) in sizes {
            let picture = noise(width, height, seed);
            prop_assert!(
                preprocess::resize(&picture, across, down) == reference(&picture, across, down),
                "{}x{} to {}x{}", width, height, across, down
            );
        }
    }
}

#[test]
fn the_sizes_of_cameras_and_networks_are_the_same_too() {
    for (source, target) in [
        ((640, 480), (320, 240)),
        ((640, 480), (480, 360)),
        ((1280, 720), (480, 270)),
        ((97, 97), (256, 256)),
        ((700, 700), (146, 146)),
    ] {
        let picture = noise(source.0, source.1, 7);
        assert!(
            preprocess::resize(&picture, target.0, target.1) == reference(&picture, target.0, target.1),
            "{source:?} to {target:?}"
        );
    }
}

#[test]
fn a_crop_is_the_middle_of_the_square_that_fast_image_resize_resized() {
    let picture = image::load_from_memory(PORTRAIT).unwrap().into_rgb8();
    for (face, input) in [
        (Rect::new(178.0, 65.0, 91.0, 111.0), 224),
        (Rect::new(178.0, 65.0, 91.0, 111.0), 128),
        (Rect::new(-31.0, 470.5, 77.0, 60.0), 128),
        (Rect::new(100.0, 100.0, 17.0, 20.0), 224),
    ] {
        let square = preprocess::cut(&picture, &resized_square(&face, 1.1));
        let resized = resized_side(input);
        let large = reference(&square, resized, resized);
        let border = (resized - input) / 2;
        let expected = image::imageops::crop_imm(&large, border, border, input, input).to_image();
        let mut crop = vec![0; 3 * (input * input) as usize];
        Sampler::default().face_crop(&picture, &face, 1.1, input, &mut crop);
        assert!(&crop == expected.as_raw(), "{face:?} {input}");
    }
}
