//! The `maskwatch-lab` command. Everything it does lives in the library; see [`maskwatch_lab::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    maskwatch_lab::cli::main()
}
