//! Pixels, from whatever a source delivers to what the networks take.
//!
//! [`picture`] holds frames as they came and reads their pixels as RGB, [`buffer`] lets their memory be used
//! again. [`decode`] turns JPEG frames and picture files into RGB and refuses what is broken or too large,
//! [`yuv`] holds the colour arithmetic, [`jpeg`] finds where a JPEG picture ends. [`sampler`] cuts and scales
//! for the networks, [`preprocess`] does the same for training and measuring, [`annotate`] draws what they
//! found. Nothing here reads files or devices.

pub mod annotate;
pub mod buffer;
pub mod decode;
pub mod jpeg;
pub mod picture;
pub mod preprocess;
mod resample;
pub mod sampler;
pub mod yuv;
