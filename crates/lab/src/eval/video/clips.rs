//! The table of clips, and what the door must show at each.

use maskwatch::decide::DoorState;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What the door must show at a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// An alert, and *pass* never.
    Alert,
    /// *pass*, and later an alert.
    PassThenAlert,
    /// *pass* at some time, and no alert for a single frame.
    PassNeverAlert,
    /// Nothing but *idle*.
    Idle,
}

const NAMES: [(&str, Expected); 4] = [
    ("alert", Expected::Alert),
    ("pass then alert", Expected::PassThenAlert),
    ("pass and never alert", Expected::PassNeverAlert),
    ("idle and nothing else", Expected::Idle),
];

impl Expected {
    /// Whether these states, in the order in which they were shown, are right.
    #[must_use]
    pub fn is_met(self, states: &[DoorState]) -> bool {
        let first = |wanted: DoorState| states.iter().position(|state| *state == wanted);
        match (self, first(DoorState::Pass), first(DoorState::Alert)) {
            (Self::Alert, pass, alert) => pass.is_none() && alert.is_some(),
            (Self::PassThenAlert, Some(pass), Some(alert)) => pass < alert,
            (Self::PassNeverAlert, Some(_), None) => true,
            (Self::PassThenAlert | Self::PassNeverAlert, ..) => false,
            (Self::Idle, ..) => states.iter().all(|state| *state == DoorState::Idle),
        }
    }

    /// Whether an alert is wrong here.
    #[must_use]
    pub fn forbids_alerts(self) -> bool {
        matches!(self, Self::PassNeverAlert | Self::Idle)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, expected)| expected == self).map_or("", |(name, _)| name);
        out.pad(name)
    }
}

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text.trim()).map(|(_, expected)| *expected);
        let known = || NAMES.map(|(name, _)| format!("\"{name}\"")).join(", ");
        found.ok_or_else(|| format!("\"{text}\" cannot be expected; use one of {}", known()))
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoClip {
    /// Its name in the table.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What the door must show.
    pub expected: Expected,
}

/// Why the table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be read, or is no table with the columns clip and expect.
    #[error("{}: {problem}; it needs the columns clip and expect", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What the reader says.
        problem: String,
    },
    /// A row expects something unknown.
    #[error("{} line {line}: {problem}", path.display())]
    Expected {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// The table has no rows.
    #[error("{} is empty; add rows with a clip and what the door must show", .0.display())]
    Empty(PathBuf),
}

#[derive(serde::Deserialize)]
struct Row {
    clip: String,
    expect: String,
}

/// Reads a table with the columns clip (a file beside the table) and expect.
///
/// # Errors
/// When the table cannot be read or expects something unknown.
pub fn read(path: &Path) -> Result<Vec<VideoClip>, TableError> {
    let table = |error: csv::Error| TableError::Table { path: path.into(), problem: error.to_string() };
    let mut clips = Vec::new();
    for (index, row) in csv::Reader::from_path(path).map_err(table)?.deserialize().enumerate() {
        let Row { clip, expect } = row.map_err(table)?;
        let line = index as u64 + 2;
        let expected =
            expect.parse().map_err(|problem| TableError::Expected { path: path.into(), line, problem })?;
        clips.push(VideoClip { path: path.with_file_name(&clip), name: clip, expected });
    }
    if clips.is_empty() { Err(TableError::Empty(path.into())) } else { Ok(clips) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_compared_with_what_was_shown() {
        use DoorState::{Alert, Idle, Look, Pass};
        let met = |text: &str, states: &[DoorState]| text.parse::<Expected>().unwrap().is_met(states);
        assert!(met("alert", &[Idle, Look, Alert, Idle]) && !met("alert", &[Idle, Pass, Alert]));
        assert!(!met("alert", &[Idle]));
        assert!(met("pass then alert", &[Idle, Pass, Alert]) && !met("pass then alert", &[Alert, Pass]));
        assert!(!met("pass then alert", &[Pass]) && !met("pass then alert", &[Alert]));
        assert!(met("pass and never alert", &[Idle, Pass, Look]));
        assert!(!met("pass and never alert", &[Pass, Alert]) && !met("pass and never alert", &[Look]));
        assert!(met("idle and nothing else", &[Idle]) && !met("idle and nothing else", &[Idle, Look]));
        assert!("pass sometimes".parse::<Expected>().is_err());
    }
}
