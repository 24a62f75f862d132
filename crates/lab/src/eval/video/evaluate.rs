//! All clips at all rates.

use super::clips::VideoClip;
use super::report::{ClipReport, Showing, VideoReport, longest_difference};
use super::run;
use crate::data::pictures::{Failure, with_causes};
use crate::eval::error::EvalError;
use crate::eval::evaluation::Evaluation;
use crate::eval::named::Named;
use crate::eval::networks::MakeVision;
use maskwatch::config::Config;
use rayon::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Shows `clips` to daemons that are configured so, at each of `rates` frames a second. `progress` is called
/// with the number of clips done. Into the folder `strips`, if there is one, go strips of annotated frames of
/// every clip that was shown wrongly. A clip that could not be run becomes a failure.
pub fn evaluate(
    clips: &[VideoClip],
    rates: &[u32],
    config: &Config,
    vision: &MakeVision<'_>,
    strips: Option<&Path>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<VideoReport> {
    let done = AtomicUsize::new(0);
    let results: Vec<Result<ClipReport, EvalError>> = clips
        .par_iter()
        .map(|clip| {
            let report = show(clip, rates, config, vision, strips);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            report
        })
        .collect();
    let (mut shown, mut failures) = (Vec::new(), Vec::new());
    for (clip, result) in clips.iter().zip(results) {
        match result {
            Ok(report) => shown.push((clip.name.clone(), report)),
            Err(error) => failures.push(Failure { image: clip.name.clone(), problem: with_causes(&error) }),
        }
    }
    Evaluation { report: VideoReport::of(Named(shown)), mistakes: Vec::new(), failures }
}

fn show(
    clip: &VideoClip,
    rates: &[u32],
    config: &Config,
    vision: &MakeVision<'_>,
    strips: Option<&Path>,
) -> Result<ClipReport, EvalError> {
    let mut length = Duration::ZERO;
    let mut showings: Vec<(String, Showing)> = Vec::new();
    for rate in rates {
        let (showing, lasted, strip) = run::run(clip, *rate, vision()?, config)?;
        length = length.max(lasted);
        if let (Some(folder), false) = (strips, showing.right) {
            let name = Path::new(&clip.name).file_stem().unwrap_or_default().to_string_lossy();
            let path = folder.join(format!("{name}-{rate}-wrong.jpg"));
            strip.finish().save(&path).map_err(|source| EvalError::Strip { path, source })?;
        }
        showings.push((rate.to_string(), showing));
    }
    let pairs = showings.iter().enumerate().flat_map(|(index, one)| {
        let others = showings[index + 1..].iter();
        others.map(move |other| (&one.1.states, &other.1.states))
    });
    let longest_difference_seconds = pairs.map(|(one, other)| longest_difference(one, other, length)).max();
    Ok(ClipReport { expected: clip.expected, longest_difference_seconds, rates: Named(showings) })
}
