//! Tests of [`super`]: drop-in files beside a configuration.

use super::*;
use crate::config::files::{LONGEST, MOST_DROP_INS, drop_ins};
use crate::config::{HookEvent, QuietMode};
use std::path::PathBuf;

struct Folder(tempfile::TempDir);

impl Folder {
    /// A configuration file with these drop-in files.
    fn new(main: &str, files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::write(folder.path(), main).unwrap();
        std::fs::create_dir(drop_ins(&folder.path())).unwrap();
        for (name, text) in files {
            folder.put(name, text);
        }
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("door.toml")
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(drop_ins(&self.path()).join(name), text).unwrap();
    }

    fn load(&self) -> Result<Config, String> {
        let shown = format!("{}/", self.0.path().display());
        Config::load(&self.path()).map_err(|error| error.to_string().replace(&shown, ""))
    }
}

#[test]
fn drop_ins_are_laid_over_the_file_key_by_key_in_the_order_of_their_names() {
    let folder = Folder::new(
        "[source]\nspec = \"/dev/video1\"\nwidth = 320\n[outputs.red]\npin = 5\n[[hook]]\non = \"alert\"\nrun = [\"a\"]\n",
        &[
            ("20-b.toml", "[source]\nwidth = 800\n[[hook]]\non = \"fault\"\nrun = [\"c\"]\n"),
            (
                "10-a.toml",
                "[source]\nwidth = 640\nheight = 400\n[outputs.red]\nactive = \"low\"\n[outputs.green]\n[[hook]]\non = \"state\"\nrun = [\"b\"]\n",
            ),
            ("30-off.toml.disabled", "nonsense"),
            (".40-hidden.toml", "nonsense"),
            ("README", "nonsense"),
        ],
    );
    let config = folder.load().unwrap();
    assert_eq!(config.source.spec.to_string(), "/dev/video1");
    assert_eq!((config.source.width, config.source.height), (800, 400));
    let outputs: Vec<_> =
        config.outputs.outputs.iter().map(|output| (output.name.as_str(), output.pin)).collect();
    assert_eq!(outputs, [("red", 5), ("green", 27)]);
    assert_eq!(config.outputs.outputs[0].active, crate::outputs::Active::Low);
    let on: Vec<_> = config.hooks.iter().map(|hook| hook.on).collect();
    assert_eq!(on, [HookEvent::Alert, HookEvent::State, HookEvent::Fault]);
    // An empty list forgets those before it.
    folder.put("15-no-hooks.toml", "hook = []\n");
    assert_eq!(folder.load().unwrap().hooks.len(), 1);
    std::fs::remove_dir_all(drop_ins(&folder.path())).unwrap();
    assert_eq!(folder.load().unwrap().source.width, 320);
}

#[test]
fn a_mistake_names_the_file_and_the_line_in_which_it_is() {
    let folder = |text: &str| {
        let main = "[quiet.a]\nfrom = \"22:00\"\nto = \"06:00\"\nmode = \"off\"\n[outputs.red]\npin = 17\n";
        Folder::new(main, &[("a.toml", "# first\n"), ("b.toml", text)]).load()
    };
    assert_eq!(folder("").unwrap().quiet[0].mode, QuietMode::Off);
    for (text, sentence) in [
        (
            "\n[detector]\nwidth = 500\n",
            "door.toml.d/b.toml line 3: detector.width is 500, not a multiple of 32; use 480 or 512",
        ),
        (
            "\n[quiet.a]\nto = 6\n",
            "door.toml.d/b.toml line 3: quiet.a.to is a number; use a time in quotes, such as \"06:30\"",
        ),
        (
            "[quiet.b]\nto = \"6:00\"\n",
            "door.toml.d/b.toml line 1: quiet.b has no from; add for example from = \"22:00\"",
        ),
        ("[quiet]\na = 1\n", "door.toml.d/b.toml line 2: quiet.a is not known; remove it"),
        (
            "[button]\npin = 17\n",
            "door.toml.d/b.toml line 2: button.pin is 17, which outputs.red uses; give the button its own pin",
        ),
        ("[sauce]\n", "door.toml.d/b.toml line 1: sauce is not known; did you mean source?"),
        (
            "\nvotes = = 1\n",
            "door.toml.d/b.toml line 2, column 9: this is not TOML: extra `=`, expected nothing; write one KEY = VALUE on each line, text in double quotes; a # begins a comment",
        ),
    ] {
        let refused = folder(text).unwrap_err();
        // The parser's own words may change.
        let told = |sentence: &str| sentence.split("TOML:").next().unwrap_or_default().to_owned();
        assert_eq!(told(&refused), told(sentence), "{text}");
    }
    // What is wrong in the file itself, only because of a drop-in file.
    let folder = Folder::new(
        "[decision]\nwindow_seconds = 0.6\n",
        &[("a.toml", "[decision]\nevidence_seconds = 0.8\n")],
    );
    assert_eq!(
        folder.load().unwrap_err(),
        "door.toml.d/a.toml line 2: decision.evidence_seconds is 0.8, longer than window_seconds (0.6); \
         use at most 0.6, or a larger window_seconds"
    );
}

#[test]
fn what_is_too_much_or_cannot_be_read_is_refused() {
    let folder = Folder::new("", &[]);
    for index in 0..MOST_DROP_INS {
        folder.put(&format!("{index}.toml"), "");
    }
    assert_eq!(folder.load(), Ok(Config::default()));
    folder.put("one-more.toml", "");
    assert_eq!(
        folder.load().unwrap_err(),
        "door.toml.d has more files than the 64 that are read; put several into one, or remove some"
    );
    let half = format!("#{}\n", "-".repeat(LONGEST as usize / 2));
    let folder = Folder::new(&half, &[("a.toml", &half)]);
    assert_eq!(
        folder.load().unwrap_err(),
        "door.toml.d/a.toml makes the configuration longer than 1 MiB; remove what does not belong there"
    );
    let folder = Folder::new("", &[("a.toml", "")]);
    std::fs::create_dir(drop_ins(&folder.path()).join("b.toml")).unwrap();
    assert!(folder.load().unwrap_err().starts_with("door.toml.d/b.toml cannot be read: "));
    let folder = Folder::new("", &[]);
    std::fs::remove_dir(drop_ins(&folder.path())).unwrap();
    std::fs::write(drop_ins(&folder.path()), "").unwrap();
    let refused = folder.load().unwrap_err();
    assert!(refused.starts_with("door.toml.d cannot be read: "), "{refused}");
}
