//! Whether the networks load, on which kernels they run, and how often this board can look at a door.

use super::report::{Diagnosis, Severity};
use crate::bench::{SameFrame, camera_frame, interleaved, portrait};
use crate::config::Config;
use crate::pixels::orientation::Orientation;
use crate::vision::classifier::Input;
use crate::vision::models::Models;
use crate::vision::{Chain, Vision, everybody};
use std::time::{Duration, Instant};

/// How long looks are timed.
const TIME: Duration = Duration::from_millis(1500);
/// An alert comes late where looks are rarer than this per second.
const FEWEST_LOOKS: f64 = 2.0;

pub(super) fn examine(config: &Config) -> Vec<Diagnosis> {
    let start = Instant::now();
    let loaded = Models::open(&config.models).and_then(|models| {
        let chain = Chain::new(&models, &config.vision())?;
        Ok((models, chain))
    });
    let (models, mut chain) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return vec![Diagnosis::error("networks", error.to_string())],
    };
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let loaded = format!(
        "{}{}, on {}, loaded in {milliseconds:.0} ms",
        models.origin(),
        checksum(config).map(|sum| format!(" (CRC-32 {sum:08x})")).unwrap_or_default(),
        models.kernels()
    );
    let networks = match models.hindrance() {
        Some(hindrance) => Diagnosis::warn("networks", format!("{loaded}; {hindrance}")),
        None => Diagnosis::ok("networks", loaded),
    };
    vec![networks, speed(config, &mut chain)]
}

/// The sum of the file that the configuration names.
fn checksum(config: &Config) -> Option<u32> {
    let file = config.models.int8.as_ref().or(config.models.classifier.as_ref())?;
    std::fs::read(file).ok().map(|bytes| crc32fast::hash(&bytes))
}

fn speed(config: &Config, chain: &mut Chain) -> Diagnosis {
    let same =
        portrait().and_then(|portrait| SameFrame::new(&camera_frame(&portrait), Orientation::NoTransforms));
    let Ok(same) = same else { return Diagnosis::error("speed", "the built-in picture cannot be used") };
    let mut failed = None;
    let spread = interleaved(
        TIME,
        &mut [Box::new(|| {
            let looked = same.decode().map_err(|error| error.to_string()).and_then(|picture| {
                chain.look(picture.view(), &mut everybody).map_err(|error| error.to_string())
            });
            failed = looked.err().or(failed.take());
        })],
    );
    if let Some(problem) = failed {
        return Diagnosis::error("speed", format!("the networks fail ({problem}); restart the board"));
    }
    let look = spread[0].p50_ms / 1e3;
    let wanted = f64::from(config.source.frames_per_second);
    let (least, side) = (SIZES[SIZES.len() - 1].0, config.models.classifier_input);
    let is_smallest = config.detector.width * config.detector.height <= least.0 * least.1
        && matches!(side, Input::Side(side) if side <= 128);
    told(look, wanted, config.decision.evidence.as_secs_f64(), is_smallest)
}

/// Width and height at which faces are searched, and the classifier's input.
pub type InputSizes = ((u32, u32), Input);

/// InputSizes from the largest on.
const SIZES: [InputSizes; 3] =
    [((480, 384), Input::Auto), ((320, 256), Input::Auto), ((320, 256), Input::Side(128))];

/// InputSizes for the detector and the classifier at which this board can look at the frames that `config`
/// asks for; the smallest ones where it cannot. `None` where the networks cannot be timed.
#[must_use]
pub fn fit(config: &Config) -> (Option<InputSizes>, Diagnosis) {
    let mut tried = config.clone();
    let mut last = (None, Diagnosis::error("speed", "the networks cannot be timed"));
    for sizes in SIZES {
        ((tried.detector.width, tried.detector.height), tried.models.classifier_input) = sizes;
        let mut findings = examine(&tried);
        let Some(finding) = findings.pop() else { continue };
        let fits = finding.level == Severity::Ok && finding.check == "speed";
        last = (
            Some(sizes),
            Diagnosis { text: format!("{}×{}: {}", sizes.0.0, sizes.0.1, finding.text), ..finding },
        );
        if fits {
            break;
        }
    }
    last
}

/// Tells the speed, for one look in `look` seconds, `wanted` frames a second, and votes that have to agree
/// for `evidence` seconds.
fn told(look: f64, wanted: f64, evidence: f64, is_smallest: bool) -> Diagnosis {
    let most = 1.0 / look;
    let interval = look.max(1.0 / wanted);
    // The first vote comes after one look; the last one when they have agreed for long enough, two at least.
    let verdict = look + interval * (evidence / interval).ceil().max(1.0);
    let text = format!(
        "one face: {:.0} ms a look, up to {most:.1} looks a second, a verdict after {verdict:.1} s",
        look * 1e3
    );
    let mend = if is_smallest {
        "stop other programs, or use a faster board"
    } else {
        "lower detector.width and height (320 and 256) and set models.classifier_input = 128"
    };
    if most < FEWEST_LOOKS {
        Diagnosis::warn("speed", format!("{text}; that is slow: {mend}"))
    } else if most < wanted {
        Diagnosis::warn(
            "speed",
            format!(
                "{text}; source.frames_per_second asks for {wanted}: lower it to {}, or {mend}",
                most.floor()
            ),
        )
    } else {
        Diagnosis::ok("speed", text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Severity;
    use super::*;
    use crate::vision::models::ModelOptions;

    #[test]
    fn a_slow_board_is_told_what_to_lower() {
        let fast = told(0.02, 10.0, 0.4, false);
        assert_eq!(
            (fast.level, fast.text.contains("a verdict after 0.4 s")),
            (Severity::Ok, true),
            "{}",
            fast.text
        );
        let busy = told(0.2, 10.0, 0.4, false);
        assert!(busy.level == Severity::Warn && busy.text.contains("lower it to 5"), "{}", busy.text);
        let slow = told(0.8, 1.0, 0.4, false);
        assert!(slow.level == Severity::Warn && slow.text.contains("that is slow"), "{}", slow.text);
        assert!(slow.text.contains("a verdict after 1.8 s"), "{}", slow.text);
        // Nothing is to be lowered that is low already.
        let small = told(0.8, 1.0, 0.4, true);
        assert!(small.level == Severity::Warn && small.text.contains("a faster board"), "{}", small.text);
        assert!(!small.text.contains("detector.width"), "{}", small.text);
    }

    #[test]
    fn the_built_in_networks_are_timed_and_a_file_that_is_none_is_an_error() {
        let findings = examine(&Config::default());
        assert_eq!(findings.iter().map(|finding| finding.check).collect::<Vec<_>>(), ["networks", "speed"]);
        assert_eq!(findings[0].level, Severity::Ok, "{findings:?}");
        let models = ModelOptions { int8: Some("/no/such/file".into()), ..ModelOptions::default() };
        let findings = examine(&Config { models, ..Config::default() });
        assert!(
            matches!(&findings[..], [Diagnosis { check: "networks", level: Severity::Error, .. }]),
            "{findings:?}"
        );
        assert!(findings[0].text.contains("/no/such/file"));
    }
}
