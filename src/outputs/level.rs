//! Levels of a pin, and which of them switches an output on.

use maskwatch_vision::named;

/// The voltage on a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Ground.
    Low,
    /// Supply voltage.
    High,
}

/// The level that switches an output on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Active {
    /// On at high level: an LED from the pin to ground.
    #[default]
    High,
    /// On at low level: an LED from supply to the pin, most relay boards.
    Low,
}

named!(Active {
    High => "high",
    Low => "low",
});

impl Active {
    /// The level that switches such an output on or off.
    #[must_use]
    pub const fn level(self, on: bool) -> Level {
        match (self, on) {
            (Self::High, true) | (Self::Low, false) => Level::High,
            (Self::High, false) | (Self::Low, true) => Level::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_what_is_active() {
        assert_eq!(Active::High.level(true), Level::High);
        assert_eq!(Active::High.level(false), Level::Low);
        assert_eq!(Active::Low.level(true), Level::Low);
        assert_eq!(Active::Low.level(false), Level::High);
    }
}
