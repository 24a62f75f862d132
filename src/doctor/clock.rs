//! Whether the time of day is believed: counts and quiet hours need it.

use super::report::{Diagnosis, Root};
use crate::config::{ClockTrust, Config};
use crate::daemon::{SystemWallClock, WallClock};

pub(super) fn examine(root: &Root, config: Option<&Config>) -> Vec<Diagnosis> {
    let always = config.is_some_and(|config| config.clock == ClockTrust::Always);
    let believed = SystemWallClock::within(&root.path(""), always).now();
    vec![match believed {
        Some(now) => {
            Diagnosis::ok("clock", format!("the time is believed: {}", now.strftime("%Y-%m-%d %H:%M %Z")))
        }
        None => Diagnosis::warn(
            "clock",
            "nobody has set the clock since the start, so people are counted without a date; connect the board to a \
             network, or set clock.trusted = \"always\"",
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::report::Severity;
    use super::*;

    #[test]
    fn a_clock_that_was_set_or_is_trusted_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        assert_eq!(examine(&root, None)[0].level, Severity::Warn);
        let trusting = Config { clock: ClockTrust::Always, ..Config::default() };
        assert_eq!(examine(&root, Some(&trusting))[0].level, Severity::Ok);
        let told = folder.path().join("run/systemd/timesync");
        std::fs::create_dir_all(&told).unwrap();
        std::fs::write(told.join("synchronized"), "").unwrap();
        assert_eq!(examine(&root, None)[0].level, Severity::Ok);
    }
}
