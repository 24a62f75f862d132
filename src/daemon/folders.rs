//! The folders that systemd makes for the service.

use std::path::PathBuf;

/// The runtime folder of the service that the package installs; those of further doors are below it.
pub(super) const RUNTIME_FOLDER: &str = "/run/maskwatch";

/// The runtime folder of this process, if systemd has made one for it.
pub(super) fn runtime_folder() -> Option<PathBuf> {
    let named = std::env::var_os("RUNTIME_DIRECTORY").filter(|folders| !folders.is_empty())?;
    let folders = named.to_string_lossy().into_owned();
    // Several folders are separated by colons.
    Some(PathBuf::from(folders.split(':').next().unwrap_or_default()))
}
