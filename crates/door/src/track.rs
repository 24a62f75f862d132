//! Faces over time: boxes of successive frames that belong to one person share an id. Where the faces come
//! from, and what is thought of them, is not known here.
//!
//! Entrances are watched at 2 to 10 frames a second, often by a camera that was nudged, so a box may jump by
//! more than its own size between two frames and overlap alone would lose it. Boxes are therefore matched by
//! the distance of their centres and the ratio of their sizes, both measured in face sizes, within a reach
//! that grows with the time since the face was last seen. Overlap only helps to choose. Among people who pass
//! each other the last place alone would mistake one for another, so a face is expected where its own motion
//! takes it.

use maskwatch_vision::geometry::Rect;
use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

/// The number of one person's run of appearances; never used twice by one [`Tracker`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u64);

impl fmt::Display for TrackId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "#{}", self.0)
    }
}

/// Looks in which somebody has to be missing, at the least, before he counts as gone.
pub const MISSED_LOOKS: u32 = 3;
/// How far a face's centre may move between two sightings, in face sizes, however short the time between
/// them.
const REACH: f32 = 1.0;
/// What a second between the sightings adds to the reach: a person who walks by crosses about nine of his own
/// face sizes a second, but who comes to the door does so at a fraction of that.
const REACH_PER_SECOND: f32 = 4.0;
/// The reach never exceeds this, however long a face was not seen.
const LONGEST_REACH: f32 = 3.0;
/// By which factor a face may grow or shrink between two sightings.
const SIZE_RATIO: f32 = 2.0;
/// Looks that lie closer than this, in seconds, need no more reach than that.
const SELDOM: f32 = 0.5;
/// What a second between two looks adds to the longest reach and to the size ratio beyond that: who walks in
/// at 1.4 m/s comes from 1.7 m to 0.3 m between two looks, and a face there is six times as large.
const REACH_WHERE_SELDOM: f32 = 4.0;
const RATIO_WHERE_SELDOM: f32 = 8.0;
/// However rare looks are, a face does not grow by more than this between two of them.
const LARGEST_RATIO: f32 = 6.0;
/// However rare looks are, the reach is not longer than this.
const LARGEST_REACH: f32 = 6.0;
/// Share of the newest displacement in the velocity of a track; the rest is what was known of it before.
const NEWEST: f32 = 0.5;
/// For so long at most a face is thought to go on as it went.
const PREDICTED: Duration = Duration::from_millis(500);
/// Who moves outward at the frame's edge faster than this, in face sizes a second, is leaving.
const LEAVING: f32 = 0.5;

#[derive(Debug, Clone)]
struct Track {
    id: TrackId,
    rect: Rect,
    /// When the frame was taken that showed it last.
    last_seen: Duration,
    /// When the look at that frame ended.
    present: Duration,
    /// Looks since then.
    missed: u32,
    /// Pixels a second, across and down; none before the second sighting.
    velocity: Option<(f32, f32)>,
}

impl Track {
    /// Where the face is expected at `now`.
    fn expected(&self, now: Duration) -> Rect {
        let seconds = (now - self.last_seen).min(PREDICTED).as_secs_f32();
        let (across, down) = self.velocity.unwrap_or_default();
        Rect { x: self.rect.x + across * seconds, y: self.rect.y + down * seconds, ..self.rect }
    }

    fn see(&mut self, rect: Rect, now: Duration) {
        let seconds = (now - self.last_seen).as_secs_f32();
        if seconds > 0.0 {
            let (from, to) = (self.rect.centre(), rect.centre());
            let newest = ((to.x - from.x) / seconds, (to.y - from.y) / seconds);
            let before = self.velocity.unwrap_or(newest);
            let mixed = |newest: f32, before: f32| NEWEST * newest + (1.0 - NEWEST) * before;
            self.velocity = Some((mixed(newest.0, before.0), mixed(newest.1, before.1)));
        }
        (self.rect, self.last_seen, self.present, self.missed) = (rect, now, self.present.max(now), 0);
    }

    /// Whether the face, missing at `now`, went over an edge of a frame of `width` × `height` pixels.
    fn has_left(&self, (width, height): (f32, f32), now: Duration) -> bool {
        let Some((across, down)) = self.velocity else { return false };
        let fastest = LEAVING * self.rect.side();
        let Rect { x, y, w, h } = self.expected(now);
        (x < 0.0 && across < -fastest)
            || (x + w > width && across > fastest)
            || (y < 0.0 && down < -fastest)
            || (y + h > height && down > fastest)
    }
}

/// How long a face may be away and still be the same person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// Missing for longer than this, and in [`MISSED_LOOKS`] looks, he is gone. A pause in which nobody
    /// looked counts for nothing.
    pub linger: Duration,
    /// After so long he is gone in any case.
    pub longest: Duration,
}

impl Absence {
    /// Whether somebody last seen at `seen` is gone, at the look at `now` before which the last one ended at
    /// `looked`; since he was seen there were `missed` looks.
    #[must_use]
    pub fn is_gone(&self, seen: Duration, missed: u32, looked: Duration, now: Duration) -> bool {
        (missed >= MISSED_LOOKS && looked.saturating_sub(seen) > self.linger)
            || now.saturating_sub(seen) > self.longest
    }
}

/// Whose the faces of a frame are, and who has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// The id of each face, in the faces' order, each id once.
    pub ids: Vec<TrackId>,
    /// Who went over the frame's edge since the last frame: he is not expected back, and whoever comes in
    /// there is another.
    pub left: Vec<TrackId>,
}

/// Gives faces their ids.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    tracks: Vec<Track>,
    last: u64,
    now: Duration,
    /// When the last look ended.
    looked: Duration,
}

impl Tracker {
    /// Takes the faces of one frame of `frame` pixels (width, height), taken at `captured` (monotonic, from
    /// any origin; an earlier time than the last counts as the last). A face whose `absence` was too long
    /// comes back under a new id; time away counts from when the look ended in which it was seen, see
    /// [`look_ended`](Self::look_ended).
    pub fn update(
        &mut self,
        faces: &[Rect],
        frame: (u32, u32),
        captured: Duration,
        absence: Absence,
    ) -> Tracked {
        let step = captured.saturating_sub(self.now).as_secs_f32();
        self.now = self.now.max(captured);
        let now = self.now;
        let looked = self.looked;
        self.tracks.retain(|track| !absence.is_gone(track.present, track.missed, looked, now));
        self.tracks.iter_mut().for_each(|track| track.missed += 1);
        self.looked = now;

        let limits = Limits::of(step);
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (face, rect) in faces.iter().enumerate() {
            for (track, known) in self.tracks.iter().enumerate() {
                if let Some(cost) = limits.cost(&known.expected(now), rect, now - known.last_seen) {
                    pairs.push((cost, track, face));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));

        let mut taken = HashSet::new();
        let mut ids: Vec<Option<TrackId>> = vec![None; faces.len()];
        for (_, track, face) in pairs {
            if ids[face].is_none() && taken.insert(track) {
                self.tracks[track].see(faces[face], now);
                ids[face] = Some(self.tracks[track].id);
            }
        }
        let frame = (frame.0 as f32, frame.1 as f32);
        let mut left = Vec::new();
        let mut index = 0;
        self.tracks.retain(|track| {
            let missing = !taken.contains(&index);
            index += 1;
            let leaves = missing && track.has_left(frame, now);
            if leaves {
                left.push(track.id);
            }
            !leaves
        });
        let ids = faces.iter().zip(ids).map(|(rect, id)| id.unwrap_or_else(|| self.begin(*rect))).collect();
        Tracked { ids, left }
    }

    /// Notes when the look ended at the frame of the last [`update`](Self::update): whom it showed counts as
    /// there until then.
    pub fn look_ended(&mut self, now: Duration) {
        self.looked = self.looked.max(now);
        for track in self.tracks.iter_mut().filter(|track| track.last_seen == self.now) {
            track.present = track.present.max(now);
        }
    }

    fn begin(&mut self, rect: Rect) -> TrackId {
        self.last += 1;
        let id = TrackId(self.last);
        self.tracks.push(Track {
            id,
            rect,
            last_seen: self.now,
            present: self.now,
            missed: 0,
            velocity: None,
        });
        id
    }
}

/// How far and by which factor a face may have changed.
#[derive(Debug, Clone, Copy)]
struct Limits {
    longest_reach: f32,
    size_ratio: f32,
}

impl Limits {
    /// The limits where `step` seconds lie between two looks.
    fn of(step: f32) -> Self {
        let seldom = (step - SELDOM).max(0.0);
        Self {
            longest_reach: (LONGEST_REACH + REACH_WHERE_SELDOM * seldom).min(LARGEST_REACH),
            size_ratio: (SIZE_RATIO + RATIO_WHERE_SELDOM * seldom).min(LARGEST_RATIO),
        }
    }

    /// How unlikely it is that the face expected at `before` is that at `after`, `gap` after it was last
    /// seen; `None` where it cannot be.
    fn cost(&self, before: &Rect, after: &Rect, gap: Duration) -> Option<f32> {
        let (small, large) = (before.side().min(after.side()), before.side().max(after.side()));
        // Written so that empty and NaN boxes, which belong to nothing, fail the test.
        if !(small > 0.0 && large <= small * self.size_ratio) {
            return None;
        }
        let (from, to) = (before.centre(), after.centre());
        let distance = (to.x - from.x).hypot(to.y - from.y) / (small * large).sqrt();
        let reach = (REACH + REACH_PER_SECOND * gap.as_secs_f32()).min(self.longest_reach);
        let cost = distance + (large / small).ln() - before.iou(after);
        (distance <= reach).then_some(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORGET: Absence = Absence { linger: Duration::from_secs(3), longest: Duration::from_secs(10) };
    const FRAME: (u32, u32) = (640, 480);

    impl Tracker {
        fn ids(&mut self, faces: &[Rect], now: Duration) -> Vec<TrackId> {
            self.update(faces, FRAME, now, FORGET).ids
        }
    }

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn face(x: f32, y: f32, side: f32) -> Rect {
        Rect::new(x, y, side, side * 1.25)
    }

    #[test]
    fn a_face_that_walks_up_at_two_frames_a_second_stays_one() {
        let mut tracker = Tracker::default();
        let mut side = 24.0;
        let mut ids = HashSet::new();
        for frame in 0..8 {
            let rect = face(300.0 - 2.0 * side + 10.0 * frame as f32, 200.0 - side, side);
            ids.extend(tracker.ids(&[rect], milliseconds(500 * frame)));
            side *= 1.3;
        }
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_pan_by_more_than_the_face_does_not_lose_it() {
        let mut tracker = Tracker::default();
        let first = tracker.ids(&[face(100.0, 100.0, 40.0)], milliseconds(0));
        let second = tracker.ids(&[face(160.0, 110.0, 40.0)], milliseconds(250));
        assert_eq!(first, second);
    }

    #[test]
    fn two_people_keep_their_ids_when_listed_the_other_way_round() {
        let mut tracker = Tracker::default();
        let (left, right) = (face(100.0, 100.0, 40.0), face(200.0, 100.0, 40.0));
        let before = tracker.ids(&[left, right], milliseconds(0));
        let after = tracker
            .ids(&[Rect { x: right.x + 8.0, ..right }, Rect { x: left.x + 8.0, ..left }], milliseconds(200));
        assert_eq!(before, [after[1], after[0]]);
    }

    #[test]
    fn two_people_who_pass_each_other_keep_their_ids() {
        let mut tracker = Tracker::default();
        let ids: Vec<Vec<TrackId>> = (0..11)
            .map(|frame: u8| {
                let walked = 30.0 * f32::from(frame);
                let (nearer, farther) =
                    (face(100.0 + walked, 100.0, 40.0), face(400.0 - walked, 104.0, 38.0));
                // Where they meet, the nearer one hides the other.
                let faces = [nearer, farther];
                let seen = if (4..=6).contains(&frame) { &faces[..1] } else { &faces[..] };
                tracker.ids(seen, milliseconds(100 * u64::from(frame)))
            })
            .collect();
        let first = &ids[0];
        assert!(ids.iter().all(|ids| ids[..] == first[..ids.len()]), "{ids:?}");
    }

    #[test]
    fn short_gaps_are_bridged_and_long_ones_are_not() {
        let mut tracker = Tracker::default();
        let rect = face(100.0, 100.0, 40.0);
        let first = tracker.ids(&[rect], milliseconds(0));
        tracker.ids(&[], milliseconds(1000));
        assert_eq!(tracker.ids(&[rect], milliseconds(2900)), first);
        for time in [4000, 5000, 6000] {
            tracker.ids(&[], milliseconds(time));
        }
        assert_ne!(tracker.ids(&[rect], milliseconds(6100)), first);
    }

    #[test]
    fn who_walks_in_is_followed_at_one_frame_a_second() {
        // From 4.5 m at 1.4 m/s, half a metre beside the camera's axis, seen by a lens of 60 degrees; a face
        // is 16 cm wide.
        let mut tracker = Tracker::default();
        let ids: HashSet<TrackId> = [4.5f32, 3.1, 1.7, 0.6]
            .iter()
            .enumerate()
            .flat_map(|(second, distance)| {
                let (side, across) = (0.16 * 554.0 / distance, 0.25 * 554.0 / distance);
                let rect = face(320.0 + across - side / 2.0, 200.0, side);
                tracker.ids(&[rect], milliseconds(1000 * second as u64))
            })
            .collect();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_slow_look_makes_nobody_absent() {
        let mut tracker = Tracker::default();
        let rect = face(100.0, 100.0, 40.0);
        let first = tracker.ids(&[rect], milliseconds(0));
        tracker.look_ended(milliseconds(5000));
        assert_eq!(tracker.ids(&[rect], milliseconds(5100)), first);
        // Nobody looked for a while, which says nothing about him; but that must not be for ever.
        assert_eq!(tracker.ids(&[rect], milliseconds(12_000)), first);
        assert_ne!(tracker.ids(&[rect], milliseconds(22_100)), first);
    }

    #[test]
    fn who_goes_over_the_edge_has_left_and_who_hides_has_not() {
        let mut tracker = Tracker::default();
        let leaves = |frame: u8| face(560.0 + 20.0 * f32::from(frame), 200.0, 60.0);
        let stays = face(2.0, 200.0, 60.0);
        let mut ids = Vec::new();
        for frame in 0..3 {
            ids = tracker.ids(&[leaves(frame), stays], milliseconds(100 * u64::from(frame)));
        }
        let tracked = tracker.update(&[], FRAME, milliseconds(300), FORGET);
        assert_eq!(tracked.left, [ids[0]], "the other stands still beside the edge");
        let back = tracker.ids(&[leaves(2), stays], milliseconds(400));
        assert_ne!(back[0], ids[0], "who comes in there is another");
        assert_eq!(back[1], ids[1]);
    }

    #[test]
    fn a_far_face_and_a_near_one_are_two_people() {
        let mut tracker = Tracker::default();
        let first = tracker.ids(&[face(100.0, 100.0, 20.0)], milliseconds(0));
        assert_ne!(tracker.ids(&[face(100.0, 100.0, 90.0)], milliseconds(200)), first);
    }

    fn any_face() -> impl Strategy<Value = Rect> {
        (-100.0f32..700.0, -100.0f32..500.0, 0.0f32..200.0, 0.0f32..200.0)
            .prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
    }

    proptest! {
        #[test]
        fn every_face_has_an_id_of_its_own(
            frames in prop::collection::vec((prop::collection::vec(any_face(), 0..8), 0u64..2000), 1..20)
        ) {
            let mut tracker = Tracker::default();
            for (faces, at) in frames {
                // Times in any order: a clock that stands still or jumps back must do no harm.
                let ids = tracker.ids(&faces, milliseconds(at));
                prop_assert_eq!(ids.len(), faces.len());
                prop_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), faces.len());
            }
        }

        #[test]
        fn a_face_that_stands_still_keeps_its_id(rect in any_face(), steps in prop::collection::vec(0u64..2900, 1..30)) {
            prop_assume!(rect.side() > 1.0);
            let mut tracker = Tracker::default();
            let mut now = 0;
            let first = tracker.ids(&[rect], milliseconds(now));
            for step in steps {
                now += step;
                prop_assert_eq!(&tracker.ids(&[rect], milliseconds(now)), &first);
            }
        }

        #[test]
        fn forgotten_faces_never_come_back_under_their_old_id(rect in any_face(), gap in 10_001u64..100_000) {
            let mut tracker = Tracker::default();
            let first = tracker.ids(&[rect], milliseconds(5));
            prop_assert_ne!(tracker.ids(&[rect], milliseconds(5 + gap)), first);
        }

        #[test]
        fn what_cannot_be_a_box_does_no_harm(x in prop::num::f32::ANY, y in prop::num::f32::ANY, w in prop::num::f32::ANY) {
            let mut tracker = Tracker::default();
            for frame in 0..4 {
                prop_assert_eq!(tracker.ids(&[Rect::new(x, y, w, w)], milliseconds(frame)).len(), 1);
            }
        }
    }
}
