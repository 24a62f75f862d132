//! Everything that is tested from outside the library, as one program, so that it is linked once. What needs
//! a process of its own stays apart: `allocations`, which counts those of the whole process, and
//! `int8_networks` and `resampling`, which also run on emulated processors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/command.rs"]
mod command;
#[path = "../common/mod.rs"]
mod common;

mod aim_why;
mod cli;
mod close_faces;
mod config_command;
mod config_pipes;
mod counts;
mod crowd;
mod detect;
mod doctor;
mod door_cli;
mod door_loop;
mod door_outputs;
mod door_pace;
mod door_pass;
mod hooks;
mod listener_files;
mod malformed;
mod metrics;
mod ops;
mod oriented;
mod quiet;
mod scripted;
mod service;
mod setup;
mod setup_asked;
mod shipped_weights;
mod socket;
mod socket_flood;
mod source_command;
mod source_files;
mod source_programs;
mod source_v4l2;
mod starting_weights;
mod still_door;
mod terminal;
mod unread_log;
#[cfg(feature = "web")]
mod web_flood;
mod zones;
