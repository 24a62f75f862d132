//! Pixels in and out: decoding, resizing, drawing.

pub mod annotate;
