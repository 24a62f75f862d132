//! What a classifier run has reached so far: figures per epoch (or every so many steps), as CSV and as
//! curves.

use super::error::TrainError;
use super::files::write_file;
use crate::curves::{self, Chart, Series};
use crate::data::dataset::Subset;
use maskwatch::nn::head::{MASK, NO_MASK};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;

/// Figures over some faces; shares between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// Adds faces up to [`Figures`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    loss: f64,
    /// By true class.
    counts: [usize; 2],
    /// By true class.
    right: [usize; 2],
}

impl Tally {
    /// Adds one face: its two logits and the index of its true class.
    pub fn add(&mut self, logits: [f32; 2], class: usize) {
        let (own, other) = (f64::from(logits[class]), f64::from(logits[1 - class]));
        // ln(1 + exp(d)), arranged so that it cannot overflow.
        let difference = other - own;
        self.loss += difference.max(0.0) + (-difference.abs()).exp().ln_1p();
        self.counts[class] += 1;
        self.right[class] += usize::from(own > other);
    }

    /// The figures of all faces added; `None` when there was none.
    #[must_use]
    pub fn figures(&self) -> Option<Figures> {
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
}

impl ClassifierEntry {
    fn of(&self, subset: Subset) -> Option<&Figures> {
        match subset {
            Subset::Train => Some(&self.train),
            Subset::Selection => self.selection.as_ref(),
            Subset::Val => self.val.as_ref(),
        }
    }
}

/// All figures of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What [`ClassifierEntry::at`] counts, `epoch` or `step`.
    pub unit: String,
    /// How many of them the whole run has.
    pub total: u64,
    /// In the order of time.
    pub entries: Vec<ClassifierEntry>,
}

const SUBSETS: [Subset; 3] = [Subset::Train, Subset::Selection, Subset::Val];

impl History {
    /// The entry with the lowest loss on a subset, the first of equal ones. Not the most accurate: over some
    /// hundred faces accuracy moves in steps of one face, and good epochs differ by less.
    #[must_use]
    pub fn best(&self, chosen_by: Subset) -> Option<&ClassifierEntry> {
        let measured =
            self.entries.iter().filter_map(|entry| entry.of(chosen_by).map(|figures| (entry, figures.loss)));
        measured.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(entry, _)| entry)
    }

    /// One line for people about an entry.
    #[must_use]
    pub fn line(&self, entry: &ClassifierEntry) -> String {
        let mut line = format!("{} {}/{}", self.unit, entry.at, self.total);
        for subset in SUBSETS {
            if let Some(Figures { loss, accuracy, .. }) = entry.of(subset) {
                let _ = write!(line, "  {} loss {loss:.4} accuracy {accuracy:.4}", subset.name());
            }
        }
        line
    }

    /// The figures as a table; fields of a subset that is not there stay empty.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = format!("{},learning_rate", self.unit);
        for subset in SUBSETS.map(Subset::name) {
            let _ = write!(text, ",{subset}_loss,{subset}_accuracy,{subset}_balanced_accuracy");
        }
        for entry in &self.entries {
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
    #[must_use]
    pub fn curves(&self) -> image::RgbImage {
        let chart = |title: &str, highest: f64, value: fn(&Figures) -> f64| {
            let series = SUBSETS.map(|subset| {
                let points =
                    self.entries.iter().filter_map(|entry| Some((entry.at as f64, value(entry.of(subset)?))));
                let name = if subset == Subset::Val { "validation" } else { subset.name() };
                Series { name: name.to_owned(), points: points.collect() }
            });
            Chart {
                title: title.to_owned(),
                x_label: self.unit.clone(),
                series: series.into_iter().filter(|series| !series.points.is_empty()).collect(),
                x_end: self.total as f64,
                y_limits: (0.0, highest),
            }
        };
        curves::draw(&[
            chart("Accuracy", 1.0, |figures| figures.accuracy),
            chart("Loss (cross-entropy)", f64::MAX, |figures| figures.loss),
        ])
    }

    /// Writes `history.csv` and `curves.png` into a folder.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), TrainError> {
        write_file(&folder.join("history.csv"), self.csv().as_bytes())?;
        let path = folder.join("curves.png");
        let mut bytes = std::io::Cursor::new(Vec::new());
        self.curves()
            .write_to(&mut bytes, image::ImageFormat::Png)
            .map_err(|error| TrainError::File { path: path.clone(), source: std::io::Error::other(error) })?;
        write_file(&path, &bytes.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(balanced_accuracy: f64, loss: f64) -> Figures {
        Figures { n: 10, loss, accuracy: balanced_accuracy, balanced_accuracy }
    }

    fn history() -> History {
        let entry = |at, accuracy, loss| ClassifierEntry {
            at,
            learning_rate: 0.001,
            train: figures(0.5, 0.7),
            selection: Some(figures(accuracy, loss)),
            val: None,
        };
        let entries = vec![entry(1, 0.8, 0.4), entry(2, 0.9, 0.3), entry(3, 0.9, 0.2), entry(4, 0.85, 0.1)];
        History { unit: "epoch".into(), total: 5, entries }
    }

    #[test]
    fn figures_are_counted_by_class() {
        let mut tally = Tally::default();
        assert_eq!(tally.figures(), None);
        for (logits, class) in
            [([2.0, 0.0], MASK), ([2.0, 0.0], MASK), ([0.0, 1.0], MASK), ([5.0, 1.0], NO_MASK)]
        {
            tally.add(logits, class);
        }
        let figures = tally.figures().unwrap();
        assert_eq!((figures.n, figures.accuracy), (4, 0.5));
        assert!((figures.balanced_accuracy - 1.0 / 3.0).abs() < 1e-12);
        let expected =
            (2.0 * (1.0 + (-2f64).exp()).ln() + (1.0 + 1f64.exp()).ln() + (1.0 + 4f64.exp()).ln()) / 4.0;
        assert!((figures.loss - expected).abs() < 1e-6);
        let mut sure = Tally::default();
        sure.add([-1000.0, 1000.0], MASK);
        assert!((sure.figures().unwrap().loss - 2000.0).abs() < 1e-9);
    }

    #[test]
    fn the_best_has_the_lowest_loss_not_the_highest_accuracy() {
        let mut history = history();
        assert_eq!(history.best(Subset::Selection).unwrap().at, 4);
        history.entries[1].selection = Some(figures(0.7, 0.1));
        assert_eq!(history.best(Subset::Selection).unwrap().at, 2, "the first of equal ones");
        assert_eq!(history.best(Subset::Val), None);
    }

    #[test]
    fn the_table_has_a_row_per_entry_and_a_field_per_column() {
        let csv = history().csv();
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
    fn both_files_are_written() {
        let folder = tempfile::tempdir().unwrap();
        history().write(folder.path()).unwrap();
        assert_eq!(image::open(folder.path().join("curves.png")).unwrap().width(), 1520);
        assert!(folder.path().join("history.csv").is_file());
        assert!(
            history().write(Path::new("/does/not/exist")).unwrap_err().to_string().contains("history.csv")
        );
    }
}
