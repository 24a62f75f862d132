//! `maskwatch eval`: not written yet.

use super::Outcome;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Outcome {
    anyhow::bail!("not written yet")
}
