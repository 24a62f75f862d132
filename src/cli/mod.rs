//! The command line: arguments in, one subcommand run, one exit code out. Each subcommand has a file of its
//! own with its arguments (`Args`) and what it does with them (`run`). [`networks`], [`outcome`] and
//! [`values`] also serve `maskwatch-lab`.

mod aim;
mod bench;
mod command;
mod config;
mod configuration;
mod connection;
mod ctl;
mod demo;
mod detect;
mod doctor;
pub mod networks;
pub mod outcome;
#[cfg(feature = "web")]
mod password;
mod process;
mod run;
mod setup;
mod signal;
mod stats;
mod stderr;
mod terminal;
mod turn;
pub mod values;
mod watch;
mod why;

pub use command::{Cli, main};
