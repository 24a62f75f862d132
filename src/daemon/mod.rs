//! What runs at the door. [`Daemon`] is the loop that carries frames from the source to the outputs;
//! [`Watch`] is one frame's way from pixels to the door's state; [`Opener`] makes the parts that the
//! configuration names and replaces them when it is reloaded; [`DrivenPins`] are recorded for whoever has to
//! switch them off; [`Listeners`] are told what happens, each in its own time; [`Orders`] are what the loop
//! is asked to do meanwhile, [`QuietTimes`] are the hours in which it is silent or dark, and [`DoorMode`] is
//! what these have changed.

mod clock;
mod driven;
mod event;
mod folders;
mod health;
pub mod listeners;
#[cfg(target_os = "linux")]
mod memory;
mod mode;
mod orders;
mod parts;
mod quiet;
mod run;
mod shown;
mod still;
mod supply;
mod temperature;
mod throttle;
mod wall;
mod watch;

pub use clock::{Clock, SystemClock};
pub use driven::{DrivenPins, off};
pub use event::{Event, Observer};
pub use folders::{door_name, is_one_of_several, state_folder};
pub use health::FaultKind;
pub use listeners::Listeners;
pub use mode::{Command, DoorMode, PAUSES, ShownTest, TESTS, USUAL_PAUSE};
pub use orders::{Order, OrderOutcome, OrderSender, Orders, orders};
pub use parts::{OpenError, Opener};
pub use quiet::{Quiet, QuietTimes};
pub use run::{Daemon, DaemonError, Ended, Flags, FramePace, STALL};
pub use supply::{BoardLimit, SupplyReport};
pub use wall::{SystemWallClock, WallClock};
pub use watch::{Face, Seen, Stages, Watch};
