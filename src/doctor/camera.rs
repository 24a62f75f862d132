//! Frames of the source, really measured: how many come, how bright and how sharp they are.

use super::offer;
use super::report::{DaemonReport, Diagnosis};
use crate::config::Config;
use crate::pixels::picture::View;
use crate::source::{
    self, CameraSurvey, Frame, Next, Options, ProgramSource, Source, SourceError, SourceSpec,
};
use std::time::{Duration, Instant};

/// How long frames are counted, from the first one on.
const TIME: Duration = Duration::from_secs(2);
/// A command may need this long for its first frame.
const START: Duration = Duration::from_secs(12);
/// A source that gives less than this share of the frames asked for is slow.
const SLOW: f64 = 0.75;
/// Mean brightness below which faces are too dark for the usual gate.
const DARK: f32 = 0.1;
/// Share of white pixels from which the picture counts as washed out.
const WASHED_OUT: f32 = 0.4;
/// Where edges are lighter and darker over two pixels by less than this share of what they are over eight,
/// the picture is out of focus.
const BLURRED: f32 = 0.3;

pub(super) fn examine(config: &Config, running: Option<&DaemonReport>) -> Vec<Diagnosis> {
    if let Some(running) = running {
        return vec![told(running, f64::from(config.source.frames_per_second))];
    }
    let spec = &config.source.spec;
    let options = config.source.options();
    match measure(spec, &options) {
        Ok(SourceTrial { name, looks, skipped, seconds, survey }) => {
            let Some(mean) = mean(&looks) else {
                let first =
                    skipped.map_or_else(|| "none came".into(), |problem| format!("the first: {problem}"));
                return vec![Diagnosis::error(
                    "camera",
                    format!("{name} gives no frame that can be used ({first})"),
                )];
            };
            let mut lines = vec![rate(spec, &name, &options, looks.len(), seconds, skipped)];
            lines.extend(survey.iter().flat_map(offer::told));
            lines.push(sight(&mean));
            lines
        }
        Err(error) => vec![Diagnosis::error("camera", error.to_string())],
    }
}

/// What the daemon that has the camera says of it.
fn told(running: &DaemonReport, wanted: f64) -> Diagnosis {
    if let Some(fault) = &running.fault {
        return Diagnosis::error("camera", fault.clone());
    }
    let looks = running.looks_per_second.unwrap_or(0.0);
    let text =
        format!("in use by the daemon, which looks at {looks:.1} frames a second ({})", running.status);
    if looks < SLOW * wanted {
        let mend = "see the line on speed, or stop the daemon and run this again to measure the camera alone";
        Diagnosis::warn("camera", format!("{text}, and {wanted} are asked for; {mend}"))
    } else {
        Diagnosis::ok("camera", text)
    }
}

/// What was seen of a source.
struct SourceTrial {
    name: String,
    looks: Vec<FrameLook>,
    /// What was wrong with a frame that could not be used.
    skipped: Option<String>,
    seconds: f64,
    /// What a camera said of itself while frames came.
    survey: Option<CameraSurvey>,
}

fn measure(spec: &SourceSpec, options: &Options) -> Result<SourceTrial, SourceError> {
    let mut source = source::open_once(spec, options)?;
    let (mut looks, mut skipped, mut name) = (Vec::new(), None, source.describe());
    let opened = Instant::now();
    let mut first: Option<Instant> = None;
    loop {
        let (since, limit) = first.map_or((opened, options.timeout.max(START)), |first| (first, TIME));
        let Some(left) = limit.checked_sub(since.elapsed()) else { break };
        match source.next(left)? {
            Next::Frame(Frame { picture, .. }) => {
                first.get_or_insert_with(Instant::now);
                match picture.view() {
                    Ok(picture) => looks.push(FrameLook::at(picture)),
                    Err(problem) => skipped = Some(problem.to_string()),
                }
                // Cameras agree on a format before the first frame, commands with it.
                name = source.describe();
            }
            Next::Skipped(problem) => skipped = Some(problem.to_string()),
            Next::Nothing => {}
            Next::End => break,
        }
    }
    let seconds = first.map_or(0.0, |first| first.elapsed().min(TIME).as_secs_f64());
    let survey = source.survey();
    Ok(SourceTrial { name, looks, skipped, seconds, survey })
}

fn rate(
    spec: &SourceSpec,
    name: &str,
    options: &Options,
    frames: usize,
    seconds: f64,
    skipped: Option<String>,
) -> Diagnosis {
    if matches!(spec, SourceSpec::Pictures(_) | SourceSpec::Program(ProgramSource::Video(_))) {
        return Diagnosis::ok("camera", format!("{name}: pictures can be read"));
    }
    let wanted = f64::from(options.frames_per_second.unwrap_or(0.0));
    // The first frame opens the time in which the others are counted.
    let rate = frames.saturating_sub(1) as f64 / seconds.max(0.001);
    let text = format!("{name} gives {rate:.1} frames a second");
    if let Some(problem) = skipped {
        let mend = match spec {
            SourceSpec::Camera(_) => "use a shorter cable, another port or a smaller frame",
            _ => "see what comes between it and the board",
        };
        return Diagnosis::warn("camera", format!("{text}, and some are damaged ({problem}); {mend}"));
    }
    // Too few to be counted in this time.
    let few = wanted * TIME.as_secs_f64() < 3.0;
    if !few && rate < SLOW * wanted {
        let mend = match spec {
            SourceSpec::Camera(_) => {
                "give it more light (in the dark it exposes longer) or a smaller frame, or lower source.frames_per_second"
            }
            _ => "see whether it can give more, or lower source.frames_per_second",
        };
        return Diagnosis::warn("camera", format!("{text} of the {wanted} that are asked for; {mend}"));
    }
    Diagnosis::ok("camera", text)
}

/// What one frame looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
struct FrameLook {
    /// Mean luma, 0 to 1.
    brightness: f32,
    /// Share of white pixels.
    clipped: f32,
    /// How steep edges are: strong differences over two pixels, as a share of those over eight.
    steepness: f32,
}

impl FrameLook {
    fn at(picture: View<'_>) -> Self {
        let (width, height) = picture.dimensions();
        let mut row = vec![0; 3 * width as usize];
        let mut lumas = vec![0f32; width as usize];
        let (mut sum, mut white, mut count) = (0f64, 0usize, 0usize);
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for y in (0..height as usize).step_by(4) {
            picture.read_row(0, y, &mut row);
            for (luma, pixel) in lumas.iter_mut().zip(row.chunks_exact(3)) {
                *luma =
                    0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2]);
            }
            sum += lumas.iter().map(|luma| f64::from(*luma)).sum::<f64>();
            white += lumas.iter().filter(|luma| **luma >= 250.0).count();
            count += lumas.len();
            let differences =
                |step: usize| lumas.windows(step + 1).map(move |run| (run[step] - run[0]).abs());
            near.extend(differences(2));
            far.extend(differences(8));
        }
        let count = count.max(1) as f32;
        let steepness = strong(&mut near) / strong(&mut far).max(1.0);
        Self { brightness: sum as f32 / count / 255.0, clipped: white as f32 / count, steepness }
    }
}

/// The difference that one in fifty exceeds.
fn strong(differences: &mut [f32]) -> f32 {
    let place = differences.len() * 49 / 50;
    if place >= differences.len() {
        return 0.0;
    }
    *differences.select_nth_unstable_by(place, f32::total_cmp).1
}

fn mean(looks: &[FrameLook]) -> Option<FrameLook> {
    let count = looks.len() as f32;
    let of = |value: fn(&FrameLook) -> f32| looks.iter().map(value).sum::<f32>() / count;
    (!looks.is_empty()).then(|| FrameLook {
        brightness: of(|look| look.brightness),
        clipped: of(|look| look.clipped),
        steepness: of(|look| look.steepness),
    })
}

/// How bright and how sharp one frame is.
pub(super) fn sight_of(picture: View<'_>) -> Diagnosis {
    sight(&FrameLook::at(picture))
}

fn sight(look: &FrameLook) -> Diagnosis {
    let FrameLook { brightness, clipped, steepness } = *look;
    let text = format!(
        "brightness {:.0} %, {:.0} % of it white, edges {:.0} % steep",
        100.0 * brightness,
        100.0 * clipped,
        100.0 * steepness
    );
    if brightness < DARK {
        Diagnosis::warn("sight", format!("{text}: it is dark; switch the light on or uncover the lens"))
    } else if clipped > WASHED_OUT {
        Diagnosis::warn(
            "sight",
            format!(
                "{text}: it is washed out; turn the camera away from the light, or set source.controls.exposure"
            ),
        )
    } else if steepness < BLURRED {
        Diagnosis::warn(
            "sight",
            format!("{text}: it is blurred; clean the lens and focus it on the entrance"),
        )
    } else {
        Diagnosis::ok("sight", text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Severity;
    use super::*;
    use image::RgbImage;
    use std::path::Path;

    fn portrait() -> RgbImage {
        crate::bench::portrait().unwrap()
    }

    fn level(picture: &RgbImage) -> (Severity, String) {
        let finding = sight(&FrameLook::at(View::from(picture)));
        (finding.level, finding.text)
    }

    #[test]
    fn dark_washed_out_and_blurred_pictures_are_told() {
        let sharp = portrait();
        assert_eq!(level(&sharp).0, Severity::Ok, "{}", level(&sharp).1);
        let shaded = |change: fn(u8) -> u8| {
            let mut picture = sharp.clone();
            picture.iter_mut().for_each(|value| *value = change(*value));
            picture
        };
        let dark = level(&shaded(|value| value / 8));
        assert!(dark.0 == Severity::Warn && dark.1.contains("it is dark"), "{dark:?}");
        let washed = level(&shaded(|value| value.saturating_add(170)));
        assert!(washed.0 == Severity::Warn && washed.1.contains("washed out"), "{washed:?}");
        let blurred = level(&image::imageops::blur(&sharp, 6.0));
        assert!(blurred.0 == Severity::Warn && blurred.1.contains("blurred"), "{blurred:?}");
        let slightly = level(&image::imageops::blur(&sharp, 1.0));
        assert_eq!(slightly.0, Severity::Ok, "{slightly:?}");
    }

    #[test]
    fn a_command_is_counted_and_one_that_fails_is_an_error() {
        let mut config = Config::default();
        let frames = |pause| {
            format!("command(gray 64x64): while :; do head -c 4096 /dev/urandom || exit; sleep {pause}; done")
        };
        config.source.spec = frames("0.01").parse().unwrap();
        let findings = examine(&config, None);
        assert_eq!(findings[0].level, Severity::Ok, "{findings:?}");
        config.source.spec = frames("0.4").parse().unwrap();
        let slow = examine(&config, None);
        assert!(slow[0].level == Severity::Warn && slow[0].text.contains("of the 10"), "{slow:?}");
        config.source.spec = "command: echo no such camera >&2; exit 3".parse().unwrap();
        let failed = examine(&config, None);
        assert!(
            failed[0].level == Severity::Error && failed[0].text.contains("no such camera"),
            "{failed:?}"
        );
        config.source.spec = SourceSpec::Pictures(Path::new("tests/fixtures/astronaut.jpg").into());
        assert_eq!(examine(&config, None)[0].level, Severity::Ok);
    }

    #[test]
    fn a_running_daemon_is_asked_instead() {
        let mut running = DaemonReport { status: "idle".into(), fault: None, looks_per_second: Some(9.8) };
        assert_eq!(told(&running, 10.0).level, Severity::Ok);
        running.looks_per_second = Some(3.0);
        assert_eq!(told(&running, 10.0).level, Severity::Warn);
        running.fault = Some("camera /dev/video0 is away".into());
        assert_eq!(told(&running, 10.0), Diagnosis::error("camera", "camera /dev/video0 is away"));
    }
}
