//! Zones on their way between the page and the configuration.

use crate::config::{WebConfig, drawn_zones, write_drawn};
use crate::geometry::Point;
use crate::vision::zones::{Zone, ZoneKind, Zones};
use serde::{Deserialize, Serialize};

/// Letters of a zone's name at most.
const LONGEST_NAME: usize = 40;

/// All zones.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZonesMessage {
    zones: Vec<ZoneMessage>,
}

/// One zone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneMessage {
    name: String,
    kind: String,
    points: Vec<[f32; 2]>,
    #[serde(default)]
    min_face: f32,
    #[serde(default = "whole")]
    max_face: f32,
}

fn whole() -> f32 {
    1.0
}

impl From<&Zones> for ZonesMessage {
    fn from(zones: &Zones) -> Self {
        let zone = |Zone { name, kind, corners, min_face, max_face }: &Zone| ZoneMessage {
            name: name.clone(),
            kind: kind.name().into(),
            points: corners.iter().map(|Point { x, y }| [*x, *y]).collect(),
            min_face: *min_face,
            max_face: *max_face,
        };
        Self { zones: zones.0.iter().map(zone).collect() }
    }
}

impl ZonesMessage {
    /// The zones, as a configuration would take them.
    ///
    /// # Errors
    /// One sentence that says what is wrong with them.
    pub(super) fn checked(self) -> Result<Zones, String> {
        let mut zones = Zones::default();
        for ZoneMessage { name, kind, points, min_face, max_face } in self.zones {
            let length = name.chars().count();
            if name.trim() != name || !(1..=LONGEST_NAME).contains(&length) || name.contains(char::is_control)
            {
                return Err(format!("a zone has no usable name; use 1 to {LONGEST_NAME} letters"));
            }
            if zones.0.iter().any(|zone: &Zone| zone.name == name) {
                return Err(format!("two zones are called {name}; give each its own name"));
            }
            let Some(kind) = ZoneKind::from_name(&kind) else {
                return Err(format!("the zone {name} is neither count nor ignore; use one of these"));
            };
            let corners = points.into_iter().map(|[x, y]| Point { x, y }).collect();
            zones.0.push(Zone { name, kind, corners, min_face, max_face });
        }
        drawn_zones(&zones, "the drawn zones").map_err(|error| error.to_string())
    }
}

/// Checks the zones in `body` and keeps them where `config` says.
///
/// # Errors
/// One sentence that says what is wrong with them.
pub(super) fn keep(config: &WebConfig, body: &[u8]) -> Result<(), String> {
    let drawn: ZonesMessage = serde_json::from_slice(body)
        .map_err(|error| format!("these are not zones ({error}); reload the page"))?;
    write_drawn(&config.zones_file, &drawn.checked()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_drawn;

    const LEFT: &str = r#"{"zones":[{"name":"left","kind":"count","points":[[0,0],[0.5,0],[0.5,1]]}]}"#;

    #[test]
    fn zones_are_kept_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let config = WebConfig { zones_file: folder.path().join("zones.toml"), ..WebConfig::default() };
        keep(&config, LEFT.as_bytes()).unwrap();
        let kept = read_drawn(&config.zones_file).unwrap().unwrap();
        let told = serde_json::to_string(&ZonesMessage::from(&kept)).unwrap();
        assert!(
            told.starts_with(r#"{"zones":[{"name":"left","kind":"count","points":[[0.0,0.0],"#),
            "{told}"
        );
        keep(&config, told.as_bytes()).unwrap();
        assert_eq!(read_drawn(&config.zones_file).unwrap().unwrap(), kept);
    }

    #[test]
    fn mistakes_are_said_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let config = WebConfig { zones_file: folder.path().join("zones.toml"), ..WebConfig::default() };
        for (from, to, said) in [
            ("left", "", "a zone has no usable name"),
            ("left", "a\\nb", "a zone has no usable name"),
            ("count", "blind", "neither count nor ignore"),
            ("[0.5,1]", "[0.5,2]", "has a point that is none"),
            (",[0.5,1]", "", "has 2 corners; use 3 to 64"),
            ("[0.5,1]", "[0.25,0]", "encloses nothing"),
            ("]}]}", "],\"min_face\":0.5,\"max_face\":0.1}]}", "not below max_face"),
            ("]}]}", "],\"colour\":1}]}", "these are not zones"),
            ("zones", "zone", "these are not zones"),
        ] {
            let refused = keep(&config, LEFT.replace(from, to).as_bytes()).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
        let twice = LEFT.replace("]}]}", "]},") + &LEFT[10..];
        assert!(keep(&config, twice.as_bytes()).unwrap_err().contains("two zones are called left"));
        assert!(!config.zones_file.exists());
    }
}
