//! What the door says: observations of faces and the time go in, a door state comes out. Pure: no clock, no
//! pins, no pictures; the caller hands in monotonic time.
//!
//! Every classified sighting of a face is a vote. A face is *masked* or *unmasked* once enough of its last
//! votes agree, and stays so until enough of them say the opposite, so that one bad frame changes nothing.
//! The door then shows the strongest of what is wanted: off > fault > alert > incorrect > look > pass > idle;
//! one unmasked face among masked ones alerts.
//!
//! An alert lasts for its hold time, counted from when it is first shown, and on for as long as an unmasked
//! face is present. One person raises one alert: the door goes red again when the person takes the mask off
//! once more or steps back into view, but as the same alert (same `since`: a buzzer that has had its beeps
//! stays silent), until the person was absent for the re-arm time.

mod decider;
mod person;
mod rules;
mod state;
mod verdict;

pub use decider::{Decider, Exchange, Finding, Observed, Opinion, Sighting};
pub use rules::{IncorrectMeans, Rules};
pub use state::{DoorState, Signal};
pub use verdict::Verdict;

#[cfg(test)]
mod tests;
