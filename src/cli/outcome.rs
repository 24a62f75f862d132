//! How a subcommand ends, and what it writes to standard output.

use super::stderr;
use crate::text::flattened;
use std::io::Write;
use std::process::ExitCode;

/// What a subcommand returns: the exit code, or an error whose chain of causes is printed as one sentence.
pub type Outcome = anyhow::Result<ExitCode>;

/// The exit code of a subcommand; its error is printed as one sentence on standard error. A standard error
/// that is full or closed changes nothing about the code.
#[must_use]
pub fn report(outcome: Outcome) -> ExitCode {
    let code = outcome.unwrap_or_else(|error| {
        stderr::write_line(&flattened(&format!("error: {error:#}")));
        ExitCode::FAILURE
    });
    stderr::finish();
    code
}

/// Writes `text` to standard output. A reader that has gone away (`maskwatch detect … | head`) is no error:
/// the process ends as if killed by the closed pipe, without a message.
///
/// # Errors
/// When standard output cannot be written for any other reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(141),
        written => Ok(written.map_err(|error| anyhow::anyhow!("cannot write to standard output: {error}"))?),
    }
}
