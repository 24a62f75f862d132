//! The section `[metrics]`: numbers for Prometheus, as a file or by HTTP.

use super::error::ConfigError;
use super::limits;
use super::place::checked;
use super::reader::Section;
use crate::text::{LONGEST_QUOTE, shortened};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Longest path of the file: the kernel takes 4095 bytes, and its successor is written beside it.
const LONGEST_PATH: usize = 4000;
/// How often the file is written if nobody says.
const USUAL_PAUSE: Duration = Duration::from_secs(15);
/// Whether this program can answer by HTTP.
const HAS_HTTP: bool = cfg!(feature = "web");

/// Where metrics are offered; by default nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The file for node_exporter.
    pub file: Option<PathBuf>,
    /// How often the file is written.
    pub every: Duration,
    /// The address at which Prometheus gets them by HTTP.
    pub listen: Option<SocketAddr>,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { file: None, every: USUAL_PAUSE, listen: None }
    }
}

impl MetricsConfig {
    /// Whether metrics are offered at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.file.is_some() || self.listen.is_some()
    }
}

/// Reads `[metrics]`.
pub(super) fn metrics(mut section: Section<'_>) -> Result<(MetricsConfig, Vec<String>), ConfigError> {
    let example = "/var/lib/prometheus/node-exporter/maskwatch.prom";
    let file = match section.text_or_empty("file")? {
        Some(text) if !text.value.is_empty() => {
            let path = checked(&section, &text, example, LONGEST_PATH)?;
            if path.extension().is_none_or(|extension| extension != "prom") {
                let problem = format!(
                    "is \"{}\", which node_exporter passes over; give the file a name that ends in .prom",
                    shortened(&text.value, LONGEST_QUOTE)
                );
                return Err(section.refuse(&text, problem));
            }
            Some(path)
        }
        _ => None,
    };
    let every = section.seconds("every_seconds", limits::METRICS_PAUSES)?;
    let listen = match section.text_or_empty("listen")? {
        Some(text) if !text.value.is_empty() => {
            let address: SocketAddr = match text.value.parse() {
                Ok(address) => address,
                Err(_) => {
                    let problem = format!(
                        "is \"{}\", not an address with a port; write for example \"127.0.0.1:9101\" or \"[::1]:9101\"",
                        shortened(&text.value, LONGEST_QUOTE)
                    );
                    return Err(section.refuse(&text, problem));
                }
            };
            if address.port() == 0 {
                return Err(section.refuse(&text, "has the port 0; use one from 1 to 65535".into()));
            }
            if !HAS_HTTP {
                let problem =
                    "needs a program that was built with the feature web; use metrics.file instead".into();
                return Err(section.refuse(&text, problem));
            }
            Some(address)
        }
        _ => None,
    };
    if let (Some(unused), None) = (every.as_ref().filter(|every| every.value != USUAL_PAUSE), &file) {
        let problem = "has no effect without metrics.file; add file, or remove this line";
        section.warn(unused, problem.into());
    }
    let every = every.map_or(USUAL_PAUSE, |every| every.value);
    Ok((MetricsConfig { file, every, listen }, section.finish()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MetricsConfig, String> {
        let mut root = Section::root(text, "door.toml").map_err(|error| error.to_string())?;
        let section = root.section("metrics").map_err(|error| error.to_string())?;
        metrics(section).map(|(config, _)| config).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_offered_unless_it_is_asked_for() {
        for text in ["", "[metrics]\n", "[metrics]\nfile = \"\"\nlisten = \"\"\n"] {
            assert_eq!(read(text), Ok(MetricsConfig::default()));
        }
        assert!(!MetricsConfig::default().is_on());
        let file = read("[metrics]\nfile = \"/run/a.prom\"\nevery_seconds = 5\n").unwrap();
        assert_eq!((file.file.clone(), file.every), (Some("/run/a.prom".into()), Duration::from_secs(5)));
        assert!(file.is_on());
    }

    #[test]
    fn mistakes_are_refused_with_the_mend() {
        for (text, sentence) in [
            (
                "file = \"maskwatch.prom\"",
                "metrics.file is \"maskwatch.prom\", not an absolute path; write for example \
                 \"/var/lib/prometheus/node-exporter/maskwatch.prom\"",
            ),
            ("every_seconds = 0.1", "metrics.every_seconds is 0.1; use a number from 1 to 3600"),
            (
                "listen = \"9101\"",
                "metrics.listen is \"9101\", not an address with a port; write for example \
                 \"127.0.0.1:9101\" or \"[::1]:9101\"",
            ),
            ("listen = \"[::1]:0\"", "metrics.listen has the port 0; use one from 1 to 65535"),
        ] {
            let refused = read(&format!("[metrics]\n{text}\n")).unwrap_err();
            assert_eq!(refused, format!("door.toml line 2: {sentence}"));
        }
        let other = read("[metrics]\nfile = \"/run/metrics.txt\"\n").unwrap_err();
        assert!(
            other.ends_with("which node_exporter passes over; give the file a name that ends in .prom"),
            "{other}"
        );
    }

    #[test]
    fn an_address_needs_a_program_that_can_answer() {
        let read = read("[metrics]\nlisten = \"[::1]:9101\"\n");
        if cfg!(feature = "web") {
            assert_eq!(read.unwrap().listen, Some("[::1]:9101".parse().unwrap()));
        } else {
            let refused = read.unwrap_err();
            assert!(refused.ends_with("built with the feature web; use metrics.file instead"), "{refused}");
        }
    }
}
