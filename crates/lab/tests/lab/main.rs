//! Tests of the laboratory as a whole, in one program so that they are linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../../../tests/common/command.rs"]
mod command;
#[path = "../../../../tests/common/mod.rs"]
mod common;

mod cli;
mod eval_command;
mod eval_video;
mod fuzz_twin;
mod train_detector;
mod train_landmarks;
