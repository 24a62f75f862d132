//! The files of a run, and how much of it this session does.

use crate::train::error::TrainError;
use maskwatch::nn::weights::Weights;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of a run, and how much of it this session does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// Folder of checkpoint, history, curves and the resulting weights.
    pub output: PathBuf,
    /// Continue the run in the output folder.
    pub resume: bool,
    /// Stop at the first measurement after this many epochs or steps.
    pub stop_after: Option<u64>,
    /// Added to the metadata of the resulting weights.
    pub about: BTreeMap<String, String>,
}

impl Session {
    /// A session that begins a run in the folder `output` and ends with it.
    #[must_use]
    pub fn new(output: &Path) -> Self {
        Self { output: output.to_owned(), ..Self::default() }
    }

    /// A file in the output folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.output.join(name)
    }

    pub(super) fn checkpoint(&self) -> PathBuf {
        self.file("checkpoint.safetensors")
    }

    /// The checkpoint that the run goes on from, if the session resumes and there is one.
    ///
    /// # Errors
    /// The checkpoint cannot be read, or there is one but the session does not resume.
    pub(in crate::train) fn begin(&self) -> Result<Option<Weights>, TrainError> {
        let path = self.checkpoint();
        match (path.exists(), self.resume) {
            (false, _) => Ok(None),
            (true, true) => Ok(Some(Weights::load(&path)?)),
            (true, false) => {
                let reason = "a run was started here; continue it with --resume, or name another --output";
                Err(TrainError::Checkpoint { path, reason: reason.to_owned() })
            }
        }
    }

    /// Makes the output folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub(in crate::train) fn make_folder(&self) -> Result<(), TrainError> {
        std::fs::create_dir_all(&self.output)
            .map_err(|source| TrainError::File { path: self.output.clone(), source })
    }

    /// Where this session ends in a run of `length` units, of which `done` are done, that can stop at
    /// multiples of `every`.
    pub(super) fn end(&self, done: u64, length: u64, every: u64) -> u64 {
        let asked = self.stop_after.map_or(length, |count| done.saturating_add(count));
        asked.checked_next_multiple_of(every).unwrap_or(length).min(length)
    }
}
