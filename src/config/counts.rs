//! The sections `[counts]` and `[clock]`: where counts are kept, and whether the time of day is believed.

use super::error::ConfigError;
use super::place::{PathChoice, place};
use super::reader::Section;
use maskwatch_vision::named;

/// Longest path that the kernel takes.
const LONGEST_PATH: usize = 4095;

/// When the time of day is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockTrust {
    /// Once it is known that the clock was set.
    #[default]
    Auto,
    /// Always.
    Always,
}

named!(ClockTrust { Auto => "auto", Always => "always", });

/// Reads `[counts]`.
pub(super) fn counts(mut section: Section<'_>) -> Result<PathChoice, ConfigError> {
    let path = place(&mut section, "path", "/var/lib/maskwatch/counts.json", LONGEST_PATH)?;
    section.finish()?;
    Ok(path)
}

/// Reads `[clock]`.
pub(super) fn clock(mut section: Section<'_>) -> Result<ClockTrust, ConfigError> {
    let trusted = section.choice("trusted", &ClockTrust::NAMES)?.unwrap_or_default();
    section.finish()?;
    Ok(trusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(
        name: &str,
        text: &str,
        reader: impl FnOnce(Section<'_>) -> Result<T, ConfigError>,
    ) -> Result<T, String> {
        let mut root = Section::root(text, "door.toml").map_err(|error| error.to_string())?;
        let section = root.section(name).map_err(|error| error.to_string())?;
        reader(section).map_err(|error| error.to_string())
    }

    #[test]
    fn counts_have_a_place_and_the_clock_is_believed_or_asked() {
        assert_eq!(read("counts", "", counts), Ok(PathChoice::Usual));
        assert_eq!(read("counts", "[counts]\npath = \"\"\n", counts), Ok(PathChoice::Nowhere));
        let relative = read("counts", "[counts]\npath = \"counts\"\n", counts).unwrap_err();
        assert!(relative.ends_with("write for example \"/var/lib/maskwatch/counts.json\""), "{relative}");
        assert_eq!(read("clock", "[clock]\ntrusted = \"always\"\n", clock), Ok(ClockTrust::Always));
        let never = read("clock", "[clock]\ntrusted = \"never\"\n", clock).unwrap_err();
        assert!(never.ends_with("clock.trusted is \"never\"; use one of \"auto\", \"always\""), "{never}");
    }
}
