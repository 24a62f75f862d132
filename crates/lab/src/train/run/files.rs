//! Files of a run, written as a whole or not at all.

use crate::train::error::TrainError;
use std::path::Path;

/// Writes a file as a whole or not at all.
pub(in crate::train) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|source| TrainError::File { path: path.to_owned(), source })
}
