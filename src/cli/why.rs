//! `maskwatch why`: what led to the last alerts of a running daemon.

use super::connection::SocketArgs;
use super::outcome::{Outcome, print};
use crate::daemon::listeners::socket::protocol::{AlertReason, LookReason, Message, Request};
use crate::text::flattened;
use anyhow::bail;
use std::fmt::Write;
use std::process::ExitCode;

/// Arguments of `maskwatch why`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    /// How many alerts to explain, the newest first
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    last: u8,
    /// How to print it; json prints the daemon's line as it is
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(crate) fn run(args: Args) -> Outcome {
    let mut connection = args.socket.connect()?;
    connection.send(&Request::Why)?;
    let Some(line) = connection.receive_line()? else { bail!("the daemon has ended") };
    match Message::parse(line.as_bytes()) {
        Ok(Message::Why { .. }) if args.format == Format::Json => print(&line)?,
        Ok(Message::Why { alerts, .. }) => print(&describe(&alerts, args.last.into()))?,
        Ok(Message::Answer { error: Some(error), .. }) => bail!("the daemon refuses: {}", flattened(&error)),
        _ => bail!("the daemon's answer is not understood; use the program of the same version"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest `most` alerts as text.
fn describe(alerts: &[AlertReason], most: usize) -> String {
    if alerts.is_empty() {
        return "no alert since the daemon was started\n".to_owned();
    }
    let mut text = String::new();
    for AlertReason { ago, person, looks } in alerts.iter().take(most) {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{} ago, person #{person}:", span(*ago));
        let _ = writeln!(text, "    before    face  no mask  incorrect     mask  then");
        for LookReason { before, side, verdict, probabilities, stopped } in looks {
            let said = match (probabilities, stopped) {
                (Some(said), _) => format!("{:7.2} {:10.2} {:8.2}", said.no_mask, said.incorrect, said.mask),
                (None, Some(gate)) => format!("{:27}", reason(gate)),
                (None, None) => format!("{:27}", ""),
            };
            let _ = writeln!(text, "{before:8.1} s {side:4.0} px  {said}  {}", flattened(verdict));
        }
    }
    text += "Votes count where a class reaches decision.certainty; they have to agree for decision.evidence_seconds.\n";
    text
}

/// Why a face was not asked about, in words.
fn reason(gate: &str) -> String {
    match gate {
        "nobody" => "no human head".into(),
        gate => format!("not judged: {}", flattened(gate)),
    }
}

/// A time that has passed, as people say it.
fn span(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::listeners::socket::protocol::ProbabilityMessage;

    fn alert() -> AlertReason {
        let look = |before, probabilities, stopped: Option<&str>| LookReason {
            before,
            side: 62.0,
            verdict: "unsure".into(),
            probabilities,
            stopped: stopped.map(str::to_owned),
        };
        let answer = ProbabilityMessage { mask: 0.02, no_mask: 0.97, incorrect: 0.01 };
        let looks = vec![look(0.6, None, Some("yaw")), look(0.0, Some(answer), None)];
        AlertReason { ago: 150.0, person: 7, looks }
    }

    #[test]
    fn each_look_is_a_line_with_what_was_said_or_what_stopped_it() {
        let text = describe(&[alert()], 3);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "2 min ago, person #7:");
        assert!(lines[2].contains("not judged: yaw") && lines[2].ends_with("unsure"), "{text}");
        assert_eq!(lines[3], "     0.0 s   62 px     0.97       0.01     0.02  unsure");
        // The columns stand below their heads.
        assert_eq!(lines[1].find("mask  then").map(|at| at + 4), lines[3].find("0.02").map(|at| at + 4));
    }

    #[test]
    fn only_as_many_as_wanted_and_none_is_said() {
        let text = describe(&[alert(), alert(), alert()], 2);
        assert_eq!(text.matches("person #7").count(), 2);
        assert!(describe(&[], 3).contains("no alert"));
        assert_eq!([span(5.0), span(600.0), span(9000.0)], ["5 s", "10 min", "2.5 h"]);
    }
}
