//! The folders that systemd makes for the service.

use std::path::PathBuf;

/// The runtime folder of the service that the package installs; those of further doors are below it.
pub(super) const RUNTIME_FOLDER: &str = "/run/maskwatch";

/// The state folder of the service that the package installs; those of further doors are below it.
pub(super) const STATE_FOLDER: &str = "/var/lib/maskwatch";

/// The state folder of this process, if systemd has made one for it.
pub(super) fn state_folder() -> Option<PathBuf> {
    first_of("STATE_DIRECTORY")
}

/// The runtime folder of this process, if systemd has made one for it.
pub(super) fn runtime_folder() -> Option<PathBuf> {
    first_of("RUNTIME_DIRECTORY")
}

/// The name of the door: that of its runtime folder, or the program's.
#[must_use]
pub fn door_name() -> String {
    let folder = runtime_folder();
    let name = folder.as_ref().and_then(|folder| folder.file_name());
    name.map_or_else(|| "maskwatch".into(), |name| name.to_string_lossy().into_owned())
}

fn first_of(variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|folders| !folders.is_empty())?;
    let folders = named.to_string_lossy().into_owned();
    // Several folders are separated by colons.
    Some(PathBuf::from(folders.split(':').next().unwrap_or_default()))
}
