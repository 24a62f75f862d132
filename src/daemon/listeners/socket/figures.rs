//! What is known of the door at any moment, for clients that ask: its state, its rates and latencies, its
//! counts. Made from the notices; holds no picture.

use super::protocol::{
    FaceMessage, HealthMessage, LookMessage, Message, StageSeconds, StateMessage, seconds,
};
use crate::daemon::listeners::notice::Notice;
use crate::daemon::mode::DoorMode;
use crate::daemon::temperature::temperature;
use crate::daemon::watch::Stages;
use crate::decide::{DoorState, Finding, HeldPass, Signal};
use crate::outputs::Output;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Looks from which rates and latencies are taken.
const RECENT: usize = 64;
/// Looks that are older say nothing about now.
const OLDEST: Duration = Duration::from_secs(60);

/// The state of the door and how the daemon fares.
#[derive(Debug, Default)]
pub(in crate::daemon::listeners) struct LiveFigures {
    signal: Option<Signal>,
    status: Arc<str>,
    fault: Option<Arc<str>>,
    mode: DoorMode,
    held: Option<HeldPass>,
    outputs: Vec<Output>,
    recent: VecDeque<(Duration, Stages)>,
    counts: SinceStart,
}

#[derive(Debug, Default, Clone, Copy)]
struct SinceStart {
    looks: u64,
    skipped: u64,
    left_out: u64,
    alerts: u64,
    faults: u64,
}

impl LiveFigures {
    /// Notes what happened at `at`.
    pub(in crate::daemon::listeners) fn note(&mut self, at: Duration, notice: &Notice) {
        match notice {
            Notice::Looked(look) => {
                self.counts.looks += 1;
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back((at, look.stages));
                self.signal = Some(look.signal);
            }
            Notice::LeftOut(count) => self.counts.left_out += *count as u64,
            Notice::Skipped(_) => self.counts.skipped += 1,
            Notice::Finding(Finding::Alert { .. }) => self.counts.alerts += 1,
            Notice::State { signal, .. } => self.signal = Some(*signal),
            Notice::Status(status) | Notice::Ready(status) => self.status = Arc::clone(status),
            Notice::Mode(mode) => self.mode = *mode,
            Notice::PassHeld(held) => self.held = *held,
            Notice::Configured(config) => self.outputs.clone_from(&config.outputs.outputs),
            Notice::Fault { reason, .. } => {
                // Another cause of the same fault is no second one.
                self.counts.faults += u64::from(self.fault.is_none());
                self.fault = Some(Arc::clone(reason));
            }
            Notice::Recovered { .. } => self.fault = None,
            Notice::Finding(Finding::Verdict { .. })
            | Notice::Progress
            | Notice::Rested
            | Notice::Missed(_)
            | Notice::Reopened
            | Notice::Rare { .. }
            | Notice::Reloading
            | Notice::Refused(_)
            | Notice::Stopping => {}
        }
    }

    /// What those who watch are told of a notice; note it before.
    pub(in crate::daemon::listeners) fn tell(&self, at: Duration, notice: &Notice) -> Option<Message> {
        Some(match notice {
            Notice::Looked(look) => Message::Look(LookMessage {
                at: seconds(at),
                state: look.signal.state.name().into(),
                frame: look.frame,
                faces: look.faces.iter().map(FaceMessage::from).collect(),
                stages: look.stages.into(),
            }),
            Notice::Finding(finding) => Message::of_finding(at, finding),
            Notice::State { .. } | Notice::Mode(_) | Notice::Status(_) => self.state(at),
            Notice::Fault { reason, .. } => Message::Fault { at: seconds(at), reason: reason.to_string() },
            Notice::Recovered { reason, lasted } => {
                Message::Recovered { at: seconds(at), reason: reason.to_string(), lasted: seconds(*lasted) }
            }
            Notice::Progress
            | Notice::Rested
            | Notice::Missed(_)
            | Notice::Reopened
            | Notice::LeftOut(_)
            | Notice::PassHeld(_)
            | Notice::Rare { .. }
            | Notice::Skipped(_)
            | Notice::Configured(_)
            | Notice::Ready(_)
            | Notice::Reloading
            | Notice::Refused(_)
            | Notice::Stopping => return None,
        })
    }

    /// What the door shows at `now`.
    pub(in crate::daemon::listeners) fn state(&self, now: Duration) -> Message {
        // Until the first frame or fault the outputs are off.
        let state = self.signal.map_or(DoorState::Off, |signal| signal.state);
        let pattern = |output: &Output| (output.name.clone(), output.patterns.get(state).to_string());
        let mut message = StateMessage {
            at: seconds(now),
            state: state.name().into(),
            outputs: self.outputs.iter().map(pattern).collect(),
            lasted: seconds(self.signal.map_or(now, |signal| now.saturating_sub(signal.since))),
            status: self.status.to_string(),
            fault: self.fault.as_deref().map(str::to_owned),
            pass_hold: self
                .held
                .map(|held| seconds(held.until.saturating_sub(now)))
                .filter(|left| *left > 0.0),
            ..StateMessage::default()
        };
        message.set_mode(&self.mode, now);
        Message::State(message)
    }

    /// How the daemon fares at `now`.
    pub(in crate::daemon::listeners) fn health(&self, now: Duration) -> Message {
        let recent: Vec<_> = self.recent.iter().filter(|(at, _)| now.saturating_sub(*at) <= OLDEST).collect();
        let rate = match (recent.first(), recent.len()) {
            (Some((first, _)), looks @ 2..) => {
                let span = now.saturating_sub(*first).as_secs_f64();
                if span > 0.0 { ((looks as f64 / span) * 100.0).round() / 100.0 } else { 0.0 }
            }
            _ => 0.0,
        };
        let stage = |get: fn(&Stages) -> Duration, pick: fn(&[Duration]) -> Duration| {
            let mut times: Vec<Duration> = recent.iter().map(|(_, stages)| get(stages)).collect();
            times.sort_unstable();
            seconds(pick(&times))
        };
        let stages = |pick: fn(&[Duration]) -> Duration| StageSeconds {
            wait: stage(|stages| stages.wait, pick),
            detect: stage(|stages| stages.detect, pick),
            judge: stage(|stages| stages.judge, pick),
            decide: stage(|stages| stages.decide, pick),
        };
        let SinceStart { looks, skipped, left_out, alerts, faults } = self.counts;
        Message::Health(HealthMessage {
            at: seconds(now),
            looks_per_second: rate,
            median: stages(|times| times.get(times.len() / 2).copied().unwrap_or_default()),
            longest: stages(|times| times.last().copied().unwrap_or_default()),
            looks,
            skipped,
            left_out,
            alerts,
            faults,
            temperature: temperature(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::health::FaultKind;
    use crate::daemon::listeners::notice::LookReport;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn look(detect: u64) -> Notice {
        let stages = Stages { detect: at(detect), ..Stages::default() };
        let signal = Signal { state: DoorState::Idle, since: at(0) };
        let (frame, faces) = ((64, 48), Vec::new());
        Notice::Looked(Arc::new(LookReport { frame, faces, signal, stages, still: false }))
    }

    fn health(figures: &LiveFigures, now: u64) -> HealthMessage {
        match figures.health(at(now)) {
            Message::Health(health) => health,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rates_and_latencies_are_those_of_the_last_looks() {
        let mut figures = LiveFigures::default();
        assert_eq!(health(&figures, 0).looks_per_second, 0.0);
        for number in 0..200 {
            figures.note(at(number * 100), &look(number));
        }
        let now = health(&figures, 19_900);
        assert!((9.9..=10.3).contains(&now.looks_per_second), "{now:?}");
        assert_eq!((now.looks, now.longest.detect, now.median.detect), (200, 0.199, 0.168));
        assert_eq!(health(&figures, 100_000).looks_per_second, 0.0, "a minute later they say nothing");
        assert_eq!(figures.recent.len(), RECENT);
    }

    #[test]
    fn a_fault_is_one_until_it_is_over_and_shown_meanwhile() {
        let mut figures = LiveFigures::default();
        for reason in ["no camera", "no frames"] {
            figures.note(at(1), &Notice::Fault { kind: FaultKind::NoFrames, reason: reason.into() });
        }
        let Message::State(state) = figures.state(at(2)) else { panic!("a state") };
        assert_eq!((state.fault.as_deref(), health(&figures, 2).faults), (Some("no frames"), 1));
        figures.note(at(3), &Notice::Recovered { reason: "no frames".into(), lasted: at(2) });
        let Message::State(state) = figures.state(at(4)) else { panic!("a state") };
        assert_eq!(state.fault, None);
    }

    #[test]
    fn a_held_pass_is_told_with_the_time_that_is_left_of_it() {
        let mut figures = LiveFigures::default();
        let left = |figures: &LiveFigures, now| match figures.state(at(now)) {
            Message::State(state) => state.pass_hold,
            other => panic!("{other:?}"),
        };
        let held = HeldPass { since: at(1_000), until: at(4_000) };
        figures.note(at(1_000), &Notice::PassHeld(Some(held)));
        assert_eq!((left(&figures, 1_500), left(&figures, 4_000)), (Some(2.5), None));
        figures.note(at(2_000), &Notice::PassHeld(None));
        assert_eq!(left(&figures, 2_000), None, "an unmasked person came");
    }
}
