//! Tells a frozen camera: one that gives the very same bytes again and again. The noise of a sensor makes two
//! frames that are alike to the last bit most unlikely, except where it can tell nothing at all, in the dark
//! or in glaring light.
//!
//! A frozen camera is opened again, and may be frozen still: then its picture is known, and none of it is
//! shown as new.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of the bytes of a frame, so many of each stretch are enough to tell it from the one before, as a rule.
const PART: usize = 32;
const STRETCH: usize = 1024;
/// How long a camera that was opened again may show the picture on which it was frozen.
const AGAIN: Duration = Duration::from_secs(2);

/// The frame on which a camera was found frozen; outlives its closing.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Option<u32>>>);

impl Memory {
    fn get(&self) -> Option<u32> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, frame: Option<u32>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = frame;
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Another one than before, or not yet the same for too long.
    Fresh,
    /// The one on which the camera was frozen before it was opened again; it may yet go on.
    Old,
    /// The same for too long, which is told.
    Frozen(Duration),
}

/// Follows a camera's frames.
#[derive(Debug)]
pub(super) struct Frozen {
    limit: Option<Duration>,
    memory: Memory,
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    part: u32,
    /// The checksum of all bytes, where the part was not enough to tell the frame from the one before.
    whole: Option<u32>,
    since: Instant,
}

impl Frozen {
    /// The same frame for `limit` is frozen, `None` for never; a camera that was opened again brings its
    /// memory.
    pub(super) fn new(limit: Option<Duration>, memory: Memory) -> Self {
        Self { limit, memory, seen: None }
    }

    /// Takes the bytes of the next frame.
    pub(super) fn look(&mut self, bytes: &[u8], now: Instant) -> Finding {
        let Some(limit) = self.limit else { return Finding::Fresh };
        let (known, part) = (self.memory.get(), part(bytes));
        let mut whole = None;
        let mut same_as = |other: Option<u32>| {
            let sum = crc32fast::hash(bytes);
            whole = Some(sum);
            // Of a frame of which only parts were looked at, the rest is taken to be the same, once.
            other.is_none_or(|other| other == sum)
        };
        let since = match &self.seen {
            Some(seen) => (seen.part == part && same_as(seen.whole)).then_some(seen.since),
            None => (known.is_some() && same_as(known)).then_some(now),
        };
        self.seen = Some(Seen { part, whole, since: since.unwrap_or(now) });
        let Some(since) = since else {
            self.memory.set(None);
            return Finding::Fresh;
        };
        let lasted = now.saturating_duration_since(since);
        let again = known.is_some();
        if lasted < if again { AGAIN.min(limit) } else { limit } {
            return if again { Finding::Old } else { Finding::Fresh };
        }
        self.memory.set(whole);
        Finding::Frozen(lasted)
    }

    /// The last frame is one that a sound camera may give again and again: all that was found is void.
    pub(super) fn pardon(&mut self) {
        self.seen = None;
        self.memory.set(None);
    }
}

/// A checksum of the length and of some bytes from all over the frame.
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
        memory: Memory,
        start: Instant,
    }

    impl Watched {
        fn new(limit: Option<Duration>) -> Self {
            let memory = Memory::default();
            Self { frozen: Frozen::new(limit, memory.clone()), memory, start: Instant::now() }
        }

        fn look(&mut self, bytes: &[u8], milliseconds: u64) -> Finding {
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
            assert_eq!(watched.look(&still, milliseconds), Finding::Fresh);
        }
        assert_eq!(watched.look(&still, 10_000), Finding::Frozen(LIMIT));
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
            assert_eq!(watched.look(&other, 9_900), Finding::Fresh);
            assert_eq!(watched.look(&still, 10_000), Finding::Fresh, "{place}");
            assert_eq!(watched.look(&still, 19_900), Finding::Fresh);
            assert_eq!(watched.look(&still, 20_000), Finding::Frozen(LIMIT));
        }
    }

    #[test]
    fn opened_again_the_same_picture_is_old_and_soon_an_error_and_another_one_is_fresh() {
        let mut watched = Watched::new(Some(LIMIT));
        watched.look(&frame(1), 0);
        assert!(matches!(watched.look(&frame(1), 10_000), Finding::Frozen(_)));
        watched.reopen();
        assert_eq!(watched.look(&frame(1), 11_000), Finding::Old);
        assert_eq!(watched.look(&frame(1), 12_900), Finding::Old);
        assert_eq!(watched.look(&frame(1), 13_000), Finding::Frozen(AGAIN));
        watched.reopen();
        assert_eq!(watched.look(&frame(1), 18_000), Finding::Old);
        assert_eq!(watched.look(&frame(2), 18_100), Finding::Fresh);
        assert_eq!(watched.look(&frame(2), 18_200), Finding::Fresh);
        assert_eq!(
            watched.look(&frame(1), 18_300),
            Finding::Fresh,
            "it lives, so this is no old picture any more"
        );
    }

    #[test]
    fn what_cannot_differ_is_not_frozen_and_nothing_is_where_it_is_switched_off() {
        let mut watched = Watched::new(Some(LIMIT));
        watched.look(&frame(0), 0);
        assert!(matches!(watched.look(&frame(0), 10_000), Finding::Frozen(_)));
        watched.frozen.pardon();
        assert_eq!(watched.look(&frame(0), 10_100), Finding::Fresh);
        watched.reopen();
        assert_eq!(watched.look(&frame(0), 10_200), Finding::Fresh, "nothing is remembered of it");
        let mut never = Watched::new(None);
        never.look(&frame(1), 0);
        assert_eq!(never.look(&frame(1), 1_000_000), Finding::Fresh);
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
                    Finding::Frozen(_) => {
                        prop_assert!(now - since >= 10_000);
                        break;
                    }
                    Finding::Fresh => prop_assert!(now - since < 10_000),
                    Finding::Old => prop_assert!(false, "nothing was opened again"),
                }
            }
        }
    }
}
