//! The command line: arguments in, one subcommand run, one exit code out. Each subcommand has a file of its
//! own with its arguments (`Args`) and what it does with them (`run`).

mod bench;
mod demo;
mod detect;
pub mod networks;
mod run;
mod signal;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// What a subcommand returns: the exit code, or an error whose chain of causes is printed as one sentence.
pub type Outcome = anyhow::Result<ExitCode>;

/// The arguments of the `maskwatch` command.
#[derive(Debug, Parser)]
#[command(name = "maskwatch", version, about, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
}

/// Parses the command line, runs the subcommand and reports its error as one sentence on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Detect(args) => detect::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Signal(args) => signal::run(args),
    };
    report(outcome)
}

/// The exit code of a subcommand; its error is printed as one sentence on standard error.
#[must_use]
pub fn report(outcome: Outcome) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Writes `text` to standard output. A reader that has gone away (`maskwatch detect … | head`) is no error:
/// the process ends as if killed by the closed pipe, without a message.
///
/// # Errors
/// When standard output cannot be written for any other reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(141),
        written => Ok(written.map_err(|error| anyhow::anyhow!("cannot write to standard output: {error}"))?),
    }
}

/// Reads `WIDTHxHEIGHT`, both multiples of 32, as the detector takes them.
///
/// # Errors
/// With a sentence that says what to give.
pub fn size(text: &str) -> Result<(u32, u32), String> {
    let sides =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |side: u32| (32..=2048).contains(&side) && side.is_multiple_of(32);
    sides
        .filter(|(width, height)| fits(*width) && fits(*height))
        .ok_or_else(|| "give WIDTHxHEIGHT, both multiples of 32 from 32 to 2048, such as 640x640".to_owned())
}
