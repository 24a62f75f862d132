//! Where the daemon keeps or opens something: at a place of its own choice, at a path, or nowhere.

use super::error::ConfigError;
use super::reader::{Section, Sourced};
use crate::text::{LONGEST_QUOTE, shortened};
use std::path::PathBuf;

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PathChoice {
    /// In the folder that systemd has made for the service; nowhere if it has made none.
    #[default]
    Usual,
    /// Nowhere.
    Nowhere,
    /// At this path.
    At(PathBuf),
}

/// Reads the path `key`, such as `example`, of at most `longest` bytes. Empty text is nowhere.
pub(super) fn place(
    section: &mut Section<'_>,
    key: &str,
    example: &str,
    longest: usize,
) -> Result<PathChoice, ConfigError> {
    Ok(match section.text_or_empty(key)? {
        None => PathChoice::Usual,
        Some(path) if path.value.is_empty() => PathChoice::Nowhere,
        Some(path) => PathChoice::At(checked(section, &path, example, longest)?),
    })
}

/// The path `path` of at most `longest` bytes, such as `example`, if it is absolute.
pub(super) fn checked(
    section: &Section<'_>,
    path: &Sourced<String>,
    example: &str,
    longest: usize,
) -> Result<PathBuf, ConfigError> {
    if !path.value.starts_with('/') {
        let shown = shortened(&path.value, LONGEST_QUOTE);
        let problem = format!("is \"{shown}\", not an absolute path; write for example \"{example}\"");
        return Err(section.refuse(path, problem));
    }
    if path.value.len() > longest || path.value.contains('\0') {
        let problem = format!("is not a path that can be used; use at most {longest} bytes without NUL");
        return Err(section.refuse(path, problem));
    }
    Ok(path.value.clone().into())
}
