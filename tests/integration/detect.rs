//! `maskwatch detect` on the two portraits: the keys that other tools rely on, and the annotated pictures.

use serde_json::Value;
use std::path::Path;

#[test]
fn detect_prints_one_object_for_each_picture_and_draws_it() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    std::fs::create_dir(&images).unwrap();
    for name in ["astronaut.jpg", "astronaut-masked.jpg"] {
        std::fs::copy(Path::new("tests/fixtures").join(name), images.join(name)).unwrap();
    }
    let drawn = folder.path().join("drawn");
    let ended = super::command::run(
        env!("CARGO_BIN_EXE_maskwatch"),
        &[
            "detect".as_ref(),
            images.as_os_str(),
            "--format=jsonl".as_ref(),
            "--annotate".as_ref(),
            drawn.as_os_str(),
        ],
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (line, name) in lines.iter().zip(["astronaut-masked.jpg", "astronaut.jpg"]) {
        let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["faces", "height", "image", "width"]);
        assert_eq!(line["image"], images.join(name).to_str().unwrap());
        assert_eq!((&line["width"], &line["height"]), (&512.into(), &512.into()));
        let [face] = line["faces"].as_array().unwrap().as_slice() else { panic!("{line}") };
        let keys: Vec<_> = face.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["box", "label", "p_incorrect", "p_mask", "score"]);
        let centre = |start: usize| {
            face["box"][start].as_f64().unwrap() + face["box"][start + 2].as_f64().unwrap() / 2.0
        };
        assert!((centre(0) - 224.0).abs() < 20.0 && (centre(1) - 120.0).abs() < 20.0, "{face}");
        assert!(["mask", "no_mask", "incorrect", "unsure"].contains(&face["label"].as_str().unwrap()));
        assert!((0.0..=1.0).contains(&face["p_mask"].as_f64().unwrap()));
    }
    for name in ["astronaut-faces.jpg", "astronaut-masked-faces.jpg"] {
        assert_eq!(image::open(drawn.join(name)).unwrap().into_rgb8().dimensions(), (512, 512));
    }
}

/// The daemon asks nobody about a face that is too dark, and `detect` does the same: it names the gate
/// instead.
#[test]
fn a_face_that_a_gate_stops_is_not_judged_unless_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let dark = folder.path().join("dark.png");
    let mut picture = image::open("tests/fixtures/astronaut.jpg").unwrap().into_rgb8();
    picture.iter_mut().for_each(|value| *value /= 8);
    picture.save(&dark).unwrap();
    let face = |more: &[&str]| {
        let arguments = [&["detect", "--format=jsonl", dark.to_str().unwrap()], more].concat();
        let ended = super::command::run(env!("CARGO_BIN_EXE_maskwatch"), &arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        let line: Value = serde_json::from_str(&ended.stdout).unwrap();
        let [face] = line["faces"].as_array().unwrap().as_slice() else { panic!("{line}") };
        face.clone()
    };
    let stopped = face(&[]);
    assert_eq!((&stopped["label"], &stopped["stopped_by"]), (&"unsure".into(), &"too dark".into()));
    assert_eq!((&stopped["p_mask"], &stopped["p_incorrect"]), (&Value::Null, &Value::Null));
    let judged = face(&["--ungated"]);
    assert!(judged["p_mask"].is_f64() && judged.get("stopped_by").is_none(), "{judged}");
    assert_eq!((&judged["box"], &judged["score"]), (&stopped["box"], &stopped["score"]));
}

/// The direction of writing can be turned round by a name: raw, this one looks like `bare-gpj.mask`.
#[test]
fn names_are_printed_so_that_none_passes_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let name = "bare-\u{202e}ksam\u{200b}\n.jpg";
    std::fs::copy("tests/fixtures/astronaut.jpg", folder.path().join(name)).unwrap();
    std::fs::write(folder.path().join(format!("bad-{name}")), "no picture").unwrap();
    std::fs::write(folder.path().join("\u{2066}.webp"), "").unwrap();
    let run = |format| {
        let arguments = ["detect", "--format", format, folder.path().to_str().unwrap()];
        super::command::run(env!("CARGO_BIN_EXE_maskwatch"), &arguments)
    };
    let unseen = |text: &str| text.contains(['\u{202e}', '\u{200b}', '\u{2066}']);
    let text = run("text");
    assert!(!unseen(&text.stdout) && !unseen(&text.stderr), "{text:?}");
    assert!(text.stdout.contains("bare-\\u{202e}ksam\\u{200b}\\n.jpg: 512x512"), "{text:?}");
    assert!(text.stderr.contains("bad-bare-\\u{202e}ksam"), "{text:?}");
    let json = run("jsonl");
    assert!(!unseen(&json.stdout) && !unseen(&json.stderr), "{json:?}");
    let lines: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["image"] == folder.path().join(name).to_str().unwrap()),
        "{lines:?}"
    );
}
