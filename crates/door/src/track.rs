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
mod tests;
