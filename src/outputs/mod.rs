//! The door's LEDs, buzzer and relay: the pattern that each shows in a door state, and the pins. Which state
//! the door is in is decided elsewhere ([`crate::decide`]).
//!
//! *Off* means driven to the inactive level and kept there. A [`Panel`] drives every pin inactive when it is
//! opened and when it is dropped. So the outputs are off after a return, an error and a panic.
//!
//! - `output`, `level`, `pattern`, `button`: outputs and the button as configured.
//! - `driver`: pins as traits; `rppal`, `gpiocdev` and `simulated`: ways to the pins; `open`: chooses one;
//!   `header`: which pins a Raspberry Pi has; `tone`: passive buzzers without hardware PWM.
//! - `panel`: all outputs together; `ticker`: the thread that refreshes them, with `shared`; `words`: what it
//!   has to say; `survey`: who owns pins.

mod button;
mod driver;
mod error;
#[cfg(target_os = "linux")]
mod gpiocdev;
mod header;
mod level;
mod off;
mod open;
mod output;
mod panel;
mod pattern;
#[cfg(target_os = "linux")]
mod rppal;
mod shared;
mod simulated;
mod survey;
mod ticker;
mod tone;
mod words;

pub use button::{Button, LONG_PRESS, PAUSES, SILENCES, USUAL_PAUSE};
pub use driver::{Driver, InputPin, OutputPin, PinState};
pub use error::OutputError;
pub use header::{HEADER_CHIPS, HEADER_PINS, check_header_pin, header_pin};
pub use level::{Active, Level};
pub use off::{let_go, switch_off};
pub use open::{Backend, PinAccess, open};
pub use output::{Kind, Output, PINS, Pwm, RELAY_DWELL, RELAY_PHASE, TONES, USUAL_TONE};
pub use panel::{Panel, PassHold};
pub use pattern::{Pattern, PatternError, Patterns};
pub use simulated::{Change, Recorder, simulated};
pub use survey::{Survey, survey};
pub use ticker::Outputs;
