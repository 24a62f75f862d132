//! The quantized networks as a whole: the same values on every instruction set and number of threads, and
//! close to the f32 networks that they were made from.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use image::{RgbImage, imageops};
use maskwatch::geometry::Rect;
use maskwatch::nn::int8::landmarks::QuantizedLandmarks;
use maskwatch::nn::int8::mobilenet_v2::{ClassifierLogits, MobileNetV2, QuantizedClassifier};
use maskwatch::nn::int8::yunet::{CLOSE_DETECTOR, DETECTOR, QuantizedDetector, YuNet};
use maskwatch::nn::int8::{QuantizedWeights, SharedTeam};
use maskwatch::nn::landmarks::{INPUT, MARGIN};
use maskwatch::nn::weights::Weights;
use maskwatch::pixels::preprocess;
use maskwatch::vision::classifier::{Classifier, Input};
use maskwatch::vision::detector::{CLOSE_INPUT, Detector};
use maskwatch::vision::landmarks::Locator;
use maskwatch_kernels::int8::{
    Area, CacheLine, Depthwise, GROUP, Kernels, Pointwise, Reference, Residual, SourceMap, TargetMap,
    Windows, available, fastest,
};
use maskwatch_kernels::shapes::{self, LayerShape, Operation};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const PORTRAIT: &[u8] = include_bytes!("fixtures/astronaut.jpg");
/// The face on it.
const FACE: Rect = Rect::new(178.0, 65.0, 91.0, 111.0);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn models() -> PathBuf {
    root().join("models")
}

fn portrait() -> RgbImage {
    image::load_from_memory(PORTRAIT).unwrap().to_rgb8()
}

fn features(kernels: &'static dyn Kernels, threads: usize, side: u32) -> (Vec<f32>, ClassifierLogits) {
    let weights = QuantizedWeights::embedded().unwrap();
    let network = Arc::new(MobileNetV2::new(&weights, kernels).unwrap());
    let team = SharedTeam::new(threads).unwrap();
    let classifier = QuantizedClassifier::new(network, side as usize, team.clone()).unwrap();
    let crop = preprocess::face_crop(&portrait(), &FACE, 1.1, side);
    let logits = classifier.logits(crop.as_raw()).unwrap();
    let features = classifier.features(crop.as_raw()).unwrap();
    team.work_alone(true);
    assert_eq!(classifier.logits(crop.as_raw()).unwrap(), logits, "the caller alone gives the same");
    team.work_alone(false);
    assert_eq!(classifier.logits(crop.as_raw()).unwrap(), logits, "a second run gives the same");
    (features, logits)
}

fn cells(kernels: &'static dyn Kernels, threads: usize, size: (u32, u32)) -> Vec<f32> {
    let weights = QuantizedWeights::embedded().unwrap();
    let network = YuNet::new(&weights, DETECTOR, kernels).unwrap();
    let (width, height) = size;
    let team = SharedTeam::new(threads).unwrap();
    let detector = QuantizedDetector::new(&network, (width as usize, height as usize), team.clone()).unwrap();
    let (canvas, _) = preprocess::letterbox(&portrait(), width, height);
    let [together, alone] = [false, true].map(|alone| {
        team.work_alone(alone);
        let mut all = Vec::new();
        detector.run(canvas.as_raw(), |_, values| all.extend_from_slice(values)).unwrap();
        all
    });
    assert_eq!(together, alone, "the caller alone gives the same as {threads} threads at {size:?}");
    together
}

fn landmarks(kernels: &'static dyn Kernels, threads: usize) -> [f32; 10] {
    let weights = QuantizedWeights::embedded().unwrap();
    let network = QuantizedLandmarks::new(&weights, kernels, SharedTeam::new(threads).unwrap()).unwrap();
    let crop = preprocess::face_crop(&portrait(), &FACE, MARGIN, INPUT as u32);
    let values = network.values(crop.as_raw()).unwrap();
    assert_eq!(network.values(crop.as_raw()).unwrap(), values, "a second run gives the same");
    assert!(network.values(&crop.as_raw()[3..]).is_err());
    values
}

/// The scalar reference that stores bytes as the kernels of this CPU do, and the other one.
fn references() -> [&'static dyn Kernels; 2] {
    [&Reference::UNSIGNED, &Reference::SIGNED]
}

#[test]
fn all_instruction_sets_give_the_same_classifier() {
    // Its maps have 48, 24, 12, 6 and 3 rows: even ones and an odd one.
    let expected = features(fastest(), 1, 96);
    for kernels in available().into_iter().chain(references()) {
        assert_eq!(features(kernels, 1, 96), expected, "{}", kernels.name());
    }
}

#[test]
fn all_instruction_sets_give_the_same_detector() {
    let expected = cells(fastest(), 1, (96, 64));
    for kernels in available().into_iter().chain(references()) {
        assert_eq!(cells(kernels, 1, (96, 64)), expected, "{}", kernels.name());
    }
}

#[test]
fn all_instruction_sets_and_numbers_of_threads_give_the_same_landmarks() {
    let expected = landmarks(fastest(), 1);
    for kernels in available().into_iter().chain(references()) {
        assert_eq!(landmarks(kernels, 1), expected, "{}", kernels.name());
    }
    for threads in [2, 3, 4] {
        assert_eq!(landmarks(fastest(), threads), expected, "{threads} threads");
    }
}

#[test]
fn any_number_of_threads_gives_the_same() {
    for side in [96, 128, 160, 224] {
        let expected = features(fastest(), 1, side);
        for threads in [2, 3, 4] {
            assert_eq!(features(fastest(), threads, side), expected, "{threads} threads at {side}");
        }
    }
    for size in [(320, 256), (64, 32), (480, 384)] {
        let expected = cells(fastest(), 1, size);
        for threads in [2, 3, 4] {
            assert_eq!(cells(fastest(), threads, size), expected, "{threads} threads at {size:?}");
        }
    }
}

#[test]
fn the_classifier_takes_every_side() {
    // Odd and even sides, whose maps are odd and even at every depth, with one member and with two.
    let sides = (32..=64).chain((65..=512).step_by(31)).chain([509, 510, 511, 512]);
    let weights = QuantizedWeights::embedded().unwrap();
    let network = Arc::new(MobileNetV2::new(&weights, fastest()).unwrap());
    let teams = [1, 2].map(|threads| SharedTeam::new(threads).unwrap());
    for side in sides {
        let crop = preprocess::face_crop(&portrait(), &FACE, 1.1, side);
        let [alone, together] = teams.each_ref().map(|team| {
            let classifier = QuantizedClassifier::new(network.clone(), side as usize, team.clone()).unwrap();
            classifier.logits(crop.as_raw()).unwrap()
        });
        assert_eq!(alone, together, "{side}");
        assert!(alone.classes.iter().all(|logit| logit.is_finite()), "{side}");
    }
}

#[test]
fn sides_from_the_metadata_may_be_odd() {
    let mut weights = QuantizedWeights::embedded().unwrap();
    weights.metadata.insert("inputs".into(), "129,225".into());
    let team = SharedTeam::new(1).unwrap();
    let classifier = Classifier::quantized(&weights, fastest(), &team, Input::Auto).unwrap();
    assert_eq!(classifier.preprocessing().inputs, [129, 225]);
    // One face for each of them; both are of the bare face.
    let larger = Rect::new(FACE.x - 40.0, FACE.y - 40.0, FACE.w + 80.0, FACE.h + 80.0);
    for answer in classifier.classify(&portrait(), &[FACE, larger]).unwrap() {
        assert!(answer.no_mask > 0.5, "{answer:?}");
    }
}

#[test]
fn the_quantized_classifier_is_close_to_the_real_one() {
    let masked = image::open(root().join("tests/fixtures/astronaut-masked.jpg")).unwrap().to_rgb8();
    for side in [127, 128, 223, 224, 225] {
        let weights = Weights::load(&models().join("classifier.safetensors")).unwrap();
        let real = Classifier::new(&weights, Input::Side(side)).unwrap();
        let int8 = Classifier::quantized(
            &QuantizedWeights::embedded().unwrap(),
            fastest(),
            &SharedTeam::new(1).unwrap(),
            Input::Side(side),
        )
        .unwrap();
        for picture in [&portrait(), &masked] {
            let [a, b] = [&real, &int8].map(|network| network.classify(picture, &[FACE]).unwrap()[0]);
            let close = |a: f32, b: f32| (a - b).abs() < 0.05;
            assert!(close(a.mask, b.mask) && close(a.incorrect, b.incorrect), "{side}: {a:?} {b:?}");
        }
    }
}

/// A face about which one look leaves doubt is looked at again, mirrored, and the logits of both are
/// averaged; one look is enough for any other.
#[test]
fn doubtful_faces_are_looked_at_twice() {
    let (int8, team) = (QuantizedWeights::embedded().unwrap(), SharedTeam::new(1).unwrap());
    let real = Weights::load(&models().join("classifier.safetensors")).unwrap();
    let side = Input::Side(96);
    let classifiers = [
        Classifier::new(&real, side).unwrap(),
        Classifier::quantized(&int8, fastest(), &team, side).unwrap(),
    ];
    // Most of these show no face, so there is much to doubt.
    let places = (0..36).map(|place| (place % 6, place / 6));
    let faces: Vec<Rect> =
        places.map(|(x, y)| Rect::new(x as f32 * 72.0, y as f32 * 72.0, 91.0, 111.0)).collect();
    let portrait = portrait();
    let logit = |p: f32| (p / (1.0 - p)).ln();
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    for classifier in classifiers {
        let (mut sure, mut doubtful) = (0, 0);
        let margin = classifier.preprocessing().margin;
        for (face, answer) in faces.iter().zip(classifier.classify(&portrait, &faces).unwrap()) {
            let crop = preprocess::face_crop(&portrait, face, margin, 96);
            let mirrored = imageops::flip_horizontal(&crop);
            let [first, second] = [crop, mirrored].map(|crop| classifier.classify_crops(&[crop]).unwrap()[0]);
            let (of_two, incorrect) = if first.mask.max(first.no_mask).max(first.incorrect) >= 0.95 {
                sure += 1;
                (first.of_two(), first.incorrect)
            } else {
                doubtful += 1;
                let mean = |a: f32, b: f32| sigmoid(f32::midpoint(logit(a), logit(b)));
                (mean(first.of_two(), second.of_two()), mean(first.incorrect, second.incorrect))
            };
            let close = |a: f32, b: f32| (a - b).abs() < 1e-3;
            assert!(close(answer.of_two(), of_two), "{face:?}: {answer:?}, {first:?}, {second:?}");
            assert!(close(answer.incorrect, incorrect), "{face:?}: {answer:?}, {first:?}, {second:?}");
        }
        assert!(sure > 3 && doubtful > 3, "{sure} {doubtful}");
    }
}

#[test]
fn the_quantized_detector_is_close_to_the_real_one() {
    let size = (512, 512);
    let real = Detector::load(&models().join("detector.safetensors"), size, 0.5).unwrap();
    let team = SharedTeam::new(2).unwrap();
    let weights = QuantizedWeights::embedded().unwrap();
    let int8 = Detector::quantized((&weights, DETECTOR), fastest(), team, size, 0.5).unwrap();
    let [a, b] = [&real, &int8].map(|network| network.detect(&portrait()).unwrap());
    assert_eq!((a.len(), b.len()), (1, 1));
    assert!(a[0].rect.iou(&b[0].rect) > 0.9, "{a:?} {b:?}");
    assert!((a[0].score - b[0].score).abs() < 0.05, "{a:?} {b:?}");
    for (a, b) in a[0].landmarks.iter().zip(&b[0].landmarks) {
        // In pixels; the eyes are 37 apart.
        assert!((a.x - b.x).hypot(a.y - b.y) < 2.0, "{a:?} {b:?}");
    }
}

#[test]
fn the_quantized_detector_of_close_faces_is_close_to_the_real_one() {
    let real =
        Detector::load(&models().join("close-detector.safetensors"), CLOSE_INPUT, 0.5).unwrap().lifted();
    let team = SharedTeam::new(1).unwrap();
    let weights = QuantizedWeights::embedded().unwrap();
    let network = (&weights, CLOSE_DETECTOR);
    let int8 = Detector::quantized(network, fastest(), team, CLOSE_INPUT, 0.5).unwrap().lifted();
    // From a face that fills a third of the width to one that is wider than the picture.
    for zoom in [0.35, 0.6, 0.9, 1.1] {
        let (middle, width) = (FACE.centre(), FACE.w / zoom);
        let height = 0.75 * width;
        let area = Rect::new(middle.x - width / 2.0, middle.y - height / 2.0, width, height);
        let picture = preprocess::resize(&preprocess::cut(&portrait(), &area), 640, 480);
        for dark in [1, 6] {
            let mut picture = picture.clone();
            picture.iter_mut().for_each(|value| *value /= dark);
            let [a, b] = [&real, &int8].map(|network| network.detect(&picture).unwrap());
            assert_eq!((a.len(), b.len()), (1, 1), "{zoom} {dark}");
            assert!(a[0].rect.iou(&b[0].rect) > 0.85, "{zoom} {dark} {a:?} {b:?}");
            assert!((a[0].score - b[0].score).abs() < 0.08, "{zoom} {dark} {a:?} {b:?}");
            assert!(a[0].rect.w > 0.6 * 640.0 * zoom.min(1.0), "{zoom} {dark} {a:?}");
        }
    }
}

#[test]
fn the_quantized_landmarks_are_close_to_the_real_ones_and_to_the_face() {
    let weights = Weights::load(&models().join("landmarks.safetensors")).unwrap();
    let team = SharedTeam::new(1).unwrap();
    let int8 = QuantizedWeights::embedded().unwrap();
    let locators = [Locator::new(&weights).unwrap(), Locator::quantized(&int8, fastest(), team).unwrap()];
    let masked = image::open(root().join("tests/fixtures/astronaut-masked.jpg")).unwrap().to_rgb8();
    // What YuNet as published says of the bare face; its eyes are 44 pixels apart.
    let truth = [(203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204.0, 143.1), (242.9, 143.7)];
    for picture in [&portrait(), &masked] {
        let [a, b] = [0, 1].map(|index| locators[index].locate(picture, &FACE).unwrap());
        for ((a, b), (x, y)) in a.iter().zip(&b).zip(truth) {
            assert!((a.x - b.x).hypot(a.y - b.y) < 2.0, "{a:?} {b:?}");
            assert!((a.x - x).hypot(a.y - y) < 6.0, "{a:?} {x} {y}");
        }
    }
}

#[test]
fn pictures_of_another_size_are_refused() {
    let weights = QuantizedWeights::embedded().unwrap();
    let network = Arc::new(MobileNetV2::new(&weights, fastest()).unwrap());
    let classifier = QuantizedClassifier::new(network, 96, SharedTeam::new(1).unwrap()).unwrap();
    assert!(classifier.logits(&[0; 96 * 96]).is_err());
    let network = YuNet::new(&weights, DETECTOR, fastest()).unwrap();
    let detector = QuantizedDetector::new(&network, (64, 64), SharedTeam::new(1).unwrap()).unwrap();
    assert!(detector.run(&[0; 64 * 32 * 3], |_, _| {}).is_err());
}

/// What a network computes: for each kind of layer, the number of results.
type Results = BTreeMap<String, usize>;

/// Kernels that count what a network asks for.
#[derive(Debug)]
struct Recorder {
    kernels: &'static dyn Kernels,
    results: Mutex<Results>,
}

impl Recorder {
    /// Lives as long as the program, as networks want their kernels to.
    fn new() -> &'static Self {
        Box::leak(Box::new(Self { kernels: fastest(), results: Mutex::new(Results::new()) }))
    }

    fn pointwise_layer(inputs: usize, outputs: usize, residual: bool) -> String {
        let inputs = inputs.next_multiple_of(GROUP);
        format!("1×1 {inputs} → {outputs}{}", if residual { " plus residual" } else { "" })
    }

    fn depthwise_layer(channels: usize, stride: usize, real: bool) -> String {
        format!("3×3 {channels}, stride {stride}{}", if real { ", real" } else { "" })
    }

    fn add(&self, layer: String, results: usize) {
        *self.results.lock().unwrap().entry(layer).or_default() += results;
    }

    /// What `shapes` say.
    fn expected(shapes: &[LayerShape]) -> Results {
        let mut expected = Results::new();
        for shape in shapes {
            let (layer, each) = match shape.operation {
                Operation::Pointwise { inputs, outputs, residual, .. } => {
                    (Self::pointwise_layer(inputs, outputs, residual), outputs)
                }
                Operation::Depthwise { channels, stride, real } => {
                    (Self::depthwise_layer(channels, stride, real), channels)
                }
            };
            *expected.entry(layer).or_default() += shape.rows * shape.columns * each;
        }
        expected
    }
}

impl Kernels for Recorder {
    fn name(&self) -> &'static str {
        self.kernels.name()
    }

    fn offset(&self) -> u8 {
        self.kernels.offset()
    }

    fn panel(&self) -> usize {
        self.kernels.panel()
    }

    fn lane(&self, output: usize) -> usize {
        self.kernels.lane(output)
    }

    fn prepare(&self, layer: &Depthwise) -> Vec<CacheLine> {
        self.kernels.prepare(layer)
    }

    unsafe fn pointwise(
        &self,
        layer: &Pointwise,
        groups: Range<usize>,
        area: Area,
        source: SourceMap,
        target: TargetMap,
        residual: Option<&Residual>,
    ) {
        let name = Self::pointwise_layer(layer.inputs(), layer.outputs(), residual.is_some());
        self.add(name, area.rows * area.columns * groups.len() * GROUP);
        // SAFETY: the caller promises the same.
        unsafe { self.kernels.pointwise(layer, groups, area, source, target, residual) }
    }

    unsafe fn depthwise(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut u8,
        pixel: usize,
    ) {
        let name = Self::depthwise_layer(layer.channels(), windows.stride, false);
        self.add(name, windows.columns * groups.len() * GROUP);
        // SAFETY: the caller promises the same.
        unsafe { self.kernels.depthwise(layer, groups, windows, target, pixel) }
    }

    unsafe fn depthwise_real(
        &self,
        layer: &Depthwise,
        groups: Range<usize>,
        windows: &Windows,
        target: *mut f32,
        pixel: usize,
    ) {
        let name = Self::depthwise_layer(layer.channels(), windows.stride, true);
        self.add(name, windows.columns * groups.len() * GROUP);
        // SAFETY: the caller promises the same.
        unsafe { self.kernels.depthwise_real(layer, groups, windows, target, pixel) }
    }
}

/// The tables that the kernels' tests and measurements use are what the networks really run.
#[test]
fn the_networks_run_the_layers_of_the_tables() {
    let weights = QuantizedWeights::embedded().unwrap();
    let team = SharedTeam::new(1).unwrap();
    for side in [96, 224] {
        let recorder = Recorder::new();
        let network = Arc::new(MobileNetV2::new(&weights, recorder).unwrap());
        let classifier = QuantizedClassifier::new(network, side, team.clone()).unwrap();
        classifier.logits(&vec![7; side * side * 3]).unwrap();
        let results = recorder.results.lock().unwrap();
        assert_eq!(*results, Recorder::expected(&shapes::mobilenet_v2(side)), "{side}");
    }
    let recorder = Recorder::new();
    let network = QuantizedLandmarks::new(&weights, recorder, team.clone()).unwrap();
    network.values(&[7; INPUT * INPUT * 3]).unwrap();
    assert_eq!(*recorder.results.lock().unwrap(), Recorder::expected(&shapes::landmarks()));
    let recorder = Recorder::new();
    let network = YuNet::new(&weights, DETECTOR, recorder).unwrap();
    let detector = QuantizedDetector::new(&network, (320, 256), team).unwrap();
    detector.run(&vec![7; 320 * 256 * 3], |_, _| {}).unwrap();
    assert_eq!(*recorder.results.lock().unwrap(), Recorder::expected(&shapes::yunet(320, 256)));
}

/// What is built in is the file in `models/`, and that was made from the f32 files beside it.
#[test]
fn the_embedded_file_is_the_shipped_one() {
    let shipped = QuantizedWeights::load(&models().join("int8.safetensors")).unwrap();
    assert_eq!(shipped.metadata, QuantizedWeights::embedded().unwrap().metadata);
    for (name, key) in [
        ("classifier", "classifier.f32_crc32"),
        ("detector", "detector.f32_crc32"),
        ("landmarks", "landmarks.f32_crc32"),
    ] {
        let path = models().join(format!("{name}.safetensors"));
        let real = maskwatch::nn::weights::Weights::load(&path).unwrap();
        assert_eq!(shipped.metadata[key], real.checksum().unwrap(), "{name} was trained anew: make quantize");
    }
}
