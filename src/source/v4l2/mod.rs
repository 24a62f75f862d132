//! V4L2 cameras. Nothing here opens a camera again: after an error a [`Camera`] is dropped, and
//! [`super::reconnect`] opens a new one.
//!
//! - `camera`: a camera that captures; `explain`: its errors as sentences.
//! - `find`: the device that a name means.
//! - `format` and `choice`: which format and size to ask for.
//! - `control`: exposure, focus and the like.
//! - `driver`: the calls that a capture needs; `device`: these calls on the kernel.
//! - `stream`: the capture itself.
//! - `survey`: what the camera offers, and how long it exposes.

mod camera;
mod choice;
mod control;
mod device;
mod driver;
mod explain;
mod find;
mod format;
mod stream;
mod survey;

pub use camera::Camera;
pub use find::{Finder, cameras};
