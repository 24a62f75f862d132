//! Tests of [`super`]: each kind of mistake and its sentence.

use super::*;
use crate::config::QuietMode;
use crate::decide::{DoorState, Rules};
use crate::outputs::{Active, Backend, Button, Kind, Pattern, Pwm, RELAY_DWELL};
use crate::source::{CameraName, SourceSpec};
use crate::vision::quality::Gates;
use std::time::Duration;

fn refusal(text: &str) -> String {
    Config::parse(text, "door.toml").unwrap_err().to_string()
}

#[test]
fn the_documented_file_is_the_default() {
    assert_eq!(Config::parse(DOCUMENTED, "maskwatch.toml").unwrap(), Config::default());
    assert_eq!(Config::parse("", "empty").unwrap(), Config::default());
}

#[test]
fn the_commented_keys_of_the_documented_file_are_right_too() {
    let all = DOCUMENTED
        .replace("\n#detector =", "\ndetector =")
        .replace("\n#classifier =", "\nclassifier =")
        .replace("\n#landmarks =", "\nlandmarks =")
        .replace("\n#int8 =", "\nint8 =")
        .replace("\n#threads =", "\nthreads =")
        .replace("\n#[button]", "\n[button]")
        .replace("\n#pin =", "\npin =")
        .replace("\n#active =", "\nactive =")
        .replace("\n#silence_seconds =", "\nsilence_seconds =")
        .replace("\n#pause_seconds =", "\npause_seconds =")
        .replace("\n#[quiet.night]", "\n[quiet.night]")
        .replace("\n#[[hook]]", "\n[[hook]]");
    let all = [
        "chip",
        "exposure",
        "gain",
        "white_balance",
        "focus",
        "power_line_frequency",
        "backlight_compensation",
        "path",
        "certificate",
        "key",
        "on",
        "run",
        "timeout_seconds",
        "days",
        "from",
        "to",
        "mode",
        "file",
    ]
    .iter()
    .fold(all, |all, key| all.replace(&format!("\n#{key} ="), &format!("\n{key} =")));
    // A program that cannot answer by HTTP refuses the key.
    let all = if cfg!(feature = "web") { all.replace("\n#listen =", "\nlisten =") } else { all };
    let config = Config::parse(&all, "maskwatch.toml").unwrap();
    assert!(
        config.models.classifier.is_some()
            && config.models.detector.is_some()
            && config.models.landmarks.is_some()
    );
    assert_eq!(config.outputs.chip.as_deref(), Some("pinctrl-bcm2835"));
    let button = Button {
        pin: 24,
        active: Active::Low,
        silence: Duration::from_secs(60),
        pause: Some(Duration::from_secs(600)),
    };
    assert_eq!(config.outputs.button, Some(button));
    assert_eq!((config.quiet.len(), config.quiet[0].mode), (1, QuietMode::Silent));
    assert_eq!((config.hooks.len(), config.hooks[0].limit), (1, Duration::from_secs(10)));
    assert!(config.metrics.file.is_some());
    assert_eq!(config.metrics.listen.is_some(), cfg!(feature = "web"));
}

#[test]
fn values_arrive() {
    let config = Config::parse(
        "[source]\nspec = \"/dev/video2\"\nframes_per_second = 5\nfrozen_seconds = 0\n[detector]\nwidth = 640\n\
         [decision]\nhold_seconds = 0\nmin_face_side = 40.5\nmin_contrast = 0.05\nmax_clipped = 0.75\nmax_yaw = 1\n[outputs]\nbackend = \"gpiocdev\"\n\
         [outputs.red]\npin = 5\nactive = \"low\"\n[outputs.gate]\npin = 6\nkind = \"relay\"\npass = \"steady\"\n\
         [outputs.siren]\npin = 18\nkind = \"passive-buzzer\"\ntone_hz = 440\npwm = \"software\"\nalert = \"steady\"\n",
        "door.toml",
    )
    .unwrap();
    assert_eq!(config.source.spec, SourceSpec::Camera(CameraName::Path("/dev/video2".into())));
    assert_eq!(config.source.frames_per_second, 5.0);
    assert_eq!((config.source.frozen_after, config.source.black_after), (None, Some(Duration::from_secs(5))));
    assert_eq!((config.detector.width, config.detector.height), (640, 384));
    assert_eq!((config.decision.hold, config.decision.min_face_side), (Duration::ZERO, 40.5));
    let gates = Gates { min_contrast: 0.05, max_clipped: 0.75, max_yaw: 1.0, ..Gates::default() };
    assert_eq!(config.gates, gates);
    assert_eq!(config.outputs.backend, Backend::Gpiocdev);
    let [red, gate, siren] = config.outputs.outputs.as_slice() else { panic!("three outputs") };
    assert_eq!((red.pin, red.active, red.kind), (5, Active::Low, Kind::Led));
    assert_eq!(red.patterns.get(DoorState::Alert), Pattern::Steady, "red keeps its usual pattern");
    assert_eq!((gate.pin, gate.kind), (6, Kind::Relay { dwell: RELAY_DWELL }));
    assert_eq!(siren.kind, Kind::PassiveBuzzer { frequency: 440, pwm: Pwm::Software });
}

#[test]
fn every_mistake_gets_one_sentence_with_line_key_and_mend() {
    for (text, sentence) in [
        (
            "[outputs.green]\npin = 17\n\n[outputs.red]\npin = 17\n",
            "door.toml line 5: outputs.red.pin is 17, which outputs.green uses too; give each output its own pin",
        ),
        (
            "[outputs.green]\npin = 17\n[outputs.red]\n",
            "door.toml line 3: outputs.red.pin is 17, which outputs.green uses too; give each output its own pin",
        ),
        (
            "[outputs.red]\ntone_hz = 440\n",
            "door.toml line 2: outputs.red.tone_hz is for passive buzzers; add kind = \"passive-buzzer\", or remove this line",
        ),
        (
            "[outputs.red]\npwm = \"software\"\n",
            "door.toml line 2: outputs.red.pwm is for passive buzzers; add kind = \"passive-buzzer\", or remove this line",
        ),
        (
            "[outputs.buzzer]\nkind = \"passive-buzzer\"\nactive = \"low\"\npwm = \"hardware\"\n",
            "door.toml line 4: outputs.buzzer.pwm is low while it makes no tone, which is on for active = \"low\"; use \"software\"",
        ),
        (
            "[button]\n",
            "door.toml line 1: button has no pin; add for example pin = 24, or remove the section",
        ),
        (
            "[outputs.red]\npin = 4\n[button]\npin = 4\n",
            "door.toml line 4: button.pin is 4, which outputs.red uses; give the button its own pin",
        ),
        (
            "[decision]\nvote = 3\n",
            "door.toml line 2: decision.vote is not known; did you mean evidence_seconds?",
        ),
        (
            "[decision]\nwindows = 5\n",
            "door.toml line 2: decision.windows is not known; did you mean window_seconds?",
        ),
        ("[sauce]\n", "door.toml line 1: sauce is not known; did you mean source?"),
        (
            "[models]\nxyzzy = 1\n",
            "door.toml line 2: models.xyzzy is not known; use precision, int8, classifier, detector, landmarks, classifier_input, threads, or remove it",
        ),
        (
            "\n[detector]\nscore_threshold = 1.5\n",
            "door.toml line 3: detector.score_threshold is 1.5; use a number from 0.05 to 0.99",
        ),
        (
            "[detector]\nscore_threshold = nan\n",
            "door.toml line 2: detector.score_threshold is nan; use a number from 0.05 to 0.99",
        ),
        (
            "[detector]\nwidth = 500\n",
            "door.toml line 2: detector.width is 500, not a multiple of 32; use 480 or 512",
        ),
        (
            "[source]\nwidth = -1\n",
            "door.toml line 2: source.width is -1; use a whole number from 64 to 4096",
        ),
        (
            "[source]\nwidth = 99999999999999999999\n",
            "door.toml line 2: source.width is 99999999999999999999; use a whole number from 64 to 4096",
        ),
        (
            "[source]\nwidth = \"wide\"\n",
            "door.toml line 2: source.width is text; use a whole number from 64 to 4096",
        ),
        (
            "[source]\nspec = \"\"\n",
            "door.toml line 2: source.spec is empty; write a value, or remove the line for the default",
        ),
        (
            "[source]\nspec = \"camera:\"\n",
            "door.toml line 2: source.spec is not a source: the name after `camera:` is missing; see /dev/v4l/by-id for names",
        ),
        ("source = 1\n", "door.toml line 1: source is a number; use a section [source]"),
        (
            "[decision]\nwindow_seconds = 0.3\n",
            "door.toml line 2: decision.window_seconds is 0.3, shorter than evidence_seconds (0.4); use at least 0.4",
        ),
        (
            "[decision]\nvotes = 8\n",
            "door.toml line 2: decision.votes takes 1.4 s, longer than window_seconds (1); use evidence_seconds = 1.4, and a larger window_seconds",
        ),
        (
            "[decision]\nignore_below = 30\n",
            "door.toml line 2: decision.ignore_below is 30, more than min_face_side (20); use at most 20",
        ),
        (
            "[decision]\nmin_brightness = 0.7\nmax_brightness = 0.5\n",
            "door.toml line 2: decision.min_brightness is 0.7, not below max_brightness (0.5); use less than that",
        ),
        (
            "[decision]\nmax_yaw = 4.5\n",
            "door.toml line 2: decision.max_yaw is 4.5; use a number from 0 to 4",
        ),
        (
            "[decision]\nre_arm_seconds = 0.5\n",
            "door.toml line 2: decision.re_arm_seconds is 0.5, less than linger_seconds (1); use at least 1",
        ),
        (
            "[outputs]\nbackend = \"gpio\"\n",
            "door.toml line 2: outputs.backend is \"gpio\"; use one of \"auto\", \"rppal\", \"gpiocdev\", \"simulated\"",
        ),
        (
            "[outputs]\nred = 17\n",
            "door.toml line 2: outputs.red is not known; use backend, chip, compute_module, relay_dwell_seconds, or remove it",
        ),
        (
            "[outputs.siren]\nalert = \"steady\"\n",
            "door.toml line 1: outputs.siren has no pin; add for example pin = 24",
        ),
        (
            "[outputs.siren]\npin = 24\n",
            "door.toml line 1: outputs.siren is never on; give it a pattern, for example alert = \"steady\"",
        ),
        (
            "[outputs.\"a b\"]\npin = 24\n",
            "door.toml line 1: outputs.a b has a name of other than 1 to 32 letters, digits, - and _; rename it",
        ),
        (
            "[outputs.red]\noff = \"steady\"\n",
            "door.toml line 2: outputs.red.off cannot be set: off is always silent and dark; remove this line",
        ),
        (
            "[outputs.red]\nalert = \"beep 0\"\n",
            "door.toml line 2: outputs.red.alert has 0 for the number of beeps; use a number from 1 to 100",
        ),
        (
            "[outputs.gate]\nkind = \"relay\"\npin = 4\npass = \"blink 0.6\"\n",
            "door.toml line 4: outputs.gate.pass switches a relay faster than every 0.5 s; use longer times",
        ),
        (
            "[outputs]\nrelay_dwell_seconds = 2\n[outputs.gate]\nkind = \"relay\"\npin = 4\npass = \"blink 3\"\n",
            "door.toml line 6: outputs.gate.pass switches a relay faster than every 2 s; use longer times",
        ),
        (
            "[outputs]\nrelay_dwell_seconds = 0\n",
            "door.toml line 2: outputs.relay_dwell_seconds is 0; use a number from 0.5 to 60",
        ),
        (
            "[outputs]\ncompute_module = \"yes\"\n",
            "door.toml line 2: outputs.compute_module is text; use true or false, without quotes",
        ),
        (
            "[outputs.red]\npin = 37\n",
            "door.toml line 2: outputs.red.pin is 37, which is not on a Raspberry Pi's header; use the BCM number (0 to 27), not the header's pin number: \
             header pin 37 is BCM 26 (Compute Module: compute_module = true)",
        ),
        (
            "[button]\npin = 40\n",
            "door.toml line 2: button.pin is 40, which is not on a Raspberry Pi's header; use the BCM number (0 to 27), not the header's pin number: \
             header pin 40 is BCM 21 (Compute Module: compute_module = true)",
        ),
        (
            "[[outputs.red]]\npin = 17\n",
            "door.toml line 1: outputs.red is written as [[outputs.red]], one of several; \
             write it once, in single brackets: [outputs.red]",
        ),
        (
            "[[decision]]\nvotes = 3\n",
            "door.toml line 1: decision is written as [[decision]], one of several; \
             write it once, in single brackets: [decision]",
        ),
        (
            "[decision]\nvotes = 3\nwindow = 5\nvotes = 2\n",
            "door.toml line 4: votes is there already; keep one of the two",
        ),
        (
            "[outputs.red]\npin = 4\n[outputs.green]\n[outputs.red]\n",
            "door.toml line 4: red is there already; keep one of the two",
        ),
        (
            "[outputs.red]\nalert = true\n",
            "door.toml line 2: outputs.red.alert is true; \
             use a pattern in quotes, such as \"steady\", \"blink 1\" or \"off\"",
        ),
    ] {
        assert_eq!(refusal(text), sentence);
    }
}

#[test]
fn keys_that_counted_votes_are_read_as_seconds_with_a_warning() {
    let times = |text: &str| {
        let config = Config::parse(&format!("[decision]\n{text}"), "door.toml").unwrap();
        let Rules { evidence, window, .. } = config.decision;
        (evidence.as_millis(), window.as_millis(), config.warnings)
    };
    let told = |line, key: &str, today: &str| {
        format!(
            "door.toml line {line}: decision.{key} counts frames, which say less the faster they come; use {today}"
        )
    };
    let usual = [told(2, "votes", "evidence_seconds = 0.4"), told(3, "window", "window_seconds = 1")];
    assert_eq!(times("votes = 3\nwindow = 5\n"), (400, 1000, usual.into()));
    assert_eq!(
        times("votes = 1\n"),
        (0, 1000, vec![told(2, "votes", "evidence_seconds = 0")]),
        "one vote was enough"
    );
    assert_eq!(times("votes = 5\nwindow = 8\n").0, 800);
    // Today's keys come first.
    let both = times("votes = 3\nevidence_seconds = 0.6\n");
    assert_eq!((both.0, both.1, both.2.len()), (600, 1000, 1));
    assert_eq!(times("evidence_seconds = 0.6\nre_arm_seconds = 10\n"), (600, 1000, vec![]));
    let longer = times("re_arm_seconds = 11\n").2;
    assert_eq!(
        longer,
        [
            "door.toml line 2: decision.re_arm_seconds counts as 10: what people look like is forgotten after 10 s"
        ]
    );
}

#[test]
fn what_is_no_toml_is_refused_with_its_place_and_what_to_write() {
    let quoted =
        "write text in double quotes, such as spec = \"/dev/video0\"; numbers, true and false without";
    let line = "write one KEY = VALUE on each line, text in double quotes; a # begins a comment";
    let number = "write numbers such as 5 or 0.5, and true or false";
    let text =
        "write text in double quotes, on one line, with \\\" for a quote and \\\\ for a backslash in it";
    for (written, place, mend) in [
        ("a = \n", (1, 5), quoted),
        ("[source]\nspec = /dev/video0\n", (2, 8), quoted),
        ("[source]\nspec = \u{201c}/dev/video0\u{201d}\n", (2, 8), quoted),
        ("[source\n", (1, 8), "write a section as [name], on a line of its own"),
        ("[source] spec = \"x\"\n", (1, 10), "write a section as [name], on a line of its own"),
        ("[source]\nspec = \"unfinished\n", (2, 19), text),
        ("[source]\nspec = \"a\\qb\"\n", (2, 11), text),
        ("[source]\n# ä\nspec \"x\"\n", (3, 6), line),
        ("[source]\nspec = \"ä\" fps = 3\n", (2, 12), line),
        ("[decision]\nvotes = = 3\n", (2, 9), line),
        ("[source]\nwidth = 640,\n", (2, 12), line),
        ("\u{0}", (1, 2), line),
        ("[source]\nwidth = 6_\n", (2, 10), number),
        ("[source]\nwidth = 007\n", (2, 9), number),
        ("[source]\nwidth = [1, 2\n[b]\n", (3, 1), "close the list that begins before this with a ]"),
        ("[source]\nl\u{e4}nge = 1\n", (2, 2), "write a key with the letters a to z, digits, - and _"),
    ] {
        let sentence = refusal(written);
        let (line, column) = place;
        let start = format!("door.toml line {line}, column {column}: this is not TOML: ");
        assert!(sentence.starts_with(&start) && sentence.ends_with(&format!("; {mend}")), "{sentence}");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("door.toml");
    let sentence = Config::load(&missing).unwrap_err().to_string();
    assert!(sentence.contains("door.toml cannot be read: "), "{sentence}");
    assert!(sentence.contains("; give the path of a maskwatch configuration"), "{sentence}");
    let refusal_of = |bytes: &[u8]| {
        std::fs::write(&missing, bytes).unwrap();
        Config::load(&missing).unwrap_err().to_string()
    };
    let sentence = refusal_of(b"[decision]\n# T\xfcr\n");
    assert!(
        sentence.contains(
            "door.toml line 2: byte 0xfc (the 4. of the line) is not UTF-8; save the file as UTF-8"
        ),
        "{sentence}"
    );
    let sentence = refusal_of(&[0xff, 0xfe, b'[', 0]);
    assert!(
        sentence.contains("line 1: byte 0xff (the 1. of the line)") && sentence.contains("UTF-16"),
        "{sentence}"
    );
    assert!(refusal_of(&vec![b'#'; 2 << 20]).contains("is longer than 1 MiB"));
    let sentence = Config::load(folder.path()).unwrap_err().to_string();
    assert!(sentence.contains("it is a folder; give the path of the file in it"), "{sentence}");
    std::fs::write(&missing, DOCUMENTED).unwrap();
    assert_eq!(Config::load(&missing).unwrap(), Config::default());
}

#[test]
fn a_file_that_may_not_be_read_gets_the_mend_for_that() {
    let path = std::path::Path::new("/etc/door.toml");
    let refused = std::io::ErrorKind::PermissionDenied.into();
    let sentence = ConfigError::unreadable("/etc/door.toml", path, &refused).to_string();
    assert!(
        sentence.contains("let the user who runs this read it (sudo chmod a+r /etc/door.toml)"),
        "{sentence}"
    );
}

#[test]
fn other_lines_than_those_of_the_header_are_for_compute_modules_and_other_chips() {
    let pin = |text: &str| Config::parse(text, "door.toml").map(|config| config.outputs.outputs[0].pin);
    assert_eq!(pin("[outputs]\ncompute_module = true\n[outputs.red]\npin = 37\n").unwrap(), 37);
    assert_eq!(pin("[outputs]\nchip = \"gpio-ich\"\n[outputs.red]\npin = 137\n").unwrap(), 137);
    assert!(pin("[outputs]\nchip = \"pinctrl-rp1\"\n[outputs.red]\npin = 37\n").is_err());
}

#[test]
fn a_relay_keeps_its_patterns_and_else_the_usual_dwell() {
    let dwell = |text: &str| {
        let config = Config::parse(&format!("[outputs]\n{text}"), "door.toml").unwrap();
        let Kind::Relay { dwell } = config.outputs.outputs[0].kind else { panic!("no relay") };
        dwell.as_secs_f64()
    };
    assert_eq!(dwell("[outputs.gate]\npin = 4\nkind = \"relay\"\npass = \"steady\"\n"), 1.0);
    assert_eq!(dwell("[outputs.gate]\npin = 4\nkind = \"relay\"\npass = \"blink 1.5\"\n"), 0.75);
    assert_eq!(dwell("[outputs.gate]\npin = 4\nkind = \"relay\"\npass = \"blink 9\"\n"), 1.0);
    let longer = "relay_dwell_seconds = 3\n[outputs.gate]\npin = 4\nkind = \"relay\"\npass = \"steady\"\n";
    assert_eq!(dwell(longer), 3.0);
}

#[test]
fn the_page_and_the_metrics_at_one_address_are_said() {
    if !cfg!(feature = "web") {
        return;
    }
    let text = "[web]\nenabled = true\nlisten = \"127.0.0.1:9101\"\n[metrics]\nlisten = \"0.0.0.0:9101\"\n";
    let told = "metrics.listen is 0.0.0.0:9101, where web.listen (127.0.0.1:9101) is in the way; \
                give them different ports";
    assert_eq!(Config::parse(text, "door.toml").unwrap().warnings, [told]);
    let without = text.replace("enabled = true", "enabled = false");
    assert_eq!(Config::parse(&without, "door.toml").unwrap().warnings, [""; 0]);
}

#[test]
fn what_an_error_quotes_is_shortened() {
    let long = "a/".repeat(35_000);
    let (mut refused, mut too_long) = (0, Vec::new());
    let mut section = "";
    for line in DOCUMENTED.lines().map(|line| line.strip_prefix('#').unwrap_or(line)) {
        if line.starts_with('[') {
            section = line;
        }
        let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) else { continue };
        for value in [format!("\"{long}\""), format!("[\"{long}\"]")] {
            if let Err(error) = Config::parse(&format!("{section}\n{key} = {value}\n"), "door.toml") {
                let told = error.to_string();
                if told.len() >= 1000 {
                    too_long.push(format!("{section} {key}: {told:.200}"));
                }
                refused += 1;
            }
        }
    }
    assert_eq!(too_long, [""; 0]);
    assert!(refused > 60, "{refused}");
    let unknown = Config::parse(&format!("[mqtt]\n\"{long}\" = 1\n"), "door.toml").unwrap_err().to_string();
    assert!(unknown.len() < 1000, "{unknown:.200}");
}
