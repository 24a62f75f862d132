//! Why the last alerts were raised: the looks at each person up to then. Bounded, in memory, without
//! pictures; it ends with the daemon.

use super::protocol::{AlertReason, LookReason, Message, ProbabilityMessage, seconds};
use crate::daemon::listeners::notice::{LookReport, Notice};
use crate::decide::Finding;
use crate::track::TrackId;
use crate::vision::Judgement;
use std::collections::VecDeque;
use std::time::Duration;

/// Alerts that are remembered.
const ALERTS: usize = 8;
/// Looks that are remembered of each person.
const LOOKS: usize = 16;
/// People whose looks are remembered at a time.
const PEOPLE: usize = 16;

/// A look, and when it was.
type TimedLook = (Duration, LookReason);

/// The looks at people, and those that led to alerts.
#[derive(Debug, Default)]
pub(super) struct AlertMemory {
    people: VecDeque<(TrackId, VecDeque<TimedLook>)>,
    alerts: VecDeque<(Duration, TrackId, Vec<TimedLook>)>,
}

impl AlertMemory {
    /// Notes what happened at `at`.
    pub(super) fn note(&mut self, at: Duration, notice: &Notice) {
        match notice {
            Notice::Looked(look) => self.looked(at, look),
            Notice::Finding(Finding::Alert { track, .. }) => {
                let of_person = self.people.iter().find(|(known, _)| known == track);
                let looks = of_person.map(|(_, looks)| looks.iter().cloned().collect()).unwrap_or_default();
                if self.alerts.len() == ALERTS {
                    self.alerts.pop_front();
                }
                self.alerts.push_back((at, *track, looks));
            }
            _ => {}
        }
    }

    fn looked(&mut self, at: Duration, look: &LookReport) {
        for face in &look.faces {
            let (probabilities, stopped) = match face.judgement {
                Judgement::Unasked => continue,
                Judgement::Answered(answer) => (Some(ProbabilityMessage::from(answer)), None),
                Judgement::Stopped(gate) => (None, Some(gate.name().to_owned())),
                Judgement::Nobody => (None, Some("nobody".to_owned())),
            };
            let reason = LookReason {
                before: 0.0,
                side: face.rect.w.min(face.rect.h).round(),
                verdict: face.verdict.name().to_owned(),
                probabilities,
                stopped,
            };
            let looks = self.of(face.track);
            if looks.len() == LOOKS {
                looks.pop_front();
            }
            looks.push_back((at, reason));
        }
    }

    /// The looks at a person, who is the newest from now on.
    fn of(&mut self, track: TrackId) -> &mut VecDeque<TimedLook> {
        let known = self.people.iter().position(|(known, _)| *known == track);
        let person = known.and_then(|index| self.people.remove(index)).unwrap_or_else(|| {
            if self.people.len() == PEOPLE {
                self.people.pop_front();
            }
            (track, VecDeque::new())
        });
        self.people.push_front(person);
        // The oldest is the last now.
        self.people.rotate_left(1);
        let newest = self.people.len() - 1;
        &mut self.people[newest].1
    }

    /// The reasons of the last alerts, the newest first, as told at `now`.
    pub(super) fn tell(&self, now: Duration) -> Message {
        let reason = |(at, track, looks): &(Duration, TrackId, Vec<TimedLook>)| AlertReason {
            ago: seconds(now.saturating_sub(*at)),
            person: track.0,
            looks: looks
                .iter()
                .map(|(when, look)| LookReason { before: seconds(at.saturating_sub(*when)), ..look.clone() })
                .collect(),
        };
        Message::Why { at: seconds(now), alerts: self.alerts.iter().rev().map(reason).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::Stages;
    use crate::daemon::watch::Face;
    use crate::decide::{DoorState, Signal, Verdict};
    use crate::geometry::Rect;
    use crate::vision::classifier::Probabilities;
    use crate::vision::quality::Gate;
    use std::sync::Arc;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn looked(track: u64, judgement: Judgement) -> Notice {
        let face = Face {
            track: TrackId(track),
            rect: Rect::new(0.0, 0.0, 40.4, 50.0),
            judgement,
            answer: judgement.answer(),
            verdict: Verdict::Unsure,
        };
        Notice::Looked(Arc::new(LookReport {
            frame: (640, 480),
            faces: vec![face],
            signal: Signal { state: DoorState::Idle, since: at(0) },
            stages: Stages::default(),
            still: false,
        }))
    }

    fn alerts(recall: &AlertMemory, now: u64) -> Vec<AlertReason> {
        let Message::Why { alerts, .. } = recall.tell(at(now)) else { panic!() };
        alerts
    }

    #[test]
    fn an_alert_is_explained_by_the_looks_before_it() {
        let mut recall = AlertMemory::default();
        recall.note(at(100), &looked(1, Judgement::Stopped(Gate::Yaw)));
        recall.note(at(200), &looked(1, Judgement::Unasked));
        recall.note(at(300), &looked(1, Judgement::Answered(Probabilities::of_mask(0.25))));
        recall.note(at(300), &Notice::Finding(Finding::Alert { track: TrackId(1), first_seen: at(0) }));
        recall.note(at(400), &looked(1, Judgement::Answered(Probabilities::of_mask(0.5))));
        let [alert] = &alerts(&recall, 1300)[..] else { panic!() };
        assert_eq!((alert.ago, alert.person, alert.looks.len()), (1.0, 1, 2));
        assert_eq!((alert.looks[0].before, alert.looks[0].stopped.as_deref()), (0.2, Some(Gate::Yaw.name())));
        let asked = &alert.looks[1];
        assert_eq!((asked.side, asked.probabilities.map(|answer| answer.mask)), (40.0, Some(0.25)));
    }

    #[test]
    fn memory_is_bounded_and_the_longest_unseen_go_first() {
        let mut recall = AlertMemory::default();
        recall.note(at(0), &looked(0, Judgement::Nobody));
        for track in 1..=PEOPLE as u64 {
            for look in 0..2 * LOOKS as u64 {
                recall.note(at(look), &looked(track, Judgement::Nobody));
            }
            // Person 1 is seen again and again.
            recall.note(at(99), &looked(1, Judgement::Nobody));
        }
        assert!(recall.people.len() == PEOPLE && recall.people.iter().all(|(_, looks)| looks.len() <= LOOKS));
        assert!(!recall.people.iter().any(|(track, _)| track.0 == 0));
        for track in 0..2 * ALERTS as u64 {
            recall.note(
                at(100 + track),
                &Notice::Finding(Finding::Alert { track: TrackId(track), first_seen: at(0) }),
            );
        }
        let told = alerts(&recall, 200);
        assert_eq!((told.len(), told[0].person, told[0].looks.len()), (ALERTS, 2 * ALERTS as u64 - 1, LOOKS));
        assert!(recall.tell(at(200)).line().len() < 48 * 1024);
    }
}
