//! A drawn entrance with people who come to it, cut out of labelled pictures: clips of any rate, the same for
//! the same seed. Here is what a clip shows; `maskwatch-lab eval door` has the daemon's loop watch it.

mod background;
pub mod clip;
pub mod gathering;
pub mod path;
pub mod person;
