//! From a picture to judged faces: where they are, how well each can be seen, and what the classifier says of
//! it.

pub mod classifier;
pub mod detector;
pub mod landmarks;
pub mod networks;
pub mod quality;

pub use networks::{Networks, Vision, VisionError};
