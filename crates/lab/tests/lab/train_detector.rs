//! Fitting the detector from folder to weight file, on the free picture of the fixtures. It starts from the
//! published weights, so it is skipped where they are not at hand.

use crate::common;
use clap::Parser as _;
use maskwatch::nn::weights::Weights;
use maskwatch::vision::detector::Detector;
use maskwatch_lab::cli::LabCli;
use maskwatch_lab::train::detector::{DetectorSettings, FittedDetector, run};
use maskwatch_lab::train::{Session, TrainError};
use std::path::Path;

/// A folder of labelled pictures: one face at several sizes.
fn data(folder: &Path) {
    let picture = image::open("../../tests/fixtures/astronaut.jpg").unwrap();
    let mut labels = "image,x,y,w,h,label,split\n".to_owned();
    std::fs::create_dir_all(folder.join("images/a")).unwrap();
    for index in 0..10u32 {
        let side = 160 + 16 * index;
        let scale = side as f32 / picture.width() as f32;
        let name = format!("a/{index}.png");
        picture
            .resize(side, side, image::imageops::FilterType::Triangle)
            .save(folder.join("images").join(&name))
            .unwrap();
        let [x, y, w, h] = [178.1, 65.0, 91.4, 111.4].map(|value| value * scale);
        labels += &format!("{name},{x},{y},{w},{h},no_mask,train\n");
    }
    std::fs::write(folder.join("scenes.csv"), labels).unwrap();
}

fn settings(folder: &Path, weights: &Path) -> DetectorSettings {
    DetectorSettings { epochs: 1, examples: 4, batch: 2, ..DetectorSettings::new(folder, weights) }
}

fn fit(folder: &Path, settings: &DetectorSettings, resume: bool) -> Result<FittedDetector, TrainError> {
    let session = Session { resume, ..Session::new(&folder.join("out")) };
    Ok(run(settings, &session)?.unwrap())
}

#[test]
fn a_short_run_leaves_a_detector_that_still_finds_the_face() {
    let Some(weights) = common::shared("models/yunet_n.safetensors") else { return };
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let settings = settings(folder.path(), &weights);
    let outcome = fit(folder.path(), &settings, false).unwrap();
    assert!(outcome.start_recall > 0.9 && outcome.recall >= outcome.start_recall, "{outcome}");
    let fitted = Weights::load(&outcome.weights).unwrap();
    assert!(fitted.metadata["data"].contains("\"pictures\":8"), "{}", fitted.metadata["data"]);
    assert!(fitted.metadata["figures"].contains("\"froc\":1.0"), "{}", fitted.metadata["figures"]);
    assert_eq!(fitted.metadata["seed"], "1");
    let picture = image::open("../../tests/fixtures/astronaut.jpg").unwrap().to_rgb8();
    let faces = Detector::new(&fitted, (512, 512), 0.5).unwrap().detect(&picture).unwrap();
    assert_eq!(faces.len(), 1);
    let curves = std::fs::read_to_string(folder.path().join("out/history.csv")).unwrap();
    assert_eq!(curves.lines().count(), 3, "{curves}");

    // The run is complete: nothing is overwritten unasked, and going on changes nothing.
    let again = fit(folder.path(), &settings, false).unwrap_err().to_string();
    assert!(again.contains("--resume"), "{again}");
    assert_eq!(fit(folder.path(), &settings, true).unwrap(), outcome);
    let others = [
        DetectorSettings { seed: 2, ..settings.clone() },
        DetectorSettings { factors: vec![("a".to_owned(), 2.0)], ..settings },
    ];
    for other in others {
        let refused = fit(folder.path(), &other, true).unwrap_err().to_string();
        assert!(refused.contains("give the same options"), "{refused}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Path::new("none.safetensors"));
    let missing = fit(folder.path(), &settings, false).unwrap_err().to_string();
    assert!(missing.contains("none.safetensors"), "{missing}");
    for options in [
        ["--learning-rate", "0"],
        ["--scenes", "2"],
        ["--score-threshold", "1"],
        ["--batch", "0"],
        ["--weight", "old"],
    ] {
        let given = ["maskwatch-lab", "train", "detector", "--data", "d", "--weights", "w"];
        let refused = LabCli::try_parse_from(given.iter().chain(&options)).err().unwrap();
        assert!(refused.to_string().contains(options[0]), "{refused}");
    }
}
