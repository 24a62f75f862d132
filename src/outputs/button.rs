//! A push button beside the door that silences the buzzers for some time. Lights stay as they are.

use super::level::{Active, Level};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Times in seconds for which a press can silence the buzzers.
pub const SILENCES: RangeInclusive<f64> = 1.0..=3600.0;
/// Minimum time for which a level has to last: a contact bounces for some milliseconds.
const SETTLED: Duration = Duration::from_millis(40);

/// A push button as configured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Button {
    /// Number of the pin: the BCM number on a Raspberry Pi, the line's offset on any other chip.
    pub pin: u32,
    /// The level while it is pressed: low for a button from the pin to ground, the usual wiring.
    pub active: Active,
    /// For how long a press silences the buzzers.
    pub silence: Duration,
}

/// Debounces the button and measures the time after a press. Pure: levels and time are handed in.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Whether the button was down when it was last read, and since when.
    read: Option<(bool, Instant)>,
    pressed: bool,
    until: Option<Instant>,
}

impl Silence {
    /// Takes the level of `button`'s pin. Returns true when a press begins; to hold the button is one press.
    pub(super) fn read(&mut self, button: &Button, level: Level, now: Instant) -> bool {
        let down = level == button.active.level(true);
        let since = match self.read {
            Some((before, since)) if before == down => since,
            _ => now,
        };
        self.read = Some((down, since));
        if now.saturating_duration_since(since) < SETTLED || down == self.pressed {
            return false;
        }
        self.pressed = down;
        if down {
            self.until = now.checked_add(button.silence);
        }
        down
    }

    /// Silences the buzzers until then, whatever the button did.
    pub(super) fn set(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    /// Whether buzzers have to be silent at `now`.
    pub(super) fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BUTTON: Button = Button { pin: 24, active: Active::Low, silence: Duration::from_secs(60) };

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_press_silences_for_its_time_and_holding_it_is_one_press() {
        let (mut silence, start) = (Silence::default(), Instant::now());
        let mut presses = 0;
        for milliseconds in (0..2_000).step_by(25) {
            let level = if milliseconds >= 500 { Level::Low } else { Level::High };
            presses += u32::from(silence.read(&BUTTON, level, after(start, milliseconds)));
        }
        assert_eq!(presses, 1);
        assert!(!silence.lasts(after(start, 120_000)));
        assert!(silence.lasts(after(start, 60_500)));
        assert!(
            silence.read(&BUTTON, Level::High, after(start, 61_000)) || silence.lasts(after(start, 60_500))
        );
    }

    #[test]
    fn a_button_that_is_let_go_can_be_pressed_again() {
        let (mut silence, start) = (Silence::default(), Instant::now());
        let readings =
            [(0, Level::Low), (50, Level::Low), (100, Level::High), (150, Level::High), (200, Level::Low)];
        let mut presses = Vec::new();
        for (milliseconds, level) in readings.into_iter().chain([(70_000, Level::Low)]) {
            if silence.read(&BUTTON, level, after(start, milliseconds)) {
                presses.push(milliseconds);
            }
        }
        assert_eq!(presses, [50, 70_000]);
        assert!(silence.lasts(after(start, 129_000)));
    }

    proptest! {
        #[test]
        fn what_bounces_faster_than_a_press_silences_nothing(steps in prop::collection::vec(1u64..40, 1..200)) {
            let (mut silence, mut now) = (Silence::default(), Instant::now());
            let mut level = Level::High;
            for step in steps {
                level = if level == Level::High { Level::Low } else { Level::High };
                prop_assert!(!silence.read(&BUTTON, level, now));
                now += Duration::from_millis(step);
                prop_assert!(!silence.read(&BUTTON, level, now));
            }
        }
    }
}
