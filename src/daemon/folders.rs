//! The folders that systemd makes for the service.

use std::path::{Path, PathBuf};

/// The runtime folder of the service that the package installs; those of further doors are below it.
pub(super) const RUNTIME_FOLDER: &str = "/run/maskwatch";

/// The state folder of the service that the package installs; those of further doors are below it.
pub(super) const STATE_FOLDER: &str = "/var/lib/maskwatch";

/// The state folder of this process, if systemd has made one for it.
#[must_use]
pub fn state_folder() -> Option<PathBuf> {
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

/// Whether this is the service of one of several doors on the board: its runtime folder is below the
/// service's.
#[must_use]
pub fn is_one_of_several() -> bool {
    runtime_folder().is_some_and(|folder| is_below_service(&folder))
}

fn is_below_service(folder: &Path) -> bool {
    folder.parent() == Some(Path::new(RUNTIME_FOLDER))
}

/// The folder of the door `door` below that of the service, whose own name is a door's, too.
pub(super) fn folder_of(folder: &Path, door: &str) -> PathBuf {
    let below = folder.join(door);
    let is_own = folder.file_name().is_some_and(|name| name == door);
    if is_own && !below.is_dir() { folder.to_owned() } else { below }
}

fn first_of(variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|folders| !folders.is_empty())?;
    let folders = named.to_string_lossy().into_owned();
    // Several folders are separated by colons.
    Some(PathBuf::from(folders.split(':').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_among_several_is_known_by_its_folder() {
        for (folder, is_one) in [
            ("/run/maskwatch", false),
            ("/run/maskwatch/north", true),
            ("/run/maskwatch/north/more", false),
            ("/tmp/maskwatch/north", false),
        ] {
            assert_eq!(is_below_service(Path::new(folder)), is_one, "{folder}");
        }
        // What the unit says is what is looked for here.
        let unit = include_str!("../../systemd/maskwatch@.service");
        assert!(unit.lines().any(|line| line == "RuntimeDirectory=maskwatch/%i"));
        assert!(unit.lines().any(|line| line == "StateDirectory=maskwatch/%i"));
    }
}
