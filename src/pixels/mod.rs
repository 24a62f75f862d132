//! Pixels, from whatever a source delivers to 8-bit RGB pictures ([`image::RgbImage`]) and on to what the networks take.
//!
//! [`decode`] turns camera frames and picture files into RGB and refuses what is broken or too large, [`yuv`] holds the
//! colour arithmetic, [`jpeg`] finds where a JPEG picture ends. [`preprocess`] cuts and scales for the networks,
//! [`annotate`] draws what they found. Nothing here reads files or devices.

pub mod annotate;
pub mod decode;
pub mod jpeg;
pub mod preprocess;
pub mod yuv;
