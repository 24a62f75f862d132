//! Shows all clips at all rates to daemons, and puts the results together.

use super::clip::Clip;
use super::person::DoorPerson;
use super::report::{self, DoorFigures, DoorReport, RateReport};
use super::run::{self, ClipOutcome, Fate};
use super::strip::ClipStrip;
use crate::data::labels::Label;
use crate::data::pictures::{Failure, with_causes};
use crate::eval::error::EvalError;
use crate::eval::evaluation::Evaluation;
use crate::eval::mistakes::Mistake;
use crate::random::{Purpose, stream};
use maskwatch::decide::Rules;
use maskwatch::vision::Vision;
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// People who come at once.
const COMPANY: RangeInclusive<usize> = 2..=4;
/// So many clips are shown in strips whatever happens in them.
const SAMPLES: usize = 12;

/// What is shown to the daemon, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct DoorPlan {
    /// What everything is drawn from.
    pub seed: u64,
    /// Frames a second, each at least 1.
    pub rates: Vec<u32>,
    /// The daemon's rules.
    pub rules: Rules,
}

/// Makes the networks for one clip; called on the thread that uses them.
pub type MakeVision<'a> = dyn Fn() -> Result<Box<dyn Vision>, EvalError> + Sync + 'a;

/// Who comes together: everybody alone, then everybody in groups.
#[must_use]
pub fn groups(people: &[Arc<DoorPerson>], seed: u64) -> Vec<Vec<Arc<DoorPerson>>> {
    let mut groups: Vec<Vec<Arc<DoorPerson>>> =
        people.iter().map(|person| vec![Arc::clone(person)]).collect();
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
    people: &[Arc<DoorPerson>],
    plan: &DoorPlan,
    vision: &MakeVision<'_>,
    strips: Option<&Path>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<DoorReport> {
    let groups = groups(people, plan.seed);
    let done = AtomicUsize::new(0);
    let results: Vec<Result<Vec<ClipOutcome>, EvalError>> = groups
        .par_iter()
        .enumerate()
        .map(|(index, group)| {
            let clip = Arc::new(Clip::draw(group, &mut stream(plan.seed, Purpose::Clip, index as u64)));
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
                failures.push(Failure { image, problem: with_causes(&error) });
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
    plan: &DoorPlan,
    rate: u32,
    vision: &MakeVision<'_>,
    album: Option<(&Path, bool)>,
) -> Result<ClipOutcome, EvalError> {
    let mut strip = album.map(|_| ClipStrip::default());
    let outcome = run::run(clip, rate as f32, vision()?, &plan.rules, strip.as_mut())?;
    let wrong = outcome.alert_at_nobody || outcome.fates.iter().flatten().any(|fate| problem(fate).is_some());
    if let (Some(strip), Some((folder, sample))) = (strip, album)
        && (sample || wrong)
    {
        let kind = if outcome.fates.len() == 1 { "alone" } else { "company" };
        let path = folder.join(format!("{kind}-{index:04}-{rate}{}.jpg", if wrong { "-wrong" } else { "" }));
        strip.finish().save(&path).map_err(|source| EvalError::Strip { path, source })?;
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

fn mistakes_of(group: &[Arc<DoorPerson>], outcome: &ClipOutcome) -> Vec<Mistake> {
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
#[path = "tests.rs"]
mod tests;
