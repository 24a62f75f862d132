//! Tests of [`super`]: what is printed means the same as what was read.

use super::*;
use proptest::prelude::*;

fn shown(files: &[(&str, &str)], values: ShownValues) -> String {
    show(Some(&ConfigFiles::of(files)), values).unwrap_or_else(|error| panic!("{error}"))
}

/// The configuration, but for its warnings, which name lines.
fn read(text: &str) -> Config {
    let config = Config::parse(text, "door.toml").unwrap_or_else(|error| panic!("{error}\n{text}"));
    Config { warnings: Vec::new(), ..config }
}

/// Both that are printed of `text` mean the same as it.
fn says_the_same(text: &str) {
    for values in [ShownValues::All, ShownValues::Changed] {
        let printed = shown(&[("door.toml", text)], values);
        assert_eq!(read(&printed), read(text), "{values:?} of\n{text}\nis\n{printed}");
    }
}

#[test]
fn the_defaults_are_all_shown_and_differ_in_nothing() {
    let all = show(None, ShownValues::All).unwrap();
    assert_eq!(read(&all), Config::default());
    assert!(all.starts_with("[source]\nspec = \"/dev/video0\"  # default\n"), "{all}");
    // Every value of the documented file is there, and nothing but defaults.
    let documented = DOCUMENTED.lines().filter(|line| !line.starts_with(['#', '[']) && !line.is_empty());
    for line in documented {
        assert!(all.contains(&format!("\n{line}  # default\n")), "{line}");
    }
    for text in ["", DOCUMENTED] {
        let changed = shown(&[("door.toml", text)], ShownValues::Changed);
        assert_eq!(changed, "# nothing differs from the defaults\n");
        says_the_same(text);
    }
    assert_eq!(show(None, ShownValues::Changed).unwrap(), "# nothing differs from the defaults\n");
}

#[test]
fn each_value_tells_where_it_comes_from() {
    let files = [
        ("door.toml", "[source]\nwidth = 800\nheight = 480.0e0\n".replace("480.0e0", "600")),
        ("door.toml.d/a.toml", "\n[source]\nheight = 480\nspec = \"rtsp://me:secret@door/1\"\n[quiet.\"a b\"]\nfrom = '22:00'\nto = \"6:00\"\n".into()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let all = shown(&files, ShownValues::All);
    for line in [
        "spec = \"rtsp://***@door/1\"  # door.toml.d/a.toml line 4",
        "width = 800  # door.toml line 2",
        "height = 480  # door.toml.d/a.toml line 3",
        "rotate = 0  # default",
        "[quiet.\"a b\"]",
        "from = \"22:00\"  # door.toml.d/a.toml line 6",
        "mode = \"silent\"  # default",
    ] {
        assert!(all.lines().any(|shown| shown == line), "{line} is not in\n{all}");
    }
    assert_eq!(
        shown(&files, ShownValues::Changed),
        "[source]\nspec = \"rtsp://***@door/1\"  # door.toml.d/a.toml line 4; default \"/dev/video0\"\n\
         width = 800  # door.toml line 2; default 640\n\n\
         [quiet.\"a b\"]\nfrom = \"22:00\"  # door.toml.d/a.toml line 6\nto = \"6:00\"  # door.toml.d/a.toml line 7\n"
    );
}

#[test]
fn tables_of_outputs_are_all_that_there_are() {
    let lamp = "[outputs.lamp]\npin = 24\nalert = \"steady\"\n";
    assert_eq!(
        shown(&[("door.toml", lamp)], ShownValues::Changed),
        "[outputs.lamp]\npin = 24  # door.toml line 2\nalert = \"steady\"  # door.toml line 3; default \"off\"\n"
    );
    let red = shown(&[("door.toml", "[outputs.red]\n")], ShownValues::Changed);
    assert_eq!(red, "[outputs.red]\n", "the three others are gone");
    for text in [
        lamp,
        "[outputs.red]\n",
        "[outputs.green]\npin = 5\n[outputs.red]\n",
        "[outputs.red]\npin = 5\n[outputs.green]\n[outputs.amber]\n[outputs.buzzer]\n",
        "[outputs]\nbackend = \"gpiocdev\"\n",
        "[outputs.siren]\npin = 18\nkind = \"passive-buzzer\"\nalert = \"steady\"\n",
        "[outputs.siren]\npin = 18\nkind = \"passive-buzzer\"\ntone_hz = 440\nalert = \"steady\"\n",
        "[decision]\npass_hold_seconds = 3\n[outputs.gate]\npin = 5\nkind = \"relay\"\npass_hold = \"steady\"\n",
    ] {
        says_the_same(text);
    }
}

#[test]
fn what_has_no_default_and_what_is_old_is_shown_as_it_is() {
    for text in [
        "[decision]\nvotes = 5\nwindow = 8\n",
        "[decision]\nvotes = 5\nevidence_seconds = 0.6\n",
        "[button]\npin = 24\n",
        "[button]\npin = 24\nactive = \"high\"\nsilence_seconds = 5\npause_seconds = 0\n",
        "[[hook]]\non = \"alert\"\nrun = [\"a\", 'b \"c\" \\', \"\\u202e\\n\\u00e4\"]\n[[hook]]\non = \"fault\"\nrun = [\"b\"]\ntimeout_seconds = 3\n",
        "hook = []\n",
        "[zones.a]\npoints = [[0, 0], [1, 0.5],\n # the third\n [0.2, 1]]\n[zones.\"b\\n\"]\nkind = \"ignore\"\npoints = [[0, 0], [1, 0.5], [0.2, 1]]\nmax_face = 0.5\n",
        "[quiet.a]\ndays = [\"mon\"]\nfrom = \"1:00\"\nto = \"2:00\"\nmode = \"off\"\n[quiet]\nb = { from = \"3:00\", to = \"4:00\" }\n",
        "[source]\nframes_per_second = 10\nspec = '''command: a \"b\" \\n'''\ncontrols = { gain = 0x10, focus = \"auto\" }\n",
        "[socket]\npath = \"\"\n[counts]\npath = \"/tmp/counts\"\n[clock]\ntrusted = \"always\"\n[models]\nthreads = 2\nclassifier_input = 128\n",
        "source.width = 1_000\nmodels.precision = \"f32\"\nmodels.detector = \"/a\"\n",
    ] {
        says_the_same(text);
    }
    // Nothing of what somebody wrote can pass for a line of its own.
    let text = "[[hook]]\non = \"alert\"\nrun = [\"a\\n[source]\\nspec = 1\"]\n";
    assert!(shown(&[("do\nor", text)], ShownValues::All).contains("# do or line 3\n"));
    assert!(
        shown(&[("door", text)], ShownValues::Changed)
            .contains("\"a\\U0000000A[source]\\U0000000Aspec = 1\"")
    );
}

#[test]
fn what_is_refused_is_not_shown() {
    let files = ConfigFiles::of(&[("door.toml", "[source]\nwidth = 1\n")]);
    let refused = show(Some(&files), ShownValues::All).unwrap_err().to_string();
    assert_eq!(refused, "door.toml line 2: source.width is 1; use a whole number from 64 to 4096");
}

/// Lines with which a configuration is likely to be accepted.
fn lines() -> impl Strategy<Value = String> {
    let values: [(&str, Vec<&str>); 6] = [
        (
            "source",
            vec![
                "width = 640",
                "width = 641",
                "rotate = 90",
                "frames_per_second = 10",
                "black_seconds = 5.0",
                "timeout_seconds = 2",
            ],
        ),
        ("detector", vec!["width = 480", "height = 512", "close_faces = false", "score_threshold = 0.5"]),
        (
            "decision",
            vec![
                "votes = 2",
                "window = 6",
                "evidence_seconds = 0.2",
                "hold_seconds = 3",
                "incorrect = \"pass\"",
                "min_look_side = 0",
            ],
        ),
        ("outputs", vec!["backend = \"auto\"", "backend = \"simulated\"", "compute_module = true"]),
        (
            "outputs.red",
            vec![
                "pin = 17",
                "pin = 5",
                "active = \"high\"",
                "alert = \"steady\"",
                "idle = \"blink 1\"",
                "kind = \"relay\"",
            ],
        ),
        ("outputs.green", vec!["pin = 27", "kind = \"led\"", "pass_hold = \"off\""]),
    ];
    let tables: Vec<_> = values
        .into_iter()
        .map(|(table, lines)| {
            prop::sample::subsequence(lines.clone(), 0..=lines.len()).prop_flat_map(move |lines| {
                let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
                let text = format!("[{table}]\n{text}");
                prop::option::of(Just(text)).prop_map(Option::unwrap_or_default)
            })
        })
        .collect();
    tables.prop_map(|tables| {
        // One line of a key is kept.
        let mut seen = std::collections::BTreeSet::new();
        let mut table = String::new();
        let mut text = String::new();
        for line in tables.concat().lines() {
            if line.starts_with('[') {
                table = line.to_owned();
            }
            let key = line.split('=').next().unwrap_or_default();
            if line.starts_with('[') || seen.insert(format!("{table}{key}")) {
                text += &format!("{line}\n");
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn what_is_printed_means_the_same(text in lines()) {
        if Config::parse(&text, "door.toml").is_ok() {
            says_the_same(&text);
        }
    }

    /// A file and a drop-in file are what one file is in which somebody has written the latter into the
    /// former.
    #[test]
    fn two_files_together_are_the_one_that_a_person_would_write(below in lines(), above in lines()) {
        let mut merged: toml::Table = below.parse().unwrap();
        lay_by_hand(&mut merged, above.parse().unwrap());
        let together = Config::of_files(&ConfigFiles::of(&[("a.toml", &below), ("b.toml", &above)]));
        let by_hand = Config::parse(&merged.to_string(), "merged.toml");
        let plain = |config: Config| {
            let mut config = Config { warnings: Vec::new(), ..config };
            // A table of that library is sorted.
            config.outputs.outputs.sort_by(|one, other| one.name.cmp(&other.name));
            config
        };
        match (together, by_hand) {
            (Ok(together), Ok(by_hand)) => prop_assert_eq!(plain(together), plain(by_hand)),
            (together, by_hand) => {
                prop_assert!(together.is_err() && by_hand.is_err(), "{:?} but {:?}", together, by_hand);
            }
        }
    }
}

/// The rule about drop-in files, for values that are no lists of tables.
fn lay_by_hand(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => lay_by_hand(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}
