//! The tone of a passive buzzer on a pin without hardware PWM: a thread switches the pin at the tone's
//! frequency.

use super::driver::OutputPin;
use super::error::OutputError;
use super::level::{Active, Level};
use super::shared::SharedValue;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A pin that sounds while it is driven to its active level. It is silent and inactive when this is dropped.
pub(super) struct SoftwareTone {
    shared: Arc<SharedValue<ToneOrder>>,
    active: Active,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct ToneOrder {
    sounding: bool,
    ended: bool,
    /// Why the thread has ended.
    error: Option<OutputError>,
}

impl SoftwareTone {
    /// Moves `pin` to a thread that keeps it inactive until it has to sound at `frequency` Hz.
    pub(super) fn start(
        pin: Box<dyn OutputPin>,
        active: Active,
        frequency: u16,
    ) -> Result<Self, OutputError> {
        let half = Duration::from_secs(1) / (2 * u32::from(frequency.max(1)));
        let shared = Arc::new(SharedValue::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("tone".into())
            .spawn(move || sound(pin, &theirs, active, half))
            .map_err(|error| OutputError::NoThread(error.to_string()))?;
        Ok(Self { shared, active, thread: Some(thread) })
    }
}

impl OutputPin for SoftwareTone {
    fn drive(&mut self, level: Level) -> Result<(), OutputError> {
        if let Some(error) = &self.shared.lock().error {
            return Err(error.clone());
        }
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(OutputError::ThreadEnded);
        }
        self.shared.change(|order| order.sounding = level == self.active.level(true));
        Ok(())
    }
}

impl Drop for SoftwareTone {
    fn drop(&mut self) {
        self.shared.change(|order| order.ended = true);
        // A panic was told by its thread already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn sound(mut pin: Box<dyn OutputPin>, shared: &SharedValue<ToneOrder>, active: Active, half: Duration) {
    let mut swing = |on| {
        let driven = pin.drive(active.level(on));
        driven.map_err(|error| shared.lock().error = Some(error)).is_ok()
    };
    loop {
        let mut order = shared.lock();
        while !order.sounding && !order.ended {
            order = shared.wait(order);
        }
        let ended = order.ended;
        drop(order);
        if ended {
            swing(false);
            return;
        }
        // Absolute times: a late wake-up makes one swing longer and the next one shorter, and the tone stays
        // the same.
        let (mut next, mut on) = (Instant::now(), true);
        while shared.lock().sounding && !shared.lock().ended {
            if !swing(on) {
                return;
            }
            on = !on;
            next += half;
            match next.checked_duration_since(Instant::now()) {
                Some(left) => std::thread::sleep(left),
                // Late by a whole swing: the missed swings are left out.
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
    use std::sync::Mutex;

    /// Notes how it is driven; fails after a number of swings.
    struct Noted(Arc<Mutex<Vec<Level>>>, usize);

    impl OutputPin for Noted {
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
            assert!(levels.lock().unwrap().is_empty(), "silent until it is switched on");
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
    fn a_pin_that_fails_is_reported() {
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
