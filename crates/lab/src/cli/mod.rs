//! The command line of `maskwatch-lab`: arguments in, one subcommand run, one exit code out. Each subcommand
//! has a file of its own with its arguments (`Args`) and what it does with them (`run`).

mod draw;
mod eval;
mod fleet;
mod quantize;
mod train;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The arguments of the `maskwatch-lab` command.
#[derive(Debug, Parser)]
#[command(name = "maskwatch-lab", version, about, max_term_width = 100, arg_required_else_help = true)]
pub struct LabCli {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Train the networks on labelled pictures
    Train(train::Args),
    /// Quantize the f32 weights of all networks to the int8 file that the daemon runs
    Quantize(quantize::Args),
    /// Measure the networks on labelled pictures
    Eval(eval::Args),
    /// Let many doors tell one MQTT broker what happens, and measure what arrives, and when
    Fleet(fleet::Args),
    /// Draw masks on the faces of a picture, to make a free test picture
    Draw(draw::Args),
}

/// Parses the command line, runs the subcommand and reports its error as one sentence on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let cli = LabCli::parse();
    maskwatch::cli::outcome::report(match cli.command {
        LabCommand::Train(args) => train::run(args),
        LabCommand::Quantize(args) => quantize::run(args),
        LabCommand::Eval(args) => eval::run(args),
        LabCommand::Fleet(args) => fleet::run(args),
        LabCommand::Draw(args) => draw::run(args),
    })
}
