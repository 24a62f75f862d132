//! The counts by hour and day, and the small file in which they outlive the daemon and the power. It holds
//! numbers and times, and nothing about anybody.

use crate::plain_file;
use atomic_write_file::AtomicWriteFile;
use jiff::Zoned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::ops::AddAssign;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The format of the file.
const FORMAT: u32 = 1;
/// Hours that are kept: two weeks.
const HOURS: usize = 24 * 14;
/// Days that are kept.
const DAYS: usize = 400;
/// Longest file that is read: several times what it can be.
const LONGEST: u64 = 1 << 20;
/// The daemon's user may write it, its group read it.
const RIGHTS: u32 = 0o640;

/// What was counted within some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DoorCounts {
    /// People: the sum of the next four.
    pub people: u32,
    /// People with a mask.
    pub masked: u32,
    /// People who were without a mask at any time.
    pub unmasked: u32,
    /// People whose mask left nose or mouth bare.
    pub incorrect: u32,
    /// People who could not be judged.
    pub unsure: u32,
    /// Alerts.
    pub alerts: u32,
    /// Faults that began.
    pub faults: u32,
}

impl DoorCounts {
    /// Whether nothing was counted.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign<&Self> for DoorCounts {
    fn add_assign(&mut self, more: &Self) {
        let pairs = [
            (&mut self.people, more.people),
            (&mut self.masked, more.masked),
            (&mut self.unmasked, more.unmasked),
            (&mut self.incorrect, more.incorrect),
            (&mut self.unsure, more.unsure),
            (&mut self.alerts, more.alerts),
            (&mut self.faults, more.faults),
        ];
        for (sum, count) in pairs {
            *sum = sum.saturating_add(count);
        }
    }
}

/// All that was counted. What happened while the clock could not be believed belongs to no hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    format: u32,
    /// By the second at which the hour began, since 1970 in UTC.
    pub hours: BTreeMap<i64, DoorCounts>,
    /// By the local date, such as 2026-11-30.
    pub days: BTreeMap<String, DoorCounts>,
    /// While the clock could not be believed.
    #[serde(default)]
    pub undated: DoorCounts,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { format: FORMAT, hours: BTreeMap::new(), days: BTreeMap::new(), undated: DoorCounts::default() }
    }
}

/// Why counts cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There are none yet.
    #[error("there are no counts at {0} yet")]
    Absent(String),
    /// The system refuses.
    #[error("the counts at {file} cannot be {what} ({cause}); {mend}")]
    Refused {
        /// Where.
        file: String,
        /// Read, or written.
        what: &'static str,
        /// The system's error.
        cause: String,
        /// What to do.
        mend: &'static str,
    },
    /// The file holds something else.
    #[error("{file} holds no counts of this version ({cause}); name another file, or move it away")]
    Damaged {
        /// Where.
        file: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl LedgerError {
    fn refused(path: &Path, what: &'static str, error: &std::io::Error) -> Self {
        let mend = match (error.kind(), what) {
            (ErrorKind::PermissionDenied, "read") => {
                "join the daemon's group (sudo usermod -aG maskwatch $USER, then log in again), or use sudo"
            }
            (ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem, _) => {
                "let the daemon's user write its folder, or name another one in counts.path"
            }
            (ErrorKind::StorageFull, _) => "make room",
            _ => "check the folder and the disk",
        };
        Self::Refused { file: path.display().to_string(), what, cause: error.to_string(), mend }
    }
}

impl Ledger {
    /// Reads the counts at `path`.
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    pub fn load(path: &Path) -> Result<Self, LedgerError> {
        let file = path.display().to_string();
        let bytes = match plain_file::read(path, LONGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                return Err(LedgerError::Damaged { file, cause: error.to_string() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(LedgerError::Absent(file)),
            Err(error) => return Err(LedgerError::refused(path, "read", &error)),
        };
        let mut ledger: Self = serde_json::from_slice(&bytes)
            .map_err(|error| LedgerError::Damaged { file: file.clone(), cause: error.to_string() })?;
        if ledger.format != FORMAT {
            let cause = format!("it has format {}, not {FORMAT}", ledger.format);
            return Err(LedgerError::Damaged { file, cause });
        }
        ledger.cut();
        Ok(ledger)
    }

    /// Writes the counts to `path`: all of them or nothing, whenever the power fails.
    ///
    /// # Errors
    /// When they cannot be written; what was there stays.
    pub fn save(&self, path: &Path) -> Result<(), LedgerError> {
        let written = || -> std::io::Result<()> {
            let mut file = AtomicWriteFile::open(path)?;
            serde_json::to_writer(&mut file, self)?;
            file.write_all(b"\n")?;
            file.as_file().set_permissions(Permissions::from_mode(RIGHTS))?;
            file.commit()
        };
        written().map_err(|error| LedgerError::refused(path, "written", &error))
    }

    /// Adds what was counted at `when`; `None` if the clock cannot be believed.
    pub fn add(&mut self, when: Option<&Zoned>, counted: &DoorCounts) {
        let Some(when) = when else {
            self.undated += counted;
            return;
        };
        *self.hours.entry(begin_of_hour(when)).or_default() += counted;
        *self.days.entry(when.date().to_string()).or_default() += counted;
        self.cut();
    }

    /// Forgets what is older than it keeps.
    fn cut(&mut self) {
        while self.hours.len() > HOURS {
            self.hours.pop_first();
        }
        while self.days.len() > DAYS {
            self.days.pop_first();
        }
    }
}

/// When the local hour of `when` began. Hours that the end of summer time repeats are told apart.
fn begin_of_hour(when: &Zoned) -> i64 {
    let into = i64::from(when.minute()) * 60 + i64::from(when.second());
    when.timestamp().as_second() - into
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zoned(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    fn one() -> DoorCounts {
        DoorCounts { people: 1, masked: 1, ..DoorCounts::default() }
    }

    #[test]
    fn counts_belong_to_the_local_hour_and_day_and_are_read_back() {
        let mut ledger = Ledger::default();
        for time in ["2026-11-30T23:59:59", "2026-12-01T00:00:01", "2026-12-01T00:30:00"] {
            ledger.add(Some(&zoned(&format!("{time}+05:30[Asia/Kolkata]"))), &one());
        }
        ledger.add(None, &one());
        let days: Vec<_> = ledger.days.iter().map(|(day, counted)| (day.as_str(), counted.people)).collect();
        assert_eq!(days, [("2026-11-30", 1), ("2026-12-01", 2)]);
        assert_eq!(ledger.hours.values().map(|counted| counted.people).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(ledger.undated.people, 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.json");
        ledger.save(&path).unwrap();
        assert_eq!(Ledger::load(&path).unwrap(), ledger);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, RIGHTS);
    }

    #[test]
    fn the_hour_that_the_end_of_summer_time_repeats_is_two_hours_of_one_day() {
        let mut ledger = Ledger::default();
        for time in ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"] {
            ledger.add(Some(&zoned(&format!("{time}[Europe/Berlin]"))), &one());
        }
        assert_eq!((ledger.hours.len(), ledger.days.len()), (3, 1));
        assert_eq!(ledger.days["2026-10-25"].people, 3);
    }

    #[test]
    fn years_at_a_busy_door_stay_a_small_file() {
        let mut ledger = Ledger::default();
        let busy = DoorCounts {
            people: 99_999,
            masked: 99_999,
            unmasked: 99_999,
            incorrect: 99_999,
            unsure: 99_999,
            alerts: 99_999,
            faults: 99_999,
        };
        let start = zoned("2026-01-01T00:00:00+00:00[UTC]");
        for hour in 0..24 * 800 {
            let when = start.checked_add(jiff::Span::new().hours(hour)).unwrap();
            ledger.add(Some(&when), &busy);
        }
        assert_eq!((ledger.hours.len(), ledger.days.len()), (HOURS, DAYS));
        let bytes = serde_json::to_vec(&ledger).unwrap().len();
        assert!(bytes < 128 << 10, "{bytes}");
    }

    #[test]
    fn what_is_no_file_of_counts_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.json");
        assert!(matches!(Ledger::load(&path), Err(LedgerError::Absent(_))));
        for text in
            ["", "{}", "[]", r#"{"format":2,"hours":{},"days":{}}"#, r#"{"format":1,"hours":{"x":{}}}"#]
        {
            std::fs::write(&path, text).unwrap();
            let error = Ledger::load(&path).unwrap_err().to_string();
            assert!(error.contains("counts.json holds no counts of this version ("), "{error}");
        }
        let nowhere = Ledger::default().save(&folder.path().join("no/counts.json")).unwrap_err();
        assert!(nowhere.to_string().contains("cannot be written"), "{nowhere}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_counts_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("counts.json");
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(ledger) = Ledger::load(&path) {
                prop_assert!(ledger.hours.len() <= HOURS && ledger.days.len() <= DAYS);
            }
        }
    }
}
