//! The command line of `maskwatch-lab`: arguments in, one subcommand run, one exit code out. Each subcommand
//! has a file of its own with its arguments (`Args`) and what it does with them (`run`).

mod draw;
mod eval;
mod quantize;
mod train;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The arguments of the `maskwatch-lab` command.
#[derive(Debug, Parser)]
#[command(name = "maskwatch-lab", version, about, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fit the networks to labelled pictures
    Train(train::Args),
    /// Turn the f32 weights of the networks into the int8 file that the daemon runs
    Quantize(quantize::Args),
    /// Measure the networks on labelled pictures
    Eval(eval::Args),
    /// Draw a mask over the faces of a picture, for free test pictures
    Draw(draw::Args),
}

/// Parses the command line, runs the subcommand and reports its error as one sentence on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    maskwatch::cli::outcome::report(match cli.command {
        Command::Train(args) => train::run(args),
        Command::Quantize(args) => quantize::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Draw(args) => draw::run(args),
    })
}
