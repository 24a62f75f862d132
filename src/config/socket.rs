//! The section `[socket]`: where other programs on the board reach the daemon.

use super::error::ConfigError;
use super::reader::{Section, Sourced};
use std::path::PathBuf;

/// Longest path of a socket in bytes; the kernel's address has 108, one of which ends it.
const LONGEST_PATH: usize = 107;

/// Where the local socket is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SocketPath {
    /// `maskwatch.sock` in the service's runtime directory; none where systemd has made no such directory.
    #[default]
    Usual,
    /// There is none.
    None,
    /// At this path.
    At(PathBuf),
}

/// Reads `[socket]`.
pub(super) fn socket(mut section: Section<'_>) -> Result<SocketPath, ConfigError> {
    let path = match section.text_or_empty("path")? {
        None => SocketPath::Usual,
        Some(path) if path.value.is_empty() => SocketPath::None,
        Some(path) => SocketPath::At(checked(&section, &path)?),
    };
    section.finish()?;
    Ok(path)
}

fn checked(section: &Section<'_>, path: &Sourced<String>) -> Result<PathBuf, ConfigError> {
    if !path.value.starts_with('/') {
        let problem = format!(
            "is \"{}\", not an absolute path; write for example \"/run/maskwatch/maskwatch.sock\"",
            path.value
        );
        return Err(section.refuse(path, problem));
    }
    if path.value.len() > LONGEST_PATH || path.value.contains('\0') {
        let problem = format!("is no path that a socket can have; use at most {LONGEST_PATH} bytes");
        return Err(section.refuse(path, problem));
    }
    Ok(path.value.clone().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SocketPath, String> {
        let mut root = Section::root(text, "door.toml").map_err(|error| error.to_string())?;
        let section = root.section("socket").map_err(|error| error.to_string())?;
        socket(section).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_is_usual_none_or_absolute() {
        assert_eq!(read(""), Ok(SocketPath::Usual));
        assert_eq!(read("[socket]\npath = \"\"\n"), Ok(SocketPath::None));
        assert_eq!(read("[socket]\npath = \"/run/door\"\n"), Ok(SocketPath::At("/run/door".into())));
    }

    #[test]
    fn mistakes_are_refused_with_the_mend() {
        let relative = read("[socket]\npath = \"door.sock\"\n").unwrap_err();
        assert_eq!(
            relative,
            "door.toml line 2: socket.path is \"door.sock\", not an absolute path; write for example \
             \"/run/maskwatch/maskwatch.sock\""
        );
        let long = read(&format!("[socket]\npath = \"/{}\"\n", "a".repeat(107))).unwrap_err();
        assert!(long.ends_with("use at most 107 bytes"), "{long}");
        assert!(read("[socket]\npath = 1\n").unwrap_err().contains("is a number; use text in quotes"));
        assert!(read("[socket]\npth = \"/a\"\n").unwrap_err().contains("did you mean path?"));
    }
}
