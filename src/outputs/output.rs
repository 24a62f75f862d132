//! An output as configured: its pin, what is connected to it, and its patterns.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::level::Active;
use super::pattern::Patterns;
use maskwatch_vision::named;

/// Numbers that a pin can have.
pub const PINS: RangeInclusive<u32> = 0..=511;
/// Tones of a passive buzzer in Hz.
pub const TONES: RangeInclusive<u16> = 100..=10_000;
/// The usual tone in Hz: piezo buzzers are loudest near 2.7 kHz.
pub const USUAL_TONE: u16 = 2700;
/// Minimum time for which a pattern may leave a relay on or off: its contacts wear out.
pub const RELAY_PHASE: Duration = Duration::from_millis(500);
/// The usual time for which a relay stays on or off at least, however the door's state changes.
pub const RELAY_DWELL: Duration = Duration::from_secs(1);

/// What is connected to a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A light.
    #[default]
    Led,
    /// An active buzzer: sounds while it is switched on.
    Buzzer,
    /// A passive buzzer: sounds at the frequency at which its pin changes.
    PassiveBuzzer {
        /// The tone in Hz.
        frequency: u16,
        /// What generates the tone.
        pwm: Pwm,
    },
    /// A relay.
    Relay {
        /// For how long it stays on or off at least. The end of the daemon does not wait for that.
        dwell: Duration,
    },
}

named!(Kind {
    Led => "led",
    Buzzer => "buzzer",
    PassiveBuzzer { frequency: USUAL_TONE, pwm: Pwm::Auto } => "passive-buzzer",
    Relay { dwell: RELAY_DWELL } => "relay",
});

impl Kind {
    /// Whether it makes noise, which the button silences.
    #[must_use]
    pub const fn is_heard(self) -> bool {
        match self {
            Self::Buzzer | Self::PassiveBuzzer { .. } => true,
            Self::Led | Self::Relay { .. } => false,
        }
    }
}

/// What generates the tone of a passive buzzer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pwm {
    /// Hardware if the pin is connected to a PWM channel (`dtoverlay=pwm` on a Raspberry Pi), else software.
    #[default]
    Auto,
    /// The Raspberry Pi's PWM, through /sys/class/pwm: an even tone without CPU time.
    Hardware,
    /// A thread that switches the pin: works on any pin, gives a rougher tone and takes some CPU time.
    Software,
}

named!(Pwm {
    Auto => "auto",
    Hardware => "hardware",
    Software => "software",
});

/// One output as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the configuration and the log.
    pub name: String,
    /// Number of the pin: the BCM number on a Raspberry Pi, the line's offset on any other chip.
    pub pin: u32,
    /// The level that switches it on.
    pub active: Active,
    /// What is connected to the pin.
    pub kind: Kind,
    /// What it does in each door state.
    pub patterns: Patterns,
}
