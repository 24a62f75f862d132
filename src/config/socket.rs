//! The section `[socket]`: where other programs on the board reach the daemon.

use super::error::ConfigError;
use super::place::{PathChoice, place};
use super::reader::Section;

/// Longest path of a socket in bytes; the kernel's address has 108, one of which ends it.
const LONGEST_PATH: usize = 107;

/// Reads `[socket]`.
pub(super) fn socket(mut section: Section<'_>) -> Result<PathChoice, ConfigError> {
    let path = place(&mut section, "path", "/run/maskwatch/maskwatch.sock", LONGEST_PATH)?;
    section.finish()?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PathChoice, String> {
        let mut root = Section::root(text, "door.toml").map_err(|error| error.to_string())?;
        let section = root.section("socket").map_err(|error| error.to_string())?;
        socket(section).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_is_usual_none_or_absolute() {
        assert_eq!(read(""), Ok(PathChoice::Usual));
        assert_eq!(read("[socket]\npath = \"\"\n"), Ok(PathChoice::Nowhere));
        assert_eq!(read("[socket]\npath = \"/run/door\"\n"), Ok(PathChoice::At("/run/door".into())));
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
        assert!(long.ends_with("use at most 107 bytes without NUL"), "{long}");
        assert!(read("[socket]\npath = 1\n").unwrap_err().contains("is a number; use text in quotes"));
        assert!(read("[socket]\npth = \"/a\"\n").unwrap_err().contains("did you mean path?"));
    }
}
