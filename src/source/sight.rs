//! Notices that a camera sees nothing, or something else than before: frames that are black, that have no
//! detail, or that show another scene, for some time. Pure: the time is handed in.

use std::time::{Duration, Instant};

use super::darkness::is_black_frame;
use super::detail::{Detail, DetailMeter};
use crate::pixels::delayed::DelayedPicture;

/// How often detail is looked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// Scenes that are less alike than this are different ones.
const ALIKE: f32 = 0.3;
/// The known scene follows what is seen by this share at each look: in some ten minutes.
const FOLLOW: f32 = 0.002;
/// So many looks make the scene known.
const LEARNED: u32 = 30;

/// What is wrong with what a camera sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SightLoss {
    /// Its frames are black.
    Black,
    /// Its frames are an even surface.
    NoDetail,
    /// Its frames show another scene.
    OtherScene,
}

impl SightLoss {
    /// The fault of the source called `name`, with its mend, in one sentence.
    pub(super) fn reason(self, name: &str) -> String {
        match self {
            Self::Black => {
                format!("{name} gives only black frames; uncover its lens or switch the light on")
            }
            Self::NoDetail => format!(
                "{name} sees nothing but an even surface; uncover or clean its lens, or turn it back to the entrance"
            ),
            Self::OtherScene => format!(
                "{name} shows another scene than before; turn it back, or restart maskwatch if the change is intended"
            ),
        }
    }
}

/// For how long each may last; `None` for as long as it likes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SightLimits {
    pub(super) black: Option<Duration>,
    pub(super) no_detail: Option<Duration>,
    pub(super) other_scene: Option<Duration>,
}

/// Watches what a camera sees.
#[derive(Debug, Default)]
pub(super) struct Sight {
    limits: SightLimits,
    /// Since when frames have been black, without detail, and of another scene.
    since: [Option<Instant>; 3],
    looked: Option<Instant>,
    meter: DetailMeter,
    /// The known scene, and how many looks it was learned from. It outlasts the open camera.
    scene: Option<(Detail, u32)>,
}

impl Sight {
    pub(super) fn new(limits: SightLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes the next frame. Returns what is wrong and since when, once it has lasted for its limit.
    pub(super) fn look(&mut self, picture: &DelayedPicture, now: Instant) -> Option<(SightLoss, Instant)> {
        let SightLimits { black, no_detail, other_scene } = self.limits;
        let keep = |since: &mut Option<Instant>, is_so: bool| {
            *since = if is_so { Some(since.unwrap_or(now)) } else { None };
        };
        if black.is_some() {
            keep(&mut self.since[0], is_black_frame(picture));
        }
        let due = self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= INTERVAL);
        if due && (no_detail.is_some() || other_scene.is_some()) {
            self.looked = Some(now);
            if let Ok(Some(detail)) = picture.view().map(|picture| self.meter.measure(picture)) {
                let seen = detail.is_seen();
                keep(&mut self.since[1], !seen);
                // Of an even surface nobody can say which scene it is.
                let other = seen && other_scene.is_some() && compare(&mut self.scene, detail);
                keep(&mut self.since[2], other);
            }
        }
        let limits = [
            (SightLoss::Black, black),
            (SightLoss::NoDetail, no_detail),
            (SightLoss::OtherScene, other_scene),
        ];
        limits.into_iter().zip(self.since).find_map(|((loss, limit), since)| {
            let since = since?;
            (now.saturating_duration_since(since) >= limit?).then_some((loss, since))
        })
    }

    /// Starts again, because the source was closed.
    pub(super) fn forget(&mut self) {
        self.since = [None; 3];
        self.looked = None;
    }
}

/// Whether `detail` is that of another scene than the known one, which it else becomes a part of.
fn compare(known: &mut Option<(Detail, u32)>, detail: &Detail) -> bool {
    let Some((scene, looks)) = known else {
        *known = Some((detail.clone(), 1));
        return false;
    };
    // While it is learned, the scene is the mean of all looks.
    let learning = *looks < LEARNED;
    if !learning && scene.likeness(detail) < ALIKE {
        return true;
    }
    *looks = looks.saturating_add(1);
    let share = if learning { 1.0 / *looks as f32 } else { FOLLOW };
    scene.follow(detail, share);
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::scenes::{self, Drawn};
    use image::{Rgb, RgbImage};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn flat(shade: u8) -> DelayedPicture {
        RgbImage::from_pixel(70, 50, Rgb([shade; 3])).into()
    }

    #[test]
    fn only_lasting_black_is_darkness_and_the_first_light_ends_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (black, dim) = (flat(0), flat(20));
        let limits = SightLimits { black: Some(seconds(5)), ..SightLimits::default() };
        let mut sight = Sight::new(limits);
        let dark = |since| Some((SightLoss::Black, since));
        let mut look = |picture, seconds| sight.look(picture, at(seconds));
        assert_eq!(look(&black, 0), None);
        assert_eq!(look(&black, 4), None);
        assert_eq!(look(&black, 5), dark(at(0)));
        assert_eq!(look(&black, 90), dark(at(0)));
        assert_eq!(look(&dim, 91), None);
        assert_eq!(look(&black, 92), None);
        sight.forget();
        let after = sight.look(&black, at(99));
        assert_eq!(after, None, "what was before the reopening does not count");
        let mut never = Sight::new(SightLimits::default());
        assert_eq!(never.look(&black, at(0)), None);
        assert_eq!(never.look(&black, at(1000)), None);
    }

    /// What is wrong with the scenes, each shown for so many seconds at two frames a second, and when it was
    /// noticed first.
    fn noticed(sight: &mut Sight, scenes: &[(Drawn, u64)]) -> Option<(SightLoss, u64)> {
        let start = Instant::now();
        let mut now = 0;
        for &(scene, lasting) in scenes {
            let frames: Vec<DelayedPicture> = (0..4).map(|seed| scene.frame(seed).into()).collect();
            for half in 0..2 * lasting {
                let time = start + Duration::from_millis(500 * (2 * now + half));
                let frame = &frames[half as usize % frames.len()];
                if let Some((loss, _)) = sight.look(frame, time) {
                    return Some((loss, now + half / 2));
                }
            }
            now += lasting;
        }
        None
    }

    fn all() -> Sight {
        Sight::new(SightLimits {
            black: Some(seconds(5)),
            no_detail: Some(seconds(30)),
            other_scene: Some(seconds(60)),
        })
    }

    #[test]
    fn a_covered_lens_is_noticed_after_its_time_and_a_hand_that_passes_is_not() {
        for cover in [scenes::CLOTH, scenes::HAND, scenes::TAPE, scenes::COVERED_AT_NIGHT, scenes::WALL] {
            let found = noticed(&mut all(), &[(scenes::ENTRANCE, 40), (cover, 60)]);
            assert_eq!(found, Some((SightLoss::NoDetail, 70)), "{}", cover.name);
            let found = noticed(&mut all(), &[(scenes::ENTRANCE, 40), (cover, 25), (scenes::ENTRANCE, 40)]);
            assert_eq!(found, None, "{}", cover.name);
        }
    }

    #[test]
    fn nightfall_is_no_fault() {
        let night = [
            (scenes::ENTRANCE, 60),
            (scenes::DUSK, 200),
            (scenes::NIGHT_DOOR, 200),
            (scenes::DUSK, 60),
            (scenes::ENTRANCE, 60),
        ];
        assert_eq!(noticed(&mut all(), &night), None);
        for scene in [scenes::NIGHT_LAMP, scenes::NIGHT_WINDOW, scenes::NIGHT_DOOR] {
            assert_eq!(noticed(&mut all(), &[(scene, 200)]), None, "{}", scene.name);
        }
    }

    #[test]
    fn a_camera_that_was_turned_away_is_noticed_where_that_is_asked_for() {
        let turned = [(scenes::ENTRANCE, 40), (scenes::SHELF, 100)];
        assert_eq!(noticed(&mut all(), &turned), Some((SightLoss::OtherScene, 100)));
        let passing = [(scenes::ENTRANCE, 40), (scenes::SHELF, 50), (scenes::ENTRANCE, 50)];
        assert_eq!(noticed(&mut all(), &passing), None);
        let mut unasked = Sight::new(SightLimits { no_detail: Some(seconds(30)), ..SightLimits::default() });
        assert_eq!(noticed(&mut unasked, &turned), None);
    }
}
