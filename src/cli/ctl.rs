//! `maskwatch ctl`: gives an order to a running daemon, or asks how it is.

use super::connection::SocketArgs;
use super::outcome::{Outcome, print};
use super::signal::state_parser;
use super::values::seconds;
use crate::daemon::listeners::socket::protocol::{HealthMessage, Message, Request, StateMessage};
use crate::decide::DoorState;
use crate::text::flattened;
use anyhow::bail;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of `maskwatch ctl`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    #[command(subcommand)]
    task: CtlTask,
}

#[derive(Debug, clap::Subcommand)]
enum CtlTask {
    /// Print what the door shows now
    State,
    /// Print rates, latencies and counts
    Health,
    /// Silence the buzzers for so many seconds (up to 3600; 0 lets them sound again)
    Silence {
        /// For how long
        #[arg(value_parser = seconds)]
        seconds: Duration,
    },
    /// Pause the door: nobody is judged, and all outputs are off; the camera is still watched for faults
    Pause {
        /// For how long, up to 43200 seconds
        #[arg(value_parser = seconds, default_value = "600")]
        seconds: Duration,
    },
    /// End the pause
    Resume,
    /// Show a door state on the outputs, to check the wiring; an alert or a fault ends that
    Test {
        /// The door state to show
        #[arg(value_parser = state_parser())]
        state: DoorState,
        /// For how long, 0.5 to 60 seconds
        #[arg(value_parser = seconds, default_value = "5")]
        seconds: Duration,
    },
}

impl CtlTask {
    fn request(&self) -> Request {
        match self {
            Self::State => Request::State,
            Self::Health => Request::Health,
            Self::Silence { seconds } => Request::Silence { seconds: seconds.as_secs_f64() },
            Self::Pause { seconds } => Request::Pause { seconds: Some(seconds.as_secs_f64()) },
            Self::Resume => Request::Resume,
            Self::Test { state, seconds } => {
                Request::Test { state: state.name().into(), seconds: seconds.as_secs_f64() }
            }
        }
    }
}

pub(crate) fn run(args: Args) -> Outcome {
    let request = args.task.request();
    // Refused here, in the same words, before there is a daemon to ask.
    if let Err(problem) = request.command() {
        bail!(problem);
    }
    let mut connection = args.socket.connect()?;
    connection.send(&request)?;
    let text = match connection.receive()? {
        Some(Message::State(state)) => describe_state(&state),
        Some(Message::Health(health)) => describe_health(&health),
        Some(Message::Answer { ok: true, .. }) => return Ok(ExitCode::SUCCESS),
        Some(Message::Answer { error, .. }) => {
            let problem = error.unwrap_or_else(|| "the daemon refuses".into());
            bail!("{}", flattened(&problem))
        }
        Some(_) => bail!("the daemon's answer is not understood; use the program of the same version"),
        None => bail!("the daemon has ended"),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn describe_state(state: &StateMessage) -> String {
    let mut text = format!("door: {} for {:.0} s\n{}\n", state.state, state.lasted, flattened(&state.status));
    let modes = [
        ("pass held", state.pass_hold),
        ("paused", state.paused),
        ("buzzers silent", state.silent),
        ("a test", state.test),
    ];
    for (what, left) in modes {
        if let Some(left) = left {
            text += &format!("{what}: {:.0} s left\n", left.ceil());
        }
    }
    if let (Some(quiet), Some(until)) = (&state.quiet, &state.quiet_until) {
        text += &flattened(&format!("quiet hours: {quiet} until {until}"));
        text.push('\n');
    }
    text
}

fn describe_health(health: &HealthMessage) -> String {
    let milliseconds = |seconds: f64| format!("{:.1}", seconds * 1000.0);
    let mut text = format!(
        "{:.1} looks a second\n{} looks, {} unusable frames, {} faces left out, {} alerts, {} faults since the start\n",
        health.looks_per_second, health.looks, health.skipped, health.left_out, health.alerts, health.faults,
    );
    let (median, longest) = (health.median, health.longest);
    for (stage, median, longest) in [
        ("wait", median.wait, longest.wait),
        ("detect", median.detect, longest.detect),
        ("judge", median.judge, longest.judge),
        ("decide", median.decide, longest.decide),
    ] {
        text += &format!(
            "{stage:<7} {:>7} ms (median), {:>7} ms (longest)\n",
            milliseconds(median),
            milliseconds(longest)
        );
    }
    if let Some(temperature) = health.temperature {
        text += &format!("{temperature:.0} °C\n");
    }
    text
}
