//! Detects a frozen source: one whose frames are all the same, bit for bit. The noise of a sensor makes two
//! equal frames most unlikely, except in the dark or in glaring light, where all values are at their limit.
//!
//! A frozen camera is opened again and may still be frozen. Its frame is remembered, so that it does not
//! count as new then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The first `PART` bytes of every `STRETCH` bytes distinguish most frames from the one before.
const PART: usize = 32;
const STRETCH: usize = 1024;
/// How long a camera that was opened again may show the frame on which it was frozen.
const AGAIN: Duration = Duration::from_secs(2);

/// Checksum of the frame on which a camera was frozen; outlives the open camera.
#[derive(Debug, Clone, Default)]
pub(super) struct FrozenMemory(Arc<Mutex<Option<u32>>>);

impl FrozenMemory {
    fn get(&self) -> Option<u32> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, frame: Option<u32>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = frame;
    }
}

/// Whether a frame is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It differs from the one before, or has been the same for less than the limit.
    Fresh,
    /// It is the frame on which the camera was frozen before it was opened again; a new one may still come.
    Old,
    /// It has been the same for this long, which is too long.
    Frozen(Duration),
}

/// Compares each frame of a camera with the one before.
#[derive(Debug)]
pub(super) struct Frozen {
    limit: Option<Duration>,
    memory: FrozenMemory,
    last: Option<LastFrame>,
}

#[derive(Debug)]
struct LastFrame {
    /// Checksum of the length and of some bytes.
    part: u32,
    /// Checksum of all bytes, if those were not enough to distinguish the frame from the one before.
    whole: Option<u32>,
    /// When the first of the equal frames came.
    since: Instant,
}

impl Frozen {
    /// A camera whose frames are the same for `limit` is frozen; `None` for never. `memory` comes from the
    /// camera's last opening.
    pub(super) fn new(limit: Option<Duration>, memory: FrozenMemory) -> Self {
        Self { limit, memory, last: None }
    }

    /// Takes the bytes of the next frame and returns whether it is new.
    pub(super) fn look(&mut self, bytes: &[u8], now: Instant) -> Freshness {
        let Some(limit) = self.limit else { return Freshness::Fresh };
        let (known, part) = (self.memory.get(), part(bytes));
        let mut whole = None;
        let mut same_as = |other: Option<u32>| {
            let sum = crc32fast::hash(bytes);
            whole = Some(sum);
            // If only some bytes of the other frame were summed, the rest is assumed to be equal, once.
            other.is_none_or(|other| other == sum)
        };
        let since = match &self.last {
            Some(last) => (last.part == part && same_as(last.whole)).then_some(last.since),
            None => (known.is_some() && same_as(known)).then_some(now),
        };
        self.last = Some(LastFrame { part, whole, since: since.unwrap_or(now) });
        let Some(since) = since else {
            self.memory.set(None);
            return Freshness::Fresh;
        };
        let lasted = now.saturating_duration_since(since);
        let again = known.is_some();
        if lasted < if again { AGAIN.min(limit) } else { limit } {
            return if again { Freshness::Old } else { Freshness::Fresh };
        }
        self.memory.set(whole);
        Freshness::Frozen(lasted)
    }

    /// Forgets what was found: the last frame is one that a working camera may repeat.
    pub(super) fn pardon(&mut self) {
        self.last = None;
        self.memory.set(None);
    }
}

/// Checksum of the length and of some bytes from all over the frame.
fn part(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes.len().to_le_bytes());
    for stretch in bytes.chunks(STRETCH) {
        hasher.update(&stretch[..PART.min(stretch.len())]);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: Duration = Duration::from_secs(10);

    struct Watched {
        frozen: Frozen,
        memory: FrozenMemory,
        start: Instant,
    }

    impl Watched {
        fn new(limit: Option<Duration>) -> Self {
            let memory = FrozenMemory::default();
            Self { frozen: Frozen::new(limit, memory.clone()), memory, start: Instant::now() }
        }

        fn look(&mut self, bytes: &[u8], milliseconds: u64) -> Freshness {
            self.frozen.look(bytes, self.start + Duration::from_millis(milliseconds))
        }

        fn reopen(&mut self) {
            self.frozen = Frozen::new(self.frozen.limit, self.memory.clone());
        }
    }

    fn frame(shade: u8) -> Vec<u8> {
        vec![shade; 5000]
    }

    #[test]
    fn the_same_bytes_for_the_limit_are_frozen() {
        let mut watched = Watched::new(Some(LIMIT));
        let still = frame(1);
        for milliseconds in (0..10_000).step_by(100) {
            assert_eq!(watched.look(&still, milliseconds), Freshness::Fresh);
        }
        assert_eq!(watched.look(&still, 10_000), Freshness::Frozen(LIMIT));
    }

    #[test]
    fn one_other_byte_anywhere_is_life() {
        for place in [0, 40, 1500, 4999] {
            let mut watched = Watched::new(Some(LIMIT));
            let still = frame(1);
            for milliseconds in (0..9_900).step_by(100) {
                watched.look(&still, milliseconds);
            }
            let mut other = still.clone();
            other[place] ^= 1;
            assert_eq!(watched.look(&other, 9_900), Freshness::Fresh);
            assert_eq!(watched.look(&still, 10_000), Freshness::Fresh, "{place}");
            assert_eq!(watched.look(&still, 19_900), Freshness::Fresh);
            assert_eq!(watched.look(&still, 20_000), Freshness::Frozen(LIMIT));
        }
    }

    #[test]
    fn opened_again_the_same_picture_is_old_and_soon_an_error_and_another_one_is_fresh() {
        let mut watched = Watched::new(Some(LIMIT));
        watched.look(&frame(1), 0);
        assert!(matches!(watched.look(&frame(1), 10_000), Freshness::Frozen(_)));
        watched.reopen();
        assert_eq!(watched.look(&frame(1), 11_000), Freshness::Old);
        assert_eq!(watched.look(&frame(1), 12_900), Freshness::Old);
        assert_eq!(watched.look(&frame(1), 13_000), Freshness::Frozen(AGAIN));
        watched.reopen();
        assert_eq!(watched.look(&frame(1), 18_000), Freshness::Old);
        assert_eq!(watched.look(&frame(2), 18_100), Freshness::Fresh);
        assert_eq!(watched.look(&frame(2), 18_200), Freshness::Fresh);
        assert_eq!(
            watched.look(&frame(1), 18_300),
            Freshness::Fresh,
            "it lives, so this is no old picture any more"
        );
    }

    #[test]
    fn what_cannot_differ_is_not_frozen_and_nothing_is_where_it_is_switched_off() {
        let mut watched = Watched::new(Some(LIMIT));
        watched.look(&frame(0), 0);
        assert!(matches!(watched.look(&frame(0), 10_000), Freshness::Frozen(_)));
        watched.frozen.pardon();
        assert_eq!(watched.look(&frame(0), 10_100), Freshness::Fresh);
        watched.reopen();
        assert_eq!(watched.look(&frame(0), 10_200), Freshness::Fresh, "nothing is remembered of it");
        let mut never = Watched::new(None);
        never.look(&frame(1), 0);
        assert_eq!(never.look(&frame(1), 1_000_000), Freshness::Fresh);
    }

    proptest! {
        #[test]
        fn frozen_means_unchanged_for_the_limit(changes in prop::collection::vec((0u8..3, 1u64..8_000), 1..40)) {
            let mut watched = Watched::new(Some(LIMIT));
            let (mut now, mut last, mut since) = (0, None, 0);
            for (shade, passed) in changes {
                now += passed;
                if last != Some(shade) {
                    (last, since) = (Some(shade), now);
                }
                match watched.look(&frame(shade), now) {
                    Freshness::Frozen(_) => {
                        prop_assert!(now - since >= 10_000);
                        break;
                    }
                    Freshness::Fresh => prop_assert!(now - since < 10_000),
                    Freshness::Old => prop_assert!(false, "nothing was opened again"),
                }
            }
        }
    }
}
