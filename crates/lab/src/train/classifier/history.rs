//! History of a classifier run: figures per epoch (or every some steps), as CSV and as curves.

use crate::curves::{Chart, Series};
use crate::data::dataset::Subset;
use crate::data::labels::Label;
use crate::train::run::{Course, HistoryEntry};
use maskwatch::nn::head::{MASK, NO_MASK};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Figures over some faces; shares between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Number of faces.
    pub n: usize,
    /// Mean cross-entropy in nats, of plain (not smoothed) labels.
    pub loss: f64,
    /// Share of faces whose class has the larger logit.
    pub accuracy: f64,
    /// Mean of the two classes' recalls; of the one there is where the other is missing.
    pub balanced_accuracy: f64,
}

/// Adds faces up to [`Figures`]; those of neither class are passed over.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    loss: f64,
    /// By true class.
    counts: [usize; 2],
    /// By true class.
    right: [usize; 2],
}

impl Tally {
    /// Adds one face: its two logits and the index of its true class.
    fn add(&mut self, logits: [f32; 2], class: usize) {
        let (own, other) = (f64::from(logits[class]), f64::from(logits[1 - class]));
        // ln(1 + exp(d)), arranged so that it cannot overflow.
        let difference = other - own;
        self.loss += difference.max(0.0) + (-difference.abs()).exp().ln_1p();
        self.counts[class] += 1;
        self.right[class] += usize::from(own > other);
    }

    /// The figures of all faces added; `None` when there was none.
    pub(super) fn figures(&self) -> Option<Figures> {
        let n = self.counts[MASK] + self.counts[NO_MASK];
        if n == 0 {
            return None;
        }
        let recalls: Vec<f64> = [MASK, NO_MASK]
            .into_iter()
            .filter(|&class| self.counts[class] > 0)
            .map(|class| self.right[class] as f64 / self.counts[class] as f64)
            .collect();
        Some(Figures {
            n,
            loss: self.loss / n as f64,
            accuracy: (self.right[MASK] + self.right[NO_MASK]) as f64 / n as f64,
            balanced_accuracy: recalls.iter().sum::<f64>() / recalls.len() as f64,
        })
    }
}

impl Extend<([f32; 2], Label)> for Tally {
    fn extend<I: IntoIterator<Item = ([f32; 2], Label)>>(&mut self, faces: I) {
        for (logits, label) in faces {
            if let Some(class) = label.class() {
                self.add(logits, class);
            }
        }
    }
}

/// The figures at one point of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifierEntry {
    /// Epochs or steps done.
    pub at: u64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Over the batches since the last entry, as they were fitted: changed pictures, dropout, half of each
    /// class.
    pub train: Figures,
    /// Over the subset selection, where there is one.
    pub selection: Option<Figures>,
    /// Over the subset val, where there is one.
    pub val: Option<Figures>,
    /// The subset whose loss chooses the best entry. Not its accuracy: over some hundred faces that moves in
    /// steps of one face, and good epochs differ by less.
    pub chosen_by: Subset,
}

const SUBSETS: [Subset; 3] = [Subset::Train, Subset::Selection, Subset::Val];

impl ClassifierEntry {
    /// An entry of the figures over the batches with the last learning rate, and of those over selection and
    /// val.
    pub(super) fn new(
        at: u64,
        losses: Option<(Figures, f64)>,
        [selection, val]: [Option<Figures>; 2],
        chosen_by: Subset,
    ) -> Self {
        let (train, learning_rate) = losses.unwrap_or_default();
        Self { at, learning_rate, train, selection, val, chosen_by }
    }

    fn of(&self, subset: Subset) -> Option<&Figures> {
        match subset {
            Subset::Train => Some(&self.train),
            Subset::Selection => self.selection.as_ref(),
            Subset::Val => self.val.as_ref(),
        }
    }
}

impl HistoryEntry for ClassifierEntry {
    fn loss(&self) -> Option<f64> {
        Some(self.of(self.chosen_by)?.loss)
    }

    fn line(&self, course: &Course, _: bool) -> String {
        let mut line = format!("{} {}/{}", course.unit, self.at, course.total);
        for subset in SUBSETS {
            if let Some(Figures { loss, accuracy, .. }) = self.of(subset) {
                let _ = write!(line, "  {} loss {loss:.4} accuracy {accuracy:.4}", subset.name());
            }
        }
        line
    }

    /// Fields of a subset that is not there stay empty.
    fn table(entries: &[Self], course: &Course) -> String {
        let mut text = format!("{},learning_rate", course.unit);
        for subset in SUBSETS.map(Subset::name) {
            let _ = write!(text, ",{subset}_loss,{subset}_accuracy,{subset}_balanced_accuracy");
        }
        for entry in entries {
            let _ = write!(text, "\n{},{:.6e}", entry.at, entry.learning_rate);
            for subset in SUBSETS {
                let _ = match entry.of(subset) {
                    Some(figures) => write!(
                        text,
                        ",{:.6},{:.6},{:.6}",
                        figures.loss, figures.accuracy, figures.balanced_accuracy
                    ),
                    None => write!(text, ",,,"),
                };
            }
        }
        text + "\n"
    }

    /// Accuracy and loss over the run, side by side.
    fn charts(entries: &[Self], course: &Course) -> Vec<Chart> {
        let chart = |title: &str, highest: f64, value: fn(&Figures) -> f64| {
            let series = SUBSETS.map(|subset| {
                let points =
                    entries.iter().filter_map(|entry| Some((entry.at as f64, value(entry.of(subset)?))));
                let name = if subset == Subset::Val { "validation" } else { subset.name() };
                Series { name: name.to_owned(), points: points.collect() }
            });
            Chart {
                title: title.to_owned(),
                x_label: course.unit.to_owned(),
                series: series.into_iter().filter(|series| !series.points.is_empty()).collect(),
                x_end: course.total as f64,
                y_limits: (0.0, highest),
            }
        };
        vec![
            chart("Accuracy", 1.0, |figures| figures.accuracy),
            chart("Loss (cross-entropy)", f64::MAX, |figures| figures.loss),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(balanced_accuracy: f64, loss: f64) -> Figures {
        Figures { n: 10, loss, accuracy: balanced_accuracy, balanced_accuracy }
    }

    fn entries() -> Vec<ClassifierEntry> {
        let entry = |at, accuracy, loss| {
            let subsets = [Some(figures(accuracy, loss)), None];
            ClassifierEntry::new(at, Some((figures(0.5, 0.7), 0.001)), subsets, Subset::Selection)
        };
        vec![entry(1, 0.8, 0.4), entry(2, 0.9, 0.3), entry(3, 0.9, 0.2), entry(4, 0.85, 0.1)]
    }

    fn course() -> Course {
        Course {
            title: "head",
            unit: "epoch",
            total: 5,
            every: 1,
            counted: ("epochs", 1),
            measures_start: false,
            keeps_last: false,
            key: serde_json::Value::Null,
        }
    }

    #[test]
    fn figures_are_counted_by_class() {
        let mut tally = Tally::default();
        tally.extend([([9.0, 0.0], Label::Incorrect)]);
        assert_eq!(tally.figures(), None);
        let faces = [
            ([2.0, 0.0], Label::Mask),
            ([2.0, 0.0], Label::Mask),
            ([0.0, 1.0], Label::Mask),
            ([5.0, 1.0], Label::NoMask),
        ];
        tally.extend(faces);
        let figures = tally.figures().unwrap();
        assert_eq!((figures.n, figures.accuracy), (4, 0.5));
        assert!((figures.balanced_accuracy - 1.0 / 3.0).abs() < 1e-12);
        let expected =
            (2.0 * (1.0 + (-2f64).exp()).ln() + (1.0 + 1f64.exp()).ln() + (1.0 + 4f64.exp()).ln()) / 4.0;
        assert!((figures.loss - expected).abs() < 1e-6);
        let mut sure = Tally::default();
        sure.extend([([-1000.0, 1000.0], Label::Mask)]);
        assert!((sure.figures().unwrap().loss - 2000.0).abs() < 1e-9);
    }

    #[test]
    fn the_best_has_the_lowest_loss_not_the_highest_accuracy() {
        let losses: Vec<_> = entries().iter().map(HistoryEntry::loss).collect();
        assert_eq!(losses, [0.4, 0.3, 0.2, 0.1].map(Some));
        let unmeasured = ClassifierEntry { chosen_by: Subset::Val, ..entries().swap_remove(0) };
        assert_eq!(unmeasured.loss(), None);
    }

    #[test]
    fn the_table_has_a_row_per_entry_and_a_field_per_column() {
        let csv = ClassifierEntry::table(&entries(), &course());
        let fields: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(fields, [11; 5]);
        assert!(
            csv.lines()
                .nth(2)
                .unwrap()
                .starts_with("2,1.000000e-3,0.700000,0.500000,0.500000,0.300000,0.900000")
        );
    }

    #[test]
    fn curves_have_a_chart_for_accuracy_and_one_for_loss() {
        let charts = ClassifierEntry::charts(&entries(), &course());
        let series: Vec<usize> = charts.iter().map(|chart| chart.series.len()).collect();
        assert_eq!(series, [2, 2], "none of validation");
        assert_eq!(crate::curves::draw(&charts).width(), 1520);
    }
}
