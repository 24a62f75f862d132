//! Alerts at a simulated door: labelled faces walk through drawn entrances, watched by the daemon's own loop
//! (detector, tracker, classifier, votes, door states), with simulated outputs and the frames' own time.
//! Figures count persons, not faces.
//!
//! Every person comes once in each kind of [`Gathering`](gathering::Gathering). One clip: the door is empty,
//! somebody comes into view with a face of 3 % of the frame's width (or from the side), comes nearer to about
//! 12 %, lingers, and leaves to the side, all within about four seconds. In company two to four people come
//! within a second, each to a place of its own, in any mixture of bare and masked faces; in turn and in line
//! one comes to the place of another, who has just left or hides him; crossing, two pass each other. Each
//! clip has a daemon of its own, so everybody is new to it. The same clips are shown at every rate.
//!
//! An alert is what the daemon raises ([`maskwatch::decide::Finding::Alert`], which turns the door to
//! *alert*). It is put down to the person whose true place is nearest to the face of the alert's track in
//! that frame, if that is within three quarters of a face; else it was raised at nobody. A person without a
//! mask or with one worn wrongly also counts as alerted once its own face stands as *unmasked* or
//! *incorrectly masked* while the door shows *alert*. Time to the alert counts from the moment at which the
//! whole face is in the frame, unhidden, and its labelled box large enough to be judged (`min_face_side`); an
//! alert before that counts as one after 0 s. It holds the waiting for frames, not the time that a machine
//! takes for them. Persons are those of whom the picture shows 48 pixels of face and some room around it.
//!
//! ```text
//! cast, gathering ── who comes     path ── how each walks         background ── where
//! person ── cuts out and pastes   clip ── frames of it all       run ── the daemon watches it
//! evaluate ── all clips         report ── figures
//! ```
//!
//! What this is not: real video. Heads do not really turn, and their surroundings are pasted.

pub mod cast;
mod evaluate;
mod film;
pub mod report;
pub mod run;

pub use evaluate::{DoorPlan, evaluate};
pub use maskwatch_pictures::doorway::gathering::{self, groups};
pub use maskwatch_pictures::doorway::{clip, path, person};
