//! How well people are told apart by [`Appearance`], which decides whether who comes back beeps again. Pairs
//! of one person are looks at one face of a clip, a second or more apart. Pairs of different people are faces
//! that are in view at one time: in a clip, or in one picture.

use super::error::EvalError;
use super::metrics::Proportion;
use super::video::clips::VideoClip;
use super::video::frames::ClipFrames;
use maskwatch::geometry::Rect;
use maskwatch::pixels::picture::View;
use maskwatch::pixels::sampler::Sampler;
use maskwatch::track::{Absence, TrackId, Tracker};
use maskwatch::vision::{Appearance, Vision, everybody};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// For how long a face of a clip may be lost.
const ABSENCE: Absence = Absence { linger: Duration::from_secs(1), longest: Duration::from_secs(10) };
/// Looks a second.
const RATE: f64 = 5.0;
/// How far the looks of a pair lie apart: people come back after some seconds.
const APART: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(8)];
/// Differences up to which a pair would count as one person.
const LIMITS: [u8; 12] = [6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40];

/// One look at one face of a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeenPerson {
    track: TrackId,
    at: Duration,
    appearance: Appearance,
}

/// The looks at the faces of `clip` of at least `min_side` pixels.
///
/// # Errors
/// When the clip cannot be decoded or a network cannot be run.
pub fn looks(clip: &VideoClip, vision: &mut dyn Vision, min_side: f32) -> Result<Vec<SeenPerson>, EvalError> {
    let mut frames = ClipFrames::open(&clip.path, RATE)?;
    let (mut tracker, mut sampler, mut looks) = (Tracker::default(), Sampler::default(), Vec::new());
    while let Some((at, picture)) = frames.next_frame()? {
        let view = picture.view();
        let judged = vision.look(view, &mut everybody).map_err(EvalError::Vision)?;
        let rects: Vec<Rect> = judged.iter().map(|face| face.rect).collect();
        let tracked = tracker.update(&rects, view.dimensions(), at, ABSENCE);
        for (rect, track) in rects.iter().zip(tracked.ids).filter(|(rect, _)| rect.side() >= min_side) {
            looks.push(SeenPerson { track, at, appearance: Appearance::of(view, rect, &mut sampler) });
        }
    }
    Ok(looks)
}

/// What the people in the boxes `faces` of one picture look like.
#[must_use]
pub fn appearances<'a>(picture: impl Into<View<'a>>, faces: &[Rect]) -> Vec<Appearance> {
    let (view, mut sampler) = (picture.into(), Sampler::default());
    faces.iter().map(|face| Appearance::of(view, face, &mut sampler)).collect()
}

/// How pairs would be told apart at one limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LimitRow {
    /// Pairs that differ by no more than this, in steps of 8 bits, count as one person.
    pub limit: u8,
    /// Pairs of one person that count as two: that person beeps again.
    pub false_new: Proportion,
    /// Pairs of two people in a clip that count as one: the second does not beep, if both are bare.
    pub false_same_in_clips: Proportion,
    /// The same of two people in one picture.
    pub false_same_in_pictures: Proportion,
}

/// The figures of `eval same`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SameReport {
    /// By limit.
    pub limits: Vec<LimitRow>,
}

impl SameReport {
    /// The report over the looks of several clips and the people of several pictures.
    #[must_use]
    pub fn of(clips: &[Vec<SeenPerson>], pictures: &[Vec<Appearance>]) -> Self {
        let same: Vec<f32> = clips.iter().flat_map(|looks| differences(looks, is_same_pair)).collect();
        let clips: Vec<f32> = clips
            .iter()
            .flat_map(|looks| {
                let together = seen_together(looks);
                differences(looks, move |one, other| together.contains(&(one.track, other.track)))
            })
            .collect();
        let pictures: Vec<f32> = pictures
            .iter()
            .flat_map(|people| {
                let pairs = move |(index, one): (usize, &'_ Appearance)| {
                    people[index + 1..].iter().map(|other| one.difference(other)).collect::<Vec<_>>()
                };
                people.iter().enumerate().flat_map(pairs)
            })
            .collect();
        let share = |differences: &[f32], hit: &dyn Fn(f32) -> bool| {
            differences.iter().map(|difference| hit(*difference)).collect()
        };
        let row = |limit: u8| LimitRow {
            limit,
            false_new: share(&same, &|difference| difference > f32::from(limit)),
            false_same_in_clips: share(&clips, &|difference| difference <= f32::from(limit)),
            false_same_in_pictures: share(&pictures, &|difference| difference <= f32::from(limit)),
        };
        Self { limits: LIMITS.map(row).to_vec() }
    }
}

fn is_same_pair(one: &SeenPerson, other: &SeenPerson) -> bool {
    let apart = other.at.saturating_sub(one.at);
    one.track == other.track && (APART[0]..=APART[1]).contains(&apart)
}

/// Tracks that were in view at one time, the earlier id first: surely two people.
fn seen_together(looks: &[SeenPerson]) -> BTreeSet<(TrackId, TrackId)> {
    let pairs = looks.iter().enumerate().flat_map(|(index, one)| {
        let others = looks[index + 1..].iter().take_while(move |other| other.at == one.at);
        others.flat_map(move |other| [(one.track, other.track), (other.track, one.track)])
    });
    pairs.collect()
}

/// How much the looks of the pairs that `wanted` takes differ.
fn differences<'a>(
    looks: &'a [SeenPerson],
    wanted: impl Fn(&SeenPerson, &SeenPerson) -> bool + 'a,
) -> impl Iterator<Item = f32> + 'a {
    let pairs = (0..looks.len()).flat_map(move |one| (one + 1..looks.len()).map(move |other| (one, other)));
    pairs.filter_map(move |(one, other)| {
        let (one, other) = (&looks[one], &looks[other]);
        wanted(one, other).then(|| one.appearance.difference(&other.appearance))
    })
}

impl Display for SameReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let count = self.limits.first().map_or((0, 0, 0), |row| {
            (row.false_new.of, row.false_same_in_clips.of, row.false_same_in_pictures.of)
        });
        let (same, clips, pictures) = count;
        writeln!(
            out,
            "{same} pairs of one person, {clips} of two people in a clip, {pictures} in a picture"
        )?;
        writeln!(
            out,
            "{:>6}{:>24}{:>24}{:>26}",
            "limit", "one taken for two", "two for one, clips", "two for one, pictures"
        )?;
        for row in &self.limits {
            let percent = |share: &Proportion| {
                share.fraction().map_or_else(|| "-".into(), |fraction| format!("{:.1} %", 100.0 * fraction))
            };
            let (new, clips, pictures) = (
                percent(&row.false_new),
                percent(&row.false_same_in_clips),
                percent(&row.false_same_in_pictures),
            );
            writeln!(out, "{:>6}{new:>24}{clips:>24}{pictures:>26}", row.limit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn dressed(shade: u8) -> Appearance {
        let picture =
            RgbImage::from_fn(200, 300, |_, y| Rgb(if y < 100 { [180, 140, 120] } else { [shade, 40, 90] }));
        appearances(&picture, &[Rect::new(70.0, 30.0, 60.0, 70.0)])[0]
    }

    #[test]
    fn only_those_seen_together_are_surely_two_people() {
        let look = |track, second, shade| SeenPerson {
            track: TrackId(track),
            at: Duration::from_secs(second),
            appearance: dressed(shade),
        };
        // 1 and 2 stand side by side; 3 may be either of them, come back under another id.
        let clip = vec![look(1, 0, 10), look(2, 0, 200), look(1, 2, 10), look(3, 5, 200)];
        let report = SameReport::of(&[clip], &[vec![dressed(10), dressed(10), dressed(200)]]);
        let row = report.limits[2];
        assert_eq!((row.false_new.hits, row.false_new.of), (0, 1));
        assert_eq!((row.false_same_in_clips.hits, row.false_same_in_clips.of), (0, 2));
        assert_eq!((row.false_same_in_pictures.hits, row.false_same_in_pictures.of), (1, 3));
    }
}
