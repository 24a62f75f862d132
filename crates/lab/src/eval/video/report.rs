//! The figures of `eval video`.

use super::clips::Expected;
use crate::eval::named::Named;
use maskwatch::decide::DoorState;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// A state of the door, and from when it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownState {
    /// From when, in the clip's time.
    pub from: Duration,
    /// The state.
    pub state: DoorState,
}

impl Serialize for ShownState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ShownState", 2)?;
        fields.serialize_field("from", &rounded(self.from))?;
        fields.serialize_field("state", self.state.name())?;
        fields.end()
    }
}

/// What the door did at one clip and one rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Showing {
    /// Whether that is what is expected.
    pub right: bool,
    /// The states in their order.
    pub states: Vec<ShownState>,
    /// How many alerts were raised where none should be.
    pub false_alerts: usize,
    /// From the first frame with a face to the first alert.
    #[serde(serialize_with = "seconds")]
    pub seconds_to_alert: Option<Duration>,
}

/// What the door did at one clip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipReport {
    /// What is expected.
    pub expected: Expected,
    /// The longest time for which two rates showed different states. Nothing for one rate.
    #[serde(serialize_with = "seconds")]
    pub longest_difference_seconds: Option<Duration>,
    /// By frames a second.
    pub rates: Named<Showing>,
}

/// The figures of `eval video`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoReport {
    /// By the clips' names.
    pub clips: Named<ClipReport>,
    /// By frames a second, how many clips were shown rightly.
    pub right: Named<usize>,
}

impl VideoReport {
    /// The report of these clips.
    #[must_use]
    pub fn of(clips: Named<ClipReport>) -> Self {
        let mut right: Named<usize> = Named(Vec::new());
        for (rate, showing) in clips.0.iter().flat_map(|(_, clip)| &clip.rates.0) {
            match right.0.iter_mut().find(|(name, _)| name == rate) {
                Some((_, count)) => *count += usize::from(showing.right),
                None => right.0.push((rate.clone(), usize::from(showing.right))),
            }
        }
        Self { clips, right }
    }
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 100.0).round() / 100.0
}

fn seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(rounded).serialize(serializer)
}

/// The longest time within `length` for which `one` and `other` show different states. Both are in order and
/// begin at the same time.
#[must_use]
pub fn longest_difference(one: &[ShownState], other: &[ShownState], length: Duration) -> Duration {
    let at = |states: &[ShownState], time: Duration| {
        states.iter().rev().find(|shown| shown.from <= time).map_or(DoorState::Off, |shown| shown.state)
    };
    let mut times: Vec<Duration> = one.iter().chain(other).map(|shown| shown.from).collect();
    times.push(length);
    times.sort_unstable();
    let (mut longest, mut differs_since) = (Duration::ZERO, None);
    for time in times {
        if let Some(since) = differs_since {
            longest = longest.max(time.saturating_sub(since));
        }
        let differ = at(one, time) != at(other, time);
        differs_since = differ.then(|| differs_since.unwrap_or(time));
    }
    longest
}

impl Display for VideoReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (name, clip) in &self.clips.0 {
            writeln!(out, "{name}: {}", clip.expected)?;
            for (rate, Showing { right, states, seconds_to_alert, .. }) in &clip.rates.0 {
                let verdict = if *right { "right" } else { "WRONG" };
                write!(out, "{rate:>4} frames/s  {verdict} ")?;
                for ShownState { from, state } in states {
                    write!(out, " {state} {:.1}", from.as_secs_f32())?;
                }
                if let Some(time) = seconds_to_alert {
                    write!(out, "  (alert after {:.1} s)", time.as_secs_f32())?;
                }
                writeln!(out)?;
            }
            if let Some(difference) = clip.longest_difference_seconds {
                writeln!(out, "     rates differ for at most {:.2} s", difference.as_secs_f32())?;
            }
            writeln!(out)?;
        }
        for (rate, right) in &self.right.0 {
            writeln!(out, "{rate:>4} frames/s: {right} of {} clips right", self.clips.0.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_difference_is_that_of_one_stretch() {
        use DoorState::{Alert, Idle, Look, Pass};
        let shown = |states: &[(u64, DoorState)]| -> Vec<ShownState> {
            let shown = |(from, state): &(u64, DoorState)| ShownState {
                from: Duration::from_millis(*from),
                state: *state,
            };
            states.iter().map(shown).collect()
        };
        let difference = |one: &[(u64, DoorState)], other: &[(u64, DoorState)]| {
            longest_difference(&shown(one), &shown(other), Duration::from_secs(10)).as_millis()
        };
        assert_eq!(difference(&[(0, Idle), (500, Pass)], &[(0, Idle), (700, Pass)]), 200);
        assert_eq!(difference(&[(0, Idle)], &[(0, Idle)]), 0);
        assert_eq!(difference(&[(0, Idle), (9000, Alert)], &[(0, Idle)]), 1000, "to the end");
        // Two changes within one stretch are one difference.
        assert_eq!(difference(&[(0, Idle), (500, Look), (900, Pass)], &[(0, Idle), (1000, Pass)]), 500);
    }
}
