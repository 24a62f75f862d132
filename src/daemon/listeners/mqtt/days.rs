//! The counts of the day for the broker, as the file of counts has them: they go on after a restart, and
//! never fall but at the end of the day. Home Assistant takes a number that falls for a meter that was reset
//! (`total_increasing`), so none may fall for another reason, and none may be told before the power could
//! fail without losing it.

use crate::daemon::listeners::counts::{DoorCounts, Ledger, LedgerError};
use crate::daemon::wall::WallClock;
use jiff::civil::Date;
use std::path::PathBuf;
use std::time::Duration;

/// So long after midnight all that belongs to the day before is in the file, which is written once a minute.
const SETTLED: Duration = Duration::from_secs(90);

/// Which day the broker was told of last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ToldDay {
    /// None since the start.
    #[default]
    Nothing,
    /// This one, which went on.
    Open(Date),
    /// The last of this one.
    Closed(Date),
}

/// What is to be told of the counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DayReport {
    /// Such as 2026-11-30; `None` while the clock is not believed.
    pub(super) day: Option<String>,
    /// `None` if they cannot be known.
    pub(super) counts: Option<DoorCounts>,
    /// Whether another report belongs right behind this one.
    pub(super) goes_on: bool,
    /// What the broker knows once this is on its way.
    after: ToldDay,
}

/// The counts of the day.
pub struct DayCounts {
    path: PathBuf,
    clock: Box<dyn WallClock>,
    told: ToldDay,
}

impl DayCounts {
    /// The counts in the file `path`, of the day that it is by `clock`.
    #[must_use]
    pub fn new(path: PathBuf, clock: Box<dyn WallClock>) -> Self {
        Self { path, clock, told: ToldDay::Nothing }
    }

    /// What is to be told now. When a day has ended, its last counts come first, then a zero: the new day may
    /// have more by then than the old one had.
    pub(super) fn report(&mut self) -> DayReport {
        let Some(now) = self.clock.now() else {
            return DayReport { day: None, counts: None, goes_on: false, after: self.told };
        };
        // Shortly after the beginning of time there is no day before.
        let today = now.checked_sub(SETTLED).unwrap_or(now).date();
        let (day, counts, after) = match self.told {
            ToldDay::Open(old) if old != today => (old, self.kept(old), ToldDay::Closed(old)),
            ToldDay::Closed(old) if old != today => {
                (today, Some(DoorCounts::default()), ToldDay::Open(today))
            }
            _ => (today, self.kept(today), ToldDay::Open(today)),
        };
        let goes_on = matches!((self.told, after), (_, ToldDay::Closed(_)) | (ToldDay::Closed(_), _));
        DayReport { day: Some(day.to_string()), counts, goes_on, after }
    }

    /// Notes that `report` is on its way.
    pub(super) fn note(&mut self, report: &DayReport) {
        self.told = report.after;
    }

    /// What the file says of a day. One that cannot be read says nothing: a zero would be a reset.
    fn kept(&self, day: Date) -> Option<DoorCounts> {
        match Ledger::load(&self.path) {
            Ok(ledger) => Some(ledger.days.get(&day.to_string()).copied().unwrap_or_default()),
            Err(LedgerError::Absent(_)) => Some(DoorCounts::default()),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Zoned;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    /// A clock that tests set; `None` is one that is not believed.
    #[derive(Clone, Default)]
    struct SetClock(Arc<Mutex<Option<Zoned>>>);

    impl SetClock {
        fn set(&self, time: &str) {
            *self.0.lock().unwrap() = Some(zoned(time));
        }
    }

    impl WallClock for SetClock {
        fn now(&mut self) -> Option<Zoned> {
            self.0.lock().unwrap().clone()
        }
    }

    fn zoned(time: &str) -> Zoned {
        format!("{time}[Europe/Berlin]").parse().unwrap()
    }

    fn add(path: &Path, time: Option<&str>, people: u32) {
        let mut ledger = Ledger::load(path).unwrap_or_default();
        let counted = DoorCounts { people, masked: people, ..DoorCounts::default() };
        ledger.add(time.map(zoned).as_ref(), &counted);
        ledger.save(path).unwrap();
    }

    /// The reports that are sent together: day, people.
    fn told(days: &mut DayCounts) -> Vec<(String, u32)> {
        let mut told = Vec::new();
        loop {
            let report = days.report();
            days.note(&report);
            told.push((report.day.unwrap(), report.counts.unwrap().people));
            if !report.goes_on {
                return told;
            }
        }
    }

    /// What Home Assistant sums up of a meter with `total_increasing`.
    fn growth(values: &[u32]) -> u32 {
        values.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum()
    }

    #[test]
    fn the_number_goes_on_after_a_restart_in_the_middle_of_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let (path, clock) = (folder.path().join("counts.json"), SetClock::default());
        clock.set("2026-11-30T14:30:00");
        let start = || DayCounts::new(path.clone(), Box::new(clock.clone()));
        let mut days = start();
        assert_eq!(told(&mut days), [("2026-11-30".into(), 0)], "there is no file yet");
        add(&path, Some("2026-11-29T12:00:00"), 100);
        add(&path, Some("2026-11-30T14:31:00"), 7);
        assert_eq!(told(&mut days), [("2026-11-30".into(), 7)]);
        let mut again = start();
        assert_eq!(told(&mut again), [("2026-11-30".into(), 7)]);
        add(&path, Some("2026-11-30T14:40:00"), 1);
        assert_eq!(told(&mut again), [("2026-11-30".into(), 8)]);
    }

    #[test]
    fn a_new_day_starts_at_0_after_the_last_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, clock) = (folder.path().join("counts.json"), SetClock::default());
        let mut days = DayCounts::new(path.clone(), Box::new(clock.clone()));
        let mut all = Vec::new();
        let mut at = |time: &str| {
            clock.set(time);
            let told = told(&mut days);
            all.extend(told.iter().map(|(_, people)| *people));
            told
        };
        at("2026-11-30T20:00:00");
        add(&path, Some("2026-11-30T23:00:00"), 2);
        assert_eq!(at("2026-11-30T23:59:30"), [("2026-11-30".into(), 2)]);
        // Written after midnight, and of the day before.
        add(&path, Some("2026-11-30T23:59:40"), 1);
        assert_eq!(at("2026-12-01T00:01:00"), [("2026-11-30".into(), 3)]);
        add(&path, Some("2026-12-01T00:01:10"), 5);
        let change = [("2026-11-30", 3), ("2026-12-01", 0), ("2026-12-01", 5)].map(|(d, n)| (d.into(), n));
        assert_eq!(at("2026-12-01T00:01:45"), change);
        assert_eq!(at("2026-12-01T00:02:45"), [("2026-12-01".into(), 5)]);
        // A day without anybody, during which the broker was away.
        assert_eq!(at("2026-12-03T09:00:00").last(), Some(&("2026-12-03".into(), 0)));
        assert_eq!(growth(&all), 8, "all people of both days, and nobody twice: {all:?}");
    }

    #[test]
    fn what_was_not_sent_is_reported_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, clock) = (folder.path().join("counts.json"), SetClock::default());
        add(&path, Some("2026-11-30T12:00:00"), 4);
        let mut days = DayCounts::new(path, Box::new(clock.clone()));
        clock.set("2026-11-30T13:00:00");
        told(&mut days);
        clock.set("2026-12-01T08:00:00");
        let last = days.report();
        assert_eq!((last.counts.unwrap().people, last.goes_on), (4, true));
        assert_eq!(days.report(), last);
        assert_eq!(told(&mut days).len(), 3);
    }

    #[test]
    fn nothing_is_told_that_is_not_believed_or_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, clock) = (folder.path().join("counts.json"), SetClock::default());
        add(&path, None, 9);
        let mut days = DayCounts::new(path.clone(), Box::new(clock.clone()));
        let report = days.report();
        assert_eq!((report.day.as_deref(), report.counts, report.goes_on), (None, None, false));
        clock.set("2026-11-30T13:00:00");
        assert_eq!(told(&mut days), [("2026-11-30".into(), 0)], "those before belong to no day");
        std::fs::write(&path, "half a fi").unwrap();
        assert_eq!(days.report().counts, None);
    }
}
