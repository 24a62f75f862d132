//! The figures of `eval door`: shares of people, and times to the alert.

use super::run::{ClipOutcome, Fate};
use crate::data::labels::Label;
use crate::eval::metrics::Proportion;
use crate::eval::named::Named;
use crate::eval::table::{heading, line};
use serde::{Serialize, Serializer};
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// An alert within this time is one in time.
pub const IN_TIME: Duration = Duration::from_secs(1);

/// What became of the people of several clips at one rate.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DoorFigures {
    /// Unmasked people for whom the door alerted.
    pub unmasked_alerted: Proportion,
    /// The same within a second of when they could be judged.
    pub unmasked_alerted_in_time: Proportion,
    /// Unmasked people who were taken for masked ones at some time.
    pub unmasked_passed: Proportion,
    /// Masked people on whose account an alert was raised.
    pub masked_alerted: Proportion,
    /// People with an incorrectly worn mask for whom the door alerted.
    pub incorrect_alerted: Proportion,
    /// Masked people who were taken for such.
    pub masked_passed: Proportion,
    /// Frames that show an unmasked face, whole and large enough, in which it was found. The frames of one
    /// clip are much alike: the interval is narrower than it should be.
    pub unmasked_found: Proportion,
    /// The same for masked faces.
    pub masked_found: Proportion,
    /// Clips with an alert where nobody's face is.
    pub alert_at_nobody: Proportion,
    /// Times from when an unmasked person could be judged to the alert, of those for whom there was one;
    /// ascending.
    pub times: Vec<Duration>,
}

impl DoorFigures {
    /// The figures over `outcomes`.
    #[must_use]
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a ClipOutcome>) -> Self {
        let mut figures = Self::default();
        for outcome in outcomes {
            figures.alert_at_nobody.add(outcome.alert_at_nobody);
            outcome.fates.iter().flatten().for_each(|fate| figures.add(fate));
        }
        figures.times.sort();
        figures
    }

    fn add(&mut self, fate: &Fate) {
        let found = |all: &mut Proportion| {
            all.hits += fate.found.hits;
            all.of += fate.found.of;
        };
        match fate.label {
            Label::Mask => {
                self.masked_alerted.add(fate.alerted.is_some());
                self.masked_passed.add(fate.passed);
                found(&mut self.masked_found);
            }
            Label::Incorrect => self.incorrect_alerted.add(fate.alerted.is_some()),
            Label::NoMask => {
                let time = fate.time_to_alert();
                self.unmasked_alerted.add(time.is_some());
                self.unmasked_alerted_in_time.add(time.is_some_and(|time| time <= IN_TIME));
                self.unmasked_passed.add(fate.passed);
                found(&mut self.unmasked_found);
                self.times.extend(time);
            }
        }
    }

    /// Each share under its name.
    #[must_use]
    pub fn shares(&self) -> Named<Proportion> {
        [
            ("unmasked_alerted", self.unmasked_alerted),
            ("unmasked_alerted_within_1_s", self.unmasked_alerted_in_time),
            ("unmasked_taken_for_masked", self.unmasked_passed),
            ("masked_alerted_falsely", self.masked_alerted),
            ("masked_taken_for_masked", self.masked_passed),
            ("mask_worn_wrongly_alerted", self.incorrect_alerted),
            ("frames_unmasked_face_found", self.unmasked_found),
            ("frames_masked_face_found", self.masked_found),
            ("clips_alert_at_nobody", self.alert_at_nobody),
        ]
        .into_iter()
        .collect()
    }

    /// The time within which that share (0 to 1) of the alerts came; nothing without alerts.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.times.len() as f64).ceil() as usize;
        self.times.get(rank.max(1) - 1).copied()
    }

    fn seconds(&self, share: f64) -> Option<f64> {
        self.quantile(share).map(|time| (time.as_secs_f64() * 1000.0).round() / 1000.0)
    }
}

impl Serialize for DoorFigures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json {
            #[serde(flatten)]
            fractions: Named<Option<f64>>,
            seconds_to_alert: Named<Option<f64>>,
            counts: Named<Proportion>,
        }
        let counts = self.shares();
        Json {
            fractions: counts.0.iter().map(|(name, share)| (name.as_str(), share.fraction())).collect(),
            seconds_to_alert: [
                ("median", self.seconds(0.5)),
                ("p90", self.seconds(0.9)),
                ("p95", self.seconds(0.95)),
            ]
            .into_iter()
            .collect(),
            counts,
        }
        .serialize(serializer)
    }
}

/// The figures at one rate, by the kind of gathering.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct RateReport(pub Named<DoorFigures>);

/// The figures of `eval door`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DoorReport {
    /// By frames a second.
    pub rates: Named<RateReport>,
}

impl Display for DoorReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (index, (rate, report)) in self.rates.0.iter().enumerate() {
            for (place, (who, figures)) in report.0.0.iter().enumerate() {
                if index > 0 || place > 0 {
                    writeln!(out)?;
                }
                heading(out, &format!("{rate} frames/s, {}", who.replace('_', " ")))?;
                for (name, share) in &figures.shares().0 {
                    line(out, &name.replace('_', " "), share)?;
                }
                let seconds = |share| {
                    figures.seconds(share).map_or_else(|| "-".into(), |seconds| format!("{seconds:.2} s"))
                };
                let times = format!("{}, {}, {}", seconds(0.5), seconds(0.9), seconds(0.95));
                writeln!(out, "{:<36}{times:>25}", "time to alert: median, 90 %, 95 %")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fate(label: Label, alerted: Option<u64>) -> Fate {
        Fate {
            label,
            usable_from: Duration::from_millis(700),
            alerted: alerted.map(Duration::from_millis),
            passed: label == Label::Mask,
            found: Proportion { hits: 3, of: 4 },
        }
    }

    #[test]
    fn figures_of_known_fates() {
        let fates = [
            Some(fate(Label::NoMask, Some(1100))),
            Some(fate(Label::NoMask, Some(1800))), // 1.1 s: too late
            Some(fate(Label::NoMask, Some(600))),  // before the face was large enough by its label
            Some(fate(Label::NoMask, None)),
            Some(fate(Label::Mask, Some(2000))),
            Some(fate(Label::Mask, None)),
            Some(fate(Label::Incorrect, Some(900))),
            Some(fate(Label::Incorrect, None)),
            None,
        ];
        let outcome = ClipOutcome { fates: fates.to_vec(), alert_at_nobody: false };
        let figures = DoorFigures::of([&outcome, &ClipOutcome { fates: vec![], alert_at_nobody: true }]);
        let share = |hits, of| Proportion { hits, of };
        assert_eq!(figures.unmasked_alerted, share(3, 4));
        assert_eq!(figures.unmasked_alerted_in_time, share(2, 4));
        assert_eq!((figures.masked_alerted, figures.masked_passed), (share(1, 2), share(2, 2)));
        assert_eq!((figures.unmasked_found, figures.masked_found), (share(12, 16), share(6, 8)));
        assert_eq!(figures.incorrect_alerted, share(1, 2), "counted apart from the others");
        assert_eq!(figures.alert_at_nobody, share(1, 2));
        assert_eq!(figures.quantile(0.5), Some(Duration::from_millis(400)));
        assert_eq!(figures.quantile(0.9), Some(Duration::from_millis(1100)));
        let json = serde_json::to_value(&figures).unwrap();
        assert_eq!(json["unmasked_alerted_within_1_s"], 0.5);
        assert_eq!(json["seconds_to_alert"]["p90"], 1.1);
        assert_eq!(json["counts"]["masked_alerted_falsely"]["of"], 2);
        assert_eq!(DoorFigures::of([]).quantile(0.9), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_times_that_enough_alerts_reach(
            milliseconds in prop::collection::vec(0u64..5000, 1..50), share in 0.01f64..=1.0,
        ) {
            let fates = milliseconds.iter().map(|time| Some(fate(Label::NoMask, Some(700 + time)))).collect();
            let figures = DoorFigures::of([&ClipOutcome { fates, alert_at_nobody: false }]);
            let quantile = figures.quantile(share).unwrap().as_millis() as u64;
            let below = milliseconds.iter().filter(|time| **time < quantile).count() as f64;
            let within = milliseconds.iter().filter(|time| **time <= quantile).count() as f64;
            let wanted = share * milliseconds.len() as f64;
            prop_assert!(below < wanted + 1e-9 && within >= wanted - 1e-9);
        }
    }
}
