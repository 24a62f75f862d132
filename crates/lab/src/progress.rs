//! Progress of a run on standard error: a bar with the remaining time on a terminal, plain lines anywhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over a known number of things to do.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for `total` things, called `unit`, of which `done` are done; `what` is written before it.
    #[must_use]
    pub fn new(what: &str, unit: &str, total: u64, done: u64) -> Self {
        let bar = ProgressBar::new(total).with_position(done);
        let template =
            format!("{{msg}} [{{wide_bar}}] {{pos}}/{{len}} {unit}, {{elapsed}} gone, {{eta}} left");
        // The template is fixed but for the unit; should one ever not parse, indicatif's own bar does as
        // well.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        bar.reset_eta();
        Self { bar }
    }

    /// Counts things done.
    pub fn advance(&self, count: u64) {
        self.bar.inc(count);
    }

    /// Writes a line that stays, above the bar.
    pub fn note(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
