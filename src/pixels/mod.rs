//! Pixels on their way: from pixels as they come to pixels as the networks want them, and drawn on for people.

pub mod annotate;
pub mod preprocess;
