//! Faces over time: boxes of successive frames that belong to one person share an id. Where the faces come
//! from, and what is thought of them, is not known here.
//!
//! Entrances are watched at 2 to 10 frames a second, often by a camera that was nudged, so a box may jump by
//! more than its own size between two frames and overlap alone would lose it. Boxes are therefore matched by
//! the distance of their centres and the ratio of their sizes, both measured in face sizes, within a reach
//! that grows with the time since the face was last seen. Overlap only helps to choose. Among people who pass
//! each other the last place alone would mistake one for another, so a face is expected where its own motion
//! takes it.

use crate::geometry::Rect;
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
/// Share of the newest displacement in the velocity of a track; the rest is what was known of it before.
const NEWEST: f32 = 0.5;
/// For so long at most a face is thought to go on as it went.
const PREDICTED: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
struct Track {
    id: TrackId,
    rect: Rect,
    last_seen: Duration,
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
        (self.rect, self.last_seen) = (rect, now);
    }
}

/// Gives faces their ids.
#[derive(Debug, Clone)]
pub struct Tracker {
    forget_after: Duration,
    tracks: Vec<Track>,
    next: u64,
    now: Duration,
}

impl Tracker {
    /// A tracker that has seen nothing. A face not seen for `forget_after` comes back under a new id.
    #[must_use]
    pub fn new(forget_after: Duration) -> Self {
        Self { forget_after, tracks: Vec::new(), next: 1, now: Duration::ZERO }
    }

    /// From now on forgets faces that were not seen for `forget_after`.
    pub fn set_forget_after(&mut self, forget_after: Duration) {
        self.forget_after = forget_after;
    }

    /// Takes the faces of one frame, seen at `now` (monotonic, from any origin; an earlier time than the last
    /// counts as the last), and returns their ids in the same order, each id once.
    pub fn update(&mut self, faces: &[Rect], now: Duration) -> Vec<TrackId> {
        self.now = self.now.max(now);
        let now = self.now;
        self.tracks.retain(|track| now - track.last_seen < self.forget_after);

        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (face, rect) in faces.iter().enumerate() {
            for (track, known) in self.tracks.iter().enumerate() {
                if let Some(cost) = cost(&known.expected(now), rect, now - known.last_seen) {
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
        faces.iter().zip(ids).map(|(rect, id)| id.unwrap_or_else(|| self.begin(*rect))).collect()
    }

    fn begin(&mut self, rect: Rect) -> TrackId {
        let id = TrackId(self.next);
        self.next += 1;
        self.tracks.push(Track { id, rect, last_seen: self.now, velocity: None });
        id
    }
}

/// How unlikely it is that the face expected at `before` is that at `after`, `gap` after it was last seen;
/// `None` where it cannot be.
fn cost(before: &Rect, after: &Rect, gap: Duration) -> Option<f32> {
    let (small, large) = (before.side().min(after.side()), before.side().max(after.side()));
    // Written so that empty and NaN boxes, which belong to nothing, fail the test.
    if !(small > 0.0 && large <= small * SIZE_RATIO) {
        return None;
    }
    let (from, to) = (before.centre(), after.centre());
    let distance = (to.x - from.x).hypot(to.y - from.y) / (small * large).sqrt();
    let reach = (REACH + REACH_PER_SECOND * gap.as_secs_f32()).min(LONGEST_REACH);
    let cost = distance + (large / small).ln() - before.iou(after);
    (distance <= reach).then_some(cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORGET: Duration = Duration::from_secs(3);

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn face(x: f32, y: f32, side: f32) -> Rect {
        Rect::new(x, y, side, side * 1.25)
    }

    #[test]
    fn a_face_that_walks_up_at_two_frames_a_second_stays_one() {
        let mut tracker = Tracker::new(FORGET);
        let mut side = 24.0;
        let mut ids = HashSet::new();
        for frame in 0..8 {
            let rect = face(300.0 - 2.0 * side + 10.0 * frame as f32, 200.0 - side, side);
            ids.extend(tracker.update(&[rect], milliseconds(500 * frame)));
            side *= 1.3;
        }
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_pan_by_more_than_the_face_does_not_lose_it() {
        let mut tracker = Tracker::new(FORGET);
        let first = tracker.update(&[face(100.0, 100.0, 40.0)], milliseconds(0));
        let second = tracker.update(&[face(160.0, 110.0, 40.0)], milliseconds(250));
        assert_eq!(first, second);
    }

    #[test]
    fn two_people_keep_their_ids_when_listed_the_other_way_round() {
        let mut tracker = Tracker::new(FORGET);
        let (left, right) = (face(100.0, 100.0, 40.0), face(200.0, 100.0, 40.0));
        let before = tracker.update(&[left, right], milliseconds(0));
        let after = tracker.update(
            &[Rect { x: right.x + 8.0, ..right }, Rect { x: left.x + 8.0, ..left }],
            milliseconds(200),
        );
        assert_eq!(before, [after[1], after[0]]);
    }

    #[test]
    fn two_people_who_pass_each_other_keep_their_ids() {
        let mut tracker = Tracker::new(FORGET);
        let ids: Vec<Vec<TrackId>> = (0..11)
            .map(|frame: u8| {
                let walked = 30.0 * f32::from(frame);
                let (nearer, farther) =
                    (face(100.0 + walked, 100.0, 40.0), face(400.0 - walked, 104.0, 38.0));
                // Where they meet, the nearer one hides the other.
                let faces = [nearer, farther];
                let seen = if (4..=6).contains(&frame) { &faces[..1] } else { &faces[..] };
                tracker.update(seen, milliseconds(100 * u64::from(frame)))
            })
            .collect();
        let first = &ids[0];
        assert!(ids.iter().all(|ids| ids[..] == first[..ids.len()]), "{ids:?}");
    }

    #[test]
    fn short_gaps_are_bridged_and_long_ones_are_not() {
        let mut tracker = Tracker::new(FORGET);
        let rect = face(100.0, 100.0, 40.0);
        let first = tracker.update(&[rect], milliseconds(0));
        tracker.update(&[], milliseconds(1000));
        assert_eq!(tracker.update(&[rect], milliseconds(2900)), first);
        assert_ne!(tracker.update(&[rect], milliseconds(5900)), first);
    }

    #[test]
    fn a_far_face_and_a_near_one_are_two_people() {
        let mut tracker = Tracker::new(FORGET);
        let first = tracker.update(&[face(100.0, 100.0, 20.0)], milliseconds(0));
        assert_ne!(tracker.update(&[face(100.0, 100.0, 90.0)], milliseconds(200)), first);
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
            let mut tracker = Tracker::new(FORGET);
            for (faces, at) in frames {
                // Times in any order: a clock that stands still or jumps back must do no harm.
                let ids = tracker.update(&faces, milliseconds(at));
                prop_assert_eq!(ids.len(), faces.len());
                prop_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), faces.len());
            }
        }

        #[test]
        fn a_face_that_stands_still_keeps_its_id(rect in any_face(), steps in prop::collection::vec(0u64..2900, 1..30)) {
            prop_assume!(rect.side() > 1.0);
            let mut tracker = Tracker::new(FORGET);
            let mut now = 0;
            let first = tracker.update(&[rect], milliseconds(now));
            for step in steps {
                now += step;
                prop_assert_eq!(&tracker.update(&[rect], milliseconds(now)), &first);
            }
        }

        #[test]
        fn forgotten_faces_never_come_back_under_their_old_id(rect in any_face(), gap in 3000u64..100_000) {
            let mut tracker = Tracker::new(FORGET);
            let first = tracker.update(&[rect], milliseconds(5));
            prop_assert_ne!(tracker.update(&[rect], milliseconds(5 + gap)), first);
        }

        #[test]
        fn what_cannot_be_a_box_does_no_harm(x in prop::num::f32::ANY, y in prop::num::f32::ANY, w in prop::num::f32::ANY) {
            let mut tracker = Tracker::new(FORGET);
            for frame in 0..4 {
                prop_assert_eq!(tracker.update(&[Rect::new(x, y, w, w)], milliseconds(frame)).len(), 1);
            }
        }
    }
}
