//! Not written yet.

pub mod detector;
