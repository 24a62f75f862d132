//! What systemd is told of the daemon (sd_notify(3)): that it is ready, how it fares, and that it makes
//! progress. Where systemd did not start it, nothing is told.

use super::{Event, Observer};
use sd_notify::NotifyState;
use std::time::Duration;

/// Progress is told at most this often.
const BEAT: Duration = Duration::from_secs(1);
/// An attempt to open a camera takes up to this long, beside the pause before it.
const ATTEMPT: Duration = Duration::from_secs(15);
/// The longest pause between two attempts to open a source, where no watchdog waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Sends one message.
type Send = Box<dyn FnMut(&[NotifyState<'_>])>;

/// The notifications of one daemon.
pub struct Service {
    send: Send,
    watchdog: Option<Duration>,
    told: Option<Duration>,
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
                log::warn!("systemd cannot be told how it goes ({error})");
                failed = true;
            }
            Err(_) => {}
        };
        Self::new(Box::new(send), sd_notify::watchdog_enabled())
    }

    fn new(send: Send, watchdog: Option<Duration>) -> Self {
        Self { send, watchdog, told: None }
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

    /// Configuration, networks and pins are up; `status` says what is done now.
    pub fn ready(&mut self, status: &str) {
        (self.send)(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The configuration is read anew; [`ready`](Self::ready) ends that.
    pub fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => (self.send)(&[NotifyState::Reloading, now]),
            Err(_) => (self.send)(&[NotifyState::Reloading]),
        }
    }

    /// The daemon ends.
    pub fn stopping(&mut self) {
        (self.send)(&[NotifyState::Stopping]);
    }

    fn progress(&mut self, now: Duration) {
        if self.watchdog.is_some() && self.told.is_none_or(|told| now.saturating_sub(told) >= BEAT) {
            (self.send)(&[NotifyState::Watchdog]);
            self.told = Some(now);
        }
    }
}

/// Progress is a frame that was looked at, or an attempt to open the source that ended; a loop that goes
/// round without either is none.
impl Observer for Service {
    fn on_event(&mut self, now: Duration, event: &Event<'_>) {
        match event {
            Event::Frame { .. } | Event::Attempt => self.progress(now),
            Event::Status(status) => (self.send)(&[NotifyState::Status(status)]),
            Event::Finding(_) | Event::State { .. } | Event::Health { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{DoorState, Signal};
    use crate::pixels::picture::Picture;
    use crate::source::reconnect::{Backoff, PAUSES};
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Instant;

    fn noted(watchdog: Option<Duration>) -> (Service, Rc<RefCell<String>>) {
        let notes: Rc<RefCell<String>> = Rc::default();
        let theirs = Rc::clone(&notes);
        let send = move |states: &[NotifyState<'_>]| {
            for state in states {
                theirs.borrow_mut().push_str(&format!("{state}\n"));
            }
        };
        (Service::new(Box::new(send), watchdog), notes)
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn frames_and_attempts_feed_the_watchdog_and_nothing_else_does() {
        let (mut service, notes) = noted(Some(at(180_000)));
        let picture: Picture = image::RgbImage::new(1, 1).into();
        let signal = Signal { state: DoorState::Fault, since: at(0) };
        service.on_event(at(0), &Event::State { from: DoorState::Off, signal });
        service.on_event(at(0), &Event::Health { fault: Some("no camera") });
        assert_eq!(*notes.borrow(), "");
        service.on_event(at(100), &Event::Attempt);
        assert_eq!(notes.take(), "WATCHDOG=1\n");
        let frame = Event::Frame { picture: picture.view(), faces: &[], signal };
        service.on_event(at(1_050), &frame);
        assert_eq!(*notes.borrow(), "", "not more than once a second");
        service.on_event(at(1_100), &frame);
        assert_eq!(notes.take(), "WATCHDOG=1\n");
        service.on_event(at(1_200), &Event::Status("door idle"));
        assert_eq!(notes.take(), "STATUS=door idle\n");
    }

    #[test]
    fn without_a_watchdog_none_is_fed() {
        let (mut service, notes) = noted(None);
        service.on_event(at(0), &Event::Attempt);
        assert_eq!(notes.take(), "");
        service.ready("watching");
        assert_eq!(notes.take(), "READY=1\nSTATUS=watching\n");
        service.stopping();
        assert_eq!(notes.take(), "STOPPING=1\n");
        service.reloading();
        assert!(notes.take().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    }

    /// The watchdog's time in the unit that is installed.
    fn watchdog_of_the_unit() -> Duration {
        let unit = include_str!("../../systemd/maskwatch.service");
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
