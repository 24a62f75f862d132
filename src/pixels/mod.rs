//! From pixels as they come to pixels as the networks want them.

pub mod preprocess;
