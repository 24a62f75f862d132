//! Runs a command as a user does, and looks at how it ended.
#![allow(dead_code)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long one command may take before it counts as hung; generous, for slow and busy machines (a minute was
/// too short where others compiled beside it).
const LIMIT: Duration = Duration::from_secs(600);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The folder with the networks under test: `$MASKWATCH_MODELS`, or the shipped ones.
pub(crate) fn models() -> PathBuf {
    let shipped = || {
        [".", "../.."].map(|root| Path::new(root).join("models")).into_iter().find(|folder| folder.is_dir())
    };
    std::env::var_os("MASKWATCH_MODELS").map(PathBuf::from).or_else(shipped).unwrap_or_default()
}

/// Runs `program` with `arguments` and kills it, failing the test, when it does not end by itself.
///
/// # Panics
/// When it cannot be run or hangs.
pub(crate) fn run<Argument: AsRef<std::ffi::OsStr>>(program: &str, arguments: &[Argument]) -> Ended {
    let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    let folder = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    let mut child = Command::new(program)
        .args(&arguments)
        .env("MASKWATCH_MODELS", models())
        .stdin(Stdio::null())
        .stdout(File::create(&stdout).unwrap())
        .stderr(File::create(&stderr).unwrap())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{program} {arguments:?} did not end within {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |path: &Path| String::from_utf8(std::fs::read(path).unwrap()).expect("output is UTF-8");
    Ended { code: status.code(), stdout: text(&stdout), stderr: text(&stderr) }
}

impl Ended {
    /// Makes sure that it failed as a user wants it to: no panic, no signal, and at least one sentence that
    /// says why.
    ///
    /// # Panics
    /// When it did not.
    pub(crate) fn assert_refused(&self, what: &str) {
        assert!(matches!(self.code, Some(1 | 2)), "{what}: {self:?}");
        assert!(!self.stderr.contains("panicked at"), "{what}: {self:?}");
        let sentence = self.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).next();
        assert!(sentence.is_some_and(|sentence| sentence.len() > 10), "{what}: {self:?}");
    }
}
