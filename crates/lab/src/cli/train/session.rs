//! What the runs of all networks have in common on the command line.

use crate::train::Session;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

/// A session in the folder `output`, which notes the command in the weights.
pub(super) fn session(output: PathBuf, resume: bool) -> Session {
    let about = BTreeMap::from([("command".to_owned(), command_line())]);
    Session { output, resume, stop_after: None, about }
}

/// Prints what a run has reached, or that it stopped before.
pub(super) fn print(reached: Option<impl Display>) -> ExitCode {
    match reached {
        Some(report) => println!("{report}"),
        None => println!("stopped before the end; continue with the same command and --resume"),
    }
    ExitCode::SUCCESS
}

/// The arguments as given, after the command's bare name: where the binary lies is nobody's business.
fn command_line() -> String {
    std::iter::once("maskwatch-lab".to_owned()).chain(std::env::args().skip(1)).collect::<Vec<_>>().join(" ")
}
