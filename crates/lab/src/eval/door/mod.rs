//! What happens at a door: labelled faces walk through drawn entrances, past the daemon's own loop (detector,
//! tracker, classifier, votes, door states), with simulated outputs and the frames' own time. Counted is per
//! person, not per face.
//!
//! Every person comes once alone and once among others. One clip: the door is empty, somebody comes into view
//! with a face of 3 % of the frame's width (or from the side), comes nearer to about 12 %, lingers, and
//! leaves to the side, all within about four seconds. In company two to four people come within a second,
//! each to a place of its own, in any mixture of bare and masked faces. Each clip has a daemon of its own, so
//! everybody is new to it. The same clips are shown at every rate.
//!
//! An alert is what the daemon raises ([`maskwatch::decide::Finding::Alert`], which turns the door to
//! *alert*). It is put down to the person whose true place is nearest to the face of the alert's track in
//! that frame, if that is within three quarters of a face; else it was raised at nobody. A person without a
//! mask or with one worn wrongly also counts as alerted once its own face stands as *unmasked* or
//! *incorrectly masked* while the door shows *alert*. Time to the alert counts from the moment at which the
//! whole face is in the frame, unhidden, and its labelled box large enough to be judged (`min_face_side`); an
//! alert before that counts as one after 0 s. It holds the waiting for frames, not the time that a machine
//! takes for them. Persons are those of whom the picture shows 48 pixels of face and some room around it.
//!
//! ```text
//! cast ── chooses persons         path ── how each walks         background ── where
//! person ── cuts out and pastes   clip ── frames of it all       run ── the daemon watches it
//! report ── figures               strip ── pictures to look at
//! ```
//!
//! What this is not: real video. Heads do not really turn, and their surroundings are pasted.

mod background;
pub mod cast;
pub mod clip;
pub mod path;
pub mod person;
pub mod report;
pub mod run;
pub mod strip;

use super::faces::Evaluation;
use super::mistakes::Mistake;
use crate::data::labels::Label;
use crate::data::pictures::Failure;
use anyhow::Context;
use clip::Clip;
use maskwatch::decide::Rules;
use maskwatch::vision::Vision;
use person::Person;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use report::{DoorFigures, DoorReport, RateReport};
use run::{Fate, Outcome};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use strip::Strip;

/// People who come at once.
const COMPANY: RangeInclusive<usize> = 2..=4;
/// So many clips are shown in strips whatever happens in them.
const SAMPLES: usize = 12;

/// What is shown to the daemon, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What everything is drawn from.
    pub seed: u64,
    /// Frames a second, each at least 1.
    pub rates: Vec<u32>,
    /// The daemon's rules.
    pub rules: Rules,
}

/// Makes the networks for one clip; called on the thread that uses them.
pub type MakeVision<'a> = dyn Fn() -> anyhow::Result<Box<dyn Vision>> + Sync + 'a;

/// What is drawn for a purpose; the streams of two purposes have nothing in common.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Persons = 1,
    Groups = 2,
    Clip = 3,
}

fn stream(seed: u64, purpose: Purpose, index: usize) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(((purpose as u64) << 56) | index as u64);
    random
}

/// Who comes together: everybody alone, then everybody in groups.
#[must_use]
pub fn groups(people: &[Arc<Person>], seed: u64) -> Vec<Vec<Arc<Person>>> {
    let mut groups: Vec<Vec<Arc<Person>>> = people.iter().map(|person| vec![Arc::clone(person)]).collect();
    let mut random = stream(seed, Purpose::Groups, 0);
    let mut left = people.to_vec();
    left.shuffle(&mut random);
    while left.len() >= *COMPANY.start() {
        let mut size = random.random_range(COMPANY);
        // Nobody is left to come alone a second time.
        if left.len() <= size || left.len() - size < *COMPANY.start() {
            size = if left.len() <= *COMPANY.end() { left.len() } else { *COMPANY.start() };
        }
        groups.push(left.split_off(left.len() - size));
    }
    groups
}

/// Shows `people` to daemons as `plan` says. `progress` is called with the number of clips done so far, of
/// the number of [`groups`]. Into the folder `strips`, if there is one, go pictures of some clips and of
/// those in which something went wrong. A clip that could not be run becomes a failure.
pub fn evaluate(
    people: &[Arc<Person>],
    plan: &Plan,
    vision: &MakeVision<'_>,
    strips: Option<&Path>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<DoorReport> {
    let groups = groups(people, plan.seed);
    let done = AtomicUsize::new(0);
    let results: Vec<anyhow::Result<Vec<Outcome>>> = groups
        .par_iter()
        .enumerate()
        .map(|(index, group)| {
            let clip = Arc::new(Clip::draw(group, &mut stream(plan.seed, Purpose::Clip, index)));
            let sample = index.is_multiple_of(groups.len().div_ceil(SAMPLES));
            let outcomes = (0..plan.rates.len())
                .map(|rate| {
                    let album = strips.map(|folder| (folder, sample && rate == plan.rates.len() / 2));
                    show(index, &clip, plan, plan.rates[rate], vision, album)
                })
                .collect();
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            outcomes
        })
        .collect();
    let (mut shown, mut mistakes, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for (group, result) in groups.iter().zip(results) {
        match result {
            Ok(outcomes) => {
                mistakes.extend(outcomes.iter().flat_map(|outcome| mistakes_of(group, outcome)));
                shown.push((group.len() == 1, outcomes));
            }
            Err(error) => {
                let image = group.first().map_or_else(String::new, |person| person.face.image.clone());
                failures.push(Failure { image, problem: format!("{error:#}") });
            }
        }
    }
    let figures = |alone: bool, rate: usize| {
        let clips = shown.iter().filter(|(is_alone, _)| *is_alone == alone);
        DoorFigures::of(clips.filter_map(|(_, outcomes)| outcomes.get(rate)))
    };
    let rates = plan
        .rates
        .iter()
        .enumerate()
        .map(|(rate, name)| {
            let report = RateReport { alone: figures(true, rate), in_company: figures(false, rate) };
            (name.to_string(), report)
        })
        .collect();
    Evaluation { report: DoorReport { rates }, mistakes, failures }
}

/// Shows one clip at one rate; its strip goes into the folder if it is a sample or something went wrong.
fn show(
    index: usize,
    clip: &Arc<Clip>,
    plan: &Plan,
    rate: u32,
    vision: &MakeVision<'_>,
    album: Option<(&Path, bool)>,
) -> anyhow::Result<Outcome> {
    let mut strip = album.map(|_| Strip::default());
    let outcome = run::run(clip, rate as f32, vision()?, &plan.rules, strip.as_mut())?;
    let wrong = outcome.alert_at_nobody || outcome.fates.iter().flatten().any(|fate| problem(fate).is_some());
    if let (Some(strip), Some((folder, sample))) = (strip, album)
        && (sample || wrong)
    {
        let kind = if outcome.fates.len() == 1 { "alone" } else { "company" };
        let path = folder.join(format!("{kind}-{index:04}-{rate}{}.jpg", if wrong { "-wrong" } else { "" }));
        let saved = strip.finish().save(&path);
        saved.with_context(|| format!("{} cannot be written; check the folder", path.display()))?;
    }
    Ok(outcome)
}

/// What went wrong with a person.
fn problem(fate: &Fate) -> Option<&'static str> {
    match (fate.label, fate.time_to_alert()) {
        (Label::Mask, Some(_)) => Some("masked person alerted"),
        (Label::NoMask, None) => Some("unmasked person not alerted"),
        (Label::Incorrect, None) => Some("mask worn wrongly not alerted"),
        (Label::NoMask, Some(time)) if time > report::IN_TIME => Some("unmasked person alerted late"),
        _ => None,
    }
}

fn mistakes_of(group: &[Arc<Person>], outcome: &Outcome) -> Vec<Mistake> {
    let people = group.iter().zip(&outcome.fates);
    people
        .filter_map(|(person, fate)| {
            let problem = problem(fate.as_ref()?)?;
            let face = &person.face;
            let (image, label) = (face.image.clone(), Some(face.label));
            Some(Mistake { image, rect: face.rect, label, p_mask: None, problem })
        })
        .collect()
}

#[cfg(test)]
mod tests;
