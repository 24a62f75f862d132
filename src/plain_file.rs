//! Small files that a configuration names. Only regular ones are read, up to a bound: a pipe or a device
//! could keep its reader waiting for ever, and give more than the memory holds.

use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens the regular file `path` without waiting.
///
/// # Errors
/// Those of the system, and one for anything but a regular file.
pub(crate) fn open(path: &Path) -> Result<File> {
    // Looked at before, since opening some devices has effects, and after, since it may be another one by
    // then.
    regular(&std::fs::metadata(path)?)?;
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of the regular file `path`, of which there may be `most`.
///
/// # Errors
/// As [`open`], and [`ErrorKind::FileTooLarge`] for a longer one.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

/// As [`read`], for text in UTF-8.
///
/// # Errors
/// As [`read`], and [`ErrorKind::InvalidData`] for anything but UTF-8.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(read(path, most)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Whether `path` is free to be written whole: nothing is there, or a regular file. A device must not give
/// way to one.
///
/// # Errors
/// Those of the system, and one for anything but a regular file.
#[cfg_attr(not(feature = "web"), allow(dead_code, reason = "only the page's password is written like this"))]
pub(crate) fn may_be_replaced(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(about) => regular(&about),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn regular(about: &Metadata) -> Result<()> {
    let kind = about.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let found = if kind.is_dir() { "it is a folder" } else { "it is a pipe or a device" };
    Err(Error::new(ErrorKind::InvalidInput, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn only_a_regular_file_of_some_length_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        std::fs::write(&file, "four").unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"four");
        assert_eq!(read(&file, 3).unwrap_err().kind(), ErrorKind::FileTooLarge);
        std::fs::write(&file, [0xff]).unwrap();
        assert_eq!(read_text(&file, 4).unwrap_err().kind(), ErrorKind::InvalidData);
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        for (path, found) in [(&*pipe, "a pipe or a device"), (Path::new("/dev/zero"), "a pipe or a device")]
        {
            assert!(read(path, 4).unwrap_err().to_string().contains(found), "{}", path.display());
        }
        assert!(read(folder.path(), 4).unwrap_err().to_string().contains("a folder"));
        let none = folder.path().join("none");
        assert_eq!(read(&none, 4).unwrap_err().kind(), ErrorKind::NotFound);
        let replaceable =
            [&*file, &*none, &*pipe, Path::new("/dev/null")].map(|path| may_be_replaced(path).is_ok());
        assert_eq!(replaceable, [true, true, false, false]);
    }
}
