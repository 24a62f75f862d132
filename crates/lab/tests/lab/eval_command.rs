//! `maskwatch-lab eval` with the networks on a small set made of the two portraits: the keys that
//! other tools rely on, the figures, and what happens when pictures are missing.

use crate::command::{self, Ended, models};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The face of `tests/fixtures/astronaut.jpg`.
const FACE: &str = "178,65,91,111";

/// Writes the pictures and a table; `missing` adds a row for a picture that is not there.
fn data(folder: &Path, missing: bool) {
    fs::create_dir(folder.join("images")).unwrap();
    for name in ["astronaut.jpg", "astronaut-masked.jpg"] {
        fs::copy(Path::new("../../tests/fixtures").join(name), folder.join("images").join(name)).unwrap();
    }
    let mut table = format!(
        "image,x,y,w,h,label,split,source\n\
         astronaut.jpg,{FACE},no_mask,val,bare\n\
         astronaut-masked.jpg,{FACE},mask,val,drawn\n\
         astronaut.jpg,300,300,20,20,incorrect,val,bare\n\
         elsewhere.jpg,1,2,3,4,mask,train,other\n"
    );
    if missing {
        table += &format!("gone.jpg,{FACE},mask,val,drawn\n");
    }
    fs::write(folder.join("labels.csv"), table).unwrap();
}

fn maskwatch_lab<Argument: AsRef<std::ffi::OsStr>>(arguments: &[Argument]) -> Ended {
    command::run(env!("CARGO_BIN_EXE_maskwatch-lab"), arguments)
}

fn eval(what: &str, folder: &Path, more: &[&str]) -> Ended {
    let labels = folder.join("labels.csv");
    let mut arguments = vec!["eval", what, "--labels", labels.to_str().unwrap()];
    arguments.extend(more);
    maskwatch_lab(&arguments)
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Makes sure that every path of keys is there, `null` or not.
fn assert_keys(report: &Value, paths: &[&str]) {
    for path in paths {
        let found = path.split('/').try_fold(report, |value, key| value.as_object()?.get(key));
        assert!(found.is_some(), "{path} is missing in {report:#}");
    }
}

const TWO_CLASS: [&str; 14] = [
    "n",
    "accuracy",
    "balanced_accuracy",
    "recall/mask",
    "recall/no_mask",
    "confusion/mask/no_mask",
    "incorrect_not_called_mask",
    "auc",
    "calibration/ece",
    "bands/0-16/n",
    "bands/16-24/balanced_accuracy",
    "bands/24-48/recall/mask",
    "bands/48-96/n",
    "bands/96+/recall/no_mask",
];

#[test]
fn eval_faces_prints_the_agreed_keys() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let errors = folder.path().join("errors.csv");
    let ended = eval("faces", folder.path(), &["--format", "json", "--errors", errors.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = json(&ended);
    assert_keys(&report, &TWO_CLASS);
    assert_eq!(report["n"], 2);
    assert_eq!(report["incorrect"]["of"], 1);
    assert_eq!(report["bands"]["48-96"]["n"], 2);
    assert_eq!(report["settings"]["split"], "val");
    let confusion = &report["confusion"];
    let wrong =
        confusion["mask"]["no_mask"].as_u64().unwrap() + confusion["no_mask"]["mask"].as_u64().unwrap();
    assert_eq!(report["accuracy"].as_f64().unwrap(), 1.0 - wrong as f64 / 2.0);
    let listed = fs::read_to_string(errors).unwrap();
    let two_class =
        listed.lines().filter(|line| line.contains(",mask,") || line.contains(",no_mask,")).count();
    assert_eq!(two_class as u64, wrong, "{listed}");
}

/// Both precisions say what they are, and agree on faces as plain as these.
#[test]
fn the_f32_networks_are_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let (classifier, detector) =
        (models().join("classifier.safetensors"), models().join("detector.safetensors"));
    let real = [
        "--precision",
        "f32",
        "--classifier",
        classifier.to_str().unwrap(),
        "--detector",
        detector.to_str().unwrap(),
    ];
    let report = |more: &[&str]| {
        let ended = eval("scenes", folder.path(), &[&["--format", "json"], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        json(&ended)
    };
    let (int8, f32) = (report(&[]), report(&real));
    assert_eq!(
        (&int8["settings"]["precision"], &f32["settings"]["precision"]),
        (&"int8".into(), &"f32".into())
    );
    assert_eq!(int8["confusion"], f32["confusion"]);
    assert!(f32["settings"]["weights"].as_str().unwrap().contains("classifier.safetensors"));
    // The input can be chosen, and is told.
    let small = report(&["--input", "128"]);
    assert_eq!(small["settings"]["classifier_input"], 128);
    let refused = eval("faces", folder.path(), &["--input", "9"]);
    refused.assert_refused("an input of 9 pixels");
}

#[test]
fn what_training_sets_aside_can_be_measured_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("images")).unwrap();
    let mut table = "image,x,y,w,h,label,split\n".to_owned();
    for number in 0..20 {
        let (name, label) =
            if number % 2 == 0 { ("astronaut", "no_mask") } else { ("astronaut-masked", "mask") };
        let image = format!("{label}/{number}.jpg");
        fs::create_dir_all(folder.path().join("images").join(label)).unwrap();
        fs::copy(format!("../../tests/fixtures/{name}.jpg"), folder.path().join("images").join(&image))
            .unwrap();
        table += &format!("{image},{FACE},{label},train\n");
    }
    fs::write(folder.path().join("labels.csv"), &table).unwrap();
    fs::write(folder.path().join("faces.csv"), table).unwrap();
    let report = |more: &[&str]| {
        let more = [&["--format", "json", "--split", "train"], more].concat();
        let ended = eval("faces", folder.path(), &more);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        json(&ended)
    };
    assert_eq!(report(&[])["n"], 20);
    let set_aside = report(&["--set-aside"]);
    assert_eq!((&set_aside["n"], &set_aside["settings"]["set_aside"]), (&2.into(), &true.into()));
    let refused = eval("faces", folder.path(), &["--set-aside"]);
    refused.assert_refused("split val, of which nothing is set aside");
}

#[test]
fn eval_detector_finds_both_portraits() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let ended = eval("detector", folder.path(), &["--format", "json", "--min-side", "24"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = json(&ended);
    assert_keys(
        &report,
        &[
            "recall/mask",
            "recall/no_mask",
            "recall/all",
            "bands/0-2.5/n",
            "bands/2.5-5/recall/mask",
            "bands/5-10/recall/all",
            "bands/10-20/recall/no_mask",
            "false_positives_per_image",
            "settings/score_threshold",
        ],
    );
    assert_eq!((&report["n"], &report["bands"]["10-20"]["n"]), (&2.into(), &2.into()));
    assert_eq!((&report["recall"]["mask"], &report["recall"]["no_mask"]), (&1.0.into(), &1.0.into()));
    assert_eq!(report["false_positives_per_image"], 0.0);
}

#[test]
fn eval_scenes_adds_the_whole_chain() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let ended = eval("scenes", folder.path(), &["--format", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = json(&ended);
    assert_keys(&report, &TWO_CLASS);
    assert_keys(
        &report,
        &["end_to_end/unmasked_found_and_named", "end_to_end/masked_false_alarm", "settings/score_threshold"],
    );
    let counts = &report["end_to_end"]["counts"];
    assert_eq!((&counts["mask"]["n"], &counts["mask"]["missed"]), (&1.into(), &0.into()));
    assert_eq!((&counts["no_mask"]["n"], &counts["no_mask"]["missed"]), (&1.into(), &0.into()));
    // Nobody's face is where the third box is.
    assert_eq!(counts["incorrect"]["missed"], 1);
}

/// The real networks at the door: the bare portrait alerts, the masked one does not.
#[test]
fn eval_door_lets_both_portraits_walk_by() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let strips = folder.path().join("strips");
    let run = |threads: &str| {
        let more = ["--format", "json", "--rate", "5", "--threads", threads, "--pictures"];
        let ended = eval("door", folder.path(), &[&more[..], &[strips.to_str().unwrap()]].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        json(&ended)
    };
    let report = run("1");
    let alone = &report["rates"]["5"]["alone"];
    assert_eq!(
        alone["counts"]["unmasked_alerted"],
        serde_json::json!({"hits": 1, "of": 1, "interval": alone["counts"]["unmasked_alerted"]["interval"]})
    );
    assert_eq!(
        (&alone["masked_alerted_falsely"], &alone["masked_taken_for_masked"]),
        (&0.0.into(), &1.0.into())
    );
    assert!(alone["seconds_to_alert"]["median"].as_f64().unwrap() < 2.0, "{alone}");
    assert_keys(
        &report,
        &[
            "rates/5/in_company/unmasked_alerted_within_1_s",
            "rates/5/in_company/counts/clips_alert_at_nobody",
            "rates/5/alone/seconds_to_alert/p90",
            "settings/rules/min_face_side",
            "settings/detector_input",
        ],
    );
    assert_eq!(
        (&report["settings"]["masked_persons"], &report["settings"]["unmasked_persons"]),
        (&1.into(), &1.into())
    );
    let strip = fs::read_dir(&strips).unwrap().next().unwrap().unwrap().path();
    assert_eq!(image::open(strip).unwrap().width(), 4 * 480);
    assert_eq!(report, run("2"), "the number of threads changes nothing");
}

#[test]
fn eval_door_needs_somebody_who_can_walk() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let ended = eval("door", folder.path(), &["--min-side", "90", "--split", "train"]);
    ended.assert_refused("no face of that split and size");
    let ended = eval("door", folder.path(), &["--config", "nowhere.toml"]);
    ended.assert_refused("a missing configuration");
    assert!(ended.stderr.contains("nowhere.toml"), "{ended:?}");
}

#[test]
fn eval_hard_draws_every_kind_on_the_bare_face_and_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let run = |sheets: &Path, more: &[&str]| {
        let ended = eval("hard", folder.path(), &[&["--pictures", sheets.to_str().unwrap()], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    };
    let report = json(&run(&first, &["--format", "json"]));
    assert_keys(
        &report,
        &[
            "settings/seed",
            "settings/detector_input",
            "kinds/untouched/called/mask",
            "kinds/under_nose/called/no_mask",
            "kinds/hand/counts/mask/interval",
            "kinds/backlight/mean_p_mask",
        ],
    );
    assert_eq!((&report["faces"], &report["without_landmarks"]), (&1.into(), &0.into()));
    assert_eq!(report["kinds"].as_object().unwrap().len(), 13);
    assert_eq!(report["kinds"]["untouched"]["called"]["no_mask"], 1.0);
    assert_eq!(report["kinds"]["mask"]["label"], "mask");

    let text = run(&second, &["--seed", "2"]).stdout;
    assert!(text.contains("1 bare faces; 0 without usable landmarks") && text.contains("seed 2"), "{text}");
    // Another seed draws other things on the same face.
    let sheet = |folder: &Path, kind: &str| fs::read(folder.join(kind).with_extension("png")).unwrap();
    assert_eq!(image::load_from_memory(&sheet(&first, "cup")).unwrap().to_rgb8().dimensions(), (96, 96));
    assert_ne!(sheet(&first, "cup"), sheet(&second, "cup"));
    assert_eq!(sheet(&first, "untouched"), sheet(&second, "untouched"));

    // The masked portrait alone is nothing to draw on.
    eval("hard", folder.path(), &["--split", "train"]).assert_refused("no bare face");
}

#[test]
fn eval_landmarks_measures_by_what_the_teacher_says() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let teacher = ["--teacher", "../../models/detector.safetensors"];
    let ended = eval("landmarks", folder.path(), &[&teacher[..], &["--format", "json"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = json(&ended);
    assert_eq!((&report["faces"], &report["unknown"]), (&1.into(), &0.into()));
    assert_eq!(report["kinds"].as_object().unwrap().len(), 13);
    for kind in ["untouched", "mask"] {
        let row = &report["kinds"][kind];
        assert_eq!(row["found"]["hits"], 1, "{row}");
        assert!(row["all"]["mean"].as_f64().unwrap() < 0.15, "{row}");
    }
    let text = eval("landmarks", folder.path(), &teacher).stdout;
    assert!(text.contains("1 bare faces; 0 more were unknown") && text.contains("under_nose"), "{text}");
    eval("landmarks", folder.path(), &["--teacher", "none.safetensors"]).assert_refused("none.safetensors");
}

#[test]
fn a_missing_picture_is_told_and_the_others_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), true);
    for what in ["faces", "scenes", "detector"] {
        let ended = eval(what, folder.path(), &[]);
        ended.assert_refused(what);
        assert!(ended.stderr.contains("warning: gone.jpg"), "{ended:?}");
        assert!(ended.stderr.contains("1 of 3 pictures could not be measured"), "{ended:?}");
        assert!(ended.stdout.contains("95 % interval") && ended.stdout.contains("split val"), "{ended:?}");
    }
}

#[test]
fn eval_gates_tells_what_each_threshold_lets_through_and_draws_it() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path(), false);
    let curve = folder.path().join("curve.png");
    let report =
        json(&eval("gates", folder.path(), &["--format", "json", "--curve", curve.to_str().unwrap()]));
    assert_keys(&report, &["settings/split", "faces", "not_found", "usual_gates/right_stopped"]);
    assert_eq!(report["faces"], 2);
    for gate in [
        "min_face_side",
        "min_sharpness",
        "min_contrast",
        "min_brightness",
        "max_brightness",
        "max_clipped",
        "max_yaw",
        "certainty",
    ] {
        let first = &report["gates"][gate][0];
        assert_eq!(
            (&first["let_through"]["hits"], &first["missed_unmasked"]["of"]),
            (&2.into(), &1.into()),
            "{gate}"
        );
    }
    assert_eq!(image::open(&curve).unwrap().width(), 1520);
    let ended = eval("gates", folder.path(), &["--curve", "/nowhere/curve.png"]);
    ended.assert_refused("name another file with --curve");
}

#[test]
fn broken_tables_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let header = "image,x,y,w,h,label,split\n";
    let good = "a.jpg,1,2,30,40,mask,val\n";
    let rows = [
        "a.jpg,nan,2,30,40,mask,val",
        "a.jpg,inf,2,30,40,mask,val",
        "a.jpg,1e99,2,30,40,mask,val",
        "a.jpg,one,2,30,40,mask,val",
        "a.jpg,1,2,-30,40,mask,val",
        "a.jpg,1,2,30,0,mask,val",
        "a.jpg,1,2,30,40,masked,val",
        "a.jpg,1,2,30,40,MASK,val",
        "a.jpg,1,2,30,40,,val",
        "a.jpg,1,2,30,40,mask,test",
        "../a.jpg,1,2,30,40,mask,val",
        "b/../../a.jpg,1,2,30,40,mask,val",
        "/etc/passwd,1,2,30,40,mask,val",
        ",1,2,30,40,mask,val",
        "a.jpg,1,2,30,40,mask",
        "a.jpg,1,2,30,40,mask,val,more",
        "a.jpg,\"1,2,30,40,mask,val",
        "a.jpg\t1\t2\t30\t40\tmask\tval",
        "\u{0}",
    ];
    let refuse = |what: &str, text: &[u8], line: bool| {
        let path = {
            let path = folder.path().join("labels.csv");
            fs::write(&path, text).unwrap();
            path
        };
        let ended = maskwatch_lab(&["eval", "faces", "--images", ".", "--labels", path.to_str().unwrap()]);
        ended.assert_refused(what);
        assert!(ended.stderr.contains("labels.csv"), "{what}: {ended:?}");
        let names_line =
            ["labels.csv:3: ", "line: 3", "line 3"].iter().any(|part| ended.stderr.contains(part));
        assert!(!line || names_line, "{what}: {ended:?}");
    };
    for row in rows {
        refuse(row, format!("{header}{good}{row}\n").as_bytes(), true);
    }
    refuse("nothing", b"", false);
    refuse("a header alone", header.as_bytes(), false);
    refuse("no header", good.as_bytes(), false);
    refuse("a column missing", b"image,x,y,w,label,split\na.jpg,1,2,30,mask,val\n", false);
    refuse("a column twice", b"image,x,x,y,w,h,label,split\na.jpg,1,1,2,30,40,mask,val\n", false);
    refuse("no text", &[header.as_bytes(), &[0xFF, 0xFE, 0x00]].concat(), false);
    refuse("a picture", &fs::read("../../tests/fixtures/astronaut.jpg").unwrap(), false);
}

#[test]
fn numbers_out_of_range_are_refused() {
    for option in ["--min-side=nan", "--min-side=-3", "--split=test", "--threads=0", "--threads=99999"] {
        maskwatch_lab(&["eval", "faces", option]).assert_refused(option);
    }
}
