//! maskwatch watches an entrance: it reads frames, finds faces, tells for each face whether it wears a mask
//! and drives LEDs, a buzzer or a relay. Everything happens on the board's CPU; no frame leaves the process,
//! none is stored.
//!
//! A frame goes one way, and no stage knows the one behind it:
//!
//! ```text
//! source ──Frame──▶ detect ──faces──▶ track ──crops──▶ classify ──scores──▶ decide ──signal──▶ outputs
//! (camera,           (YuNet)         (ids over        (MobileNetV2)        (votes, hold,       (LED, buzzer,
//!  files, pipe)                       time)                                 re-arm; pure)       relay patterns)
//! ```
//!
//! [`daemon`] is the loop that carries frames along this way. Before a face is classified, [`quality`] asks
//! whether it can be seen well enough; [`landmarks`] tells it how the head is turned. [`nn`] holds the
//! networks, in f32 and in int8, [`kernels`] the CPU kernels below them, [`models`] says which of them are
//! run; [`eval`] measures them on labelled pictures, and `train` fits them.

pub mod bench;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod decide;
pub mod geometry;
mod names;
pub mod nn;
pub mod outputs;
pub mod pixels;
pub mod source;
pub mod track;
pub mod vision;
