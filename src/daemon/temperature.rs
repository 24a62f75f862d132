//! How hot the processor is, as the kernel tells it.

use std::path::Path;

/// Where the kernel tells the temperature of the processor of the usual boards.
const ZONE: &str = "/sys/class/thermal/thermal_zone0/temp";

/// The processor's temperature in degrees Celsius; `None` where the kernel does not tell it.
pub(super) fn temperature() -> Option<f64> {
    read(Path::new(ZONE))
}

fn read(path: &Path) -> Option<f64> {
    let thousandths: i32 = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    Some(f64::from(thousandths) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_are_read_and_anything_else_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("temp");
        assert_eq!(read(&path), None);
        for (text, expected) in [("51234\n", Some(51.234)), ("-2000", Some(-2.0)), ("hot\n", None)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path), expected);
        }
    }
}
