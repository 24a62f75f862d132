//! The networks with the weights that training starts from, against reference outputs of ONNX Runtime. Both
//! are looked for in `$MASKWATCH_SHARED/models`; `tests/shipped_weights.rs` does the same with what is in the
//! repository.

use candle_core::{Device, Tensor};
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::nn::ops::{Activation, pointwise};
use maskwatch::nn::weights::Weights;
use maskwatch::nn::{BatchNorm, Mode};
use maskwatch::vision::detector::Detector;

fn largest_difference(left: &Tensor, right: &Tensor) -> f32 {
    let difference = (left - right).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn mobilenet_v2_gives_the_reference_logits() {
    let (Some(weights), Some(reference)) = (
        super::common::shared("models/mobilenet_v2_imagenet.safetensors"),
        super::common::shared("models/mobilenet_v2_reference.safetensors"),
    ) else {
        return;
    };
    let weights = Weights::load(&weights).unwrap();
    let reference = candle_core::safetensors::load(reference, &Device::Cpu).unwrap();
    let picture = reference["input"].permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
    for mode in [Mode::Inference, Mode::Training(BatchNorm::Frozen)] {
        let network = MobileNetV2::new(&weights, mode).unwrap();
        let features = network.features(&picture).unwrap();
        let classifier = weights.get("classifier.1.weight", &[1000, 1280]).unwrap().t().unwrap();
        let bias = weights.get("classifier.1.bias", &[1000]).unwrap();
        let logits = pointwise(&features, &classifier, &bias, Activation::Identity).unwrap();
        assert!(largest_difference(&features, &reference["features"]) < 1e-3);
        assert!(largest_difference(&logits, &reference["logits"]) < 1e-3);
        assert_eq!(logits.argmax(1).unwrap().to_vec1::<u32>().unwrap(), [967]);
    }
}

#[test]
fn yunet_finds_the_reference_face() {
    let (Some(weights), Some(picture)) = (
        super::common::shared("models/yunet_n.safetensors"),
        super::common::shared("models/yunet_reference_astronaut.png"),
    ) else {
        return;
    };
    let picture = image::open(picture).unwrap().to_rgb8();
    let mut pasted = image::RgbImage::new(640, 640);
    image::imageops::replace(&mut pasted, &picture, 0, 0);
    for (picture, input) in [(picture, (512, 512)), (pasted, (640, 640))] {
        let faces = Detector::load(&weights, input, 0.3).unwrap().detect(&picture).unwrap();
        let [face] = faces.as_slice() else { panic!("{faces:?}") };
        let near = |value: f32, expected: f32| assert!((value - expected).abs() < 0.1, "{value} {expected}");
        assert!((face.score - 0.9356).abs() < 1e-3, "{}", face.score);
        near(face.rect.x, 178.1);
        near(face.rect.y, 65.0);
        near(face.rect.w, 91.4);
        near(face.rect.h, 111.4);
        let expected = [(203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204.0, 143.1), (242.9, 143.7)];
        for (point, (x, y)) in face.landmarks.iter().zip(expected) {
            near(point.x, x);
            near(point.y, y);
        }
    }
}
