//! The shipped weights in our networks against the same weights in ONNX Runtime:
//! `tests/reference/make_reference.py` made the outputs, from the two pictures beside it.

use candle_core::{Device, Tensor};
use image::RgbImage;
use maskwatch::nn::head::Head;
use maskwatch::nn::landmarks::Landmarks;
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::nn::weights::Weights;
use maskwatch::nn::yunet::YuNet;
use maskwatch::nn::{BatchNorm, Mode};
use maskwatch::pixels::preprocess;
use std::collections::HashMap;
use std::path::Path;

const MODES: [Mode; 2] = [Mode::Inference, Mode::Training(BatchNorm::Frozen)];

fn reference() -> HashMap<String, Tensor> {
    candle_core::safetensors::load("tests/reference/reference.safetensors", &Device::Cpu).unwrap()
}

fn picture(name: &str) -> RgbImage {
    image::open(Path::new("tests/reference").join(name)).unwrap().to_rgb8()
}

fn assert_close(name: &str, ours: &Tensor, theirs: &Tensor, tolerance: f32) {
    assert_eq!(ours.dims(), theirs.dims(), "{name}");
    let difference = (ours - theirs).unwrap().abs().unwrap().flatten_all().unwrap();
    let largest: f32 = difference.max(0).unwrap().to_scalar().unwrap();
    assert!(largest < tolerance, "{name}: differs by {largest}");
}

#[test]
fn the_classifier_equals_onnx_runtime() {
    let weights = Weights::load(Path::new("models/classifier.safetensors")).unwrap();
    let reference = reference();
    let pictures = preprocess::normalised(&[picture("bare.png"), picture("masked.png")]).unwrap();
    for mode in MODES {
        let features = MobileNetV2::new(&weights, mode).unwrap().features(&pictures).unwrap();
        assert_close("features", &features, &reference["features"], 1e-3);
        let logits = Head::new(&weights).unwrap().forward(&features, None).unwrap();
        assert_close("logits", &logits.classes, &reference["logits"], 1e-3);
        assert_close("incorrect", &logits.incorrect.unwrap(), &reference["incorrect"], 1e-3);
        assert_close("presence", &logits.presence.unwrap(), &reference["presence"], 1e-3);
    }
}

#[test]
fn the_landmark_network_equals_onnx_runtime() {
    let weights = Weights::load(Path::new("models/landmarks.safetensors")).unwrap();
    let corner = |name| image::imageops::crop_imm(&picture(name), 0, 0, 96, 96).to_image();
    let crops = preprocess::normalised(&[corner("bare.png"), corner("masked.png")]).unwrap();
    for mode in MODES {
        let values = Landmarks::new(&weights, mode).unwrap().forward(&crops).unwrap();
        assert_close("landmarks", &values, &reference()["landmarks"], 1e-3);
    }
}

#[test]
fn the_detector_equals_onnx_runtime() {
    let weights = Weights::load(Path::new("models/detector.safetensors")).unwrap();
    let reference = reference();
    let pictures = preprocess::bgr(&[picture("bare.png")]).unwrap();
    for mode in MODES {
        for level in YuNet::new(&weights, mode).unwrap().forward(&pictures).unwrap() {
            let parts = [
                ("cls", &level.class),
                ("obj", &level.objectness),
                ("bbox", &level.boxes),
                ("kps", &level.landmarks),
            ];
            for (part, map) in parts {
                let name = format!("{part}_{}", level.stride);
                assert_close(&name, map, &reference[&name], 1e-3);
            }
        }
    }
}
