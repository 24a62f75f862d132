//! History of a run of the landmark network, as a table and as curves.

use crate::curves::{Chart, Series};
use crate::train::run::{Course, HistoryEntry};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The measurement after some steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct LandmarksEntry {
    pub(super) step: u64,
    /// Mean loss since the last entry.
    pub(super) loss: f64,
    /// On the faces set aside: bare, and below masks.
    pub(super) errors: [f64; 2],
}

impl HistoryEntry for LandmarksEntry {
    fn loss(&self) -> Option<f64> {
        Some(self.errors.iter().sum())
    }

    fn line(&self, _: &Course, _: bool) -> String {
        let Self { step, loss, errors: [bare, masked] } = self;
        format!("step {step}: loss {loss:.4}; faces set aside: bare {bare:.4} off, below masks {masked:.4}")
    }

    fn table(entries: &[Self], _: &Course) -> String {
        let mut text = "step,loss,selection_error_bare,selection_error_masked\n".to_owned();
        for Self { step, loss, errors: [bare, masked] } in entries {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{step},{loss:.5},{bare:.5},{masked:.5}");
        }
        text
    }

    fn charts(entries: &[Self], course: &Course) -> Vec<Chart> {
        let line = |name: &str, value: &dyn Fn(&Self) -> f64| Series {
            name: name.to_owned(),
            points: entries.iter().map(|entry| (entry.step as f64, value(entry))).collect(),
        };
        vec![Chart {
            title: "Landmarks off, by the eyes' distance".to_owned(),
            x_label: course.unit.to_owned(),
            series: vec![
                line("loss", &|entry| entry.loss),
                line("faces set aside, bare", &|entry| entry.errors[0]),
                line("faces set aside, below masks", &|entry| entry.errors[1]),
            ],
            x_end: course.total as f64,
            y_limits: (0.0, f64::MAX),
        }]
    }
}
