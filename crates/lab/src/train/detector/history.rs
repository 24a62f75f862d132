//! What a run has come to: one row per epoch, written as a table and drawn as curves.

use super::ranking::Working;
use crate::curves::{Chart, Series, draw};
use crate::train::error::TrainError;
use crate::train::files::write_file;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;

/// One epoch. Epoch 0 is the starting network, which has no losses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DetectorEntry {
    pub(super) epoch: u64,
    /// Class, objectness, box and landmark loss, averaged over the epoch.
    pub(super) losses: Option<[f64; 4]>,
    /// The figure on the selection subset that weights are chosen by.
    pub(super) figure: f64,
    /// The selection subset at the score threshold in use.
    pub(super) working: Working,
}

/// Writes `history.csv` and `curves.png` into `folder`. The horizontal axis reaches to `epochs`.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write(folder: &Path, rows: &[DetectorEntry], epochs: u64) -> Result<(), TrainError> {
    write_file(&folder.join("history.csv"), table(rows).as_bytes())?;
    let path = folder.join("curves.png");
    let mut bytes = std::io::Cursor::new(Vec::new());
    draw(&charts(rows, epochs))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|error| TrainError::File { path: path.clone(), source: std::io::Error::other(error) })?;
    write_file(&path, &bytes.into_inner())
}

fn table(rows: &[DetectorEntry]) -> String {
    let mut text = "epoch,class_loss,objectness_loss,box_loss,landmark_loss,selection_froc,selection_recall,\
                    selection_bare_recall,selection_false_positives_per_image,selection_landmark_error\n"
        .to_owned();
    for DetectorEntry { epoch, losses, figure, working } in rows {
        let losses = losses
            .map_or_else(|| ",,,".to_owned(), |losses| losses.map(|loss| format!("{loss:.5}")).join(","));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{epoch},{losses},{figure:.5},{:.5},{:.5},{:.5},{:.5}",
            working.recall, working.bare_recall, working.false_positives, working.landmark_error
        );
    }
    text
}

fn charts(rows: &[DetectorEntry], epochs: u64) -> [Chart; 2] {
    let line = |name: &str, value: &dyn Fn(&DetectorEntry) -> Option<f64>| Series {
        name: name.to_owned(),
        points: rows.iter().filter_map(|row| Some((row.epoch as f64, value(row)?))).collect(),
    };
    let loss = |index: usize| move |row: &DetectorEntry| Some(row.losses?[index]);
    let chart = |title: &str, series: Vec<Series>, y_limits: (f64, f64)| Chart {
        title: title.to_owned(),
        x_label: "epoch".to_owned(),
        series,
        x_end: epochs as f64,
        y_limits,
    };
    [
        chart(
            "Training losses",
            vec![
                line("class", &loss(0)),
                line("objectness", &loss(1)),
                line("box", &loss(2)),
                line("landmarks", &loss(3)),
            ],
            (0.0, f64::MAX),
        ),
        chart(
            "Selection subset",
            vec![
                line("mean recall at 1/32 to 1/2 false positives per picture", &|row| Some(row.figure)),
                line("recall at the threshold", &|row| Some(row.working.recall)),
                line("the same of bare faces", &|row| Some(row.working.bare_recall)),
                line("false positives per picture there", &|row| Some(row.working.false_positives)),
                line("error of landmarks below drawn masks", &|row| Some(row.working.landmark_error)),
            ],
            (0.0, f64::MAX),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_per_epoch() {
        let working =
            Working { recall: 0.75, bare_recall: 0.625, false_positives: 0.125, landmark_error: 0.0625 };
        let rows = [
            DetectorEntry { epoch: 0, losses: None, figure: 0.5, working },
            DetectorEntry { epoch: 1, losses: Some([0.1, 0.2, 0.3, 0.4]), figure: 0.625, working },
        ];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &rows, 5).unwrap();
        let table = std::fs::read_to_string(folder.path().join("history.csv")).unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.split(',').count() == 10), "{table}");
        assert_eq!(lines[1], "0,,,,,0.50000,0.75000,0.62500,0.12500,0.06250");
        assert_eq!(lines[2], "1,0.10000,0.20000,0.30000,0.40000,0.62500,0.75000,0.62500,0.12500,0.06250");
        assert_eq!(image::open(folder.path().join("curves.png")).unwrap().height(), 480);
        assert!(
            write(&folder.path().join("nowhere"), &rows, 5).unwrap_err().to_string().contains("history.csv")
        );
    }
}
