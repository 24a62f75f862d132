//! Fitting the detector from folder to weight file, on the free picture of the fixtures. It starts from the
//! published weights, so it is skipped where they are not at hand.
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "../../../tests/common/mod.rs"]
mod common;

use clap::Parser as _;
use maskwatch::nn::weights::Weights;
use maskwatch::vision::detector::Detector;
use maskwatch_lab::train::detector::{Args, Outcome, run};
use std::path::Path;

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

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

fn fit(folder: &Path, weights: &Path, options: &[&str]) -> anyhow::Result<Outcome> {
    let (data, out) = (folder.to_str().unwrap(), folder.join("out"));
    let weights = weights.to_str().unwrap();
    let fixed = ["detector", "--data", data, "--output", out.to_str().unwrap(), "--weights", weights];
    let sizes = ["--epochs", "1", "--examples", "4", "--batch", "2"];
    run(&Command::parse_from(fixed.iter().chain(&sizes).chain(options)).args)
}

#[test]
fn a_short_run_leaves_a_detector_that_still_finds_the_face() {
    let Some(weights) = common::shared("models/yunet_n.safetensors") else { return };
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let outcome = fit(folder.path(), &weights, &[]).unwrap();
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
    let again = fit(folder.path(), &weights, &[]).unwrap_err().to_string();
    assert!(again.contains("--resume"), "{again}");
    assert_eq!(fit(folder.path(), &weights, &["--resume"]).unwrap(), outcome);
    for other in [["--seed", "2"], ["--weight", "a=2"]] {
        let options = ["--resume", other[0], other[1]];
        let refused = fit(folder.path(), &weights, &options).unwrap_err().to_string();
        assert!(refused.contains("give the same options"), "{refused}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = |options: &[&str]| {
        format!("{:#}", fit(folder.path(), Path::new("none.safetensors"), options).unwrap_err())
    };
    assert!(message(&[]).contains("none.safetensors"), "{}", message(&[]));
    for options in [
        ["--learning-rate", "0"],
        ["--scenes", "2"],
        ["--score-threshold", "1"],
        ["--batch", "0"],
        ["--weight", "old"],
    ] {
        let refused =
            Command::try_parse_from(["detector", "--data", "d", "--weights", "w"].iter().chain(&options))
                .err()
                .unwrap();
        assert!(refused.to_string().contains(options[0]), "{refused}");
    }
}
