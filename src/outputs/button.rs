//! A push button beside the door. A press silences the buzzers for some time; lights stay as they are. A long
//! press asks for a pause of the door instead, or for its end: which of the two is up to whoever asks here.

use super::level::{Active, Level};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Times in seconds for which a press can silence the buzzers.
pub const SILENCES: RangeInclusive<f64> = 1.0..=3600.0;
/// Times in seconds for which the door can be paused.
pub const PAUSES: RangeInclusive<f64> = 1.0..=43_200.0;
/// How long a pause lasts if nobody says.
pub const USUAL_PAUSE: Duration = Duration::from_secs(600);
/// A press of so long is a long one.
pub const LONG_PRESS: Duration = Duration::from_secs(3);
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
    /// For how long a long press pauses the door; `None` if there are no long presses.
    pub pause: Option<Duration>,
}

/// What somebody does with the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Press {
    /// It is pressed down.
    Began,
    /// It has been held down for [`LONG_PRESS`].
    Long,
}

/// Debounces the button and measures the time after a press. Pure: levels and time are handed in.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Whether the button was down when it was last read, and since when.
    read: Option<(bool, Instant)>,
    held: Option<HeldPress>,
    until: Option<Instant>,
}

/// A press that goes on.
#[derive(Debug, Clone, Copy)]
struct HeldPress {
    since: Instant,
    /// Until when the buzzers were silent before it.
    before: Option<Instant>,
    is_long: bool,
}

impl Silence {
    /// Takes the level of `button`'s pin. Returns what begins now: a press, or that it is a long one, which
    /// takes back the silence of its beginning. To hold the button is one press.
    pub(super) fn read(&mut self, button: &Button, level: Level, now: Instant) -> Option<Press> {
        let down = level == button.active.level(true);
        let since = match self.read {
            Some((before, since)) if before == down => since,
            _ => now,
        };
        self.read = Some((down, since));
        if now.saturating_duration_since(since) < SETTLED {
            return None;
        }
        match &mut self.held {
            None if down => {
                self.held = Some(HeldPress { since, before: self.until, is_long: false });
                self.until = now.checked_add(button.silence);
                Some(Press::Began)
            }
            Some(held) if down => {
                let long_enough = now.saturating_duration_since(held.since) >= LONG_PRESS;
                if held.is_long || !long_enough || button.pause.is_none() {
                    return None;
                }
                held.is_long = true;
                self.until = held.before;
                Some(Press::Long)
            }
            _ => {
                self.held = None;
                None
            }
        }
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

    const BUTTON: Button =
        Button { pin: 24, active: Active::Low, silence: Duration::from_secs(60), pause: None };

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_press_silences_for_its_time_and_holding_it_is_one_press() {
        let (mut silence, start) = (Silence::default(), Instant::now());
        let mut presses = 0;
        for milliseconds in (0..2_000).step_by(25) {
            let level = if milliseconds >= 500 { Level::Low } else { Level::High };
            presses += usize::from(silence.read(&BUTTON, level, after(start, milliseconds)).is_some());
        }
        assert_eq!(presses, 1);
        assert!(!silence.lasts(after(start, 120_000)));
        assert!(silence.lasts(after(start, 60_500)));
        assert!(
            silence.read(&BUTTON, Level::High, after(start, 61_000)).is_some()
                || silence.lasts(after(start, 60_500))
        );
    }

    #[test]
    fn a_button_that_is_let_go_can_be_pressed_again() {
        let (mut silence, start) = (Silence::default(), Instant::now());
        let readings =
            [(0, Level::Low), (50, Level::Low), (100, Level::High), (150, Level::High), (200, Level::Low)];
        let mut presses = Vec::new();
        for (milliseconds, level) in readings.into_iter().chain([(70_000, Level::Low)]) {
            if silence.read(&BUTTON, level, after(start, milliseconds)).is_some() {
                presses.push(milliseconds);
            }
        }
        assert_eq!(presses, [50, 70_000]);
        assert!(silence.lasts(after(start, 129_000)));
    }

    const PAUSING: Button = Button { pause: Some(Duration::from_secs(600)), ..BUTTON };

    /// What begins when the button is held from 500 ms on for so long, by the time in milliseconds.
    fn held_for(
        silence: &mut Silence,
        button: &Button,
        start: Instant,
        milliseconds: u64,
    ) -> Vec<(u64, Press)> {
        let level = |at| if (500..500 + milliseconds).contains(&at) { Level::Low } else { Level::High };
        let read = |at| silence.read(button, level(at), after(start, at)).map(|press| (at, press));
        (0..20_000).step_by(25).filter_map(read).collect()
    }

    #[test]
    fn a_long_press_is_told_once_and_silences_nothing() {
        let start = Instant::now();
        let mut silence = Silence::default();
        assert_eq!(
            held_for(&mut silence, &PAUSING, start, 15_000),
            [(550, Press::Began), (3_500, Press::Long)]
        );
        assert!(!silence.lasts(after(start, 3_500)), "taken back");
        // What was silenced before stays so.
        let mut silence = Silence::default();
        let until = after(start, 30_000);
        silence.set(Some(until));
        held_for(&mut silence, &PAUSING, start, 3_100);
        assert!(silence.lasts(after(start, 29_999)) && !silence.lasts(until));
    }

    #[test]
    fn a_short_press_or_a_button_without_pause_is_never_long() {
        let start = Instant::now();
        for (button, milliseconds) in [(PAUSING, 2_900), (BUTTON, 15_000)] {
            let mut silence = Silence::default();
            assert_eq!(held_for(&mut silence, &button, start, milliseconds), [(550, Press::Began)]);
            assert!(silence.lasts(after(start, 60_000)));
        }
    }

    proptest! {
        #[test]
        fn what_bounces_faster_than_a_press_silences_nothing(steps in prop::collection::vec(1u64..40, 1..200)) {
            let (mut silence, mut now) = (Silence::default(), Instant::now());
            let mut level = Level::High;
            for step in steps {
                level = if level == Level::High { Level::Low } else { Level::High };
                prop_assert_eq!(silence.read(&BUTTON, level, now), None);
                now += Duration::from_millis(step);
                prop_assert_eq!(silence.read(&BUTTON, level, now), None);
            }
        }
    }
}
