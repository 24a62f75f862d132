//! Patterns of an output: whether it is on, by the time since the door state began. Pure.

use crate::decide::DoorState;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What an output does during a door state.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Pattern {
    /// Never on.
    #[default]
    Off,
    /// Always on.
    Steady,
    /// On for the first part of each period, off for the rest.
    Blink {
        /// Length of one period, on and off.
        period: Duration,
        /// The part of the period in which it is on, between 0 and 1.
        duty: f32,
    },
    /// On a number of times, then off for the rest of the state.
    Beep {
        /// Number of beeps.
        times: u32,
        /// Length of a beep.
        on: Duration,
        /// Length of the pause between two beeps.
        off: Duration,
    },
}

/// Minimum time for which an output stays on or off: outputs are refreshed twice as often, and shorter times
/// would come out uneven.
const SHORTEST: Duration = Duration::from_millis(50);
/// Periods and lengths of beeps in seconds.
const SECONDS: RangeInclusive<f64> = 0.1..=60.0;
/// Parts of a period in which an output can be on.
const DUTY: RangeInclusive<f32> = 0.1..=0.9;
/// Numbers of beeps.
const TIMES: RangeInclusive<u32> = 1..=100;

/// Why a text is not a pattern. The texts follow the name of a key: "outputs.red.alert is not a pattern".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text has another form.
    #[error(
        "is not a pattern; use off, steady, \"blink PERIOD [DUTY]\" or \"beep TIMES [ON [OFF]]\" with times in seconds"
    )]
    Form,
    /// A number is missing, or out of its range.
    #[error("has {word} for {what}; use a number from {range}")]
    Number {
        /// What stands in its place.
        word: String,
        /// What the number is.
        what: &'static str,
        /// The numbers that are allowed, such as "1 to 100".
        range: String,
    },
    /// The output would change too fast.
    #[error("changes after {} ms; use no phase below {} ms", .0.as_millis(), SHORTEST.as_millis())]
    TooFast(Duration),
}

impl Pattern {
    /// Whether the output is on when the state began `elapsed` ago.
    #[must_use]
    pub fn is_on(&self, elapsed: Duration) -> bool {
        match *self {
            Self::Off => false,
            Self::Steady => true,
            Self::Blink { period, duty } => remainder(elapsed, period) < period.mul_f32(duty),
            Self::Beep { times, on, off } => {
                elapsed < (on + off) * times && remainder(elapsed, on + off) < on
            }
        }
    }

    /// The shortest time for which the output stays on or off; `None` if it does not change.
    #[must_use]
    pub fn shortest_phase(&self) -> Option<Duration> {
        match *self {
            Self::Off | Self::Steady => None,
            Self::Blink { period, duty } => Some(period.mul_f32(duty.min(1.0 - duty))),
            Self::Beep { times: 1, on, .. } => Some(on),
            Self::Beep { on, off, .. } => Some(on.min(off)),
        }
    }

    /// The pattern with no phase below `least`: what blinks and beeps does so more slowly.
    #[must_use]
    pub fn slowed(self, least: Duration) -> Self {
        match self {
            Self::Blink { period, .. } if self.shortest_phase().is_some_and(|phase| phase < least) => {
                Self::Blink { period: period.max(2 * least), duty: 0.5 }
            }
            Self::Beep { times, on, off } => Self::Beep { times, on: on.max(least), off: off.max(least) },
            other => other,
        }
    }

    /// Reads `off`, `steady`, `blink PERIOD [DUTY]` or `beep TIMES [ON [OFF]]`, with times in seconds.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = Self::read(text)?;
        match pattern.shortest_phase() {
            Some(phase) if phase < SHORTEST => Err(PatternError::TooFast(phase)),
            _ => Ok(pattern),
        }
    }

    fn read(text: &str) -> Result<Self, PatternError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["off"] => Ok(Self::Off),
            ["steady"] => Ok(Self::Steady),
            ["blink", period] => Ok(Self::Blink { period: seconds(period)?, duty: 0.5 }),
            ["blink", period, duty] => {
                Ok(Self::Blink { period: seconds(period)?, duty: number("the part it is on", duty, DUTY)? })
            }
            ["beep", times] => {
                let beep = Duration::from_millis(200);
                Ok(Self::Beep { times: number("the number of beeps", times, TIMES)?, on: beep, off: beep })
            }
            ["beep", times, on] => Ok(Self::Beep {
                times: number("the number of beeps", times, TIMES)?,
                on: seconds(on)?,
                off: seconds(on)?,
            }),
            ["beep", times, on, off] => Ok(Self::Beep {
                times: number("the number of beeps", times, TIMES)?,
                on: seconds(on)?,
                off: seconds(off)?,
            }),
            _ => Err(PatternError::Form),
        }
    }
}

fn remainder(elapsed: Duration, period: Duration) -> Duration {
    let nanoseconds = elapsed.as_nanos().checked_rem(period.as_nanos()).unwrap_or(0);
    // The remainder is below the period, which is a minute at most: it fits.
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

fn seconds(word: &str) -> Result<Duration, PatternError> {
    let seconds = number("a time in seconds", word, SECONDS)?;
    // Whole milliseconds, so that three periods of 0.1 s are 0.3 s, and a pattern that is written out reads
    // back the same.
    Ok(Duration::from_millis((seconds * 1000.0).round() as u64))
}

fn number<N>(what: &'static str, word: &str, range: RangeInclusive<N>) -> Result<N, PatternError>
where
    N: std::str::FromStr + PartialOrd + fmt::Display,
{
    match word.parse::<N>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let range = format!("{} to {}", range.start(), range.end());
            Err(PatternError::Number { word: word.to_owned(), what, range })
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => write!(out, "off"),
            Self::Steady => write!(out, "steady"),
            Self::Blink { period, duty } => write!(out, "blink {} {duty}", period.as_secs_f64()),
            Self::Beep { times, on, off } => {
                write!(out, "beep {times} {} {}", on.as_secs_f64(), off.as_secs_f64())
            }
        }
    }
}

/// One pattern for each door state except *off*, in which every output is off.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Patterns {
    idle: Pattern,
    pass: Pattern,
    look: Pattern,
    incorrect: Pattern,
    alert: Pattern,
    fault: Pattern,
    pass_hold: Pattern,
}

impl Patterns {
    /// The pattern of `state`.
    #[must_use]
    pub fn get(&self, state: DoorState) -> Pattern {
        match state {
            DoorState::Idle => self.idle,
            DoorState::Pass => self.pass,
            DoorState::Look => self.look,
            DoorState::Incorrect => self.incorrect,
            DoorState::Alert => self.alert,
            DoorState::Fault => self.fault,
            DoorState::Off => Pattern::Off,
        }
    }

    /// Sets the pattern of `state`; that of *off* cannot be changed.
    pub fn set(&mut self, state: DoorState, pattern: Pattern) {
        let place = match state {
            DoorState::Idle => &mut self.idle,
            DoorState::Pass => &mut self.pass,
            DoorState::Look => &mut self.look,
            DoorState::Incorrect => &mut self.incorrect,
            DoorState::Alert => &mut self.alert,
            DoorState::Fault => &mut self.fault,
            DoorState::Off => return,
        };
        *place = pattern;
    }

    /// A copy with another pattern for `state`.
    #[must_use]
    pub fn with(mut self, state: DoorState, pattern: Pattern) -> Self {
        self.set(state, pattern);
        self
    }

    /// What is shown besides while a pass is held.
    #[must_use]
    pub fn pass_hold(&self) -> Pattern {
        self.pass_hold
    }

    /// Sets what is shown besides while a pass is held.
    pub fn set_pass_hold(&mut self, pattern: Pattern) {
        self.pass_hold = pattern;
    }

    /// Whether the output is never on.
    #[must_use]
    pub fn all_off(&self) -> bool {
        let states = DoorState::ALL.into_iter().map(|state| self.get(state));
        states.chain([self.pass_hold]).all(|pattern| pattern == Pattern::Off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn any_pattern() -> impl Strategy<Value = Pattern> {
        prop_oneof![
            Just(Pattern::Off),
            Just(Pattern::Steady),
            (100u64..60_000, 1u32..10).prop_map(|(period, tenths)| Pattern::Blink {
                period: at(period),
                duty: tenths as f32 / 10.0
            }),
            (1u32..100, 100u64..10_000, 100u64..10_000).prop_map(|(times, on, off)| Pattern::Beep {
                times,
                on: at(on),
                off: at(off)
            }),
        ]
        // A tenth of a short period is a phase that is refused.
        .prop_filter("a phase is too short", |pattern: &Pattern| {
            pattern.shortest_phase().is_none_or(|phase| phase >= SHORTEST)
        })
    }

    #[test]
    fn three_beeps_and_then_silence() {
        let beeps = Pattern::parse("beep 3 0.2 0.1").unwrap();
        let on: Vec<u64> = (0..2000).step_by(50).filter(|time| beeps.is_on(at(*time))).collect();
        assert_eq!(on, [0, 50, 100, 150, 300, 350, 400, 450, 600, 650, 700, 750]);
    }

    #[test]
    fn off_cannot_be_given_a_pattern() {
        let patterns = DoorState::ALL.into_iter().fold(Patterns::default(), |patterns, state| {
            assert_eq!(
                patterns.with(state, Pattern::Steady).get(state) == Pattern::Steady,
                state != DoorState::Off
            );
            patterns.with(state, Pattern::Steady)
        });
        assert_eq!(patterns.get(DoorState::Off), Pattern::Off);
        assert_eq!(patterns.get(DoorState::Fault), Pattern::Steady);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("", "is not a pattern"),
            ("flash", "is not a pattern"),
            ("blink", "is not a pattern"),
            ("blink 0", "has 0 for a time in seconds; use a number from 0.1 to 60"),
            ("blink nan", "has nan for a time"),
            ("blink 1 1.5", "has 1.5 for the part it is on"),
            ("beep -1", "has -1 for the number of beeps; use a number from 1 to 100"),
            ("beep 3 0.2 1e30", "has 1e30 for a time"),
            ("blink 0.2 0.1", "changes after 20 ms; use no phase below 50 ms"),
        ] {
            let error = Pattern::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(pattern in any_pattern()) {
            prop_assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern));
        }

        #[test]
        fn any_text_is_a_pattern_or_a_clear_refusal(text in "(off|steady|blink|beep)?( ?[-0-9.enai]{0,8}){0,4}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                prop_assert!(pattern.shortest_phase().is_none_or(|phase| phase >= SHORTEST));
            }
        }

        #[test]
        fn blinking_repeats_and_keeps_its_duty(period in 100u64..5000, tenths in 1u64..10, cycle in 0u64..1000) {
            let blink = Pattern::Blink { period: at(period), duty: tenths as f32 / 10.0 };
            let on = (0..period).filter(|time| blink.is_on(at(cycle * period + time))).count() as u64;
            prop_assert!(on.abs_diff(period * tenths / 10) <= 1, "{on} of {period} ms");
            prop_assert!(blink.is_on(at(cycle * period)), "begins with on");
        }

        #[test]
        fn beeps_are_counted_and_end(times in 1u32..20, on in 100u64..1000, off in 100u64..1000) {
            let beep = Pattern::Beep { times, on: at(on), off: at(off) };
            let end = u64::from(times) * (on + off);
            let starts = (0..end + 5000).filter(|time| {
                beep.is_on(at(*time)) && (*time == 0 || !beep.is_on(at(time - 1)))
            });
            prop_assert_eq!(starts.count(), times as usize);
            prop_assert!(!beep.is_on(at(end)) && !beep.is_on(at(end * 1000)));
        }

        #[test]
        fn no_pattern_fails_at_any_time(pattern in any_pattern(), seconds in any::<u64>(), nanoseconds in 0u32..1_000_000_000) {
            let on = pattern.is_on(Duration::new(seconds, nanoseconds));
            match pattern {
                Pattern::Off => prop_assert!(!on),
                Pattern::Steady => prop_assert!(on),
                _ => {}
            }
        }

        #[test]
        fn phases_last_at_least_as_long_as_said(pattern in any_pattern(), start in 0u64..100_000) {
            if let Some(phase) = pattern.shortest_phase() {
                // Between two changes lies at least one whole phase (two milliseconds are left to rounding).
                let changes: Vec<u64> = (start..start + 3 * phase.as_millis() as u64)
                    .filter(|time| pattern.is_on(at(*time)) != pattern.is_on(at(time + 1))).collect();
                for pair in changes.windows(2) {
                    prop_assert!(at(pair[1] - pair[0] + 2) >= phase);
                }
            }
        }
    }
}
