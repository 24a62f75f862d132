//! The listeners' queues and threads.

use super::notice::Notice;
use super::window::Window;
use crate::daemon::event::{Event, Observer};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Notices that wait for a listener at most: some seconds of a busy door.
const QUEUE: usize = 64;
/// How long the end of the daemon waits for a listener that still has something to do.
const FAREWELL: Duration = Duration::from_secs(1);

/// Someone who is told what happens, in a thread of its own.
pub trait Listener: Send {
    /// Its name, for the log.
    fn name(&self) -> &'static str;

    /// Which notices it wants. The loop asks this before it queues one, so it must be quick.
    fn wants(&self) -> fn(&Notice) -> bool;

    /// Takes note of what happened at `at` of the loop's clock. It may take its time.
    fn hear(&mut self, at: Duration, notice: &Notice);
}

/// All listeners.
#[derive(Debug, Default)]
pub struct Listeners {
    seats: Vec<Seat>,
    /// Where somebody may look at frames; `None` by default: then no pixel leaves the loop.
    window: Option<Arc<Window>>,
    losses: LostNotices,
}

/// How many notices each listener has lost because it was too slow, by its name; also those of listeners that
/// were replaced.
#[derive(Debug, Clone, Default)]
pub struct LostNotices(Arc<Mutex<BTreeMap<&'static str, Arc<LostCount>>>>);

impl LostNotices {
    /// The counts of now.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.all().iter().map(|(name, lost)| (*name, lost.total.load(Ordering::Relaxed))).collect()
    }

    /// The counter of the listener of this name.
    fn of(&self, name: &'static str) -> Arc<LostCount> {
        Arc::clone(self.all().entry(name).or_default())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<LostCount>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listener as the loop sees it.
#[derive(Debug)]
struct Seat {
    name: &'static str,
    wants: fn(&Notice) -> bool,
    /// `None` once the daemon has ended.
    queue: Option<SyncSender<(Duration, Notice)>>,
    lost: Arc<LostCount>,
    thread: Option<JoinHandle<()>>,
}

/// Notices that found the queue full.
#[derive(Debug, Default)]
struct LostCount {
    total: AtomicU64,
    /// Of those, how many the log has not been told of.
    untold: AtomicU64,
}

impl Listeners {
    /// Adds a listener; it hears what happens from now on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn add(&mut self, listener: impl Listener + 'static) -> std::io::Result<()> {
        let (name, wants) = (listener.name(), listener.wants());
        let lost = self.losses.of(name);
        let (queue, waiting) = sync_channel(QUEUE);
        let losses = Arc::clone(&lost);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || attend(listener, &waiting, &losses))?;
        self.seats.push(Seat { name, wants, queue: Some(queue), lost, thread: Some(thread) });
        Ok(())
    }

    /// Ends the listener of this name, if there is one; waits a second at most.
    pub fn remove(&mut self, name: &str) {
        let (gone, kept) = std::mem::take(&mut self.seats).into_iter().partition(|seat| seat.name == name);
        self.seats = kept;
        Self { seats: gone, window: None, losses: LostNotices::default() }.finish();
    }

    /// Lets frames be looked at through `window` from now on, or no longer.
    pub fn set_window(&mut self, window: Option<Arc<Window>>) {
        self.window = window;
    }

    /// Tells everybody who wants to know what happened at `at` of the loop's clock; never waits.
    pub fn tell(&mut self, at: Duration, notice: &Notice) {
        for seat in self.seats.iter().filter(|seat| (seat.wants)(notice)) {
            let Some(queue) = &seat.queue else { continue };
            // Full, or its thread has panicked: either way this notice is lost to it.
            if queue.try_send((at, notice.clone())).is_err() {
                seat.lost.total.fetch_add(1, Ordering::Relaxed);
                seat.lost.untold.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many notices each listener has lost because it was too slow, now and later.
    #[must_use]
    pub fn losses(&self) -> LostNotices {
        self.losses.clone()
    }

    /// Lets the listeners finish what waits for them, a second at most, and ends them.
    pub fn finish(&mut self) {
        self.seats.iter_mut().for_each(|seat| seat.queue = None);
        let end = Instant::now() + FAREWELL;
        for thread in self.seats.iter_mut().filter_map(|seat| seat.thread.take()) {
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(2));
            }
            // One that hangs is left behind; the process ends without it.
            if thread.is_finished() {
                // A panic was printed by its thread already.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Observer for Listeners {
    fn on_event(&mut self, now: Duration, event: &Event<'_>) {
        if let (Some(window), Event::Frame { picture, faces, .. }) = (&self.window, event) {
            window.offer(picture, faces, Instant::now());
        }
        self.tell(now, &event.into());
    }
}

/// A listener's thread: hears what waits until the loop has ended.
fn attend(mut listener: impl Listener, waiting: &Receiver<(Duration, Notice)>, lost: &LostCount) {
    for (at, notice) in waiting {
        listener.hear(at, &notice);
        let count = lost.untold.swap(0, Ordering::Relaxed);
        if count > 0 {
            log::warn!("{} was too slow and lost {count} events", listener.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Hears into a list; waits for leave before each notice where it is slow.
    struct Ear {
        name: &'static str,
        heard: Arc<Mutex<Vec<Notice>>>,
        leave: Option<mpsc::Receiver<()>>,
    }

    impl Listener for Ear {
        fn name(&self) -> &'static str {
            self.name
        }

        fn wants(&self) -> fn(&Notice) -> bool {
            |notice| *notice != Notice::Reloading
        }

        fn hear(&mut self, _: Duration, notice: &Notice) {
            if let Some(leave) = &self.leave {
                leave.recv().ok();
            }
            self.heard.lock().unwrap().push(notice.clone());
        }
    }

    #[test]
    fn a_listener_that_hangs_holds_up_nobody_and_loses_events_that_are_counted() {
        let (quick, slow) = (Arc::<Mutex<Vec<Notice>>>::default(), Arc::<Mutex<Vec<Notice>>>::default());
        let (allow, leave) = mpsc::channel();
        let mut listeners = Listeners::default();
        listeners.add(Ear { name: "slow", heard: Arc::clone(&slow), leave: Some(leave) }).unwrap();
        listeners.add(Ear { name: "quick", heard: Arc::clone(&quick), leave: None }).unwrap();
        let start = Instant::now();
        let sent = 10 * QUEUE as u64;
        for number in 0..sent {
            listeners.tell(Duration::from_millis(number), &Notice::Progress);
            listeners.tell(Duration::from_millis(number), &Notice::Reloading);
            // The quick one keeps up.
            while quick.lock().unwrap().len() < number as usize {
                assert!(start.elapsed() < Duration::from_secs(60), "the quick listener is held up");
                std::thread::yield_now();
            }
        }
        let losses = listeners.losses();
        let [("quick", 0), ("slow", lost)] = losses.counts()[..] else { panic!("{losses:?}") };
        // What it hears at this moment is no longer in the queue.
        assert!((sent - QUEUE as u64 - 1..=sent - QUEUE as u64).contains(&lost), "{lost}");
        drop(allow);
        listeners.finish();
        assert_eq!(slow.lock().unwrap().len() as u64, sent - lost, "the rest was heard in the end");
        assert_eq!(quick.lock().unwrap().len() as u64, sent);
    }

    #[test]
    fn the_end_does_not_wait_for_a_listener_that_hangs() {
        let (_allow, leave) = mpsc::channel();
        let mut listeners = Listeners::default();
        listeners.add(Ear { name: "hanging", heard: Arc::default(), leave: Some(leave) }).unwrap();
        listeners.tell(Duration::ZERO, &Notice::Stopping);
        let start = Instant::now();
        listeners.finish();
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_listener_that_panics_takes_nobody_along() {
        struct Panics;
        impl Listener for Panics {
            fn name(&self) -> &'static str {
                "panics"
            }
            fn wants(&self) -> fn(&Notice) -> bool {
                |_| true
            }
            fn hear(&mut self, _: Duration, _: &Notice) {
                panic!("on purpose");
            }
        }
        let heard = Arc::<Mutex<Vec<Notice>>>::default();
        let mut listeners = Listeners::default();
        listeners.add(Panics).unwrap();
        listeners.add(Ear { name: "sound", heard: Arc::clone(&heard), leave: None }).unwrap();
        listeners.tell(Duration::ZERO, &Notice::Progress);
        listeners.tell(Duration::ZERO, &Notice::Stopping);
        listeners.finish();
        assert_eq!(*heard.lock().unwrap(), [Notice::Progress, Notice::Stopping]);
    }
}
