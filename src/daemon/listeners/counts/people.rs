//! Who is at the door, for counting: each person once, when gone, by the gravest verdict. Only numbers leave
//! this file.

use super::ledger::DoorCounts;
use crate::daemon::watch::Face;
use crate::decide::Verdict;
use crate::track::TrackId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Who was not seen for so long has gone.
const GONE: Duration = Duration::from_secs(5);
/// Who has no verdict counts as unsure from this time in view on; a shorter glimpse is nobody.
const GLIMPSE: Duration = Duration::from_secs(1);
/// People in view that are counted at most.
const MOST: usize = 256;

/// The people in view.
#[derive(Debug, Default)]
pub(in crate::daemon::listeners) struct People(BTreeMap<TrackId, InView>);

#[derive(Debug, Clone, Copy)]
struct InView {
    first: Duration,
    last: Duration,
    gravest: Verdict,
}

/// The later one counts.
fn gravity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Unsure => 0,
        Verdict::Masked => 1,
        Verdict::Incorrect => 2,
        Verdict::Unmasked => 3,
    }
}

impl People {
    /// Notes the faces of a frame; those whose shorter side is below `least` pixels are passers-by.
    pub(in crate::daemon::listeners) fn look(&mut self, at: Duration, faces: &[Face], least: f32) {
        for face in faces.iter().filter(|face| face.rect.side() >= least) {
            if self.0.len() >= MOST && !self.0.contains_key(&face.track) {
                continue;
            }
            let new = InView { first: at, last: at, gravest: Verdict::Unsure };
            let person = self.0.entry(face.track).or_insert(new);
            person.last = at;
            if gravity(face.verdict) > gravity(person.gravest) {
                person.gravest = face.verdict;
            }
        }
    }

    /// Whether the person has had a verdict in one of the frames so far.
    pub(in crate::daemon::listeners) fn has_verdict(&self, track: TrackId) -> bool {
        self.0.get(&track).is_some_and(|person| person.gravest != Verdict::Unsure)
    }

    /// Counts those who have gone by `at`.
    pub(in crate::daemon::listeners) fn leave(&mut self, at: Duration) -> DoorCounts {
        self.count(|person| at.saturating_sub(person.last) >= GONE)
    }

    /// Counts everybody: nobody looks any more.
    pub(in crate::daemon::listeners) fn leave_all(&mut self) -> DoorCounts {
        self.count(|_| true)
    }

    fn count(&mut self, has_gone: impl Fn(&InView) -> bool) -> DoorCounts {
        let mut counted = DoorCounts::default();
        self.0.retain(|_, person| {
            if !has_gone(person) {
                return true;
            }
            let kind = match person.gravest {
                Verdict::Masked => &mut counted.masked,
                Verdict::Unmasked => &mut counted.unmasked,
                Verdict::Incorrect => &mut counted.incorrect,
                Verdict::Unsure if person.last.saturating_sub(person.first) < GLIMPSE => return false,
                Verdict::Unsure => &mut counted.unsure,
            };
            *kind += 1;
            counted.people += 1;
            false
        });
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;
    use crate::vision::Judgement;
    use proptest::prelude::*;

    fn at(seconds: f32) -> Duration {
        Duration::from_secs_f32(seconds)
    }

    fn face(track: u64, verdict: Verdict) -> Face {
        Face {
            track: TrackId(track),
            rect: Rect::new(0.0, 0.0, 40.0, 50.0),
            judgement: Judgement::Unasked,
            answer: None,
            verdict,
        }
    }

    #[test]
    fn a_person_counts_once_when_gone_by_the_gravest_verdict() {
        let mut people = People::default();
        people.look(at(0.0), &[face(1, Verdict::Unsure), face(2, Verdict::Masked)], 16.0);
        people.look(at(1.0), &[face(1, Verdict::Unmasked), face(2, Verdict::Masked)], 16.0);
        people.look(at(2.0), &[face(1, Verdict::Masked), face(3, Verdict::Incorrect)], 16.0);
        assert!(people.leave(at(5.0)).is_nothing());
        let first = people.leave(at(6.5));
        assert_eq!((first.people, first.masked), (1, 1));
        let rest = people.leave_all();
        assert_eq!((rest.people, rest.unmasked, rest.incorrect, rest.masked), (2, 1, 1, 0));
        assert!(people.leave_all().is_nothing());
    }

    #[test]
    fn passers_by_and_glimpses_are_nobody() {
        let mut people = People::default();
        people.look(at(0.0), &[face(1, Verdict::Unsure)], 16.0);
        people.look(at(0.0), &[face(2, Verdict::Masked)], 41.0);
        people.look(at(0.0), &[face(3, Verdict::Unsure)], 16.0);
        people.look(at(1.5), &[face(3, Verdict::Unsure)], 16.0);
        let counted = people.leave_all();
        assert_eq!((counted.people, counted.unsure), (1, 1));
    }

    proptest! {
        #[test]
        fn nobody_counts_twice_and_the_kinds_make_the_sum(
            looks in prop::collection::vec((0u64..20, 0usize..4, 0u64..4000), 1..300)
        ) {
            let (mut people, mut now, mut sum) = (People::default(), Duration::ZERO, DoorCounts::default());
            let kinds = [Verdict::Masked, Verdict::Unmasked, Verdict::Incorrect, Verdict::Unsure];
            let mut comings = 0;
            for (track, kind, passed) in looks {
                now += Duration::from_millis(passed);
                sum += &people.leave(now);
                comings += u32::from(!people.0.contains_key(&TrackId(track)));
                people.look(now, &[face(track, kinds[kind])], 16.0);
            }
            sum += &people.leave_all();
            prop_assert_eq!(sum.people, sum.masked + sum.unmasked + sum.incorrect + sum.unsure);
            prop_assert!(sum.people <= comings);
        }
    }
}
