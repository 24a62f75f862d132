//! The listener that writes the log: what the door does, who raised an alert, what is wrong. What repeats is
//! counted instead of repeated.

use super::hall::Listener;
use super::notice::Notice;
use crate::daemon::mode::DoorMode;
use crate::daemon::throttle::{Throttle, repeats};
use crate::decide::{Finding, Verdict};
use std::time::Duration;

/// Writes what happens through the `log` crate.
#[derive(Debug, Default)]
pub struct Log {
    faults: Throttle,
    skipped: Throttle,
    left_out: Throttle,
    /// Whether the log knows of the fault that is present.
    fault_logged: bool,
    /// What orders and quiet hours had changed when the log was last told.
    mode: DoorMode,
}

impl Listener for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        |notice| {
            !matches!(
                notice,
                Notice::Progress
                    | Notice::Rested
                    | Notice::Missed(_)
                    | Notice::Reopened
                    | Notice::Looked(_)
                    | Notice::Status(_)
            )
        }
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        match notice {
            Notice::Finding(Finding::Verdict { track, verdict: Verdict::Unsure }) => {
                log::debug!("person {track} is unsure");
            }
            Notice::Finding(Finding::Verdict { track, verdict }) => log::info!("person {track} is {verdict}"),
            Notice::Finding(Finding::Alert { track, .. }) => log::warn!("alert for person {track}"),
            Notice::State { from, signal } => log::info!("door: {} (was {from})", signal.state),
            Notice::LeftOut(count) => {
                if let Some(repeated) = self.left_out.admit("faces left out", at) {
                    log::warn!(
                        "{count} faces of a frame were left for the next ones, since there was no time for them{}",
                        repeats(repeated)
                    );
                }
            }
            Notice::Rare { interval, wanted } => log::info!(
                "one look takes {:.2} s, and frames_per_second asks for one every {:.2} s: the camera or the networks are slower",
                interval.as_secs_f32(),
                wanted.as_secs_f32()
            ),
            Notice::Skipped(what) => {
                if let Some(count) = self.skipped.admit(what, at) {
                    log::warn!("skipped a frame of {what}{}", repeats(count));
                }
            }
            Notice::Fault { reason, .. } => {
                if let Some(count) = self.faults.admit(reason, at) {
                    log::error!("fault: {reason}{}", repeats(count));
                    self.fault_logged = true;
                }
            }
            Notice::Recovered { reason, lasted } => {
                if std::mem::take(&mut self.fault_logged) {
                    log::info!("recovered after {:.1} s: {reason}", lasted.as_secs_f32());
                }
            }
            Notice::Mode(mode) => self.mode(at, *mode),
            Notice::PassHeld(Some(_)) => log::debug!("a pass is held"),
            Notice::PassHeld(None) => log::debug!("no pass is held any more"),
            Notice::Refused(reason) => log::error!("the configuration stays as it was: {reason}"),
            Notice::Progress
            | Notice::Rested
            | Notice::Missed(_)
            | Notice::Reopened
            | Notice::Looked(_)
            | Notice::Status(_)
            | Notice::Configured(_)
            | Notice::Ready(_)
            | Notice::Reloading
            | Notice::Stopping => {}
        }
    }
}

impl Log {
    fn mode(&mut self, at: Duration, mode: DoorMode) {
        let before = std::mem::replace(&mut self.mode, mode);
        match (before.quiet, mode.quiet) {
            (before, Some(quiet)) if before != Some(quiet) => log::info!("{quiet}"),
            (Some(_), None) => log::info!("quiet hours are over"),
            _ => {}
        }
        // Quiet hours have a line of their own.
        let [before, now] = [before, mode].map(|mode| DoorMode { quiet: None, ..mode });
        if before != now {
            log::info!("{}", now.describe(at));
        }
    }
}
