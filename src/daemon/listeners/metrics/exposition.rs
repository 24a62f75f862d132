//! The text in which Prometheus reads metrics (exposition format 0.0.4,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>). Knows no metric.

use std::fmt::Write;
use std::time::Duration;

/// What a value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    /// It only grows, from 0 at the start of the daemon on.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many values were at most so large, for several bounds; with their sum and number.
    Histogram,
}

impl MetricKind {
    /// Its name in the text.
    #[must_use]
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric: what all its series have in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MetricFamily {
    /// Its name, in base units.
    pub(super) name: &'static str,
    /// What its values mean.
    pub(super) kind: MetricKind,
    /// What tells its series apart, beside the door; the values are few, and known beforehand.
    pub(super) labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub(super) help: &'static str,
}

/// Times in seconds, counted by how long they were.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeHistogram<const BOUNDS: usize> {
    bounds: &'static [f64; BOUNDS],
    /// How many were within each bound and above the one before.
    within: [u64; BOUNDS],
    count: u64,
    sum: Duration,
}

impl<const BOUNDS: usize> TimeHistogram<BOUNDS> {
    pub(super) const fn new(bounds: &'static [f64; BOUNDS]) -> Self {
        Self { bounds, within: [0; BOUNDS], count: 0, sum: Duration::ZERO }
    }

    pub(super) fn note(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        if let Some(index) = self.bounds.iter().position(|bound| seconds <= *bound) {
            self.within[index] += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(time);
    }
}

/// The text as it grows. Every sample has the label `door`.
#[derive(Debug)]
pub(super) struct Exposition<'a> {
    text: String,
    door: &'a str,
}

impl<'a> Exposition<'a> {
    pub(super) fn new(door: &'a str) -> Self {
        Self { text: String::with_capacity(16 << 10), door }
    }

    /// Begins the metric `family`; its samples come next.
    pub(super) fn family(&mut self, family: &MetricFamily) {
        let MetricFamily { name, kind, help, .. } = family;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.push(&format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.name()));
    }

    /// One value of `family`.
    pub(super) fn sample(&mut self, family: &MetricFamily, labels: &[(&str, &str)], value: f64) {
        self.line(family.name, "", labels, value);
    }

    /// A metric with a single value.
    pub(super) fn single(&mut self, family: &MetricFamily, value: f64) {
        self.family(family);
        self.sample(family, &[], value);
    }

    /// The values of a histogram.
    pub(super) fn histogram<const BOUNDS: usize>(
        &mut self,
        family: &MetricFamily,
        labels: &[(&str, &str)],
        histogram: &TimeHistogram<BOUNDS>,
    ) {
        let mut below = 0;
        for (bound, within) in histogram.bounds.iter().zip(histogram.within) {
            below += within;
            let bound = bound.to_string();
            self.line(family.name, "_bucket", &[labels, &[("le", &bound)]].concat(), below as f64);
        }
        self.line(family.name, "_bucket", &[labels, &[("le", "+Inf")]].concat(), histogram.count as f64);
        self.line(family.name, "_sum", labels, histogram.sum.as_secs_f64());
        self.line(family.name, "_count", labels, histogram.count as f64);
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.push(&format!("{name}{suffix}{{door=\"{}\"", escaped_label(self.door)));
        for (label, text) in labels {
            self.push(&format!(",{label}=\"{}\"", escaped_label(text)));
        }
        // Rust writes neither exponents nor "inf" for what is counted here.
        self.push(&format!("}} {value}\n"));
    }

    fn push(&mut self, text: &str) {
        // A string takes whatever is written.
        let _ = self.text.write_str(text);
    }
}

/// A label's value: what would end it or the line is escaped.
fn escaped_label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Reads the text again, as strictly as its definition, for tests.
#[cfg(test)]
pub(super) mod parser {
    /// A sample: its name, its labels and its value.
    pub(crate) type Sample = (String, Vec<(String, String)>, f64);

    /// The samples of a text.
    pub(crate) fn samples(text: &str) -> Result<Vec<Sample>, String> {
        assert!(text.is_empty() || text.ends_with('\n'), "the last line has an end");
        let lines = text.split_terminator('\n');
        lines.filter(|line| !line.starts_with('#')).map(sample).collect()
    }

    fn sample(line: &str) -> Result<Sample, String> {
        let wrong = || format!("no sample: {line:?}");
        let (name, rest) = line.split_once('{').ok_or_else(wrong)?;
        if !is_name(name) {
            return Err(wrong());
        }
        let mut labels = Vec::new();
        let mut rest = rest;
        loop {
            let (label, behind) = rest.split_once("=\"").ok_or_else(wrong)?;
            let mut value = String::new();
            let mut letters = behind.char_indices();
            let end = loop {
                match letters.next().ok_or_else(wrong)? {
                    (end, '"') => break end,
                    (_, '\\') => value.push(match letters.next().ok_or_else(wrong)?.1 {
                        'n' => '\n',
                        letter @ ('\\' | '"') => letter,
                        _ => return Err(wrong()),
                    }),
                    (_, letter) => value.push(letter),
                }
            };
            if !is_name(label) {
                return Err(wrong());
            }
            labels.push((label.to_owned(), value));
            rest = &behind[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        let value = rest.strip_prefix("} ").ok_or_else(wrong)?;
        let value = value.parse().map_err(|_| wrong())?;
        Ok((name.to_owned(), labels, value))
    }

    fn is_name(text: &str) -> bool {
        let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        text.bytes().next().is_some_and(letter)
            && text.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FAMILY: MetricFamily = MetricFamily {
        name: "door_opened_total",
        kind: MetricKind::Counter,
        labels: &["by"],
        help: "Back\\slash\nand line.",
    };

    #[test]
    fn help_and_labels_are_escaped() {
        let mut exposition = Exposition::new("no\"rth\\\n");
        exposition.family(&FAMILY);
        exposition.sample(&FAMILY, &[("by", "a")], 3.0);
        assert_eq!(
            exposition.finish(),
            "# HELP door_opened_total Back\\\\slash\\nand line.\n# TYPE door_opened_total counter\n\
             door_opened_total{door=\"no\\\"rth\\\\\\n\",by=\"a\"} 3\n"
        );
    }

    #[test]
    fn buckets_are_cumulative_and_a_bound_belongs_to_what_is_below_it() {
        let mut histogram = TimeHistogram::new(&[0.001, 0.5]);
        for milliseconds in [0, 1, 2, 500, 501, 9000] {
            histogram.note(Duration::from_millis(milliseconds));
        }
        let mut exposition = Exposition::new("a");
        exposition.histogram(&FAMILY, &[], &histogram);
        assert_eq!(
            exposition.finish().replace("door_opened_total", "t").replace("door=\"a\"", "d"),
            "t_bucket{d,le=\"0.001\"} 2\nt_bucket{d,le=\"0.5\"} 4\nt_bucket{d,le=\"+Inf\"} 6\n\
             t_sum{d} 10.004\nt_count{d} 6\n"
        );
    }

    proptest! {
        /// Whatever a door or a label is called, the text can be read, and says the same.
        #[test]
        fn any_strings_come_back(
            door in "(\\PC|[\\\\\"\n\r\t{},=#]){0,20}",
            value in prop::collection::vec(any::<char>(), 0..20),
            number in any::<u32>(),
        ) {
            let value: String = value.into_iter().collect();
            let mut exposition = Exposition::new(&door);
            exposition.family(&FAMILY);
            exposition.sample(&FAMILY, &[("by", &value)], f64::from(number));
            let text = exposition.finish();
            let labels = vec![("door".to_owned(), door), ("by".to_owned(), value)];
            let expected = vec![("door_opened_total".to_owned(), labels, f64::from(number))];
            prop_assert_eq!(parser::samples(&text), Ok(expected));
        }

        #[test]
        fn a_histogram_counts_each_time_once(times in prop::collection::vec(0u64..20_000, 0..50)) {
            let mut histogram = TimeHistogram::new(&[0.001, 0.1, 5.0]);
            times.iter().for_each(|time| histogram.note(Duration::from_millis(*time)));
            let mut exposition = Exposition::new("a");
            exposition.histogram(&FAMILY, &[], &histogram);
            let samples = parser::samples(&exposition.finish()).unwrap();
            let values: Vec<f64> = samples.iter().map(|sample| sample.2).collect();
            let below = |limit: u64| times.iter().filter(|time| **time <= limit).count() as f64;
            let sum = times.iter().sum::<u64>() as f64 / 1000.0;
            prop_assert_eq!(&values[..4], &[below(1), below(100), below(5000), times.len() as f64]);
            prop_assert!((values[4] - sum).abs() < 1e-6);
            prop_assert_eq!(values[5], times.len() as f64);
        }
    }
}
