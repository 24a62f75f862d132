//! For how long a pass is held: somebody with a mask opens the way for a fixed time, once, however long he
//! stays.

use crate::track::TrackId;
use maskwatch_vision::named;
use std::collections::VecDeque;
use std::time::Duration;

/// People who have passed that are remembered; a track's number never comes back after so many others.
const REMEMBERED: usize = 256;

/// For whom a pass is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PassHoldFor {
    /// While nobody in view is unmasked, and no alert lasts.
    #[default]
    Everyone,
    /// For each who wears a mask, whoever else is there.
    Anyone,
}

named!(PassHoldFor { Everyone => "everyone", Anyone => "anyone", });

/// A pass that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldPass {
    /// Since when.
    pub since: Duration,
    /// Until when.
    pub until: Duration,
}

/// Whether a pass is held, and who has had one.
#[derive(Debug, Clone, Default)]
pub(super) struct Passage {
    held: Option<HeldPass>,
    passed: VecDeque<TrackId>,
}

impl Passage {
    /// Holds a pass from `now` on for `time`, if `track` has not had one.
    pub(super) fn admit(&mut self, track: TrackId, now: Duration, time: Duration) {
        if time.is_zero() || self.passed.contains(&track) {
            return;
        }
        if self.passed.len() >= REMEMBERED {
            self.passed.pop_front();
        }
        self.passed.push_back(track);
        let since = self.held(now).map_or(now, |held| held.since);
        self.held = Some(HeldPass { since, until: now + time });
    }

    /// Ends what is held. Who has had a pass gets no other one.
    pub(super) fn end(&mut self) {
        self.held = None;
    }

    /// The pass that is held at `now`.
    pub(super) fn held(&self, now: Duration) -> Option<HeldPass> {
        self.held.filter(|held| now < held.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_track_holds_it_once_and_a_second_person_prolongs_it() {
        let mut passage = Passage::default();
        passage.admit(TrackId(1), at(10), at(5));
        passage.admit(TrackId(1), at(12), at(5));
        assert_eq!(passage.held(at(12)), Some(HeldPass { since: at(10), until: at(15) }));
        passage.admit(TrackId(2), at(13), at(5));
        assert_eq!(passage.held(at(17)), Some(HeldPass { since: at(10), until: at(18) }));
        assert_eq!(passage.held(at(18)), None);
        passage.admit(TrackId(1), at(30), at(5));
        assert_eq!(passage.held(at(30)), None);
        passage.admit(TrackId(3), at(40), at(5));
        passage.end();
        passage.admit(TrackId(3), at(41), at(5));
        assert_eq!(passage.held(at(41)), None);
    }

    #[test]
    fn without_a_time_nobody_passes_and_memory_is_bounded() {
        let mut passage = Passage::default();
        passage.admit(TrackId(1), at(0), at(0));
        assert_eq!(passage.held(at(0)), None);
        (0..10_000).for_each(|track| passage.admit(TrackId(track), at(track), at(1)));
        assert_eq!(passage.passed.len(), REMEMBERED);
    }
}
