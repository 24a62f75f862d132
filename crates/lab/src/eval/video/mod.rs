//! Real clips through the daemon's own loop: what the door shows at each, and whether that is right. Time is
//! that of the clip, so the speed of the machine changes nothing. Each clip is shown at several rates, each
//! time to a daemon of its own, with the nearest frame of the clip for every frame.
//!
//! ```text
//! clips ── the table, what is expected     y4m, frames ── pictures     run ── the daemon watches a clip
//! evaluate ── all clips at all rates       report ── figures
//! ```
//!
//! Clips are decoded by ffmpeg; those in the format YUV4MPEG2 (`.y4m`) are read without it.

pub mod clips;
mod evaluate;
pub mod frames;
pub mod report;
pub mod run;
pub mod y4m;

pub use evaluate::evaluate;
