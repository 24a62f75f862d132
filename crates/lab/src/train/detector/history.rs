//! History of a detector run: an entry per epoch, as a table and as curves.

use super::ranking::Working;
use crate::curves::{Chart, Series};
use crate::train::run::{Course, HistoryEntry};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

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
    /// That threshold.
    pub(super) score_threshold: f32,
}

impl HistoryEntry for DetectorEntry {
    fn loss(&self) -> Option<f64> {
        Some(-self.figure)
    }

    fn line(&self, _: &Course, is_best: bool) -> String {
        let Self { epoch, losses, figure, working, score_threshold } = self;
        format!(
            "epoch {epoch}{}: mean recall {figure:.4}; at score {score_threshold} recall {:.4} (bare {:.4}), {:.3} \
             false positives per picture, landmarks below masks {:.3} off{}",
            losses.map_or_else(String::new, |losses| format!(", loss {:.3}", losses.iter().sum::<f64>())),
            working.recall,
            working.bare_recall,
            working.false_positives,
            working.landmark_error,
            if is_best && *epoch > 0 { ", the best so far" } else { "" }
        )
    }

    fn table(entries: &[Self], _: &Course) -> String {
        let mut text =
            "epoch,class_loss,objectness_loss,box_loss,landmark_loss,selection_froc,selection_recall,\
                        selection_bare_recall,selection_false_positives_per_image,selection_landmark_error\n"
                .to_owned();
        for Self { epoch, losses, figure, working, .. } in entries {
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

    fn charts(entries: &[Self], course: &Course) -> Vec<Chart> {
        let line = |name: &str, value: &dyn Fn(&Self) -> Option<f64>| Series {
            name: name.to_owned(),
            points: entries.iter().filter_map(|row| Some((row.epoch as f64, value(row)?))).collect(),
        };
        let loss = |index: usize| move |row: &Self| Some(row.losses?[index]);
        let chart = |title: &str, series: Vec<Series>, y_limits: (f64, f64)| Chart {
            title: title.to_owned(),
            x_label: "epoch".to_owned(),
            series,
            x_end: course.total as f64,
            y_limits,
        };
        vec![
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
}

#[cfg(test)]
mod tests {
    use super::super::settings::DetectorSettings;
    use super::*;
    use crate::curves;

    #[test]
    fn the_table_has_a_row_per_epoch() {
        let working =
            Working { recall: 0.75, bare_recall: 0.625, false_positives: 0.125, landmark_error: 0.0625 };
        let rows = [
            DetectorEntry { epoch: 0, losses: None, figure: 0.5, working, score_threshold: 0.5 },
            DetectorEntry {
                epoch: 1,
                losses: Some([0.1, 0.2, 0.3, 0.4]),
                figure: 0.625,
                working,
                score_threshold: 0.5,
            },
        ];
        let settings = DetectorSettings::new("data".as_ref(), "weights".as_ref());
        let course = settings.course("", "");
        let table = DetectorEntry::table(&rows, &course);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.split(',').count() == 10), "{table}");
        assert_eq!(lines[1], "0,,,,,0.50000,0.75000,0.62500,0.12500,0.06250");
        assert_eq!(lines[2], "1,0.10000,0.20000,0.30000,0.40000,0.62500,0.75000,0.62500,0.12500,0.06250");
        assert_eq!(curves::draw(&DetectorEntry::charts(&rows, &course)).height(), 480);
        assert!(rows[1].loss() < rows[0].loss());
        let line = rows[1].line(&course, true);
        assert!(line.starts_with("epoch 1, loss 1.000: mean recall 0.6250; at score 0.5 recall"), "{line}");
    }
}
