//! Passive buzzers: a thread that changes a pin at the tone's frequency, for pins without hardware PWM.

use super::{Active, Level, OutputError, Pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What makes the tone of a passive buzzer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pwm {
    /// Hardware where the pin is connected to a PWM channel (`dtoverlay=pwm` on a Raspberry Pi), else
    /// software.
    #[default]
    Auto,
    /// The Raspberry Pi's PWM, through /sys/class/pwm: an even tone at no cost.
    Hardware,
    /// A thread that changes the pin: any pin, a rougher tone, and some CPU time while it sounds.
    Software,
}

impl Pwm {
    /// Every choice with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("hardware", Self::Hardware), ("software", Self::Software)];
}

/// A pin that sounds while it is driven to its active level. Quiet, and driven inactive, as soon as this is
/// dropped.
pub(super) struct SoftwareTone {
    shared: Arc<Shared>,
    active: Active,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    order: Mutex<Order>,
    changed: Condvar,
}

#[derive(Default)]
struct Order {
    sounding: bool,
    ended: bool,
    error: Option<OutputError>,
}

impl Shared {
    fn order(&self) -> MutexGuard<'_, Order> {
        // Every write is a plain assignment: a poisoned order is still a whole one.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SoftwareTone {
    /// Hands `pin` to a thread that keeps it inactive until it has to sound at `frequency` Hz.
    pub(super) fn start(pin: Box<dyn Pin>, active: Active, frequency: u16) -> Result<Self, OutputError> {
        let half = Duration::from_secs(1) / (2 * u32::from(frequency.max(1)));
        let shared = Arc::new(Shared { order: Mutex::default(), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("tone".into())
            .spawn(move || sound(pin, &theirs, active, half))
            .map_err(|error| OutputError::NoThread(error.to_string()))?;
        Ok(Self { shared, active, thread: Some(thread) })
    }
}

impl Pin for SoftwareTone {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        let mut order = self.shared.order();
        if let Some(error) = &order.error {
            return Err(error.clone());
        }
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(OutputError::ThreadEnded);
        }
        order.sounding = level == self.active.level(true);
        drop(order);
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for SoftwareTone {
    fn drop(&mut self) {
        self.shared.order().ended = true;
        self.shared.changed.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread of a passive buzzer ended unexpectedly");
        }
    }
}

fn sound(mut pin: Box<dyn Pin>, shared: &Shared, active: Active, half: Duration) {
    let mut swing = |on| {
        let driven = pin.drive(active.level(on));
        driven.map_err(|error| shared.order().error = Some(error)).is_ok()
    };
    loop {
        let mut order = shared.order();
        while !order.sounding && !order.ended {
            order = shared.changed.wait(order).unwrap_or_else(PoisonError::into_inner);
        }
        let ended = order.ended;
        drop(order);
        if ended {
            swing(false);
            return;
        }
        // Absolute times: a late wake-up makes one swing longer and the next one shorter, the tone stays the
        // same.
        let (mut next, mut on) = (Instant::now(), true);
        while shared.order().sounding && !shared.order().ended {
            if !swing(on) {
                return;
            }
            on = !on;
            next += half;
            match next.checked_duration_since(Instant::now()) {
                Some(left) => std::thread::sleep(left),
                // Too late by a whole swing: what was missed is not made up for.
                None => next = Instant::now(),
            }
        }
        if !swing(false) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes how it is driven; fails after a number of swings.
    struct Noted(Arc<Mutex<Vec<Level>>>, usize);

    impl Pin for Noted {
        fn drive(&mut self, level: Level) -> Result<(), OutputError> {
            let mut levels = self.0.lock().unwrap();
            if levels.len() >= self.1 {
                return Err(OutputError::Chip { chip: "test".into(), problem: "went away".into() });
            }
            levels.push(level);
            Ok(())
        }
    }

    fn eventually(mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(30), "never happened");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn it_swings_while_it_sounds_and_is_inactive_afterwards() {
        for active in [Active::High, Active::Low] {
            let levels = Arc::new(Mutex::new(Vec::new()));
            let pin = Box::new(Noted(Arc::clone(&levels), usize::MAX));
            let mut tone = SoftwareTone::start(pin, active, 2700).unwrap();
            assert!(levels.lock().unwrap().is_empty(), "quiet until it is told");
            tone.drive(active.level(true)).unwrap();
            eventually(|| levels.lock().unwrap().len() > 20);
            tone.drive(active.level(false)).unwrap();
            drop(tone);
            let levels = levels.lock().unwrap();
            assert_eq!(levels.last(), Some(&active.level(false)));
            let swings = &levels[..levels.len() - 2];
            assert!(swings.windows(2).all(|pair| pair[0] != pair[1]), "{swings:?}");
        }
    }

    #[test]
    fn dropping_it_while_it_sounds_ends_inactive() {
        let levels = Arc::new(Mutex::new(Vec::new()));
        let mut tone =
            SoftwareTone::start(Box::new(Noted(Arc::clone(&levels), usize::MAX)), Active::High, 1000)
                .unwrap();
        tone.drive(Level::High).unwrap();
        eventually(|| levels.lock().unwrap().len() > 5);
        drop(tone);
        assert_eq!(levels.lock().unwrap().last(), Some(&Level::Low));
    }

    #[test]
    fn a_pin_that_fails_is_told() {
        let pin = Box::new(Noted(Arc::default(), 3));
        let mut tone = SoftwareTone::start(pin, Active::High, 1000).unwrap();
        let mut outcome = Ok(());
        eventually(|| {
            outcome = tone.drive(Level::High);
            outcome.is_err()
        });
        assert!(outcome.unwrap_err().to_string().contains("went away"));
    }
}
