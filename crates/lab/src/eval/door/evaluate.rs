//! Shows all clips at all rates to daemons, and puts the results together.

use super::clip::Clip;
use super::gathering::{Gathering, groups};
use super::person::DoorPerson;
use super::report::{self, DoorFigures, DoorReport, RateReport};
use super::run::{self, ClipOutcome, Fate};
use crate::data::labels::Label;
use crate::data::pictures::{Failure, with_causes};
use crate::eval::error::EvalError;
use crate::eval::evaluation::Evaluation;
use crate::eval::mistakes::Mistake;
use crate::eval::networks::MakeVision;
use crate::eval::strip::ClipStrip;
use crate::random::{Purpose, stream};
use maskwatch::config::Config;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many clips are shown in strips whatever happens in them.
const SAMPLES: usize = 12;

/// What is shown to the daemon, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct DoorPlan {
    /// What everything is drawn from.
    pub seed: u64,
    /// Frames a second, each at least 1.
    pub rates: Vec<u32>,
    /// The daemon's configuration; its sections `[detector]` and `[decision]` apply.
    pub config: Config,
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
        .map(|(index, (gathering, group))| {
            let mut random = stream(plan.seed, Purpose::Clip, index as u64);
            let clip = Arc::new(Clip::draw(*gathering, group, &mut random));
            let sample = index.is_multiple_of(groups.len().div_ceil(SAMPLES));
            let outcomes = (0..plan.rates.len())
                .map(|rate| {
                    let album = strips.map(|folder| (folder, sample && rate == plan.rates.len() / 2));
                    show((index, *gathering), &clip, plan, plan.rates[rate], vision, album)
                })
                .collect();
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            outcomes
        })
        .collect();
    let (mut shown, mut mistakes, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for ((gathering, group), result) in groups.iter().zip(results) {
        match result {
            Ok(outcomes) => {
                mistakes.extend(outcomes.iter().flat_map(|outcome| mistakes_of(group, outcome)));
                shown.push((*gathering, outcomes));
            }
            Err(error) => {
                let image = group.first().map_or_else(String::new, |person| person.face.image.clone());
                failures.push(Failure { image, problem: with_causes(&error) });
            }
        }
    }
    let figures = |gathering: Gathering, rate: usize| {
        let clips = shown.iter().filter(|(kind, _)| *kind == gathering);
        DoorFigures::of(clips.filter_map(|(_, outcomes)| outcomes.get(rate)))
    };
    let report = |(rate, name): (usize, &u32)| {
        let gatherings = Gathering::NAMES.map(|(name, gathering)| (name, figures(gathering, rate)));
        (name.to_string(), RateReport(gatherings.into_iter().collect()))
    };
    let rates = plan.rates.iter().enumerate().map(report).collect();
    Evaluation { report: DoorReport { rates }, mistakes, failures }
}

/// Shows one clip at one rate; its strip goes into the folder if it is a sample or something went wrong.
fn show(
    (index, gathering): (usize, Gathering),
    clip: &Arc<Clip>,
    plan: &DoorPlan,
    rate: u32,
    vision: &MakeVision<'_>,
    album: Option<(&Path, bool)>,
) -> Result<ClipOutcome, EvalError> {
    let mut strip = album.map(|_| ClipStrip::default());
    let outcome = run::run(clip, rate as f32, vision()?, &plan.config, strip.as_mut())?;
    let wrong = outcome.alert_at_nobody || outcome.fates.iter().flatten().any(|fate| problem(fate).is_some());
    if let (Some(strip), Some((folder, sample))) = (strip, album)
        && (sample || wrong)
    {
        let kind = gathering.name();
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
