//! Tests of [`super`]: no text whatever makes it panic, and what it says is one sentence.

use super::*;
use crate::config::ShownValues;
use proptest::prelude::*;

/// The documented file with one stretch of bytes replaced: mostly close to what the reader expects.
fn mangled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(String::new()),
        "[-0-9.e]{1,12}",
        "\"[a-z 0-9.]{0,12}\"",
        "[\\[\\]={}\"'#\n.]{1,4}",
        ".{0,8}"
    ];
    (0..DOCUMENTED.len(), 0usize..30, piece).prop_map(|(start, length, piece)| {
        let mut bytes = DOCUMENTED.as_bytes().to_vec();
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, piece.into_bytes());
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A document of the sections and keys that there are, with any values.
fn any_values() -> impl Strategy<Value = String> {
    let section = prop::sample::select(vec![
        "source",
        "source.controls",
        "zones.door",
        "models",
        "detector",
        "decision",
        "outputs",
        "outputs.red",
        "outputs.x",
        "outputs.\"\"",
        "metrics",
    ]);
    let key = prop_oneof![
        prop::sample::select(vec![
            "spec",
            "rotate",
            "flip",
            "exposure",
            "gain",
            "width",
            "height",
            "close_faces",
            "skip_still",
            "frames_per_second",
            "timeout_seconds",
            "score_threshold",
            "votes",
            "window",
            "evidence_seconds",
            "window_seconds",
            "budget_seconds",
            "ignore_below",
            "min_look_side",
            "points",
            "min_face",
            "max_face",
            "min_face_side",
            "certainty",
            "min_sharpness",
            "min_brightness",
            "max_brightness",
            "max_clipped",
            "min_visible",
            "max_yaw",
            "min_person",
            "min_front",
            "incorrect",
            "hold_seconds",
            "re_arm_seconds",
            "linger_seconds",
            "backend",
            "chip",
            "pin",
            "active",
            "kind",
            "alert",
            "off",
            "file",
            "every_seconds",
            "listen",
        ])
        .prop_map(String::from),
        "[a-z]{1,6}"
    ];
    let value = prop_oneof![
        any::<f64>().prop_map(|number| if number.is_finite() { format!("{number:?}") } else { "nan".into() }),
        any::<i64>().prop_map(|number| number.to_string()),
        (0i64..40).prop_map(|number| number.to_string()),
        "\"(blink|beep|steady)? ?[0-9.]{0,4}\"",
        Just("[]".into()),
        Just("[[0, 0], [1, 0.5], [0.2, 1]]".into()),
        Just("{ a = [1979-05-27] }".into()),
    ];
    let table = (section, prop::collection::vec((key, value), 0..5)).prop_map(|(section, entries)| {
        let lines = entries.into_iter().map(|(key, value)| format!("{key} = {value}\n"));
        format!("[{section}]\n{}", lines.collect::<String>())
    });
    prop::collection::vec(table, 0..4).prop_map(|tables| tables.concat())
}

fn one_sentence_or_none(text: &str) {
    // Whatever it says, what is left of it names no pin twice and has something to switch off.
    if let Some(salvaged) = salvage::salvage(&[text.to_owned()]) {
        let outputs = || salvaged.outputs.outputs.iter().chain(&salvaged.of_unknown_level);
        let pins: std::collections::BTreeSet<u32> = outputs().map(|output| output.pin).collect();
        assert_eq!(pins.len(), outputs().count());
        assert!(!pins.is_empty());
    }
    let config = Config::parse(text, "door.toml");
    if let Ok(config) = &config {
        let shown = crate::config::show(Some(&ConfigFiles::of(&[("door.toml", text)])), ShownValues::All);
        let again = Config::parse(&shown.unwrap(), "shown.toml").unwrap();
        assert_eq!(
            Config { warnings: Vec::new(), ..again },
            Config { warnings: Vec::new(), ..config.clone() }
        );
    }
    if let Err(error) = config {
        let sentence = error.to_string();
        assert!(sentence.starts_with("door.toml line "), "{sentence}");
        let written = text.lines().count().max(1) + 1;
        let (ConfigError::Value { line, .. } | ConfigError::Syntax { line, .. }) = error else {
            panic!("{sentence}")
        };
        assert!(line <= written, "line {line} of {written}: {sentence}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_a_sentence(text in "\\PC{0,200}") {
        one_sentence_or_none(&text);
    }

    #[test]
    fn a_mangled_file_is_a_configuration_or_a_sentence(text in mangled()) {
        one_sentence_or_none(&text);
    }

    #[test]
    fn any_values_are_a_configuration_or_a_sentence(text in any_values()) {
        one_sentence_or_none(&text);
    }
}

/// Refuses `text`, in any words.
fn refused(text: &str) {
    assert!(Config::parse(text, "door.toml").is_err());
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    refused(&format!("a = {}", "[".repeat(100_000)));
    refused(&format!("{} = 1", vec!["a"; 10_000].join(".")));
}
