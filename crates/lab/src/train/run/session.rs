//! Where a run keeps its files, and how much of it is done in this session.

use crate::train::error::TrainError;
use maskwatch::nn::weights::Weights;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a run keeps its files, and how much of it is done now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// Folder of checkpoint, history, curves and the resulting weights.
    pub output: PathBuf,
    /// Go on with the run in the output folder.
    pub resume: bool,
    /// Stop after this many epochs or steps (at the next measurement), to go on another time.
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

    /// Makes the output folder; gives the checkpoint that the run goes on from, if it is to go on and there
    /// is one.
    ///
    /// # Errors
    /// The folder cannot be made, the checkpoint cannot be read, or there is one but the session does not
    /// resume.
    pub(in crate::train) fn begin(&self) -> Result<Option<Weights>, TrainError> {
        let path = self.checkpoint();
        if !path.exists() {
            std::fs::create_dir_all(&self.output)
                .map_err(|source| TrainError::File { path: self.output.clone(), source })?;
            return Ok(None);
        }
        if !self.resume {
            let reason = "a run was started here; continue it with --resume, or name another --output";
            return Err(TrainError::Checkpoint { path, reason: reason.to_owned() });
        }
        Ok(Some(Weights::load(&path)?))
    }

    /// Where this session ends in a run of `length` units, of which `done` are done, that can stop at
    /// multiples of `every`.
    pub(super) fn end(&self, done: u64, length: u64, every: u64) -> u64 {
        let asked = self.stop_after.map_or(length, |count| done.saturating_add(count));
        asked.checked_next_multiple_of(every).unwrap_or(length).min(length)
    }
}
