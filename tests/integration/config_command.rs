//! `maskwatch config`: shows, compares and copies a configuration with its drop-in files.

use super::command::{Ended, run};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A file with a password and a drop-in file.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        std::fs::write(files.path(), "[source]\nspec = \"rtsp://me:secret@door/1\"\nwidth = 640\n").unwrap();
        std::fs::create_dir(files.drop_ins()).unwrap();
        let drop_in = files.drop_ins().join("10-night.toml");
        std::fs::write(&drop_in, "[quiet.night]\nfrom = \"22:00\"\nto = \"06:30\"\n").unwrap();
        std::fs::set_permissions(drop_in, PermissionsExt::from_mode(0o640)).unwrap();
        files
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("door.toml")
    }

    fn drop_ins(&self) -> PathBuf {
        self.0.path().join("door.toml.d")
    }

    /// Runs `maskwatch config` with the file; its folder is left out of what is printed.
    fn config(&self, arguments: &[&str]) -> Ended {
        let file = format!("--config={}", self.path().display());
        let all: Vec<&str> = ["config", file.as_str()].iter().chain(arguments).copied().collect();
        let mut ended = run(env!("CARGO_BIN_EXE_maskwatch"), &all);
        let folder = format!("{}/", self.0.path().display());
        (ended.stdout, ended.stderr) = (ended.stdout.replace(&folder, ""), ended.stderr.replace(&folder, ""));
        ended
    }

    /// The folders of copies in `folder`.
    fn copies(&self, folder: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.path().join(folder)).unwrap();
        let mut copies: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        copies.sort();
        copies
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn values_are_shown_with_their_origins_and_without_credentials() {
    let files = Files::new();
    let shown = files.config(&["show"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    for line in [
        "spec = \"rtsp://***@door/1\"  # door.toml line 2",
        "width = 640  # door.toml line 3",
        "height = 480  # default",
        "to = \"06:30\"  # door.toml.d/10-night.toml line 3",
    ] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "{line} is not in\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains("secret"));
    // What is shown is a configuration.
    let again = files.0.path().join("again.toml");
    std::fs::write(&again, shown.stdout).unwrap();
    let checked =
        run(env!("CARGO_BIN_EXE_maskwatch"), &["run", "--check", "--config", again.to_str().unwrap()]);
    assert_eq!((checked.code, checked.stdout.as_str()), (Some(0), "the configuration is fine\n"));
    let differs = files.config(&["diff"]);
    assert_eq!(
        differs.stdout,
        "[source]\nspec = \"rtsp://***@door/1\"  # door.toml line 2; default \"/dev/video0\"\n\n\
         [quiet.night]\nfrom = \"22:00\"  # door.toml.d/10-night.toml line 2\n\
         to = \"06:30\"  # door.toml.d/10-night.toml line 3\n"
    );
}

#[test]
fn a_mistake_in_a_drop_in_file_is_named_by_show_and_by_a_check() {
    let files = Files::new();
    std::fs::write(files.drop_ins().join("20.toml"), "\n[detector]\nwidth = 500\n").unwrap();
    let sentence = "door.toml.d/20.toml line 3: detector.width is 500, not a multiple of 32; use 480 or 512";
    for arguments in [&["show"][..], &["diff"]] {
        let refused = files.config(arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        assert_eq!(refused.stderr, format!("error: {sentence}\n"));
    }
    let file = files.path();
    let checked =
        run(env!("CARGO_BIN_EXE_maskwatch"), &["run", "--check", "--config", file.to_str().unwrap()]);
    assert!(checked.code == Some(1) && checked.stderr.contains(sentence), "{checked:?}");
}

#[test]
fn a_copy_has_all_files_as_they_are_and_no_copy_is_written_over() {
    let files = Files::new();
    // Also what is refused: that is when somebody wants the copy of before.
    std::fs::write(files.drop_ins().join("20.toml"), b"\xff nonsense").unwrap();
    let folder = files.0.path().join("copies");
    let copy = || files.config(&["backup", folder.to_str().unwrap()]);
    let first = copy();
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""), "{first:?}");
    assert!(first.stdout.starts_with("copies/door-2") && first.stdout.ends_with(": 3 files\n"), "{first:?}");
    let [copied] = files.copies("copies").try_into().unwrap();
    let same = |name: &str| {
        let [one, other] = [&files.0.path().join(name), &copied.join(name)]
            .map(|path| (std::fs::read(path).unwrap(), mode(path)));
        assert_eq!(one, other, "{name}");
    };
    ["door.toml", "door.toml.d/10-night.toml", "door.toml.d/20.toml"].into_iter().for_each(same);
    assert_eq!(mode(&copied), 0o700, "it may hold credentials");
    // The first copy stays as it was, whatever the file says by then, even within the same second.
    std::fs::write(files.path(), "").unwrap();
    for _ in 0..3 {
        assert_eq!(copy().code, Some(0));
    }
    assert_eq!(files.copies("copies").len(), 4);
    assert!(std::fs::read_to_string(copied.join("door.toml")).unwrap().contains("secret"));
}

#[test]
fn a_copy_that_cannot_be_made_is_an_error_and_leaves_nothing() {
    let files = Files::new();
    let nowhere = files.config(&["backup", "/proc/copies"]);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.starts_with("error: /proc/copies cannot be made; name a folder"), "{nowhere:?}");
    std::fs::create_dir(files.drop_ins().join("30.toml")).unwrap();
    let folder = files.0.path().join("copies");
    let broken = files.config(&["backup", folder.to_str().unwrap()]);
    assert!(
        broken.code == Some(1) && broken.stderr.contains("door.toml.d/30.toml cannot be copied"),
        "{broken:?}"
    );
    assert_eq!(files.copies("copies"), [] as [PathBuf; 0]);
    std::fs::remove_file(files.path()).unwrap();
    let missing = files.config(&["show"]);
    assert!(missing.code == Some(1) && missing.stderr.contains("door.toml cannot be read"), "{missing:?}");
}
