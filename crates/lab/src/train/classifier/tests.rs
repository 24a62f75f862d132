//! Whole runs on tiny pictures: what they write, that they repeat to the byte, and that they can be
//! interrupted.

use super::batch;
use super::job::ClassifierJob;
use super::loss::{Target, cross_entropy, loss};
use super::non_faces::NonFaces;
use super::start::with_head;
use super::*;
use crate::data::augment::Augmentation;
use crate::data::dataset::{Dataset, DatasetFace, DatasetOptions, Subset};
use crate::data::labels::Label;
use crate::data::non_faces::NonFaceKind;
use crate::draw::{MaskKind, draw_mask};
use crate::drawn::DrawnKind;
use crate::random::{Purpose, stream};
use crate::train::TrainError;
use crate::train::optimizer::Rule;
use crate::train::run::Session;
use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};
use maskwatch::geometry::{Point, Rect};
use maskwatch::nn::BatchNorm;
use maskwatch::nn::head::Logits;
use maskwatch::nn::weights::Weights;
use maskwatch::vision::classifier::{Classifier, Input};
use rand::RngExt;
use std::path::Path;
use std::sync::LazyLock;

mod non_faces;

const MASK: Target = Target::Face(Label::Mask);

/// Something like a face, masked or bare, in some colours.
fn face(masked: bool, number: u32) -> RgbImage {
    let tone = |base: u32, step: u32| (base + number * step % 16) as u8;
    let mut picture = RgbImage::from_fn(48, 48, |x, y| {
        let (dx, dy) = (x as f32 - 24.0, y as f32 - 24.0);
        let inside = (dx / 17.0).powi(2) + (dy / 22.0).powi(2) < 1.0;
        if inside {
            Rgb([tone(150, 7), tone(110, 5), tone(90, 11)])
        } else {
            Rgb([tone(60, 13), tone(80, 17), tone(70, 3)])
        }
    });
    let at = |x, y| Point { x, y };
    let landmarks = [at(17.0, 19.0), at(31.0, 19.0), at(24.0, 26.0), at(19.0, 33.0), at(29.0, 33.0)];
    for eye in &landmarks[..2] {
        picture.put_pixel(eye.x as u32, eye.y as u32, Rgb([20, 20, 20]));
    }
    for x in 19..29 {
        picture.put_pixel(x, 33, Rgb([150, 40, 50]));
    }
    if masked {
        let face = maskwatch::vision::detector::Detection {
            rect: Rect::new(7.0, 2.0, 34.0, 44.0),
            landmarks,
            score: 1.0,
        };
        draw_mask(&mut picture, &face, MaskKind::Surgical);
    }
    picture
}

fn tree(count: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (class, masked) in [("mask", true), ("no_mask", false)] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        for number in 0..count {
            face(masked, number).save(folder.path().join(class).join(format!("{number:02}.png"))).unwrap();
        }
    }
    folder
}

/// A backbone with random weights, under torchvision's names: good enough to tell blue from skin.
fn backbone() -> Weights {
    static MADE: LazyLock<Weights> = LazyLock::new(random_backbone);
    MADE.clone()
}

fn random_backbone() -> Weights {
    let mut convolutions: Vec<(String, String, [usize; 4])> = Vec::new();
    let mut add = |name: String, norm: String, shape| convolutions.push((name, norm, shape));
    add("features.0.0".into(), "features.0.1".into(), [32, 3, 3, 3]);
    let table = [(1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)];
    let (mut inputs, mut block) = (32, 1);
    for (expansion, outputs, repetitions) in table {
        for _ in 0..repetitions {
            let (name, hidden) = (format!("features.{block}.conv"), inputs * expansion);
            let first = usize::from(expansion > 1);
            if first == 1 {
                add(format!("{name}.0.0"), format!("{name}.0.1"), [hidden, inputs, 1, 1]);
            }
            add(format!("{name}.{first}.0"), format!("{name}.{first}.1"), [hidden, 1, 3, 3]);
            add(format!("{name}.{}", first + 1), format!("{name}.{}", first + 2), [outputs, hidden, 1, 1]);
            (inputs, block) = (outputs, block + 1);
        }
    }
    add("features.18.0".into(), "features.18.1".into(), [1280, 320, 1, 1]);

    let mut generator = stream(9, Purpose::Weights, 1);
    let mut weights = Weights::default();
    for (name, norm, shape) in convolutions {
        // Linear bottlenecks get less, or the values would grow from block to block until ReLU6 cuts them all
        // off.
        let gain: f32 = if shape[0] < shape[1] { 0.7 } else { 6.0 };
        let limit = (gain / (shape[1] * shape[2] * shape[3]) as f32).sqrt();
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| generator.random_range(-limit..limit)).collect();
        weights.insert(format!("{name}.weight"), Tensor::from_vec(values, &shape, &Device::Cpu).unwrap());
        for (part, value) in [("weight", 1f32), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
            weights.insert(format!("{norm}.{part}"), Tensor::full(value, shape[0], &Device::Cpu).unwrap());
        }
    }
    weights
}

fn small(depth: Depth) -> ClassifierSettings {
    ClassifierSettings {
        inputs: vec![32],
        views: 2,
        length: 4,
        batch: 8,
        warm_up: 2,
        every: 2,
        threads: 2,
        augmentation: Augmentation { downscale: 0.0, erase: 0.0, ..Augmentation::default() },
        ..ClassifierSettings::new(depth, Rule::AdamW)
    }
}

fn session(root: &Path) -> Session {
    Session::new(&root.join("out"))
}

fn fit(
    data: &Path,
    settings: &ClassifierSettings,
    session: &Session,
) -> Result<Option<ClassifierReport>, TrainError> {
    let dataset = Dataset::load(data, &DatasetOptions { seed: settings.seed, ..DatasetOptions::default() })?;
    let cache = session.output.parent().unwrap().join("cache");
    run(&dataset, &backbone(), &ClassifierSettings { cache, ..settings.clone() }, session)
}

fn bytes(root: &Path, name: &str) -> Vec<u8> {
    std::fs::read(root.join("out").join(name)).unwrap()
}

const FILES: [&str; 4] = ["classifier.safetensors", "checkpoint.safetensors", "history.csv", "curves.png"];

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let data = tree(10);
    let [first, second, third] = [(1, 1), (1, 3), (2, 1)].map(|(seed, threads)| {
        let root = tempfile::tempdir().unwrap();
        let settings = ClassifierSettings { seed, threads, ..small(Depth::Head) };
        fit(data.path(), &settings, &session(root.path())).unwrap().unwrap();
        root
    });
    for name in FILES {
        assert_eq!(bytes(first.path(), name), bytes(second.path(), name), "{name}");
    }
    assert_ne!(bytes(first.path(), "history.csv"), bytes(third.path(), "history.csv"));
}

/// Runs in two sessions; what comes out must be what one session gives, to the byte.
fn two_sessions_are_one(settings: ClassifierSettings) {
    let data = tree(8);
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fit(data.path(), &settings, &session(whole.path())).unwrap().unwrap();

    let first = Session { stop_after: Some(1), ..session(parts.path()) };
    assert_eq!(fit(data.path(), &settings, &first).unwrap(), None);
    assert!(!first.file("classifier.safetensors").exists(), "only a finished run has weights");
    let refused = fit(data.path(), &settings, &session(parts.path())).unwrap_err().to_string();
    assert!(refused.contains("--resume"), "{refused}");
    let second = Session { resume: true, ..session(parts.path()) };
    let other = ClassifierSettings { dropout: 0.3, ..settings.clone() };
    let refused = fit(data.path(), &other, &second).unwrap_err().to_string();
    assert!(refused.contains("other settings"), "{refused}");
    fit(data.path(), &settings, &second).unwrap().unwrap();
    for name in FILES {
        assert_eq!(bytes(whole.path(), name), bytes(parts.path(), name), "{name}");
    }
}

#[test]
fn a_head_goes_on_where_it_stopped() {
    two_sessions_are_one(small(Depth::Head));
    two_sessions_are_one(ClassifierSettings {
        optimizer: Rule::Sgd,
        learning_rate: 0.02,
        ..small(Depth::Head)
    });
}

#[test]
fn fine_tuning_goes_on_where_it_stopped() {
    two_sessions_are_one(small(Depth::From(17)));
    let settings = small(Depth::From(17));
    two_sessions_are_one(ClassifierSettings {
        optimizer: Rule::Sgd,
        batch_norm: BatchNorm::Live,
        ..settings
    });
}

#[test]
fn features_that_were_cut_short_are_completed() {
    let data = tree(6);
    let root = tempfile::tempdir().unwrap();
    let settings = small(Depth::Head);
    fit(data.path(), &settings, &session(root.path())).unwrap().unwrap();
    let cache = std::fs::read_dir(root.path().join("cache")).unwrap().map(|entry| entry.unwrap().path());
    let [features] =
        cache.filter(|path| path.extension().unwrap() == "bin").collect::<Vec<_>>().try_into().unwrap();
    let whole = std::fs::read(&features).unwrap();
    for length in [0, 1, 1280 * 4 * 7 + 11, whole.len() - 1] {
        std::fs::write(&features, &whole[..length]).unwrap();
        std::fs::remove_dir_all(root.path().join("out")).unwrap();
        fit(data.path(), &settings, &session(root.path())).unwrap().unwrap();
        assert!(std::fs::read(&features).unwrap() == whole, "{length}");
    }
    std::fs::write(&features, [whole.as_slice(), &[0; 5120]].concat()).unwrap();
    std::fs::remove_dir_all(root.path().join("out")).unwrap();
    fit(data.path(), &settings, &session(root.path())).unwrap().unwrap();
}

#[test]
fn a_run_learns_and_its_weights_can_be_used() {
    let data = tree(20);
    let root = tempfile::tempdir().unwrap();
    let augmentation = Augmentation { colour: 0.0, blur: 0.0, ..small(Depth::Head).augmentation };
    let settings = ClassifierSettings { length: 30, learning_rate: 5e-3, augmentation, ..small(Depth::Head) };
    let report = fit(data.path(), &settings, &session(root.path())).unwrap().unwrap();
    let val = report.figures["val"];
    assert_eq!((val.n, report.figures["val folder"]), (8, val));
    assert_eq!(
        report.best.val.unwrap().accuracy,
        val.accuracy,
        "features from the cache are those of the pictures"
    );
    assert!(val.accuracy > 0.8, "{val:?}");

    let weights = Weights::load(&session(root.path()).file("classifier.safetensors")).unwrap();
    for entry in
        ["classes", "preprocessing", "margin", "inputs", "data", "seed", "figures", "best", "settings"]
    {
        assert!(weights.metadata.contains_key(entry), "{entry}");
    }
    let classifier = Classifier::new(&weights, Input::Auto).unwrap();
    let of = |masked| {
        let picture = face(masked, 3);
        classifier.classify(&picture, &[Rect::new(0.0, 0.0, 48.0, 48.0)]).unwrap()[0].mask
    };
    assert!(of(true) > 0.5 && of(false) < 0.5, "{} {}", of(true), of(false));
}

#[test]
fn fine_tuning_moves_the_unfrozen_blocks_alone() {
    let data = tree(8);
    for batch_norm in [BatchNorm::Frozen, BatchNorm::Live] {
        let root = tempfile::tempdir().unwrap();
        let settings = ClassifierSettings { inputs: vec![32, 48], batch_norm, ..small(Depth::From(16)) };
        fit(data.path(), &settings, &session(root.path())).unwrap().unwrap();
        let (before, after) =
            (backbone(), Weights::load(&session(root.path()).file("classifier.safetensors")).unwrap());
        let values = |weights: &Weights, name: &str| {
            weights.tensors()[name].flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let mut moved = 0;
        for name in before.tensors().keys() {
            let same = values(&before, name) == values(&after, name);
            let unfrozen = maskwatch::nn::mobilenet_v2::block_of(name).unwrap() >= 16;
            let weight = name.ends_with(".weight") && before.tensors()[name].rank() == 4;
            let statistic = name.contains("running");
            assert!(same || unfrozen, "{name} is frozen");
            assert!(!(same && weight && unfrozen), "{name} is fitted");
            let live = unfrozen && batch_norm == BatchNorm::Live;
            assert!(!statistic || same != live, "{name} is a statistic: {batch_norm:?}");
            let positive = values(&after, name).iter().all(|&value| value > 0.0);
            assert!(positive || !name.ends_with("running_var"), "{name}");
            moved += usize::from(!same);
        }
        assert!(moved > 9);
    }
}

#[test]
fn blended_weights_lie_between_the_starting_and_the_fitted_ones() {
    let data = tree(8);
    let fitted = |blend: f64| {
        let root = tempfile::tempdir().unwrap();
        let settings = ClassifierSettings { blend, ..small(Depth::From(17)) };
        fit(data.path(), &settings, &session(root.path())).unwrap().unwrap();
        Weights::load(&session(root.path()).file("classifier.safetensors")).unwrap()
    };
    let (start, whole, half) = (backbone(), fitted(1.0), fitted(0.5));
    let mut moved = 0;
    for (name, tensor) in start.tensors() {
        let [start, whole, half] = [tensor, &whole.tensors()[name], &half.tensors()[name]]
            .map(|tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        for ((start, whole), half) in start.iter().zip(&whole).zip(&half) {
            assert!(((start + whole) / 2.0 - half).abs() <= 1e-6 * (start.abs() + whole.abs()), "{name}");
            moved += usize::from(start != whole);
        }
    }
    assert!(moved > 100);
}

#[test]
fn a_classifier_can_be_the_start_of_another() {
    let with_new_head = with_head(&backbone(), 1, true).unwrap();
    let again = with_head(&with_new_head, 2, true).unwrap();
    assert_eq!(with_new_head.checksum().unwrap(), again.checksum().unwrap());
    assert_ne!(
        with_new_head.checksum().unwrap(),
        with_head(&backbone(), 2, true).unwrap().checksum().unwrap()
    );
    // A head that is fitted alone forgets the output that would no longer fit.
    let without = with_head(&with_new_head, 1, false).unwrap();
    assert!(without.contains("head.0.weight") && !without.contains("head.incorrect.weight"));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let head = || ClassifierSettings::new(Depth::Head, Rule::AdamW);
    for settings in [
        ClassifierSettings { inputs: vec![128, 224], ..head() },
        ClassifierSettings { inputs: vec![], ..head() },
        ClassifierSettings { inputs: vec![8], ..ClassifierSettings::new(Depth::From(0), Rule::AdamW) },
        ClassifierSettings { dropout: 1.0, ..head() },
        ClassifierSettings { batch: 1, ..head() },
        ClassifierSettings { learning_rate: f64::NAN, ..head() },
        ClassifierSettings { margin: 0.0, ..head() },
        ClassifierSettings { batch_norm: BatchNorm::Live, ..head() },
        ClassifierSettings { blend: 0.5, ..head() },
        ClassifierSettings { blend: 0.0, ..ClassifierSettings::new(Depth::From(0), Rule::AdamW) },
        ClassifierSettings { blend: f64::NAN, ..ClassifierSettings::new(Depth::From(0), Rule::AdamW) },
    ] {
        assert!(matches!(settings.check(), Err(TrainError::Settings(_))), "{settings:?}");
    }
    for (word, depth) in
        [("head", Ok(Depth::Head)), ("features.14", Ok(Depth::From(14))), ("all", Ok(Depth::From(0)))]
    {
        assert_eq!(word.parse::<Depth>(), depth);
    }
    assert!("features.19".parse::<Depth>().is_err() && "tail".parse::<Depth>().is_err());
}

#[test]
fn the_loss_is_that_of_the_formula() {
    let logits = Tensor::new(&[[2f32, 0.0], [1.0, 3.0]], &Device::Cpu).unwrap();
    let of_classes = |smoothing| {
        f64::from(cross_entropy(&logits, &[MASK, MASK], smoothing).unwrap().to_scalar::<f32>().unwrap())
    };
    let (first, second) = ((1.0 + (-2f64).exp()).ln(), (1.0 + 2f64.exp()).ln());
    assert!((of_classes(0.0) - (first + second) / 2.0).abs() < 1e-6);
    // Smoothed by 0.1, each label is 0.95 to 0.05; the other class's loss is 2 more, or less.
    let smoothed = (0.95 * first + 0.05 * (first + 2.0) + 0.95 * second + 0.05 * (second - 2.0)) / 2.0;
    assert!((of_classes(0.1) - smoothed).abs() < 1e-6);

    // A face whose mask is worn incorrectly is of neither class: only its own output learns from it.
    let targets = [MASK, Target::Face(Label::Incorrect)];
    let both = Logits {
        classes: logits.clone(),
        incorrect: Some(Tensor::new(&[[-1f32], [2.0]], &Device::Cpu).unwrap()),
        presence: Some(Tensor::new(&[[3f32, 1.0], [-2.0, 0.5]], &Device::Cpu).unwrap()),
    };
    let value = |loss: Tensor| f64::from(loss.to_scalar::<f32>().unwrap());
    let softplus = |x: f64| x.exp().ln_1p();
    let expected = first + (softplus(-1.0) + softplus(-2.0)) / 2.0;
    assert!((value(loss(&both, &targets, 0.0).unwrap()) - expected).abs() < 1e-6);
    let nobody = value(loss(&both, &[MASK, MASK], 0.0).unwrap());
    assert!((nobody - (first + second) / 2.0).abs() < 1e-6, "where nobody is labelled so, it is left alone");

    // What shows no face teaches *presence* alone: the first row is a face, the second a head from behind, or
    // nobody.
    let front = softplus(-1.0) + softplus(0.5);
    for (kind, person) in [(NonFaceKind::Hidden, softplus(2.0)), (NonFaceKind::Nobody, softplus(-2.0))] {
        let targets = [MASK, Target::NonFace(kind)];
        let expected = first + (softplus(-3.0) + person) / 2.0 + front / 2.0;
        assert!((value(loss(&both, &targets, 0.0).unwrap()) - expected).abs() < 1e-6, "{kind:?}");
    }
}

/// A table whose bare face is the fixture's, which the detector finds.
fn portrait() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    // Of a source's pictures a tenth is set aside, so each label is a source.
    let mut table = "image,x,y,w,h,label,split,source\n".to_owned();
    for (name, label) in [("astronaut", "no_mask"), ("astronaut-masked", "mask")] {
        let fixture = format!("{}/../../tests/fixtures/{name}.jpg", env!("CARGO_MANIFEST_DIR"));
        for copy in 0..12 {
            let image = format!("{name}-{copy}.jpg");
            std::fs::copy(&fixture, folder.path().join("images").join(&image)).unwrap();
            table += &format!("{image},183,68,85,110,{label},train,{label}\n");
        }
    }
    std::fs::write(folder.path().join("faces.csv"), table).unwrap();
    folder
}

#[test]
fn batches_hold_drawn_faces_with_the_labels_of_what_was_drawn() {
    let folder = portrait();
    let dataset = Dataset::load(folder.path(), &DatasetOptions::default()).unwrap();
    let settings = ClassifierSettings { batch: 16, drawn: 0.5, ..small(Depth::From(17)) };
    let without_masks = ClassifierSettings {
        without: vec![DrawnKind::Mask, DrawnKind::UnderNose, DrawnKind::UnderMouth],
        ..settings.clone()
    };
    let none = NonFaces::default();
    let batches = |settings: &ClassifierSettings| {
        let job = ClassifierJob { dataset: &dataset, settings, non_faces: &none };
        let bare = |face: &DatasetFace| face.label == Label::NoMask && face.subset == Subset::Train;
        let landmarks = batch::landmarks(&job, bare).unwrap();
        let found = landmarks.iter().filter(|landmarks| landmarks.is_some()).count();
        assert_eq!(found, dataset.faces.iter().filter(|face| bare(face)).count());
        let batches = batch::Batches::new(job, landmarks);
        (0..4).map(|step| batches.make(step).unwrap()).collect::<Vec<_>>()
    };
    let (first, again, plain) = (batches(&settings), batches(&settings), batches(&without_masks));
    let incorrect = |batches: &[batch::ClassifierBatch]| {
        batches
            .iter()
            .flat_map(|batch| &batch.targets)
            .filter(|target| **target == Target::Face(Label::Incorrect))
            .count()
    };
    let pixels =
        |batch: &batch::ClassifierBatch| batch.pictures.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (one, other) in first.iter().zip(&again) {
        assert_eq!(one.targets.len(), 16);
        assert_eq!((&one.targets, pixels(one)), (&other.targets, pixels(other)));
    }
    assert!(incorrect(&first) > 4 && incorrect(&plain) == 0, "{} {}", incorrect(&first), incorrect(&plain));
}

#[test]
fn hoods_and_lights_say_nothing_about_a_mask() {
    let folder = portrait();
    let dataset = Dataset::load(folder.path(), &DatasetOptions::default()).unwrap();
    let without = DrawnKind::ALL.into_iter().filter(|kind| !kind.suits_masked()).collect();
    let usual = ClassifierSettings { batch: 16, drawn: 0.5, without, ..small(Depth::From(17)) };
    let none = NonFaces::default();
    let job = ClassifierJob { dataset: &dataset, settings: &usual, non_faces: &none };
    let landmarks = batch::landmarks(&job, |face| face.subset == Subset::Train).unwrap();
    for around_masked in [0.0, 0.5, 1.0] {
        let settings = ClassifierSettings { around_masked, ..usual.clone() };
        let job = ClassifierJob { dataset: &dataset, settings: &settings, non_faces: &none };
        let batches = batch::Batches::new(job, landmarks.clone());
        // What is drawn on comes first.
        let targets: Vec<Target> =
            (0..5).flat_map(|step| batches.make(step).unwrap().targets[..8].to_vec()).collect();
        assert!(!targets.contains(&Target::Face(Label::Incorrect)));
        let masked = targets.iter().filter(|target| **target == MASK).count() as f64 / 40.0;
        assert!((masked - around_masked).abs() <= if around_masked == 0.5 { 0.25 } else { 0.0 }, "{masked}");
    }
}
