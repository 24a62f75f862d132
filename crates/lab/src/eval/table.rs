//! The reports as tables for a terminal. What they contain is decided by the reports.

use super::detector::{DetectorReport, Recall};
use super::faces::{FacesReport, TwoClass};
use super::metrics::Proportion;
use super::named::Named;
use super::scenes::{EndToEndReport, Outcomes, ScenesReport};
use crate::data::labels::Label;
use std::fmt::{self, Display, Formatter, Write};

pub(super) fn fraction(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.4}"))
}

/// The line of one proportion: its name, how many, of how many, the fraction and its interval.
pub(super) fn line(out: &mut Formatter<'_>, name: &str, proportion: &Proportion) -> fmt::Result {
    let Proportion { hits, of } = proportion;
    let interval =
        proportion.wilson().map_or_else(|| "-".into(), |[low, high]| format!("{low:.4} to {high:.4}"));
    writeln!(out, "{name:<36}{hits:>7}{of:>8}{:>10}  {interval}", fraction(proportion.fraction()))
}

pub(super) fn heading(out: &mut Formatter<'_>, title: &str) -> fmt::Result {
    writeln!(out, "{title:<36}{:>7}{:>8}{:>10}  95 % interval", "hits", "of", "fraction")
}

fn single(out: &mut Formatter<'_>, name: &str, value: Option<f64>) -> fmt::Result {
    writeln!(out, "{name:<36}{:>25}", fraction(value))
}

/// A table of two-class figures, one line for each name.
fn two_class_rows(out: &mut Formatter<'_>, title: &str, rows: &Named<TwoClass>) -> fmt::Result {
    writeln!(
        out,
        "\n{title:<16}{:>7}{:>10}{:>10}{:>17}{:>17}",
        "n", "accuracy", "balanced", "recall mask", "recall no_mask"
    )?;
    for (name, TwoClass(confusion)) in &rows.0 {
        write!(out, "{name:<16}{:>7}", confusion.total())?;
        for value in [confusion.accuracy().fraction(), confusion.balanced_accuracy()] {
            write!(out, "{:>10}", fraction(value))?;
        }
        for class in confusion.classes() {
            let recall = confusion.recall(*class);
            let of = format!("({})", recall.of);
            write!(out, "{:>10}{of:>7}", fraction(recall.fraction()))?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

impl Display for FacesReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let confusion = &self.two_class.0;
        heading(out, "annotated boxes")?;
        line(out, "accuracy", &confusion.accuracy())?;
        for class in confusion.classes() {
            line(out, &format!("recall of {class}"), &confusion.recall(*class))?;
        }
        line(out, "incorrect not called mask", &self.incorrect)?;
        line(out, "incorrect called incorrect", &self.incorrect_named)?;
        line(out, "incorrect, alert by a single look", &self.incorrect_alerted)?;
        for (name, proportion) in self.incorrect_sources.0.iter().chain(&self.incorrect_kinds.0) {
            line(out, &format!("  not called mask, {name}"), proportion)?;
        }
        line(out, "mask called incorrect", &self.masked)?;
        line(out, "mask not called mask (of three)", &self.mask_not_called_mask)?;
        line(out, "no_mask not called mask (of three)", &self.bare_not_called_mask)?;
        single(out, "balanced accuracy", confusion.balanced_accuracy())?;
        single(out, "area under the curve", self.auc)?;
        single(out, "expected calibration error (15 bins)", self.calibration.ece)?;
        writeln!(out, "\n{:<16}{:>16}{:>16}", "confusion", "called mask", "called no_mask")?;
        for truth in confusion.classes() {
            write!(out, "{truth:<16}")?;
            for called in confusion.classes() {
                write!(out, "{:>16}", confusion.count(*truth, *called))?;
            }
            out.write_char('\n')?;
        }
        two_class_rows(out, "face size, px", &self.bands)?;
        if self.sources.0.len() > 1 {
            two_class_rows(out, "source", &self.sources)?;
        }
        if !self.skin.0.is_empty() {
            two_class_rows(out, "skin, estimated", &self.skin)?;
            two_class_rows(out, "brightness", &self.brightness)?;
            heading(out, "\nincorrect not called mask")?;
            self.incorrect_skin.0.iter().try_for_each(|(name, proportion)| line(out, name, proportion))?;
        }
        Ok(())
    }
}

fn recall_columns(out: &mut Formatter<'_>, recall: &Recall) -> fmt::Result {
    for (_, proportion) in &recall.named().0 {
        let of = format!("({})", proportion.of);
        write!(out, "{:>10}{of:>7}", fraction(proportion.fraction()))?;
    }
    Ok(())
}

impl Display for DetectorReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        heading(out, "annotated faces found")?;
        for (name, proportion) in &self.recall.named().0 {
            line(out, &format!("recall of {name}"), proportion)?;
        }
        single(out, "false positives per picture", self.false_positives_per_image)?;
        writeln!(
            out,
            "{:<36}{:>25}",
            "false positives, pictures",
            format!("{}, {}", self.false_positives, self.pictures_fully_labelled)
        )?;
        let columns = |out: &mut Formatter<'_>, title: &str| {
            write!(out, "\n{title:<16}")?;
            Label::ALL.iter().try_for_each(|label| write!(out, "{:>17}", label.name()))?;
            write!(out, "{:>17}", "all")
        };
        columns(out, "% of the width")?;
        out.write_char('\n')?;
        for (name, recall) in &self.bands.0 {
            write!(out, "{name:<16}")?;
            recall_columns(out, recall)?;
            out.write_char('\n')?;
        }
        columns(out, "score at least")?;
        writeln!(out, "{:>20}", "false pos./picture")?;
        for row in &self.thresholds {
            write!(out, "{:<16}", row.score_threshold)?;
            recall_columns(out, &row.recall)?;
            writeln!(out, "{:>20}", fraction(row.false_positives_per_image))?;
        }
        Ok(())
    }
}

impl Display for super::hard::HardReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} bare faces; {} without usable landmarks left out",
            self.faces, self.without_landmarks
        )?;
        write!(out, "\n{:<14}{:<11}{:>6}", "drawn", "label", "n")?;
        if let Some((_, row)) = self.kinds.0.first() {
            for (name, _) in &row.counts.0 {
                write!(out, "{:>16}  {:<16}", format!("called {name}"), "95 % interval")?;
            }
        }
        writeln!(out, "{:>13}{:>9}", "mean p(mask)", "found")?;
        for (name, row) in &self.kinds.0 {
            write!(out, "{name:<14}{:<11}{:>6}", row.label, row.n)?;
            for (_, count) in &row.counts.0 {
                let interval = count.wilson().map(|[low, high]| format!("{low:.4} to {high:.4}"));
                write!(
                    out,
                    "{:>16}  {:<16}",
                    fraction(count.fraction()),
                    interval.unwrap_or_else(|| "-".into())
                )?;
            }
            let (p_mask, found) = (fraction(row.mean_p_mask), fraction(row.found.fraction()));
            writeln!(out, "{p_mask:>13}{found:>9}")?;
        }
        Ok(())
    }
}

fn outcome_row(out: &mut Formatter<'_>, name: &str, outcomes: &Outcomes) -> fmt::Result {
    let Outcomes { n, missed, mask, no_mask, incorrect, unsure } = outcomes;
    writeln!(out, "{name:<28}{n:>8}{missed:>8}{mask:>13}{no_mask:>16}{incorrect:>18}{unsure:>8}")
}

impl Display for EndToEndReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        heading(out, "end to end")?;
        for (name, proportion) in &self.all.figures().0 {
            line(out, &name.replace('_', " ").replace("no mask", "no_mask"), proportion)?;
        }
        single(out, "alarms without a face per picture", self.alarms_without_a_face_per_image)?;
        writeln!(
            out,
            "\n{:<28}{:>8}{:>8}{:>13}{:>16}{:>8}",
            "face size, px, and label", "n", "missed", "called mask", "called no_mask", "unsure"
        )?;
        for (name, band) in
            self.bands.0.iter().map(|(name, band)| (name.as_str(), band)).chain([("all", &self.all)])
        {
            for (label, outcomes) in Label::ALL.iter().zip([&band.mask, &band.no_mask, &band.incorrect]) {
                outcome_row(out, &format!("{name:<10}{label}"), outcomes)?;
            }
        }
        Ok(())
    }
}

impl Display for ScenesReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}", self.faces, self.end_to_end)
    }
}
