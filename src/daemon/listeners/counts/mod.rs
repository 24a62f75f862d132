//! The listener that counts: people, verdicts, alerts and faults by hour and day, in a small file. No picture
//! and nothing about anybody is kept.
//!
//! - `people`: who is in view, so that each counts once; `ledger`: the counts and their file; `periods`: its
//!   last hours or days.

mod ledger;
mod people;
mod periods;

use super::hall::Listener;
use super::notice::Notice;
use crate::config::PathChoice;
use crate::daemon::folders::{STATE_FOLDER, folder_of, state_folder};
use crate::daemon::wall::WallClock;
use crate::decide::{FaceSize, Finding, Rules};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use ledger::LedgerError;
pub use ledger::{DoorCounts, Ledger};
pub(super) use people::People;
pub use periods::{Period, PeriodKind, periods};

/// The file is written at most this often: memory cards wear.
const WRITE_EVERY: Duration = Duration::from_secs(60);

/// The file in the service's state folder.
const FILE: &str = "counts.json";

/// Where the configuration wants the counts; `None` for nowhere.
#[must_use]
pub fn wanted(config: &PathChoice) -> Option<PathBuf> {
    match config {
        PathChoice::Usual => state_folder().map(|folder| folder.join(FILE)),
        PathChoice::Nowhere => None,
        PathChoice::At(path) => Some(path.clone()),
    }
}

/// The counts of the service, or of that of the door `door`.
#[must_use]
pub fn find(door: Option<&str>) -> PathBuf {
    let folder = Path::new(STATE_FOLDER);
    door.map_or_else(|| folder.to_owned(), |door| folder_of(folder, door)).join(FILE)
}

/// Counts, and keeps the counts in a file.
pub struct Counts {
    path: PathBuf,
    clock: Box<dyn WallClock>,
    ledger: Ledger,
    people: People,
    /// Faces below are passers-by.
    least: FaceSize,
    has_fault: bool,
    /// What the file does not know, since when.
    changed: Option<Duration>,
    written: Option<Duration>,
    failed: bool,
}

impl Counts {
    /// Goes on with the counts at `path`. A file that holds none is moved aside.
    #[must_use]
    pub fn open(path: &Path, clock: Box<dyn WallClock>) -> Self {
        let ledger = Ledger::load(path).unwrap_or_else(|error| {
            if let LedgerError::Damaged { .. } = error {
                let aside = path.with_extension("damaged");
                // What cannot be moved is written over.
                let _ = std::fs::rename(path, &aside);
                log::warn!("{error}; it is now {}, and counting begins again", aside.display());
            } else if !matches!(error, LedgerError::Absent(_)) {
                log::warn!("{error}; counting begins again");
            }
            Ledger::default()
        });
        Self {
            path: path.to_owned(),
            clock,
            ledger,
            people: People::default(),
            least: Rules::default().ignore_below,
            has_fault: false,
            changed: None,
            written: None,
            failed: false,
        }
    }

    fn add(&mut self, at: Duration, counted: &DoorCounts) {
        if !counted.is_nothing() {
            self.ledger.add(self.clock.now().as_ref(), counted);
            self.changed.get_or_insert(at);
        }
    }

    /// Writes what is new, once a minute at most; `last` whenever it was written before.
    fn write(&mut self, at: Duration, last: bool) {
        let is_due = self.written.is_none_or(|written| at.saturating_sub(written) >= WRITE_EVERY);
        if self.changed.is_none() || !(is_due || last) {
            return;
        }
        self.written = Some(at);
        match self.ledger.save(&self.path) {
            Ok(()) => (self.changed, self.failed) = (None, false),
            // Once: what repeats every minute helps nobody.
            Err(error) if !self.failed => {
                self.failed = true;
                log::warn!("{error}; counting goes on, and it is tried again every minute");
            }
            Err(_) => {}
        }
    }
}

impl Listener for Counts {
    fn name(&self) -> &'static str {
        "counts"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        |notice| {
            matches!(
                notice,
                Notice::Looked(_)
                    | Notice::Progress
                    | Notice::Rested
                    | Notice::Configured(_)
                    | Notice::Finding(Finding::Alert { .. })
                    | Notice::Fault { .. }
                    | Notice::Recovered { .. }
            )
        }
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        let mut counted = DoorCounts::default();
        match notice {
            Notice::Looked(look) => self.people.look(at, &look.faces, self.least.pixels(look.frame.0)),
            Notice::Configured(config) => self.least = config.decision.ignore_below,
            Notice::Finding(Finding::Alert { .. }) => counted.alerts = 1,
            Notice::Fault { .. } => {
                counted.faults = u32::from(!std::mem::replace(&mut self.has_fault, true));
            }
            Notice::Recovered { .. } => self.has_fault = false,
            _ => {}
        }
        counted += &self.people.leave(at);
        self.add(at, &counted);
        self.write(at, false);
    }
}

/// Nobody looks any more, at least not for these counts: who is in view counts now.
impl Drop for Counts {
    fn drop(&mut self) {
        let counted = self.people.leave_all();
        self.add(Duration::ZERO, &counted);
        self.write(Duration::ZERO, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::health::FaultKind;
    use crate::daemon::listeners::notice::LookReport;
    use crate::daemon::watch::{Face, Stages};
    use crate::decide::{DoorState, Signal, Verdict};
    use crate::geometry::Rect;
    use crate::track::TrackId;
    use crate::vision::Judgement;
    use jiff::Zoned;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A clock that stands still, and is believed when told.
    struct Still(Arc<AtomicBool>);

    impl WallClock for Still {
        fn now(&mut self) -> Option<Zoned> {
            let time = "2026-11-30T14:30:00+01:00[Europe/Berlin]";
            self.0.load(Ordering::Relaxed).then(|| time.parse().unwrap())
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn looked(verdicts: &[Verdict]) -> Notice {
        let face = |(track, verdict): (usize, &Verdict)| Face {
            track: TrackId(track as u64),
            rect: Rect::new(0.0, 0.0, 40.0, 50.0),
            judgement: Judgement::Unasked,
            answer: None,
            verdict: *verdict,
        };
        let faces = verdicts.iter().enumerate().map(face).collect();
        let signal = Signal { state: DoorState::Idle, since: at(0) };
        let (frame, stages) = ((64, 48), Stages::default());
        Notice::Looked(Arc::new(LookReport { frame, faces, signal, stages, still: false }))
    }

    fn fault(reason: &str) -> Notice {
        Notice::Fault { kind: FaultKind::SourceAway, reason: reason.into() }
    }

    #[test]
    fn what_happens_is_counted_and_written_once_a_minute_and_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.json");
        let mut counts = Counts::open(&path, Box::new(Still(Arc::new(AtomicBool::new(true)))));
        let day = || Ledger::load(&path).map(|ledger| ledger.days["2026-11-30"]).unwrap_or_default();
        counts.hear(at(0), &looked(&[Verdict::Masked, Verdict::Unmasked]));
        counts.hear(at(1), &Notice::Finding(Finding::Alert { track: TrackId(1), first_seen: at(0) }));
        assert_eq!(day(), DoorCounts { alerts: 1, ..DoorCounts::default() }, "the first is written at once");
        counts.hear(at(20), &looked(&[]));
        assert_eq!(day().people, 0, "not yet");
        counts.hear(at(61), &looked(&[]));
        let after = DoorCounts { people: 2, masked: 1, unmasked: 1, alerts: 1, ..DoorCounts::default() };
        assert_eq!(day(), after);
        for reason in ["no camera", "no frames"] {
            counts.hear(at(62), &fault(reason));
        }
        counts.hear(at(63), &looked(&[Verdict::Incorrect]));
        drop(counts);
        assert_eq!(day(), DoorCounts { people: 3, incorrect: 1, faults: 1, ..after });
        // The next daemon goes on.
        let mut counts = Counts::open(&path, Box::new(Still(Arc::new(AtomicBool::new(true)))));
        counts.hear(at(0), &looked(&[Verdict::Masked]));
        drop(counts);
        assert_eq!(day().people, 4);
    }

    #[test]
    fn until_the_clock_was_set_no_hour_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.json");
        let believed = Arc::<AtomicBool>::default();
        let mut counts = Counts::open(&path, Box::new(Still(Arc::clone(&believed))));
        counts.hear(at(0), &looked(&[Verdict::Masked]));
        counts.hear(at(10), &looked(&[]));
        believed.store(true, Ordering::Relaxed);
        counts.hear(at(20), &looked(&[Verdict::Masked]));
        drop(counts);
        let ledger = Ledger::load(&path).unwrap();
        assert_eq!((ledger.undated.people, ledger.hours.len()), (1, 1));
        assert_eq!(ledger.hours.values().map(|hour| hour.people).sum::<u32>(), 1);
    }

    #[test]
    fn a_damaged_file_is_moved_aside_and_one_that_cannot_be_written_holds_up_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.json");
        std::fs::write(&path, "half a fi").unwrap();
        let mut counts = Counts::open(&path, Box::new(Still(Arc::default())));
        counts.hear(at(0), &fault("no camera"));
        assert_eq!(Ledger::load(&path).unwrap().undated.faults, 1);
        assert_eq!(std::fs::read_to_string(folder.path().join("counts.damaged")).unwrap(), "half a fi");
        let mut nowhere = Counts::open(Path::new("/nowhere/counts.json"), Box::new(Still(Arc::default())));
        nowhere.hear(at(0), &fault("no camera"));
        assert!(nowhere.failed && nowhere.changed.is_some(), "it is tried again");
    }
}
