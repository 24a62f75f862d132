//! Files of a run, written as a whole or not at all.

use crate::train::error::TrainError;
use atomic_write_file::AtomicWriteFile;
use std::io::Write;
use std::path::Path;

/// Writes a file as a whole or not at all; it is on the disk when this returns.
pub(in crate::train) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let write = || -> std::io::Result<()> {
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(bytes)?;
        file.commit()
    };
    write().map_err(|source| TrainError::File { path: path.to_owned(), source })
}
