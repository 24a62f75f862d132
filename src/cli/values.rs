//! Values on the command line: each parser takes a text and gives the value, or a sentence that says what to
//! give.

use crate::config::limits;
use crate::nn::yunet::MULTIPLE;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Takes one of `values`, each with its name and what the help says of it (nothing where that is empty).
/// There must be at least one.
#[must_use]
pub fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [(&'static str, &'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    const { assert!(N > 0, "there is something to choose from") };
    let possible = values.map(|(name, help, _)| {
        let value = PossibleValue::new(name);
        if help.is_empty() { value } else { value.help(help) }
    });
    PossibleValuesParser::new(possible).map(move |given| {
        let value = values.iter().find(|(name, _, _)| *name == given);
        value.map_or(values[0].2, |(_, _, value)| *value)
    })
}

/// Reads `WIDTHxHEIGHT`, both multiples of 32, as the detector takes them.
///
/// # Errors
/// With a sentence that says what to give.
pub fn size(text: &str) -> Result<(u32, u32), String> {
    let sides =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |side: u32| limits::DETECTOR_SIDES.contains(&side) && side.is_multiple_of(MULTIPLE as u32);
    sides.filter(|(width, height)| fits(*width) && fits(*height)).ok_or_else(|| {
        let (least, most) = limits::DETECTOR_SIDES.into_inner();
        format!("give WIDTHxHEIGHT, both multiples of {MULTIPLE} from {least} to {most}, such as 640x640")
    })
}

/// Reads a time in seconds from the command line.
///
/// # Errors
/// With a sentence that says what to give.
pub fn seconds(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| (0.0..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "use a number of seconds from 0 to 86400".into())
}

/// Reads a number of threads.
pub(super) fn threads() -> impl TypedValueParser<Value = u16> {
    let (least, most) = limits::THREADS.into_inner();
    clap::value_parser!(u16).range(i64::from(least)..=i64::from(most))
}

fn number_in(text: &str, range: &RangeInclusive<f64>) -> Option<f32> {
    text.parse().ok().filter(|value: &f32| range.contains(&f64::from(*value)))
}

fn number_from_to(text: &str, range: &RangeInclusive<f64>) -> Result<f32, String> {
    let wanted = || format!("it must be a number from {} to {}", range.start(), range.end());
    number_in(text, range).ok_or_else(wanted)
}

/// Reads a number from 0 to 1.
///
/// # Errors
/// With a sentence that says what to give.
pub fn fraction(text: &str) -> Result<f32, String> {
    number_from_to(text, &limits::SCORES)
}

/// Reads a probability from 0.5 to 1.
///
/// # Errors
/// With a sentence that says what to give.
pub fn certainty(text: &str) -> Result<f32, String> {
    number_from_to(text, &limits::CERTAINTIES)
}

/// Reads a number of pixels, 0 or more.
///
/// # Errors
/// With a sentence that says what to give.
pub fn pixels(text: &str) -> Result<f32, String> {
    number_in(text, &(0.0..=100_000.0)).ok_or_else(|| "it must be a number of pixels from 0 on".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(fraction("0.5"), Ok(0.5));
        for text in ["-0.1", "1.1", "nan", "inf", "", "half"] {
            assert!(fraction(text).is_err(), "{text}");
        }
        assert!(certainty("0.4").is_err() && pixels("-1").is_err());
    }
}
