//! What a check finds, what a daemon tells, and where the system's files are.

use serde::Serialize;
use std::path::{Path, PathBuf};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// In order.
    Ok,
    /// The door works, but not as well as it could.
    Warn,
    /// The door does not work, or not safely.
    Error,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// What was checked, in a word.
    pub check: &'static str,
    /// How it ended.
    pub level: Severity,
    /// What was found, and the mend where one is needed, in one sentence.
    pub text: String,
}

impl Diagnosis {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Severity::Ok, text: text.into() }
    }

    pub(super) fn warn(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Severity::Warn, text: text.into() }
    }

    pub(super) fn error(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Severity::Error, text: text.into() }
    }
}

/// What a daemon that runs says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct DaemonReport {
    /// What the door shows, in one sentence.
    pub status: String,
    /// What is wrong.
    pub fault: Option<String>,
    /// Frames that it looked at in the last seconds, per second.
    pub looks_per_second: Option<f64>,
}

/// The folder below which the system's files are read: `/`, but for tests.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// The system below `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// The text of a file, without spaces and zero bytes at its ends; `None` where it cannot be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let bytes = std::fs::read(self.path(path)).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }
}

/// A system with these files, which lasts as long as its folder.
#[cfg(test)]
pub(super) fn fake(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = Root::new(folder.path());
    (folder, root)
}
