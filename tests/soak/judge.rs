//! Whether what the daemon did was right: its outputs, alerts and answers beside the plan, its use of the
//! machine over time.

use crate::daemon::{Line, Use};
use crate::plan::{Fault, Phase, Plan, Scene};
use crate::writer::lit;
use std::collections::BTreeMap;

/// Within so many seconds of a scene's begin the outputs show it, and an alert was raised if it has to be.
pub(crate) const SETTLE: f64 = 2.5;
/// The command that ended is started again within so many seconds more.
const RESTART: f64 = 3.5;
/// How long the door has to see no frame, by the configuration, until it shows a fault.
pub(crate) const TIMEOUT: f64 = 2.0;
/// A scene lasts so much longer on the outputs: hold and linger time, and the way of a frame.
const AFTERGLOW: f64 = 2.5;
/// Resident memory may grow by so many KiB from the first third of the measured time to the last.
pub(crate) const GROWTH: u64 = 2048;
/// Fewer samples say nothing.
const LEAST_SAMPLES: usize = 4;

/// When which LED was on, by the daemon's log.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    changes: Vec<(f64, String, bool)>,
}

impl Pins {
    pub(crate) fn read(log: &[Line]) -> Self {
        let change = |line: &Line| {
            let (_, rest) = line.text.split_once("simulated pin ")?;
            let (name, rest) = rest.split_once(" (GPIO")?;
            let (_, level) = rest.split_once(") is ")?;
            Some((line.at, name.to_owned(), level.starts_with("High")))
        };
        Self { changes: log.iter().filter_map(change).collect() }
    }

    /// The outputs that are on at `time`, without the buzzer, which sounds at times only.
    fn lit(&self, time: f64) -> Vec<&str> {
        let mut levels: BTreeMap<&str, bool> = BTreeMap::new();
        for (_, name, on) in self.changes.iter().take_while(|(at, ..)| *at <= time) {
            levels.insert(name, *on);
        }
        levels.into_iter().filter(|(name, on)| *on && *name != "buzzer").map(|(name, _)| name).collect()
    }

    /// From when on, before `to`, the outputs were `right` without a break; `None` if they are not so at
    /// `to`.
    fn right_since(&self, right: &[&str], from: f64, to: f64) -> Option<f64> {
        let within = self.changes.iter().map(|(at, ..)| *at).filter(|at| (from..to).contains(at));
        let mut since = None;
        for time in std::iter::once(from).chain(within) {
            let is_right = self.lit(time) == right;
            since = if is_right { since.or(Some(time)) } else { None };
        }
        since
    }

    fn was_lit(&self, name: &str, from: f64, to: f64) -> bool {
        self.lit(from).contains(&name)
            || self.changes.iter().any(|(at, known, on)| known == name && *on && (from..to).contains(at))
    }

    /// The names that are on at the end, the buzzer included.
    pub(crate) fn left_on(&self) -> Vec<&str> {
        let mut levels: BTreeMap<&str, bool> = BTreeMap::new();
        for (_, name, on) in &self.changes {
            levels.insert(name, *on);
        }
        levels.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
    }
}

/// What was found of one kind.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) checked: usize,
    pub(crate) failures: Vec<String>,
    /// Seconds from the begin of what was to be seen, or from the fault's end, until the outputs were right.
    pub(crate) delays: Vec<f64>,
}

impl Row {
    pub(crate) fn check(&mut self, right: bool, failure: impl FnOnce() -> String) {
        self.checked += 1;
        if !right {
            self.failures.push(failure());
        }
    }
}

/// The findings by their name, in the order in which they are told.
#[derive(Debug, Default)]
pub(crate) struct Verdict(pub(crate) Vec<(String, Row)>);

impl Verdict {
    pub(crate) fn row(&mut self, name: &str) -> &mut Row {
        let at = self.0.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.0.push((name.to_owned(), Row::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    pub(crate) fn check(&mut self, name: &str, right: bool, failure: impl FnOnce() -> String) {
        self.row(name).check(right, failure);
    }

    pub(crate) fn passed(&self) -> bool {
        self.0.iter().all(|(_, row)| row.failures.is_empty() && row.checked > 0)
    }
}

/// Judges outputs and alerts by the plan.
pub(crate) fn outputs(plan: &Plan, log: &[Line], verdict: &mut Verdict) {
    let pins = Pins::read(log);
    let hurt = |phase: &Phase| phase.fault.is_some_and(|fault| !fault.is_harmless());
    for (index, phase) in plan.0.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &plan.0[before]);
        let after = plan.0.get(index + 1);
        if let Some(fault) = phase.fault {
            if fault.is_shown() {
                let row = verdict.row(fault.name());
                let shown = pins.was_lit("amber", phase.from + TIMEOUT, phase.to + SETTLE);
                row.check(shown, || format!("{:.1} s: the fault was not shown", phase.from));
            }
            answer(fault, phase, log, verdict);
            if let Some(after) = after.filter(|after| fault.is_harmless() && after.scene == phase.scene) {
                let row = verdict.row(fault.name());
                let since = pins.right_since(lit(phase.scene), phase.from, after.to - 0.1);
                row.delays.extend(since.map(|since| since - phase.from));
                row.check(since.is_some_and(|since| since <= phase.from + SETTLE), || {
                    format!("{:.1} s: not {:?} all the time", phase.from, lit(phase.scene))
                });
            }
        } else if let Some(fault) = before.filter(|before| hurt(before)).and_then(|before| before.fault) {
            recovery(fault, phase, &pins, verdict);
        } else if phase.to - phase.from > SETTLE + 1.0
            && before.is_none_or(|before| before.scene != phase.scene)
        {
            // The daemon's start takes time of its own.
            let settle = if before.is_none() { phase.to - 1.0 } else { phase.from + SETTLE };
            let row = verdict.row(&format!("{}, undisturbed", phase.scene.name()));
            let since = pins.right_since(lit(phase.scene), phase.from, phase.to - 0.1);
            row.delays.extend(since.filter(|_| before.is_some()).map(|since| since - phase.from));
            row.check(since.is_some_and(|since| since <= settle), || {
                format!(
                    "{:.1} s: {:?} lit instead of {:?}",
                    phase.from,
                    pins.lit(phase.to - 0.1),
                    lit(phase.scene)
                )
            });
        }
        let begins = before.is_none_or(|before| before.scene != phase.scene || hurt(before));
        let lasts = phase.to - phase.from
            + after
                .filter(|after| after.scene == phase.scene && !hurt(after))
                .map_or(0.0, |after| after.to - after.from);
        if phase.scene == Scene::Bare && phase.is_fresh && begins && !hurt(phase) && lasts > SETTLE {
            let row = verdict.row("alert for every unmasked person");
            // The face may have been seen before the fault that showed it was over.
            let seen =
                before.filter(|before| before.scene == phase.scene).map_or(phase.from, |before| before.from);
            let alert = log.iter().find(|line| line.at >= seen && is_alert(line));
            let delay = alert.map(|line| (line.at - phase.from).max(0.0)).filter(|delay| *delay <= SETTLE);
            row.delays.extend(delay);
            row.check(delay.is_some(), || format!("{:.1} s: no alert within {SETTLE} s", phase.from));
        }
    }
    let row = verdict.row("no alert without an unmasked person");
    let cause = |at: f64| {
        plan.0
            .iter()
            .any(|phase| phase.scene == Scene::Bare && (phase.from..phase.to + AFTERGLOW).contains(&at))
    };
    for line in log.iter().filter(|line| is_alert(line)) {
        row.check(cause(line.at), || format!("{:.1} s: {}", line.at, line.text));
    }
    let panics: Vec<&Line> = log.iter().filter(|line| line.text.contains("panicked at")).collect();
    verdict.check("no panic", panics.is_empty(), || format!("{:.1} s: {}", panics[0].at, panics[0].text));
}

fn is_alert(line: &Line) -> bool {
    line.text.contains("alert for person")
}

/// What has to be said of a reload.
fn answer(fault: Fault, phase: &Phase, log: &[Line], verdict: &mut Verdict) {
    let words = match fault {
        Fault::Reload | Fault::OtherSource => "the configuration was reloaded",
        Fault::BadReload => "the configuration stays as it was",
        _ => return,
    };
    let within = phase.from..phase.to + SETTLE;
    let said = log.iter().any(|line| within.contains(&line.at) && line.text.contains(words));
    verdict.row(fault.name()).check(said, || format!("{:.1} s: it never said \"{words}\"", phase.from));
}

/// Outputs that are right soon after a fault, and stay so.
fn recovery(fault: Fault, phase: &Phase, pins: &Pins, verdict: &mut Verdict) {
    let limit = SETTLE + if fault.restarts() { RESTART } else { 0.0 };
    let since = pins.right_since(lit(phase.scene), phase.from, phase.to - 0.1);
    let row = verdict.row(fault.name());
    row.delays.extend(since.map(|since| since - phase.from));
    row.check(since.is_some_and(|since| since - phase.from <= limit), || {
        let found = since.map_or_else(
            || format!("{:?} lit instead of {:?}", pins.lit(phase.to - 0.1), lit(phase.scene)),
            |since| format!("right only after {:.1} s", since - phase.from),
        );
        format!("{:.1} s: {found}", phase.from)
    });
}

/// What was measured first and last of one format of frames.
#[derive(Debug)]
pub(crate) struct Growth {
    pub(crate) format: &'static str,
    pub(crate) first: Use,
    pub(crate) last: Use,
}

/// Judges that memory, threads and open files do not grow, by the medians of the first third of the samples
/// and of the last. Each format of frames has buffers of its own, so each is compared with itself.
pub(crate) fn uses(samples: &[Use], verdict: &mut Verdict) -> Vec<Growth> {
    let mut growths = Vec::new();
    for format in ["mjpeg", "yuyv"] {
        let samples: Vec<Use> = samples.iter().copied().filter(|sample| sample.format == format).collect();
        let third = samples.len() / 3;
        if third < LEAST_SAMPLES {
            continue;
        }
        let (Some(first), Some(last)) =
            (median(&samples[..third]), median(&samples[samples.len() - third..]))
        else {
            continue;
        };
        let mut check = |what: &str, first: u64, last: u64, most: u64| {
            verdict.check(&format!("{what} do not grow"), last <= first + most, || {
                format!("from {first} to {last} with {format}")
            });
        };
        check("KiB of memory", first.memory, last.memory, GROWTH);
        check("threads", first.threads, last.threads, 0);
        check("open files", first.files, last.files, 0);
        growths.push(Growth { format, first, last });
    }
    verdict.check("memory was measured", !growths.is_empty(), || "the run was too short for that".into());
    growths
}

fn median(samples: &[Use]) -> Option<Use> {
    let median = |value: fn(&Use) -> u64| {
        let mut values: Vec<u64> = samples.iter().map(value).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    let memory = median(|sample| sample.memory)?;
    let (threads, files) = (median(|sample| sample.threads)?, median(|sample| sample.files)?);
    Some(Use { memory, threads, files, ..*samples.first()? })
}
