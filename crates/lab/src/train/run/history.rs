//! The measurements of a run, as a table and as curves.

use super::files::write_file;
use crate::curves::{self, Chart};
use crate::train::error::TrainError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// How long a run is, and in what it is counted.
#[derive(Debug, Clone)]
pub(in crate::train) struct Course {
    /// Title of the progress bar.
    pub(in crate::train) title: &'static str,
    /// What the run is counted in: `epoch` or `step`.
    pub(in crate::train) unit: &'static str,
    /// Units in the whole run.
    pub(in crate::train) total: u64,
    /// Units between two measurements.
    pub(in crate::train) every: u64,
    /// What the progress bar counts, and how many of them a unit has.
    pub(in crate::train) counted: (&'static str, u64),
    /// Whether the starting weights are measured too.
    pub(in crate::train) measures_start: bool,
    /// Whether the last weights are kept, instead of those with the least loss.
    pub(in crate::train) keeps_last: bool,
    /// Everything that decides the result. A checkpoint with another key is refused.
    pub(in crate::train) key: serde_json::Value,
}

/// One measurement of a run.
pub(in crate::train) trait HistoryEntry: Clone + Serialize + DeserializeOwned {
    /// The figure that the best weights have least of; `None` where it could not be measured.
    fn loss(&self) -> Option<f64>;

    /// One line for people. `is_best`: no entry before was as good.
    fn line(&self, course: &Course, is_best: bool) -> String;

    /// All entries as CSV with a header.
    fn table(entries: &[Self], course: &Course) -> String;

    /// All entries as curves.
    fn charts(entries: &[Self], course: &Course) -> Vec<Chart>;
}

/// The place of the entry with the lowest loss, the first of equal ones.
pub(super) fn best<E: HistoryEntry>(entries: &[E]) -> Option<usize> {
    let measured = entries.iter().enumerate().filter_map(|(place, entry)| Some((place, entry.loss()?)));
    measured.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(place, _)| place)
}

/// Writes `history.csv` and `curves.png` into a folder.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write<E: HistoryEntry>(
    folder: &Path,
    entries: &[E],
    course: &Course,
) -> Result<(), TrainError> {
    write_file(&folder.join("history.csv"), E::table(entries, course).as_bytes())?;
    let path = folder.join("curves.png");
    let mut bytes = std::io::Cursor::new(Vec::new());
    curves::draw(&E::charts(entries, course))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|error| TrainError::File { path: path.clone(), source: std::io::Error::other(error) })?;
    write_file(&path, &bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curves::Series;
    use serde::Deserialize;

    #[derive(Clone, Serialize, Deserialize)]
    struct Entry(Option<f64>);

    impl HistoryEntry for Entry {
        fn loss(&self) -> Option<f64> {
            self.0
        }

        fn line(&self, _: &Course, _: bool) -> String {
            String::new()
        }

        fn table(entries: &[Self], course: &Course) -> String {
            format!("{} {}", course.unit, entries.len())
        }

        fn charts(_: &[Self], _: &Course) -> Vec<Chart> {
            let series = vec![Series { name: String::new(), points: vec![(0.0, 1.0)] }];
            let (title, x_label) = (String::new(), String::new());
            vec![Chart { title, x_label, series, x_end: 1.0, y_limits: (0.0, 1.0) }]
        }
    }

    #[test]
    fn the_best_is_the_first_with_the_lowest_loss() {
        let best = |losses: &[Option<f64>]| best(&losses.iter().copied().map(Entry).collect::<Vec<_>>());
        assert_eq!(best(&[Some(0.3), None, Some(0.1), Some(0.1), Some(f64::NAN)]), Some(2));
        assert_eq!(best(&[None]), None);
    }

    #[test]
    fn both_files_are_written() {
        let course = Course {
            title: "",
            unit: "step",
            total: 1,
            every: 1,
            counted: ("", 1),
            measures_start: false,
            keeps_last: false,
            key: serde_json::Value::Null,
        };
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[Entry(None)], &course).unwrap();
        assert!(image::open(folder.path().join("curves.png")).unwrap().width() > 100);
        assert_eq!(std::fs::read_to_string(folder.path().join("history.csv")).unwrap(), "step 1");
        let error = write(&folder.path().join("nowhere"), &[Entry(None)], &course).unwrap_err();
        assert!(error.to_string().contains("history.csv"), "{error}");
    }
}
