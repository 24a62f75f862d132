//! Pixels, from whatever a source delivers to what a network takes.
//!
//! [`decode`] turns camera frames and picture files into RGB and refuses what is broken or too large, [`yuv`] holds the
//! colour arithmetic, [`jpeg`] finds where a JPEG picture ends, [`preprocess`] cuts and scales faces as the paper does,
//! [`annotate`] draws on pictures for people. Nothing here reads files or devices.

pub mod annotate;
pub mod decode;
pub mod jpeg;
pub mod preprocess;
pub mod yuv;
