//! The `maskwatch` command and its subcommands.

use super::outcome::report;
use super::{aim, bench, config, ctl, demo, detect, doctor, run, setup, signal, stats, watch, why};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The arguments of the `maskwatch` command.
#[derive(Debug, Parser)]
#[command(name = "maskwatch", version, about, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Watch the entrance: read the camera, classify faces, drive the outputs, until stopped
    Run(run::Args),
    /// Find and classify the faces of pictures
    Detect(detect::Args),
    /// Show the whole chain at work on bundled pictures or a camera, with simulated pins
    Demo(demo::Args),
    /// Time the stages a frame goes through
    Bench(bench::Args),
    /// Show a door state on the configured outputs
    Signal(signal::Args),
    /// Show what a running daemon sees and does: live in a terminal, else as lines
    Watch(watch::Args),
    /// Show how many people were counted, with and without masks
    Stats(stats::Args),
    /// Fit the configuration to a camera and some wires, and start the service
    Setup(setup::Args),
    /// Examine camera, pins, networks and service, and say what to mend
    Doctor(doctor::Args),
    /// Show where faces would be seen and how large, while the camera is mounted
    Aim(aim::Args),
    /// Explain the last alerts of a running daemon, look by look
    Why(why::Args),
    /// Give an order to a running daemon, or ask how it is
    Ctl(ctl::Args),
    /// Show or copy the configuration, or set the password of the web page
    Config(config::Args),
}

/// Parses the command line, runs the subcommand and reports its error as one sentence on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.task {
        Task::Run(args) => run::run(args),
        Task::Detect(args) => detect::run(args),
        Task::Demo(args) => demo::run(args),
        Task::Bench(args) => bench::run(args),
        Task::Signal(args) => signal::run(args),
        Task::Watch(args) => watch::run(args),
        Task::Stats(args) => stats::run(args),
        Task::Setup(args) => setup::run(args),
        Task::Doctor(args) => doctor::run(args),
        Task::Aim(args) => aim::run(args),
        Task::Why(args) => why::run(args),
        Task::Ctl(args) => ctl::run(args),
        Task::Config(args) => config::run(args),
    };
    report(outcome)
}
