//! What the door says: observations of faces and the time go in, a door state comes out. Pure: no clock, no
//! pins, no pictures; the caller hands in monotonic time.
//!
//! Every classified sighting of a face is a vote, which counts for the time since the vote before it. A face
//! is *masked* or *unmasked* once its votes have agreed for long enough, and stays so until they have said
//! the opposite for as long, so that a bad moment changes nothing, however many frames it has. *Masked* also
//! ends when nothing speaks for it any more. The door then shows the strongest of what is wanted: off >
//! fault > alert > incorrect > look > pass > idle; one unmasked face among masked ones alerts.
//!
//! An alert lasts for its hold time, counted from when it is first shown, and on for as long as an unmasked
//! face is present. What is thought of a person ends when the person is gone: whoever comes next is judged
//! afresh. One person raises one alert: who steps out of view and back within the re-arm time, known by the
//! colours of face and clothes, turns the door red again, but as the same alert (same `since`: a buzzer that
//! has had its beeps stays silent).

mod cadence;
mod decider;
mod evidence;
mod memory;
mod passage;
mod person;
mod rules;
mod sighting;
mod state;
mod verdict;

pub use decider::{Decider, Exchange};
pub use memory::LONGEST_MEMORY;
pub use passage::{HeldPass, PassHoldFor};
pub use rules::{FaceSize, IncorrectMeans, Rules};
pub use sighting::{Finding, Observed, Opinion, Sighting};
pub use state::{DoorState, Signal};
pub use verdict::Verdict;

#[cfg(test)]
mod door_tests;
#[cfg(test)]
mod passage_tests;
#[cfg(test)]
mod tests;
