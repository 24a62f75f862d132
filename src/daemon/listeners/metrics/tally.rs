//! What has happened at the door since the metrics began, in numbers; and these numbers as text.

use super::exposition::{Exposition, MetricFamily, TimeHistogram};
use super::families;
use crate::daemon::health::FaultKind;
use crate::daemon::listeners::counts::{DoorCounts, People};
use crate::daemon::listeners::notice::{LookReport, Notice};
use crate::daemon::mode::DoorMode;
use crate::daemon::supply::{BoardLimit, SupplyReport};
use crate::daemon::watch::Stages;
use crate::decide::{DoorState, FaceSize, Finding, Rules, Verdict};
use crate::vision::Judgement;
use std::time::Duration;

/// Bounds of a stage's times in seconds.
const STAGE_BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Bounds of the times to an alert; by default two looks within 0.4 s are needed for one.
const ALERT_BOUNDS: [f64; 8] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0];
/// The verdicts, in the order of [`DoorTally::verdicts`].
const VERDICTS: [Verdict; 4] = [Verdict::Masked, Verdict::Unmasked, Verdict::Incorrect, Verdict::Unsure];
/// The stages of a look, in the order of [`DoorTally::stages`].
const STAGES: [&str; 4] = ["wait", "detect", "judge", "decide"];

/// What the board tells of itself at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct BoardReading {
    /// The processor's temperature in degrees Celsius.
    pub(super) temperature: Option<f64>,
    pub(super) supply: SupplyReport,
}

/// The numbers.
#[derive(Debug)]
pub(super) struct DoorTally {
    state: DoorState,
    mode: DoorMode,
    looks: u64,
    still: u64,
    paused: u64,
    damaged: u64,
    missed: u64,
    stages: [TimeHistogram<{ STAGE_BOUNDS.len() }>; STAGES.len()],
    looked: Option<Duration>,
    faces_now: usize,
    faces: u64,
    left_out: u64,
    verdicts: [u64; VERDICTS.len()],
    in_view: People,
    gone: DoorCounts,
    /// Faces below are passers-by.
    least: FaceSize,
    alerts: u64,
    until_alert: TimeHistogram<{ ALERT_BOUNDS.len() }>,
    fault: Option<FaultKind>,
    faults: [u64; FaultKind::ALL.len()],
    reopened: u64,
    broken: u64,
    refused: bool,
}

impl Default for DoorTally {
    fn default() -> Self {
        Self {
            state: DoorState::Off,
            mode: DoorMode::default(),
            looks: 0,
            still: 0,
            paused: 0,
            damaged: 0,
            missed: 0,
            stages: [const { TimeHistogram::new(&STAGE_BOUNDS) }; STAGES.len()],
            looked: None,
            faces_now: 0,
            faces: 0,
            left_out: 0,
            verdicts: [0; VERDICTS.len()],
            in_view: People::default(),
            gone: DoorCounts::default(),
            least: Rules::default().ignore_below,
            alerts: 0,
            until_alert: TimeHistogram::new(&ALERT_BOUNDS),
            fault: None,
            faults: [0; FaultKind::ALL.len()],
            reopened: 0,
            broken: 0,
            refused: false,
        }
    }
}

impl DoorTally {
    /// Whether `notice` changes a number.
    pub(super) fn counts(notice: &Notice) -> bool {
        !matches!(
            notice,
            Notice::Rare { .. } | Notice::Status(_) | Notice::Reloading | Notice::Ready(_) | Notice::Stopping
        )
    }

    /// Notes what happened at `at`.
    pub(super) fn note(&mut self, at: Duration, notice: &Notice) {
        match notice {
            Notice::Looked(look) => self.look(at, look),
            Notice::Rested => {
                self.paused += 1;
                self.faces_now = 0;
            }
            Notice::Missed(count) => self.missed += count,
            Notice::Skipped(_) => self.damaged += 1,
            Notice::LeftOut(count) => self.left_out += *count as u64,
            Notice::Finding(Finding::Verdict { verdict, .. }) => {
                if let Some(index) = VERDICTS.iter().position(|known| known == verdict) {
                    self.verdicts[index] += 1;
                }
            }
            Notice::Finding(Finding::Alert { track, first_seen }) => {
                self.alerts += 1;
                // Whoever takes the mask off has been seen for as long as he likes.
                if !self.in_view.has_verdict(*track) {
                    self.until_alert.note(at.saturating_sub(*first_seen));
                }
            }
            Notice::State { signal, .. } => self.state = signal.state,
            Notice::Mode(mode) => self.mode = *mode,
            Notice::Fault { kind, .. } => {
                if self.fault.replace(*kind) != Some(*kind) {
                    self.faults[*kind as usize] += 1;
                }
                self.faces_now = 0;
            }
            Notice::Recovered { .. } => self.fault = None,
            Notice::Reopened => self.reopened += 1,
            Notice::Progress => self.broken += 1,
            Notice::Configured(config) => {
                self.least = config.decision.ignore_below;
                self.refused = false;
            }
            Notice::Refused(_) => self.refused = true,
            Notice::Rare { .. }
            | Notice::Status(_)
            | Notice::PassHeld(_)
            | Notice::Reloading
            | Notice::Ready(_)
            | Notice::Stopping => {}
        }
        self.gone += &self.in_view.leave(at);
    }

    fn look(&mut self, at: Duration, look: &LookReport) {
        self.state = look.signal.state;
        self.looked = Some(at);
        self.faces_now = look.faces.len();
        self.faces += look.faces.len() as u64;
        self.in_view.look(at, &look.faces, self.least.pixels(look.frame.0));
        if look.still {
            self.still += 1;
            return;
        }
        self.looks += 1;
        let Stages { wait, detect, judge, decide } = look.stages;
        let is_judged = look.faces.iter().any(|face| face.judgement != Judgement::Unasked);
        let times = [Some(wait), Some(detect), is_judged.then_some(judge), Some(decide)];
        for (histogram, time) in self.stages.iter_mut().zip(times) {
            if let Some(time) = time {
                histogram.note(time);
            }
        }
    }

    /// The numbers at `now` as text, with what others know: the door's name, when the daemon was started in
    /// seconds since 1970, what the board tells, and what listeners have lost.
    pub(super) fn text(
        &self,
        now: Duration,
        door: &str,
        started: f64,
        board: BoardReading,
        lost: &[(&str, u64)],
    ) -> String {
        let mut out = Exposition::new(door);
        out.family(&families::BUILD);
        let build = [("version", env!("CARGO_PKG_VERSION")), ("architecture", std::env::consts::ARCH)];
        out.sample(&families::BUILD, &build, 1.0);
        out.single(&families::STARTED, started);
        let states = DoorState::ALL.map(|state| (state.name(), u64::from(state == self.state)));
        counted(&mut out, &families::STATE, &states);
        out.single(&families::PAUSED, truth(self.mode.rests()));
        self.frames(&mut out, now);
        self.people(&mut out);
        let faults = FaultKind::ALL.map(|kind| (kind.name(), self.faults[kind as usize]));
        counted(&mut out, &families::FAULTS, &faults);
        let now = FaultKind::ALL.map(|kind| (kind.name(), u64::from(self.fault == Some(kind))));
        counted(&mut out, &families::FAULT_NOW, &now);
        out.single(&families::REOPENED, self.reopened as f64);
        out.single(&families::BROKEN, self.broken as f64);
        told(&mut out, board);
        counted(&mut out, &families::LOST, lost);
        out.single(&families::CONFIGURED, truth(!self.refused));
        out.finish()
    }

    fn frames(&self, out: &mut Exposition<'_>, now: Duration) {
        let dropped = [
            ("damaged", self.damaged),
            ("newer", self.missed),
            ("paused", self.paused),
            ("still", self.still),
        ];
        let all = self.looks + dropped.iter().map(|(_, count)| count).sum::<u64>();
        out.single(&families::FRAMES, all as f64);
        counted(out, &families::DROPPED, &dropped);
        out.single(&families::LOOKS, self.looks as f64);
        out.family(&families::STAGES);
        for (stage, histogram) in STAGES.into_iter().zip(&self.stages) {
            out.histogram(&families::STAGES, &[("stage", stage)], histogram);
        }
        out.family(&families::LOOK_AGE);
        if let Some(looked) = self.looked {
            out.sample(&families::LOOK_AGE, &[], now.saturating_sub(looked).as_secs_f64());
        }
    }

    fn people(&self, out: &mut Exposition<'_>) {
        out.single(&families::FACES_NOW, self.faces_now as f64);
        out.single(&families::FACES, self.faces as f64);
        out.single(&families::LEFT_OUT, self.left_out as f64);
        let verdicts: Vec<_> =
            VERDICTS.iter().zip(self.verdicts).map(|(verdict, count)| (verdict.name(), count)).collect();
        counted(out, &families::VERDICTS, &verdicts);
        let gone = |verdict: &Verdict| match verdict {
            Verdict::Masked => self.gone.masked,
            Verdict::Unmasked => self.gone.unmasked,
            Verdict::Incorrect => self.gone.incorrect,
            Verdict::Unsure => self.gone.unsure,
        };
        let people = VERDICTS.map(|verdict| (verdict.name(), u64::from(gone(&verdict))));
        counted(out, &families::PEOPLE, &people);
        out.single(&families::ALERTS, self.alerts as f64);
        out.family(&families::ALERT_TIME);
        out.histogram(&families::ALERT_TIME, &[], &self.until_alert);
    }
}

/// What the board tells; nothing where it tells nothing.
fn told(out: &mut Exposition<'_>, board: BoardReading) {
    out.family(&families::TEMPERATURE);
    if let Some(degrees) = board.temperature {
        out.sample(&families::TEMPERATURE, &[], degrees);
    }
    let limits = |ask: fn(SupplyReport, BoardLimit) -> Option<bool>| -> Vec<_> {
        let told = |limit: BoardLimit| Some((limit.name(), u64::from(ask(board.supply, limit)?)));
        BoardLimit::ALL.into_iter().filter_map(told).collect()
    };
    counted(out, &families::LIMITED, &limits(SupplyReport::now));
    counted(out, &families::WAS_LIMITED, &limits(SupplyReport::since_boot));
}

/// A metric with one value for each of these values of its only label.
fn counted(out: &mut Exposition<'_>, family: &MetricFamily, values: &[(&str, u64)]) {
    let label = family.labels.first().copied().unwrap_or_default();
    out.family(family);
    for (value, count) in values {
        out.sample(family, &[(label, value)], *count as f64);
    }
}

fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[cfg(test)]
mod tests;
