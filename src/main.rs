//! The `maskwatch` command. Everything it does lives in the library; see [`maskwatch::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    maskwatch::cli::main()
}
