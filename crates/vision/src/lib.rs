//! From a picture to judged faces. [`Chain`] is the one way there: the detector finds faces, the
//! [`classifier`] says whether a human head is there and whether it wears a mask, with a second look where
//! the first leaves doubt, and the landmark network and [`quality`] tell how well it can be seen: an answer
//! about a face that is seen badly does not count. The daemon, `detect`, `demo`, `bench` and the lab's
//! measurements all go through it.
//!
//! ```text
//! picture ─▶ detector ─boxes─▶ choice ─▶ classifier ─presence─▶ landmarks, quality ─gates─▶ judged faces
//!            (YuNet)          (caller)  (MobileNetV2, mirrored look in doubt)
//! ```
//!
//! Faces that the [`zones`] leave out are not there. The caller chooses which of the others are worth
//! judging; [`everybody`] chooses all. What the judgements mean over time is the business of
//! `maskwatch-door`.
//!
//! Below the chain are [`nn`], its networks in f32 and in int8, which run on the kernels of
//! `maskwatch-kernels`; [`pixels`], from what a source delivers to what the networks take; and
//! [`geometry`], points and boxes.

mod appearance;
mod chain;
pub mod classifier;
pub mod detector;
pub mod geometry;
pub mod judgement;
pub mod landmarks;
pub mod models;
mod names;
pub mod nn;
pub mod pixels;
pub mod quality;
mod scratch;
pub mod zones;

pub use appearance::Appearance;
pub use chain::{Chain, ChainOptions};
pub use judgement::{Choice, JudgedFace, Judgement, Vision, VisionError, everybody, judged};
