//! Pixels, from whatever a source delivers to what a network takes.
//!
//! [`decode`] turns camera frames and picture files into RGB and refuses what is broken or too large, [`yuv`] holds the
//! colour arithmetic, [`jpeg`] finds where a JPEG picture ends, [`preprocess`] cuts and scales faces as the paper does.
//! Nothing here reads files or devices.

pub mod decode;
pub mod jpeg;
pub mod preprocess;
pub mod yuv;
