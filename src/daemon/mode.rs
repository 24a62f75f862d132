//! What differs from a door that works as always: orders have paused it, silenced its buzzers or let it show
//! a state as a test, or there are quiet hours. Each of these ends by itself. Pure: the time is handed in.

use super::quiet::Quiet;
use crate::config::QuietMode;
use crate::decide::{DoorState, Signal};
use crate::outputs::SILENCES;
pub use crate::outputs::{PAUSES, USUAL_PAUSE};
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Seconds that a test can last.
pub const TESTS: RangeInclusive<f64> = 0.5..=60.0;

/// What can be asked of the door while it works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command {
    /// No buzzer sounds for so long; zero lets them sound again.
    Silence(Duration),
    /// Nobody is judged for so long, and the outputs are off. The camera is still watched for faults.
    Pause(Duration),
    /// The pause is over.
    Resume,
    /// A state is shown for so long, to check the wiring.
    Test(DoorState, Duration),
}

impl Command {
    /// A command whose time was given in seconds.
    ///
    /// # Errors
    /// One sentence, if the time is not allowed.
    pub fn check(self) -> Result<Self, String> {
        let (name, time, range) = match self {
            Self::Silence(time) if time.is_zero() => return Ok(self),
            Self::Silence(time) => ("silence", time, SILENCES),
            Self::Pause(time) => ("pause", time, PAUSES),
            Self::Test(_, time) => ("test", time, TESTS),
            Self::Resume => return Ok(self),
        };
        if range.contains(&time.as_secs_f64()) {
            return Ok(self);
        }
        let (seconds, least, most) = (time.as_secs_f64(), range.start(), range.end());
        Err(format!("{name} cannot last {seconds} s; use {least} to {most} seconds"))
    }
}

/// A state that is shown as a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownTest {
    /// The state.
    pub state: DoorState,
    /// When it began.
    pub since: Duration,
    /// When it ends.
    pub until: Duration,
}

/// What orders and quiet hours have changed; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DoorMode {
    /// When the pause ends, if there is one.
    pub paused_until: Option<Duration>,
    /// When the buzzers may sound again, if they are silent.
    pub silent_until: Option<Duration>,
    /// What is shown as a test.
    pub test: Option<ShownTest>,
    /// The quiet hours that hold now.
    pub quiet: Option<Quiet>,
}

impl DoorMode {
    /// Takes a command at `now`, while the door by itself is in the state `real`.
    ///
    /// # Errors
    /// One sentence, if it cannot be done now.
    pub fn take(&mut self, command: Command, now: Duration, real: DoorState) -> Result<(), String> {
        match command.check()? {
            Command::Silence(time) => self.silent_until = (!time.is_zero()).then_some(now + time),
            Command::Pause(time) => self.paused_until = Some(now + time),
            Command::Resume => self.paused_until = None,
            Command::Test(..) if goes_first(real) => {
                return Err(format!(
                    "the door is in the state {real}, which goes before any test; try later"
                ));
            }
            Command::Test(state, time) => {
                self.test = Some(ShownTest { state, since: now, until: now + time });
            }
        }
        Ok(())
    }

    /// Ends what is over at `now`.
    pub fn expire(&mut self, now: Duration) {
        self.paused_until = self.paused_until.filter(|until| now < *until);
        self.silent_until = self.silent_until.filter(|until| now < *until);
        self.test = self.test.filter(|test| now < test.until);
    }

    /// Whether it is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// Whether nobody is judged now, and the outputs are off but for a test.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.is_paused() || self.quiet.is_some_and(|quiet| quiet.mode == QuietMode::Off)
    }

    /// What the outputs show where the door by itself would show `real`. An alert or a fault ends a test.
    pub fn shown(&mut self, real: Signal) -> Signal {
        self.test = self.test.filter(|_| !goes_first(real.state));
        match self.test {
            Some(ShownTest { state, since, .. }) => Signal { state, since },
            None if self.rests() => Signal { state: DoorState::Off, ..real },
            None => real,
        }
    }

    /// What orders have changed that holds at `now`, in one sentence.
    #[must_use]
    pub fn describe(&self, now: Duration) -> String {
        let left = |until: Duration| until.saturating_sub(now).as_secs_f32().ceil();
        let mut text = String::new();
        // Writing into a text cannot fail.
        if let Some(until) = self.paused_until {
            let _ = write!(text, "paused for {} s, ", left(until));
        }
        if let Some(until) = self.silent_until {
            let _ = write!(text, "buzzers silent for {} s, ", left(until));
        }
        if let Some(ShownTest { state, until, .. }) = self.test {
            let _ = write!(text, "a test shows {state} for {} s, ", left(until));
        }
        match text.strip_suffix(", ") {
            Some(all) => all.to_owned(),
            None => "no pause, silence or test any more".to_owned(),
        }
    }
}

/// Whether a state of the door itself is shown rather than a test.
fn goes_first(real: DoorState) -> bool {
    matches!(real, DoorState::Alert | DoorState::Fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn signal(state: DoorState) -> Signal {
        Signal { state, since: at(1) }
    }

    #[test]
    fn a_pause_is_dark_and_ends_by_itself_or_by_an_order() {
        let mut mode = DoorMode::default();
        mode.take(Command::Pause(at(60)), at(10), DoorState::Idle).unwrap();
        assert_eq!(mode.shown(signal(DoorState::Alert)).state, DoorState::Off);
        assert_eq!(mode.describe(at(10)), "paused for 60 s");
        mode.expire(at(69));
        assert!(mode.is_paused());
        mode.expire(at(70));
        assert_eq!((mode, mode.shown(signal(DoorState::Pass)).state), (DoorMode::default(), DoorState::Pass));
        mode.take(Command::Pause(at(60)), at(80), DoorState::Idle).unwrap();
        mode.take(Command::Resume, at(81), DoorState::Idle).unwrap();
        assert!(!mode.is_paused());
    }

    #[test]
    fn a_test_is_shown_also_in_a_pause_until_an_alert_or_a_fault() {
        for real in [DoorState::Alert, DoorState::Fault] {
            let mut mode = DoorMode::default();
            let test = Command::Test(DoorState::Pass, at(5));
            let refused = mode.take(test, at(2), real).unwrap_err();
            assert!(refused.contains(real.name()), "{refused}");
            mode.take(Command::Pause(at(60)), at(2), DoorState::Idle).unwrap();
            mode.take(test, at(2), DoorState::Idle).unwrap();
            assert_eq!(mode.shown(signal(DoorState::Idle)).state, DoorState::Pass);
            assert_eq!(mode.shown(signal(real)).state, DoorState::Off, "in a pause");
            mode.expire(at(3));
            assert_eq!(mode.test, None, "it does not begin again");
        }
    }

    #[test]
    fn times_out_of_range_are_refused_with_the_range() {
        let mut mode = DoorMode::default();
        for command in [
            Command::Pause(at(0)),
            Command::Pause(at(50_000)),
            Command::Test(DoorState::Alert, at(61)),
            Command::Silence(at(3601)),
        ] {
            let refused = mode.take(command, at(0), DoorState::Idle).unwrap_err();
            assert!(refused.contains("; use "), "{refused}");
        }
        assert_eq!(mode, DoorMode::default());
        assert_eq!(mode.take(Command::Silence(at(0)), at(0), DoorState::Idle), Ok(()));
    }

    #[test]
    fn quiet_hours_are_dark_only_if_they_are_off() {
        let until = jiff::civil::time(6, 30, 0, 0);
        let quiet = |mode| DoorMode { quiet: Some(Quiet { mode, until }), ..DoorMode::default() };
        let (mut silent, mut off) = (quiet(QuietMode::Silent), quiet(QuietMode::Off));
        for real in DoorState::ALL {
            assert_eq!(silent.shown(signal(real)).state, real);
            assert_eq!(off.shown(signal(real)).state, DoorState::Off);
        }
        assert_eq!((silent.rests(), off.rests(), off.is_paused()), (false, true, false));
        off.take(Command::Test(DoorState::Pass, at(5)), at(2), DoorState::Idle).unwrap();
        assert_eq!(off.shown(signal(DoorState::Idle)).state, DoorState::Pass, "a test of the wiring");
        off.expire(at(90_000));
        assert!(off.rests(), "they end by the clock on the wall");
    }

    fn commands() -> impl Strategy<Value = Command> {
        let seconds = || (0u64..50_000).prop_map(Duration::from_secs);
        let states = (0..DoorState::ALL.len()).prop_map(|index| DoorState::ALL[index]);
        prop_oneof![
            seconds().prop_map(Command::Silence),
            seconds().prop_map(Command::Pause),
            Just(Command::Resume),
            (states, 0u64..70).prop_map(|(state, time)| Command::Test(state, Duration::from_secs(time))),
        ]
    }

    proptest! {
        /// Whatever is ordered: an alert or a fault is hidden by a pause alone, and everything ends by
        /// itself.
        #[test]
        fn nothing_hides_an_alert_but_a_pause_and_nothing_lasts(
            orders in prop::collection::vec((commands(), 0u64..1000, 0..DoorState::ALL.len()), 1..30)
        ) {
            let (mut mode, mut now) = (DoorMode::default(), Duration::ZERO);
            for (command, passed, real) in orders {
                now += Duration::from_secs(passed);
                let real = DoorState::ALL[real];
                mode.expire(now);
                let _ = mode.take(command, now, real);
                let shown = mode.shown(signal(real)).state;
                if goes_first(real) {
                    prop_assert_eq!(shown, if mode.is_paused() { DoorState::Off } else { real });
                }
            }
            mode.expire(now + Duration::from_secs_f64(*PAUSES.end()));
            prop_assert_eq!(mode, DoorMode::default());
        }
    }
}
