//! Pixels, from whatever a source delivers to 8-bit RGB pictures ([`image::RgbImage`]).
//!
//! [`decode`] turns camera frames and picture files into RGB and refuses what is broken or too large, [`yuv`] holds the
//! colour arithmetic, [`jpeg`] finds where a JPEG picture ends. Nothing here reads files or devices.

pub mod decode;
pub mod jpeg;
pub mod preprocess;
pub mod yuv;
