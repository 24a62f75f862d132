//! Pixels, from what a source delivers to what the networks take. Nothing here reads files or devices.
//!
//! - [`mod@format`] names the pixel formats and what can be wrong with a picture.
//! - [`orientation`] tells how a turned or mirrored picture lies in memory.
//! - [`picture`] holds frames as they came and reads their pixels as RGB; [`buffer`] reuses their memory.
//! - [`decode`] decodes JPEG frames and picture files and refuses broken ones; [`jpeg`] checks the data of
//!   JPEG pictures and finds where one ends; [`delayed`] decodes a frame only when its pixels are asked for.
//! - [`yuv`] holds the colour arithmetic.
//! - [`sampler`] cuts and scales for the networks; [`preprocess`] does the same for training and measuring.
//! - [`annotate`] draws frames and labels.

pub mod annotate;
pub mod buffer;
pub mod decode;
pub mod delayed;
pub mod format;
pub mod jpeg;
pub mod orientation;
pub mod picture;
pub mod preprocess;
mod resample;
pub mod sampler;
pub mod yuv;
