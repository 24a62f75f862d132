//! The periods that are shown: hours or days in which something was counted.

use super::ledger::{DoorCounts, Ledger};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// Periods that are shown if nobody says how many.
const USUAL_HOURS: u16 = 24;
const USUAL_DAYS: u16 = 14;

/// Length of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PeriodKind {
    /// Hours.
    Hour,
    /// Days.
    Day,
}

impl PeriodKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// What was counted in one hour or day.
#[derive(Debug, PartialEq, Serialize)]
pub struct Period {
    /// When it began, in local time.
    pub begin: String,
    /// What was counted.
    #[serde(flatten)]
    pub counted: DoorCounts,
}

/// The last periods in which something was counted, the oldest first: so many, or as many as are usual.
#[must_use]
pub fn periods(ledger: &Ledger, kind: PeriodKind, last: Option<u16>, zone: &TimeZone) -> Vec<Period> {
    let local = |second: i64| match Timestamp::from_second(second) {
        Ok(begin) => begin.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M%:z").to_string(),
        // No time that a clock has told.
        Err(_) => second.to_string(),
    };
    let (mut periods, usual): (Vec<Period>, u16) = match kind {
        PeriodKind::Hour => {
            let hours = ledger.hours.iter();
            (
                hours.map(|(begin, counted)| Period { begin: local(*begin), counted: *counted }).collect(),
                USUAL_HOURS,
            )
        }
        PeriodKind::Day => {
            let days = ledger.days.iter();
            (
                days.map(|(begin, counted)| Period { begin: begin.clone(), counted: *counted }).collect(),
                USUAL_DAYS,
            )
        }
    };
    let surplus = periods.len().saturating_sub(last.unwrap_or(usual).into());
    periods.drain(..surplus);
    periods
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Zoned;

    #[test]
    fn the_last_periods_are_shown_in_local_time() {
        let mut ledger = Ledger::default();
        for time in ["2026-11-30T13:59:00", "2026-11-30T14:10:00", "2026-12-01T08:00:00"] {
            let when: Zoned = format!("{time}+05:30[Asia/Kolkata]").parse().unwrap();
            ledger.add(Some(&when), &DoorCounts { people: 1, unsure: 1, ..DoorCounts::default() });
        }
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let begins = |kind, last| -> Vec<String> {
            periods(&ledger, kind, last, &zone).into_iter().map(|period| period.begin).collect()
        };
        assert_eq!(begins(PeriodKind::Hour, Some(2)), ["2026-11-30T14:00+05:30", "2026-12-01T08:00+05:30"]);
        assert_eq!(begins(PeriodKind::Day, None), ["2026-11-30", "2026-12-01"]);
    }
}
