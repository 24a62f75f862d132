//! `maskwatch signal`: shows a door state on the configured outputs, to check the wiring and to switch them
//! off.

use super::configuration::ConfigArgs;
use super::outcome::Outcome;
use super::process::{ENDING_OR_CLOSED, start_log, stop_flag};
use super::values::{one_of, seconds};
use crate::daemon::{DrivenPins, Opener, off};
use crate::decide::DoorState;
use crate::outputs::Output;
use crate::outputs::PassHold;
use anyhow::anyhow;
use clap::builder::TypedValueParser;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the outputs are told that somebody still wants them, and the stop flag is looked at.
const BEAT: Duration = Duration::from_millis(50);
/// How long the end waits for a standard output that takes nothing.
const FAREWELL: Duration = Duration::from_secs(1);

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

pub(super) fn state_parser() -> impl TypedValueParser<Value = DoorState> {
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
    start_log();
    if args.state == DoorState::Off {
        return switch_off(&args.config, &DrivenPins::left_behind());
    }
    let driven = DrivenPins::of_service();
    let config = args.config.load()?;
    let stop = stop_flag(&ENDING_OR_CLOSED)?;
    let opener = Opener { stop: Arc::clone(&stop), longest_pause: Duration::ZERO, driven: driven.clone() };
    let outputs = opener.outputs(&config)?;
    let ends = args.hold.map_or("; Ctrl-C ends it".into(), |hold| format!(" for {} s", hold.as_secs_f64()));
    // Outputs are on: nothing may end or hold up the process here, not even a reader that takes nothing.
    let sentence = format!("showing {}{ends}", args.state);
    let told = std::thread::Builder::new().name("stdout".into()).spawn(move || {
        let _ = writeln!(std::io::stdout(), "{sentence}");
    })?;
    let began = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let left = match args.hold {
            Some(hold) => hold.saturating_sub(began.elapsed()),
            None => BEAT,
        };
        if left.is_zero() {
            break;
        }
        // What a pass opens belongs to the wiring that is checked.
        let held = PassHold { since: began, until: Instant::now() + 4 * BEAT };
        outputs.hold_pass((args.state == DoorState::Pass).then_some(held));
        outputs.show(args.state, began.elapsed())?;
        std::thread::sleep(left.min(BEAT));
    }
    outputs.stop()?;
    driven.forget();
    let end = Instant::now() + FAREWELL;
    while !told.is_finished() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(ExitCode::SUCCESS)
}

/// Switches off what is known to be driven; else what the configuration names, as far as it can be read; else
/// the usual wiring. A pin of which it is not known which level is off becomes an input: either level might
/// switch something on.
fn switch_off(args: &ConfigArgs, driven: &DrivenPins) -> Outcome {
    let recorded = driven.recorded();
    let mut of_unknown_level = Vec::new();
    let mut outputs = match recorded.clone() {
        Some(recorded) => recorded,
        None => args.load().map(|config| config.outputs).unwrap_or_else(|error| {
            let (outputs, which) = match args.salvage_outputs() {
                Some(salvaged) => {
                    of_unknown_level = salvaged.of_unknown_level;
                    (salvaged.outputs, "the outputs that could be read of it")
                }
                None => (Default::default(), "the usual pins"),
            };
            log::warn!("{error:#}; {which} are switched off");
            outputs
        }),
    };
    args.change(&mut outputs);
    for Output { name, pin, .. } in &of_unknown_level {
        log::warn!(
            "it cannot be read which level switches the output {name} off: GPIO{pin} becomes an input, which drives nothing"
        );
    }
    let errors = off(&outputs, &of_unknown_level);
    if errors.is_empty() {
        // Unless the command line has led to other pins.
        if recorded.is_some_and(|recorded| recorded.access_is_that_of(&outputs)) {
            driven.forget();
        }
        return Ok(ExitCode::SUCCESS);
    }
    let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Err(anyhow!("{}", sentences.join("; ")))
}
