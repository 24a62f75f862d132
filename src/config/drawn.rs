//! Zones that were drawn in the web page: a small file of their own, which the daemon may write. While it is
//! there, its zones take the place of those in the configuration. Nothing but zones is read from it.

use super::error::ConfigError;
use super::reader::Section;
use super::zones;
use crate::vision::zones::{Zone, Zones};
use atomic_write_file::AtomicWriteFile;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, Table, value};

/// Longest file: several times what 32 zones of 64 corners take.
const LONGEST: u64 = 256 << 10;

/// Checks zones as those of a configuration are.
///
/// # Errors
/// [`ConfigError`], one sentence that names the file `name`.
pub fn drawn_zones(zones: &Zones, name: &str) -> Result<Zones, ConfigError> {
    parsed(&drawn_text(zones), name)
}

/// Checks the text of such a file.
fn parsed(text: &str, name: &str) -> Result<Zones, ConfigError> {
    let mut root = Section::root(text, name)?;
    let zones = zones::zones(root.section("zones")?)?;
    root.finish()?;
    Ok(zones)
}

/// Zones as such a text.
fn drawn_text(zones: &Zones) -> String {
    let mut tables = Table::new();
    tables.set_implicit(true);
    for Zone { name, kind, corners, min_face, max_face } in &zones.0 {
        let mut table = Table::new();
        let short = |number: f32| (f64::from(number) * 1e4).round() / 1e4;
        table.insert("kind", value(kind.name()));
        let corners = corners.iter().map(|corner| Array::from_iter([short(corner.x), short(corner.y)]));
        table.insert("points", value(Array::from_iter(corners)));
        table.insert("min_face", value(short(*min_face)));
        table.insert("max_face", value(short(*max_face)));
        tables.insert(name, Item::Table(table));
    }
    let mut document = DocumentMut::new();
    document.insert("zones", Item::Table(tables));
    format!("# Drawn in the web page; they take the place of the zones in the configuration.\n{document}")
}

/// The zones in the file `path`; `None` if there is none.
///
/// # Errors
/// One sentence that says why they cannot be used.
pub fn read_drawn(path: &Path) -> Result<Option<Zones>, String> {
    let name = path.display().to_string();
    // The daemon may write there, and others read it as root: no way leads from there to other files, and a
    // pipe is not waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(format!("the drawn zones {name} cannot be read ({error}); remove the file"));
        }
    };
    let unfit = |cause: String| format!("the drawn zones do not count: {cause}; remove {name}, or draw anew");
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        return Err(unfit("it is not a file".into()));
    }
    let mut text = String::new();
    if let Err(error) = file.take(LONGEST).read_to_string(&mut text) {
        return Err(unfit(error.to_string()));
    }
    parsed(&text, &name).map(Some).map_err(|error| unfit(error.to_string()))
}

/// Writes `zones` to the file `path`, whole or not at all.
///
/// # Errors
/// One sentence that says what to do.
pub fn write_drawn(path: &Path, zones: &Zones) -> Result<(), String> {
    let written = || {
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(drawn_text(zones).as_bytes())?;
        file.commit()
    };
    written().map_err(|error: std::io::Error| {
        format!(
            "the zones cannot be written to {} ({error}); give web.zones_file a path that the daemon may write",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use crate::vision::zones::ZoneKind;
    use proptest::prelude::*;

    fn zone(name: &str, corners: &[(f32, f32)]) -> Zone {
        let corners = corners.iter().map(|(x, y)| Point { x: *x, y: *y }).collect();
        Zone { name: name.into(), kind: ZoneKind::Ignore, corners, min_face: 0.0, max_face: 0.25 }
    }

    #[test]
    fn zones_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zones.toml");
        assert_eq!(read_drawn(&path), Ok(None));
        let zones = Zones(vec![
            zone("the \"left\" one", &[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0)]),
            zone("b", &[(0.25, 0.125), (1.0, 0.0), (0.5, 1.0), (0.1, 0.9)]),
        ]);
        write_drawn(&path, &zones).unwrap();
        assert_eq!(read_drawn(&path), Ok(Some(zones)));
        write_drawn(&path, &Zones::default()).unwrap();
        assert_eq!(read_drawn(&path), Ok(Some(Zones::default())), "none is an answer too");
    }

    #[test]
    fn nothing_but_zones_is_read_and_no_way_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zones.toml");
        for text in ["[source]\nspec = \"command: id\"\n", "half a fi", "[zones.a]\npoints = 1\n"] {
            std::fs::write(&path, text).unwrap();
            let refused = read_drawn(&path).unwrap_err();
            assert!(
                refused.starts_with("the drawn zones do not count: ") && refused.contains("zones.toml line "),
                "{refused}"
            );
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert!(read_drawn(&link).unwrap_err().contains("cannot be read"));
        assert!(read_drawn(folder.path()).unwrap_err().contains("not a file"));
        let nowhere = write_drawn(Path::new("/nowhere/zones.toml"), &Zones::default()).unwrap_err();
        assert!(nowhere.contains("give web.zones_file a path"), "{nowhere}");
    }

    proptest! {
        #[test]
        fn any_name_survives(name in "\\PC{1,30}") {
            let zones = Zones(vec![zone(&name, &[(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)])]);
            prop_assert_eq!(drawn_zones(&zones, "zones.toml").unwrap(), zones);
        }
    }
}
