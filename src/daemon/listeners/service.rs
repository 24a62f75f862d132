//! What systemd is told of the daemon (sd_notify(3)): that it is ready, how it fares, and that it makes
//! progress. Where systemd did not start it, nothing is told.

use super::hall::Listener;
use super::notice::Notice;
use crate::text::flattened;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;

/// Progress is told at most this often.
const BEAT: Duration = Duration::from_secs(1);
/// An attempt to open a camera takes up to this long, beside the pause before it.
const ATTEMPT: Duration = Duration::from_secs(15);
/// The longest pause between two attempts to open a source, where no watchdog waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Sends one message to the service manager.
type Notify = Box<dyn FnMut(&[NotifyState<'_>]) + Send>;

/// The notifications of one daemon.
pub struct Service {
    notify: Notify,
    watchdog: Option<Duration>,
    /// When progress was told last.
    told: Option<Duration>,
    /// Why the last reload was refused, if it was: told with every status until another one is tried.
    refused: Option<Arc<str>>,
}

impl Service {
    /// Tells the systemd that started this process, if one did and wants to know.
    #[must_use]
    pub fn from_environment() -> Self {
        let mut failed = false;
        let send = move |states: &[NotifyState<'_>]| match sd_notify::notify(states) {
            Ok(()) => failed = false,
            // Once: what repeats every second helps nobody.
            Err(error) if !failed => {
                log::warn!("systemd cannot be notified ({error})");
                failed = true;
            }
            Err(_) => {}
        };
        Self::new(Box::new(send), sd_notify::watchdog_enabled())
    }

    fn new(notify: Notify, watchdog: Option<Duration>) -> Self {
        Self { notify, watchdog, told: None, refused: None }
    }

    /// The longest pause between two attempts to open a source: with the attempt itself it is shorter than
    /// half of the time in which the watchdog wants to see progress, and never longer than a minute.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        self.watchdog.map_or(LONGEST_PAUSE, |watchdog| {
            let half = watchdog / 2;
            half.saturating_sub(ATTEMPT).max(half / 2).min(LONGEST_PAUSE)
        })
    }

    /// The status on one line, as the service manager takes it: a line break would begin another field.
    fn status(&self, status: &str) -> String {
        let text = match &self.refused {
            Some(reason) => format!("{status}; the last reload was refused: {reason}"),
            None => status.to_owned(),
        };
        flattened(&text).into_owned()
    }

    fn progress(&mut self, now: Duration) {
        if self.watchdog.is_some() && self.told.is_none_or(|told| now.saturating_sub(told) >= BEAT) {
            (self.notify)(&[NotifyState::Watchdog]);
            self.told = Some(now);
        }
    }
}

/// Progress is a frame that was looked at, or an attempt to open the source that ended; a loop that goes
/// round without either is none.
impl Listener for Service {
    fn name(&self) -> &'static str {
        "service manager"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        |notice| {
            matches!(
                notice,
                Notice::Progress
                    | Notice::Rested
                    | Notice::Looked(_)
                    | Notice::Status(_)
                    | Notice::Ready(_)
                    | Notice::Reloading
                    | Notice::Refused(_)
                    | Notice::Stopping
            )
        }
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        match notice {
            Notice::Progress | Notice::Rested | Notice::Looked(_) => self.progress(at),
            Notice::Status(status) => {
                let status = self.status(status);
                (self.notify)(&[NotifyState::Status(&status)]);
            }
            Notice::Ready(status) => {
                let status = self.status(status);
                (self.notify)(&[NotifyState::Ready, NotifyState::Status(&status)]);
            }
            Notice::Reloading => {
                self.refused = None;
                match NotifyState::monotonic_usec_now() {
                    Ok(now) => (self.notify)(&[NotifyState::Reloading, now]),
                    Err(_) => (self.notify)(&[NotifyState::Reloading]),
                }
            }
            Notice::Refused(reason) => self.refused = Some(Arc::clone(reason)),
            Notice::Stopping => (self.notify)(&[NotifyState::Stopping]),
            Notice::Mode(_)
            | Notice::PassHeld(_)
            | Notice::Configured(_)
            | Notice::Skipped(_)
            | Notice::LeftOut(_)
            | Notice::Rare { .. }
            | Notice::Finding(_)
            | Notice::State { .. }
            | Notice::Fault { .. }
            | Notice::Missed(_)
            | Notice::Reopened
            | Notice::Recovered { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::event::Event;
    use crate::daemon::health::FaultKind;
    use crate::daemon::watch::Stages;
    use crate::decide::{DoorState, Signal};
    use crate::source::reconnect::{Backoff, PAUSES};
    use proptest::prelude::*;
    use std::sync::Mutex;
    use std::time::Instant;

    fn noted(watchdog: Option<Duration>) -> (Service, Arc<Mutex<String>>) {
        let notes = Arc::<Mutex<String>>::default();
        let theirs = Arc::clone(&notes);
        let send = move |states: &[NotifyState<'_>]| {
            for state in states {
                theirs.lock().unwrap().push_str(&format!("{state}\n"));
            }
        };
        (Service::new(Box::new(send), watchdog), notes)
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn take(notes: &Mutex<String>) -> String {
        std::mem::take(&mut *notes.lock().unwrap())
    }

    #[test]
    fn progress_feeds_the_watchdog_and_nothing_else_does() {
        let (mut service, notes) = noted(Some(at(180_000)));
        let signal = Signal { state: DoorState::Fault, since: at(0) };
        service.hear(at(0), &Notice::State { from: DoorState::Off, signal });
        service.hear(at(0), &Notice::Fault { kind: FaultKind::SourceAway, reason: "no camera".into() });
        assert_eq!(take(&notes), "");
        service.hear(at(100), &Notice::Progress);
        assert_eq!(take(&notes), "WATCHDOG=1\n");
        service.hear(at(1_050), &Notice::Progress);
        assert_eq!(take(&notes), "", "not more than once a second");
        service.hear(at(1_100), &Notice::Progress);
        assert_eq!(take(&notes), "WATCHDOG=1\n");
        service.hear(at(1_200), &Notice::Status("door idle".into()));
        assert_eq!(take(&notes), "STATUS=door idle\n");
    }

    #[test]
    fn a_status_is_one_line_whatever_is_in_it() {
        let (mut service, notes) = noted(None);
        service.hear(at(0), &Notice::Status("watching command `a\nREADY=1\u{1b}[2J`".into()));
        assert_eq!(take(&notes), "STATUS=watching command `a READY=1 [2J`\n");
    }

    #[test]
    fn a_refused_reload_is_told_with_every_status_until_the_next_one() {
        let (mut service, notes) = noted(None);
        service.hear(at(0), &Notice::Reloading);
        service.hear(at(0), &Notice::Refused("door.toml line 2: no".into()));
        take(&notes);
        service.hear(at(0), &Notice::Ready("door idle".into()));
        let refused = "; the last reload was refused: door.toml line 2: no";
        assert_eq!(take(&notes), format!("READY=1\nSTATUS=door idle{refused}\n"));
        service.hear(at(9), &Notice::Status("door pass".into()));
        assert_eq!(take(&notes), format!("STATUS=door pass{refused}\n"));
        service.hear(at(10), &Notice::Reloading);
        take(&notes);
        service.hear(at(11), &Notice::Ready("door idle".into()));
        assert_eq!(take(&notes), "READY=1\nSTATUS=door idle\n");
    }

    #[test]
    fn frames_and_ended_attempts_are_progress() {
        let picture = image::RgbImage::new(1, 1).into();
        let signal = Signal { state: DoorState::Idle, since: at(0) };
        let stages = Stages::default();
        let frame = Event::Frame { picture: &picture, faces: &[], signal, stages, still: false };
        let (mut service, notes) = noted(Some(at(180_000)));
        for (seconds, event) in [frame, Event::Attempt, Event::Rested].iter().enumerate() {
            service.hear(Duration::from_secs(seconds as u64), &event.into());
            assert_eq!(take(&notes), "WATCHDOG=1\n", "{event:?}");
        }
        service.hear(at(9_000), &Notice::from(&Event::Status("door idle")));
        assert_eq!(take(&notes), "STATUS=door idle\n");
    }

    #[test]
    fn without_a_watchdog_none_is_fed() {
        let (mut service, notes) = noted(None);
        service.hear(at(0), &Notice::Progress);
        assert_eq!(take(&notes), "");
        service.hear(at(0), &Notice::Ready("watching".into()));
        assert_eq!(take(&notes), "READY=1\nSTATUS=watching\n");
        service.hear(at(0), &Notice::Stopping);
        assert_eq!(take(&notes), "STOPPING=1\n");
        service.hear(at(0), &Notice::Reloading);
        assert!(take(&notes).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    }

    /// The watchdog's time in the unit that is installed.
    fn watchdog_of_the_unit() -> Duration {
        let unit = include_str!("../../../systemd/maskwatch.service");
        let seconds = unit.lines().find_map(|line| line.strip_prefix("WatchdogSec=")).unwrap();
        Duration::from_secs(seconds.parse().unwrap())
    }

    #[test]
    fn with_the_installed_unit_no_pause_is_cut() {
        let (service, _) = noted(Some(watchdog_of_the_unit()));
        assert_eq!(service.longest_pause(), LONGEST_PAUSE);
        assert_eq!(PAUSES.into_iter().max(), Some(LONGEST_PAUSE));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_half_of_the_watchdogs_time(seconds in 1u64..1000, failures in 1usize..20) {
            let watchdog = Duration::from_secs(seconds);
            let (service, _) = noted(Some(watchdog));
            let mut backoff = Backoff::up_to(service.longest_pause());
            let now = Instant::now();
            for _ in 0..failures {
                prop_assert!(backoff.failed(now) - now <= watchdog / 2);
            }
        }
    }
}
