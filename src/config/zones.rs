//! The section `[zones]`: where in the frame faces count.

use super::error::ConfigError;
use super::limits;
use super::reader::{Section, Sourced};
use crate::geometry::Point;
use crate::vision::zones::{CORNERS, Zone, ZoneKind, Zones};

/// Maximum number of zones.
const MOST: usize = 32;
/// A smaller polygon, as a share of the frame, holds nobody's face.
const LEAST_AREA: f32 = 1e-4;

/// Reads `[zones]` and its tables.
pub(super) fn zones(mut section: Section<'_>) -> Result<Zones, ConfigError> {
    let mut zones = Zones::default();
    for (name, table) in section.tables()? {
        if zones.0.len() == MOST {
            return Err(table.refuse_whole(format!("is one zone too many; use at most {MOST}")));
        }
        zones.0.push(zone(name, table)?);
    }
    section.finish()?;
    Ok(zones)
}

fn zone(name: String, mut table: Section<'_>) -> Result<Zone, ConfigError> {
    let kind = table.choice("kind", &ZoneKind::NAMES)?.unwrap_or_default();
    let Some(points) = table.points("points")? else {
        let problem =
            "is missing; write the corners of the zone, such as [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]";
        return Err(table.refuse_key("points", problem.into()));
    };
    let corners = &points.value;
    if !CORNERS.contains(&corners.len()) {
        let (least, most) = CORNERS.into_inner();
        let problem = format!("has {} corners; use {least} to {most}", corners.len());
        return Err(table.refuse(&points, problem));
    }
    if area(corners) < LEAST_AREA {
        return Err(table.refuse(&points, "encloses nothing; write its corners one after the other".into()));
    }
    let min_face = table.number("min_face", limits::FACE_SHARES)?;
    let max_face = table.number("max_face", limits::FACE_SHARES)?;
    let (least, most) = (Sourced::or(&min_face, 0.0), Sourced::or(&max_face, 1.0));
    if least >= most {
        return Err(match (&min_face, &max_face) {
            (Some(key), _) => {
                table.refuse(key, format!("is {least}, not below max_face ({most}); use less than that"))
            }
            (None, key) => table.refuse_any(key, format!("is {most}; use more than min_face ({least})")),
        });
    }
    table.finish()?;
    Ok(Zone { name, kind, corners: points.value, min_face: least as f32, max_face: most as f32 })
}

/// The area that a polygon encloses; 0 for one that is a line.
fn area(corners: &[Point]) -> f32 {
    let next = corners.iter().cycle().skip(1);
    corners.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f32>().abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const LEFT: &str = "[zones.left]\npoints = [[0, 0], [0.5, 0], [0.5, 1], [0, 1.0]]\n";

    #[test]
    fn zones_arrive_in_the_chain() {
        let config = Config::parse(
            &format!("{LEFT}[zones.street]\nkind = \"ignore\"\npoints = [[0, 0], [1, 0], [0.5, 0.3]]\nmax_face = 0.05\n"),
            "door.toml",
        )
        .unwrap();
        let zones = config.vision().zones;
        assert_eq!(zones.0.iter().map(|zone| zone.name.as_str()).collect::<Vec<_>>(), ["left", "street"]);
        assert_eq!((zones.0[0].kind, zones.0[0].corners.len()), (ZoneKind::Count, 4));
        assert_eq!(
            (zones.0[1].kind, zones.0[1].min_face, zones.0[1].max_face),
            (ZoneKind::Ignore, 0.0, 0.05)
        );
        assert_eq!(Config::default().vision().zones, Zones::default());
    }

    #[test]
    fn mistakes_are_named() {
        let list = "a list of points, each two numbers from 0 to 1, such as [[0, 0], [0.5, 0], [0.5, 1]]";
        for (text, sentence) in [
            ("[zones]\nleft = 1", "line 2: zones.left is not known; remove it".to_owned()),
            ("[zones.a]\nkind = \"count\"", "line 1: zones.a.points is missing; write the corners of the zone, such as [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]".to_owned()),
            ("[zones.a]\npoints = 1", format!("line 2: zones.a.points is a number; use {list}")),
            ("[zones.a]\npoints = [[0, 0], [1, 2]]", format!("line 2: zones.a.points has a point that is none; use {list}")),
            ("[zones.a]\npoints = [[0, 0], [1]]", format!("line 2: zones.a.points has a point that is none; use {list}")),
            ("[zones.a]\npoints = [[0, 0], [1, 1]]", "line 2: zones.a.points has 2 corners; use 3 to 64".to_owned()),
            ("[zones.a]\npoints = [[0, 0], [1, 1], [0.5, 0.5]]", "line 2: zones.a.points encloses nothing; write its corners one after the other".to_owned()),
            ("[zones.a]\npoints = [[0, 0], [1, 1], [0, 1]]\nmin_face = 0.2\nmax_face = 0.1", "line 3: zones.a.min_face is 0.2, not below max_face (0.1); use less than that".to_owned()),
            ("[zones.a]\npoints = [[0, 0], [1, 1], [0, 1]]\nmax_face = 0", "line 3: zones.a.max_face is 0; use more than min_face (0)".to_owned()),
            ("[zones.a]\npoints = [[0, 0], [1, 1], [0, 1]]\nkind = \"blind\"", "line 3: zones.a.kind is \"blind\"; use one of \"count\", \"ignore\"".to_owned()),
        ] {
            let error = Config::parse(text, "door.toml").unwrap_err().to_string();
            assert_eq!(error, format!("door.toml {sentence}"), "{text}");
        }
        let many: String = (0..33).map(|index| LEFT.replace("left", &format!("zone{index}"))).collect();
        let error = Config::parse(&many, "door.toml").unwrap_err().to_string();
        assert_eq!(error, "door.toml line 65: zones.zone32 is one zone too many; use at most 32");
    }
}
