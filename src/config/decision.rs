//! The section `[decision]`: when a face is judged, and what the door shows.

use super::error::ConfigError;
use super::limits;
use super::reader::{Section, Sourced};
use crate::decide::{FaceSize, IncorrectMeans, LONGEST_MEMORY, PassHoldFor, Rules};
use crate::vision::quality::Gates;
use std::time::Duration;

/// Reads the quality gates, which are keys of `[decision]`.
fn gates(section: &mut Section<'_>) -> Result<Gates, ConfigError> {
    let usual = Gates::default();
    let mut number = |key, range, usual: f32| -> Result<_, ConfigError> {
        let written = section.number(key, range)?;
        let value = written.as_ref().map_or(usual, |number| number.value as f32);
        Ok((written, value))
    };
    let (_, min_sharpness) = number("min_sharpness", limits::SHARPNESS, usual.min_sharpness)?;
    let (_, min_contrast) = number("min_contrast", limits::CONTRASTS, usual.min_contrast)?;
    let (darkest, min_brightness) = number("min_brightness", limits::BRIGHTNESS, usual.min_brightness)?;
    let (brightest, max_brightness) = number("max_brightness", limits::BRIGHTNESS, usual.max_brightness)?;
    let (_, max_clipped) = number("max_clipped", limits::CLIPPED_SHARES, usual.max_clipped)?;
    let (_, max_yaw) = number("max_yaw", limits::YAWS, usual.max_yaw)?;
    let (_, min_visible) = number("min_visible", limits::VISIBLE_SHARES, usual.min_visible)?;
    let (_, min_person) = number("min_person", limits::PRESENCES, usual.min_person)?;
    let (_, min_front) = number("min_front", limits::PRESENCES, usual.min_front)?;
    if max_brightness > 0.0 && min_brightness >= max_brightness {
        return Err(match (&darkest, &brightest) {
            (Some(key), _) => section.refuse(
                key,
                format!(
                    "is {min_brightness}, not below max_brightness ({max_brightness}); use less than that"
                ),
            ),
            (None, key) => section.refuse_any(
                key,
                format!(
                    "is {max_brightness}, not above min_brightness ({min_brightness}); use more than that"
                ),
            ),
        });
    }
    Ok(Gates {
        min_sharpness,
        min_contrast,
        min_brightness,
        max_brightness,
        max_clipped,
        max_yaw,
        min_visible,
        min_person,
        min_front,
    })
}

/// What a vote stood for when votes were counted: frames came five times a second.
const OLD_STEP: Duration = Duration::from_millis(200);

/// Reads `[decision]`; also returns what is accepted but should be mended.
pub(super) fn decision(mut section: Section<'_>) -> Result<(Rules, Gates, Vec<String>), ConfigError> {
    let usual = Rules::default();
    let ignore_below = section.number("ignore_below", limits::IGNORED_SIDES)?;
    let min_look_side = section.number("min_look_side", limits::IGNORED_SIDES)?;
    let min_face_side = section.number("min_face_side", limits::JUDGED_SIDES)?;
    let gates = gates(&mut section)?;
    let certainty = section.number("certainty", limits::CERTAINTIES)?;
    let incorrect = section.choice("incorrect", &IncorrectMeans::NAMES)?;
    let evidence = section.seconds("evidence_seconds", limits::EVIDENCE)?;
    let window = section.seconds("window_seconds", limits::WINDOWS)?;
    let budget = section.seconds("budget_seconds", limits::BUDGETS)?;
    let votes = section.old_whole("votes", limits::VOTES, "evidence_seconds")?;
    let last_votes = section.old_whole("window", limits::VOTES, "window_seconds")?;
    let hold = section.seconds("hold_seconds", limits::HOLDS)?;
    let re_arm = section.seconds("re_arm_seconds", limits::RE_ARMS)?;
    let linger = section.seconds("linger_seconds", limits::MOMENTS)?;
    let look_after = section.seconds("look_after_seconds", limits::MOMENTS)?;
    let recheck = section.seconds("recheck_seconds", limits::MOMENTS)?;
    let pass_hold = section.seconds("pass_hold_seconds", limits::PASS_HOLDS)?;
    let pass_hold_for = section.choice("pass_hold_for", &PassHoldFor::NAMES)?;
    let old_evidence = votes.as_ref().map(|votes| OLD_STEP * votes.value.saturating_sub(1));
    let old_window = last_votes.as_ref().map(|votes| OLD_STEP * votes.value);
    let rules = Rules {
        ignore_below: ignore_below.as_ref().map_or(usual.ignore_below, |side| side.value.into()),
        min_look_side: min_look_side.map_or(usual.min_look_side, |side| side.value.into()),
        min_face_side: Sourced::or(&min_face_side, f64::from(usual.min_face_side)) as f32,
        certainty: Sourced::or(&certainty, f64::from(usual.certainty)) as f32,
        incorrect: incorrect.unwrap_or(usual.incorrect),
        evidence: Sourced::or(&evidence, old_evidence.unwrap_or(usual.evidence)),
        window: Sourced::or(&window, old_window.unwrap_or(usual.window)),
        budget: Sourced::or(&budget, usual.budget),
        hold: Sourced::or(&hold, usual.hold),
        re_arm: Sourced::or(&re_arm, usual.re_arm),
        linger: Sourced::or(&linger, usual.linger),
        look_after: Sourced::or(&look_after, usual.look_after),
        recheck: Sourced::or(&recheck, usual.recheck),
        pass_hold: Sourced::or(&pass_hold, usual.pass_hold),
        pass_hold_for: pass_hold_for.unwrap_or(usual.pass_hold_for),
    };
    // If two keys contradict each other, the error names one that is in the file, so that it has a line.
    if rules.evidence > rules.window {
        let (needed, counted) = (rules.evidence.as_secs_f64(), rules.window.as_secs_f64());
        let longest = format!(
            "is {needed}, longer than window_seconds ({counted}); use at most {counted}, or a larger window_seconds"
        );
        return Err(match (&evidence, &votes, &window) {
            (Some(key), ..) => section.refuse(key, longest),
            (None, Some(votes), _) => {
                section.refuse(votes, format!("takes {needed} s, longer than window_seconds ({counted}); use evidence_seconds = {needed}, and a larger window_seconds"))
            }
            (None, None, Some(key)) => section.refuse(
                key,
                format!("is {counted}, shorter than evidence_seconds ({needed}); use at least {needed}"),
            ),
            (None, None, None) => section.refuse_any(
                &last_votes,
                "is less than the votes needed; use evidence_seconds and window_seconds instead".into(),
            ),
        });
    }
    for (old, key, new) in
        [(&votes, "evidence_seconds", rules.evidence), (&last_votes, "window_seconds", rules.window)]
    {
        if let Some(old) = old {
            let seconds = new.as_secs_f64();
            section.warn(
                old,
                format!("counts frames, which say less the faster they come; use {key} = {seconds}"),
            );
        }
    }
    if let Some(re_arm) = re_arm.as_ref().filter(|re_arm| re_arm.value > LONGEST_MEMORY) {
        let longest = LONGEST_MEMORY.as_secs();
        section.warn(
            re_arm,
            format!("counts as {longest}: what people look like is forgotten after {longest} s"),
        );
    }
    // A share of the frame's width is known in pixels only once there is a frame; who is ignored is not
    // judged.
    if let FaceSize::Pixels(ignored) = rules.ignore_below
        && ignored > rules.min_face_side
    {
        let judged = rules.min_face_side;
        return Err(match (&ignore_below, &min_face_side) {
            (Some(key), _) => section.refuse(
                key,
                format!("is {ignored}, more than min_face_side ({judged}); use at most {judged}"),
            ),
            (None, key) => section.refuse_any(
                key,
                format!("is {judged}, less than ignore_below ({ignored}); set that lower too"),
            ),
        });
    }
    if rules.linger > rules.re_arm {
        let (linger_for, absent_for) = (rules.linger.as_secs_f64(), rules.re_arm.as_secs_f64());
        return Err(match (&linger, &re_arm) {
            (Some(key), _) => section.refuse(
                key,
                format!("is {linger_for}, more than re_arm_seconds ({absent_for}); use at most {absent_for}"),
            ),
            (None, key) => section.refuse_any(
                key,
                format!(
                    "is {absent_for}, less than linger_seconds ({linger_for}); use at least {linger_for}"
                ),
            ),
        });
    }
    Ok((rules, gates, section.finish()?))
}
