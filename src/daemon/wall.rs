//! The time of day, and whether it can be believed. A board without a clock of its own starts at the time at
//! which it was switched off; until its clock was set, no hour is believed.

use jiff::Zoned;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time of day where the door is.
pub trait WallClock: Send {
    /// The time, if it is believed.
    fn now(&mut self) -> Option<Zoned>;
}

/// A clock of the board and the system's may differ by this much: one of them is wrong beyond.
const APART: Duration = Duration::from_secs(3600);
/// Whoever sets a clock moves it by more than it can drift in a day.
const JUMP: Duration = Duration::from_secs(30);
/// How often it is looked whether the clock was set.
const GLANCE: Duration = Duration::from_secs(10);

/// The system's clock in the system's time zone. It is believed once it was set from the network, by hand
/// while this runs, or by a clock of the board that agrees with it.
#[derive(Debug)]
pub struct SystemWallClock {
    root: PathBuf,
    /// What the clock was ahead of the monotonic one at the start.
    ahead: (SystemTime, Instant),
    believed: bool,
    looked: Option<Instant>,
}

impl SystemWallClock {
    /// The system's clock; `believed` if it is to be believed whatever the system says.
    #[must_use]
    pub fn new(believed: bool) -> Self {
        Self::within(Path::new("/"), believed)
    }

    /// The clock as the system below `root` tells of it.
    #[must_use]
    pub fn within(root: &Path, believed: bool) -> Self {
        Self { root: root.to_owned(), ahead: (SystemTime::now(), Instant::now()), believed, looked: None }
    }

    /// Whether the clock was set; once it was, it stays so.
    fn is_believed(&mut self) -> bool {
        if self.believed || self.looked.is_some_and(|looked| looked.elapsed() < GLANCE) {
            return self.believed;
        }
        self.looked = Some(Instant::now());
        let (began, since) = self.ahead;
        let now = SystemTime::now();
        let expected = began + since.elapsed();
        self.believed = self.was_synchronized() || self.agrees_with_board(now) || apart(now, expected) > JUMP;
        self.believed
    }

    /// Whether systemd-timesyncd has heard of a time server since the boot.
    fn was_synchronized(&self) -> bool {
        self.root.join("run/systemd/timesync/synchronized").exists()
    }

    /// Whether the board has a clock of its own that tells the same.
    fn agrees_with_board(&self, now: SystemTime) -> bool {
        let told = std::fs::read_to_string(self.root.join("sys/class/rtc/rtc0/since_epoch"));
        let seconds = told.ok().and_then(|text| text.trim().parse().ok());
        seconds.is_some_and(|seconds| apart(now, UNIX_EPOCH + Duration::from_secs(seconds)) <= APART)
    }
}

impl WallClock for SystemWallClock {
    fn now(&mut self) -> Option<Zoned> {
        self.is_believed().then(Zoned::now)
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|later| later.duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root without or with the files that tell of a clock.
    fn clock(files: &[(&str, String)]) -> (tempfile::TempDir, SystemWallClock) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let clock = SystemWallClock::within(root.path(), false);
        (root, clock)
    }

    fn rtc(moment: SystemTime) -> [(&'static str, String); 1] {
        let seconds = moment.duration_since(UNIX_EPOCH).unwrap().as_secs();
        [("sys/class/rtc/rtc0/since_epoch", format!("{seconds}\n"))]
    }

    #[test]
    fn a_clock_that_nobody_has_set_is_not_believed() {
        assert_eq!(clock(&[]).1.now(), None);
        let year = Duration::from_secs(365 * 24 * 3600);
        let (_root, mut battery_empty) = clock(&rtc(SystemTime::now() - year));
        assert_eq!(battery_empty.now(), None);
        let (_root, mut broken) = clock(&[("sys/class/rtc/rtc0/since_epoch", "?".into())]);
        assert_eq!(broken.now(), None);
    }

    #[test]
    fn a_time_server_a_board_clock_a_person_or_the_configuration_make_it_believed() {
        let (_root, mut synchronized) = clock(&[("run/systemd/timesync/synchronized", String::new())]);
        assert!(synchronized.now().is_some());
        let (_root, mut with_board_clock) = clock(&rtc(SystemTime::now() + Duration::from_secs(5)));
        assert!(with_board_clock.now().is_some());
        let (_root, mut set_by_hand) = clock(&[]);
        assert_eq!(set_by_hand.now(), None);
        set_by_hand.ahead.0 -= Duration::from_secs(3600);
        assert_eq!(set_by_hand.now(), None, "not looked at again yet");
        set_by_hand.looked = None;
        assert!(set_by_hand.now().is_some());
        assert!(SystemWallClock::new(true).now().is_some());
    }
}
