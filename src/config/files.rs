//! The files of a configuration: the file that was named, and beside it the drop-in files of `FILE.d`, in the
//! order of their names.

use super::error::ConfigError;
use super::layers::SourceText;
use crate::plain_file;
use std::ffi::OsString;
use std::io::{Error, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Maximum length of all files together in bytes.
pub const LONGEST: u64 = 1 << 20;
/// Drop-in files at most.
pub(super) const MOST_DROP_INS: usize = 64;
/// What a folder of drop-in files may hold besides: files of other names are passed over.
const MOST_ENTRIES: usize = 4096;

/// The text of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ConfigText {
    /// The path, for people to read.
    name: String,
    text: String,
}

/// The files of a configuration as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigFiles(Vec<ConfigText>);

/// The folder of drop-in files that belongs to the configuration file `path`.
#[must_use]
pub fn drop_ins(path: &Path) -> PathBuf {
    let mut folder = OsString::from(path);
    folder.push(".d");
    folder.into()
}

/// The drop-in files of the configuration file `path`, in the order in which they count.
fn drop_in_files(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = drop_ins(path);
    let name = folder.display().to_string();
    let unreadable = |error: Error| ConfigError::unreadable_folder(&name, &error);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for (index, entry) in entries.enumerate() {
        let path = entry.map_err(unreadable)?.path();
        // Hidden ones are what editors leave behind while they write.
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
        if files.len() > MOST_DROP_INS || index >= MOST_ENTRIES {
            return Err(ConfigError::TooMany { folder: name, most: MOST_DROP_INS });
        }
    }
    files.sort();
    Ok(files)
}

/// The configuration file `path` and its drop-in files, in the order in which they count.
///
/// # Errors
/// [`ConfigError`], one sentence, if the folder of the drop-in files cannot be read or has too many.
pub fn config_files(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    Ok(std::iter::once(path.to_owned()).chain(drop_in_files(path)?).collect())
}

/// The bytes of a file, not many more than `most`.
fn bytes(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    plain_file::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl ConfigFiles {
    /// Reads the configuration file `path` and its drop-in files.
    ///
    /// # Errors
    /// [`ConfigError`], one sentence, if one of them cannot be read or is no text, or if there are too many.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut files = Self::default();
        let mut left = LONGEST;
        for path in config_files(path)? {
            let name = path.display().to_string();
            let bytes = bytes(&path, left).map_err(|error| ConfigError::unreadable(&name, &path, &error))?;
            left = match left.checked_sub(bytes.len() as u64) {
                Some(left) => left,
                None if files.0.is_empty() => return Err(ConfigError::TooLong { file: name }),
                None => return Err(ConfigError::TooLongTogether { file: name }),
            };
            let text = std::str::from_utf8(&bytes)
                .map_err(|error| ConfigError::not_text(&name, &bytes, error.valid_up_to()))?;
            files.0.push(ConfigText { name, text: text.to_owned() });
        }
        Ok(files)
    }

    /// What can be read of the texts of the configuration file `path` and its drop-in files, though some of
    /// it cannot.
    pub(super) fn salvage(path: &Path) -> Vec<String> {
        let all = std::iter::once(path.to_owned()).chain(drop_in_files(path).unwrap_or_default());
        let readable = all.filter_map(|path| bytes(&path, LONGEST).ok());
        readable.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    /// Files that were not read but are these, each a name and a text.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(name, text): &(&str, &str)| ConfigText { name: (*name).into(), text: (*text).into() };
        Self(files.iter().map(file).collect())
    }

    pub(super) fn texts(&self) -> Vec<SourceText<'_>> {
        self.0.iter().map(|file| SourceText { text: &file.text, file: &file.name }).collect()
    }
}
