//! Where the local socket is, for the daemon that makes it and the commands that look for it.

use crate::config::PathChoice;
use crate::daemon::folders::{RUNTIME_FOLDER, folder_of, runtime_folder};
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Its name in the service's runtime folder.
const FILE: &str = "maskwatch.sock";
/// The daemon's user and group may connect, and nobody else.
const RIGHTS: u32 = 0o660;

/// Where the configuration wants the socket; `None` for nowhere.
#[must_use]
pub fn wanted(config: &PathChoice) -> Option<PathBuf> {
    match config {
        PathChoice::Usual => runtime_folder().map(|folder| folder.join(FILE)),
        PathChoice::Nowhere => None,
        PathChoice::At(path) => Some(path.clone()),
    }
}

/// The socket of the service `door`, or of the only one that there is.
///
/// # Errors
/// One sentence, if there are none or several.
pub fn find(door: Option<&str>) -> Result<PathBuf, String> {
    find_below(Path::new(RUNTIME_FOLDER), door)
}

fn find_below(folder: &Path, door: Option<&str>) -> Result<PathBuf, String> {
    if let Some(door) = door {
        return Ok(folder_of(folder, door).join(FILE));
    }
    let mut found = vec![folder.join(FILE)];
    let doors = std::fs::read_dir(folder).into_iter().flatten().flatten();
    found.extend(doors.map(|entry| entry.path().join(FILE)));
    found.retain(|path| path.exists());
    found.sort();
    match found.as_slice() {
        [] => Err(format!(
            "no socket is found in {}; start the service, or name its socket with --socket. Only members of its group \
             see it (sudo usermod -aG maskwatch $USER, then log in again)",
            folder.display()
        )),
        [path] => Ok(path.clone()),
        several => {
            let doors: Vec<String> = several.iter().map(|path| door_name(path)).collect();
            Err(format!("there are several doors ({}); name one with --door", doors.join(", ")))
        }
    }
}

/// The name of the door whose socket is at `path`: that of its folder.
#[must_use]
pub fn door_name(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map_or_else(|| "maskwatch".into(), |name| name.to_string_lossy().into_owned())
}

/// Makes the socket.
pub(super) fn bind(path: &Path) -> Result<UnixListener, String> {
    let named = path.display();
    make_way(path)?;
    let listener = UnixListener::bind(path).map_err(|error| {
        let mend = match error.kind() {
            ErrorKind::NotFound => "make its folder, or name another path in socket.path",
            ErrorKind::PermissionDenied => "let the daemon's user write its folder, or name another path",
            _ => "name another path in socket.path, or \"\" for no socket",
        };
        format!("no socket can be made at {named} ({error}); {mend}")
    })?;
    let set = std::fs::set_permissions(path, Permissions::from_mode(RIGHTS))
        .and_then(|()| listener.set_nonblocking(true));
    set.map_err(|error| format!("the rights of {named} cannot be set ({error})"))?;
    Ok(listener)
}

/// Removes the socket of a daemon that was killed. Anything else at its place stays.
fn make_way(path: &Path) -> Result<(), String> {
    let named = path.display();
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            Err(format!("{named} is there and not a socket; name another path in socket.path"))
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err(format!("another process listens at {named}; name another path in socket.path")),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                remove(path);
                Ok(())
            }
            // Too many clients wait there, or it may not be used.
            Err(error) => Err(format!("{named} is there already and answers with an error ({error})")),
        },
        Err(_) => Ok(()),
    }
}

/// Removes the socket; one that has gone already is as good.
pub(super) fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_of_a_killed_daemon_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("door.sock");
        drop(bind(&path).unwrap());
        let second = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, RIGHTS);
        assert!(bind(&path).unwrap_err().contains("another process listens at"));
        drop(second);
        remove(&path);
        std::fs::write(&path, "letter").unwrap();
        assert!(bind(&path).unwrap_err().contains("is there and not a socket"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "letter");
        let nowhere = bind(&folder.path().join("no/door.sock")).unwrap_err();
        assert!(nowhere.ends_with("make its folder, or name another path in socket.path"), "{nowhere}");
    }

    #[test]
    fn the_only_door_needs_no_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find_below(folder.path(), None).unwrap_err().contains("start the service"));
        for door in ["north", "south"] {
            std::fs::create_dir(folder.path().join(door)).unwrap();
        }
        let north = folder.path().join("north").join(FILE);
        let _north = bind(&north).unwrap();
        assert_eq!(find_below(folder.path(), None), Ok(north.clone()));
        let _south = bind(&folder.path().join("south").join(FILE)).unwrap();
        let several = find_below(folder.path(), None).unwrap_err();
        assert_eq!(several, "there are several doors (north, south); name one with --door");
        assert_eq!(find_below(folder.path(), Some("north")), Ok(north));
        // The service without a name has that of its folder.
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(find_below(folder.path(), Some(name)), Ok(folder.path().join(FILE)));
    }
}
