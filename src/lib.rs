//! maskwatch watches an entrance: it reads frames, finds faces, tells for each face whether it wears a mask
//! and drives LEDs, a buzzer or a relay. Everything happens on the board's CPU; no frame leaves the process,
//! none is stored.
//!
//! A frame goes one way, and no stage knows the one behind it:
//!
//! ```text
//! source ──▶ vision ──▶ track ──▶ vision ──▶ decide ──▶ outputs
//! (camera,   (faces:    (ids      (gates,    (votes,    (LED,
//!  files,    YuNet)     over      masks:     hold,      buzzer,
//!  pipe)                time)     Mobile-    re-arm;    relay
//!                                 NetV2)     pure)      patterns)
//! ```
//!
//! [`daemon`] is the loop that carries frames along this way. [`vision`] turns a picture into judged faces;
//! its networks are in [`nn`], in f32 and in int8, and run on the kernels of `maskwatch-kernels`.
//! `maskwatch-lab` fits, quantizes and measures them.

pub mod bench;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
#[cfg(feature = "web")]
pub mod http;
pub mod outputs;
mod plain_file;
pub mod source;
mod text;

pub use maskwatch_door::{decide, track};
pub use maskwatch_vision as vision;
pub use maskwatch_vision::{geometry, nn, pixels};
