//! Fitting the landmark network from folder to weight file, on the free picture of the fixtures; the shipped
//! detector is the teacher.

use clap::Parser as _;
use maskwatch::geometry::Rect;
use maskwatch::nn::weights::Weights;
use maskwatch::vision::landmarks::Locator;
use maskwatch_lab::cli::LabCli;
use maskwatch_lab::train::landmarks::{FittedLandmarks, LandmarksSettings, run};
use maskwatch_lab::train::{Session, TrainError};
use std::path::Path;

/// A folder of labelled pictures: one face at several sizes, bare and, for the classes to be complete, called
/// masked.
fn data(folder: &Path) {
    let picture = image::open("../../tests/fixtures/astronaut.jpg").unwrap();
    let mut labels = "image,x,y,w,h,label,split\n".to_owned();
    std::fs::create_dir_all(folder.join("images/a")).unwrap();
    for index in 0..20u32 {
        let side = 200 + 4 * index;
        let scale = side as f32 / picture.width() as f32;
        let name = format!("a/{index}.png");
        let picture = picture.resize(side, side, image::imageops::FilterType::Triangle);
        picture.save(folder.join("images").join(&name)).unwrap();
        let [x, y, w, h] = [178.1, 65.0, 91.4, 111.4].map(|value| value * scale);
        for label in ["no_mask", "mask"] {
            labels += &format!("{name},{x},{y},{w},{h},{label},train\n");
        }
    }
    std::fs::write(folder.join("scenes.csv"), labels).unwrap();
}

fn settings(folder: &Path) -> LandmarksSettings {
    let teacher = Path::new("../../models/detector.safetensors");
    let weights = Some("../../models/classifier.safetensors".into());
    LandmarksSettings { weights, steps: 6, every: 3, batch: 4, ..LandmarksSettings::new(folder, teacher) }
}

fn fit(folder: &Path, settings: &LandmarksSettings, resume: bool) -> Result<FittedLandmarks, TrainError> {
    let session = Session { resume, ..Session::new(&folder.join("out")) };
    Ok(run(settings, &session)?.unwrap())
}

#[test]
fn a_short_run_learns_something_and_can_be_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let settings = settings(folder.path());
    let outcome = fit(folder.path(), &settings, false).unwrap();
    assert!(outcome.errors.iter().all(|error| *error < 2.0), "{outcome}");
    let history = std::fs::read_to_string(folder.path().join("out/history.csv")).unwrap();
    assert_eq!(history.lines().count(), 3, "{history}");
    let weights = Weights::load(&outcome.weights).unwrap();
    assert_eq!(weights.metadata["data"], "18 bare faces of split train, 2 set aside");
    let picture = image::open("../../tests/fixtures/astronaut.jpg").unwrap().to_rgb8();
    let found =
        Locator::new(&weights).unwrap().locate(&picture, &Rect::new(178.0, 65.0, 91.0, 111.0)).unwrap();
    assert!(found.iter().all(|point| (100.0..350.0).contains(&point.x)), "{found:?}");

    // The run is complete: nothing is overwritten unasked, and going on changes nothing.
    let again = fit(folder.path(), &settings, false).unwrap_err().to_string();
    assert!(again.contains("--resume"), "{again}");
    assert_eq!(fit(folder.path(), &settings, true).unwrap().to_string(), outcome.to_string());
    let other = LandmarksSettings { learning_rate: 0.01, ..settings.clone() };
    let refused = fit(folder.path(), &other, true).unwrap_err().to_string();
    assert!(refused.contains("give the same options"), "{refused}");
    // What the teacher said is kept, and damage is seen.
    let known = folder.path().join("out/known.csv");
    let text = std::fs::read_to_string(&known).unwrap();
    std::fs::write(&known, &text[..text.len() - 4]).unwrap();
    let damaged = fit(folder.path(), &settings, true).unwrap_err().to_string();
    assert!(damaged.contains("known.csv is damaged"), "{damaged}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let starting_at = |weights: &str| {
        let settings = LandmarksSettings { weights: Some(weights.into()), ..settings(folder.path()) };
        fit(folder.path(), &settings, false).unwrap_err().to_string()
    };
    let missing = starting_at("none.safetensors");
    assert!(missing.contains("none.safetensors"), "{missing}");
    let other = starting_at("../../models/detector.safetensors");
    assert!(other.contains("features.0"), "{other}");
    for options in [["--learning-rate", "0"], ["--steps", "0"], ["--batch", "0"]] {
        let given = ["maskwatch-lab", "train", "landmarks", "--data", "d", "--teacher", "t"];
        let refused = LabCli::try_parse_from(given.iter().chain(&options)).err().unwrap();
        assert!(refused.to_string().contains(options[0]), "{refused}");
    }
}
