//! `maskwatch signal`: shows a door state on the configured outputs, to check the wiring and to switch them
//! off.

use super::configuration::ConfigArgs;
use super::outcome::Outcome;
use super::process::{start_log, stop_flag};
use super::values::{one_of, seconds};
use crate::daemon::Opener;
use crate::decide::DoorState;
use crate::outputs::{self, Panel};
use clap::builder::TypedValueParser;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the outputs are told that somebody still wants them, and the stop flag is looked at.
const BEAT: Duration = Duration::from_millis(50);

/// Arguments of `maskwatch signal`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The door state to show
    #[arg(value_parser = state_parser())]
    state: DoorState,
    /// Ends after this many seconds; by default the state is held until Ctrl-C
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    hold: Option<Duration>,
    #[command(flatten)]
    config: ConfigArgs,
}

fn state_parser() -> impl TypedValueParser<Value = DoorState> {
    let help = |state| match state {
        DoorState::Idle => "nobody is there",
        DoorState::Pass => "everybody wears a mask",
        DoorState::Look => "somebody cannot be judged",
        DoorState::Incorrect => "somebody wears a mask incorrectly",
        DoorState::Alert => "somebody wears no mask",
        DoorState::Fault => "no camera, no frames or no networks",
        DoorState::Off => "drive every output inactive and end",
    };
    one_of(DoorState::ALL.map(|state| (state.name(), help(state), state)))
}

pub(crate) fn run(args: Args) -> Outcome {
    let config = args.config.load()?;
    if args.state == DoorState::Off {
        let driver = outputs::open(config.outputs.backend, config.outputs.chip.as_deref())?;
        Panel::open(driver, &config.outputs.outputs, None)?;
        return Ok(ExitCode::SUCCESS);
    }
    start_log();
    let stop = stop_flag()?;
    let outputs = Opener { stop: Arc::clone(&stop), longest_pause: Duration::ZERO }.outputs(&config)?;
    let ends = args.hold.map_or("; Ctrl-C ends it".into(), |hold| format!(" for {} s", hold.as_secs_f64()));
    // Outputs are on: nothing may end the process here, not even a reader that went away.
    let _ = writeln!(std::io::stdout(), "showing {}{ends}", args.state);
    let began = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let left = match args.hold {
            Some(hold) => hold.saturating_sub(began.elapsed()),
            None => BEAT,
        };
        if left.is_zero() {
            break;
        }
        outputs.show(args.state, began.elapsed())?;
        std::thread::sleep(left.min(BEAT));
    }
    outputs.stop()?;
    Ok(ExitCode::SUCCESS)
}
