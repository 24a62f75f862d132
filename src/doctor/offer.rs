//! What a camera says of itself: formats, sizes, frame rates, exposure.

use super::report::Diagnosis;
use crate::source::{CameraSurvey, Exposure, OfferedFormat};
use std::time::Duration;

/// Who walks by at 1.4 m a second moves 7 cm in this time, half a face: longer exposures blur it.
const LONG_EXPOSURE: Duration = Duration::from_millis(50);

/// The formats that the camera offers, and how long it exposes, as far as it tells.
pub(super) fn told(survey: &CameraSurvey) -> Vec<Diagnosis> {
    let mut lines = Vec::new();
    if !survey.formats.is_empty() {
        lines.push(Diagnosis::ok("formats", formats(survey)));
    }
    lines.extend(survey.exposure.as_ref().map(exposure));
    lines
}

fn formats(survey: &CameraSurvey) -> String {
    let format = |format: &OfferedFormat| match format.largest {
        Some((width, height)) => format!("{} up to {width}x{height}", format.code),
        None => format.code.clone(),
    };
    let formats: Vec<String> = survey.formats.iter().map(format).collect();
    let mut text = format!("the camera offers {}", formats.join(", "));
    if let Some(most) = survey.rates.last() {
        text += &format!("; up to {} frames a second as it is used", (10.0 * most).round() / 10.0);
    }
    text
}

fn exposure(exposure: &Exposure) -> Diagnosis {
    let Exposure { time, is_automatic } = *exposure;
    let by = if is_automatic { "the camera chooses it" } else { "fixed" };
    let text = format!("{:.1} ms a frame ({by})", 1000.0 * time.as_secs_f64());
    if time <= LONG_EXPOSURE {
        return Diagnosis::ok("exposure", text);
    }
    let units = LONG_EXPOSURE.as_micros() / 100;
    let mend = if is_automatic { "give it more light, or set" } else { "lower" };
    Diagnosis::warn(
        "exposure",
        format!("{text}: who walks is blurred; {mend} source.controls.exposure to {units} or less"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::Severity;
    use super::*;

    fn line(time: u64, is_automatic: bool) -> (Severity, String) {
        let found = exposure(&Exposure { time: Duration::from_micros(time), is_automatic });
        (found.level, found.text)
    }

    #[test]
    fn formats_are_told_with_their_largest_size_and_the_rate() {
        let offered = |code: &str, largest| OfferedFormat { code: code.into(), largest };
        let mut survey = CameraSurvey {
            formats: vec![offered("MJPG", Some((1280, 720))), offered("YUYV", None)],
            rates: vec![7.5, 30.000_03],
            exposure: None,
        };
        let text = "the camera offers MJPG up to 1280x720, YUYV; up to 30 frames a second as it is used";
        assert_eq!(told(&survey), [Diagnosis::ok("formats", text)]);
        survey.rates.clear();
        assert_eq!(told(&survey)[0].text, "the camera offers MJPG up to 1280x720, YUYV");
        assert_eq!(told(&CameraSurvey::default()), []);
    }

    #[test]
    fn an_exposure_that_blurs_who_walks_is_told_with_the_mend() {
        assert_eq!(line(33_300, true), (Severity::Ok, "33.3 ms a frame (the camera chooses it)".into()));
        assert_eq!(line(50_000, false), (Severity::Ok, "50.0 ms a frame (fixed)".into()));
        let (level, text) = line(100_000, true);
        assert!(
            level == Severity::Warn && text.contains("more light, or set source.controls.exposure to 500"),
            "{text}"
        );
        let (level, text) = line(100_000, false);
        assert!(level == Severity::Warn && text.contains("lower source.controls.exposure"), "{text}");
    }
}
