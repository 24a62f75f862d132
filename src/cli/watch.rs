//! `maskwatch watch`: what a running daemon sees and does, live in a terminal, else as lines.

mod lines;
mod live;
mod view;

use super::connection::{Connection, SocketArgs};
use super::outcome::{Outcome, print};
use super::process::{ENDING_OR_CLOSED, stop_flag};
use super::values::{one_of, seconds};
use crate::daemon::listeners::socket::protocol::{Message, Request};
use anyhow::{Context, anyhow, bail};
use clap::builder::TypedValueParser;
use lines::describe;
use live::Live;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How often the flag that ends it is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// Lines that wait to be shown.
const QUEUE: usize = 64;

/// Arguments of `maskwatch watch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    /// How to show it; by default live in a terminal, else text
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    format: Option<Format>,
    /// Ends after this many seconds; by default with the daemon, at Ctrl-C, or when q is typed
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Live,
    Text,
    Jsonl,
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    one_of([
        ("live", "a screen that changes", Format::Live),
        ("text", "lines for people: states, verdicts, alerts, faults", Format::Text),
        ("jsonl", "every line as the daemon sends it, also of each look", Format::Jsonl),
    ])
}

pub(crate) fn run(args: Args) -> Outcome {
    let usual = || if std::io::stdout().is_terminal() { Format::Live } else { Format::Text };
    let format = args.format.unwrap_or_else(usual);
    let mut connection = args.socket.connect()?;
    if format != Format::Jsonl {
        connection.send(&Request::Events)?;
    }
    connection.send(&Request::Watch)?;
    let stop = stop_flag(&ENDING_OR_CLOSED)?;
    let end = args.duration.map(|duration| Instant::now() + duration);
    let mut live = (format == Format::Live).then(|| Live::open(connection.door.clone()));
    let lines = read_on(connection)?;
    let outcome = show(format, live.as_mut(), &lines, &stop, end);
    // Before an error is printed, the terminal is as it was.
    drop(live);
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// Reads lines in a thread of its own, which ends with the process: no wait for a daemon may keep it alive.
fn read_on(mut connection: Connection) -> anyhow::Result<Receiver<anyhow::Result<Option<String>>>> {
    let (send, receive) = sync_channel(QUEUE);
    std::thread::Builder::new()
        .name("socket".into())
        .spawn(move || {
            loop {
                let line = connection.receive_line();
                let is_last = !matches!(line, Ok(Some(_)));
                if send.send(line).is_err() || is_last {
                    return;
                }
            }
        })
        .context("the thread that reads the socket could not be started")?;
    Ok(receive)
}

fn show(
    format: Format,
    mut live: Option<&mut Live>,
    lines: &Receiver<anyhow::Result<Option<String>>>,
    stop: &AtomicBool,
    end: Option<Instant>,
) -> anyhow::Result<()> {
    let is_over = || stop.load(Ordering::Relaxed) || end.is_some_and(|end| Instant::now() >= end);
    while !is_over() && !live.as_ref().is_some_and(|live| live.is_left()) {
        let line = match lines.recv_timeout(GLANCE) {
            Ok(line) => line?,
            Err(RecvTimeoutError::Timeout) => {
                live.as_deref_mut().map_or(Ok(()), Live::draw)?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => None,
        };
        let Some(line) = line else { bail!("the daemon has ended the connection") };
        if format == Format::Jsonl {
            print(&line)?;
            continue;
        }
        let message = Message::parse(line.as_bytes()).map_err(|problem| anyhow!(problem))?;
        // An older daemon does not know what is asked besides.
        if let Message::Answer { command: Some(_), ok: false, error } = &message {
            bail!("the daemon refuses: {}", error.as_deref().unwrap_or("it gives no reason"));
        }
        match live.as_deref_mut() {
            Some(live) => live.take(message)?,
            None => describe(&message).iter().try_for_each(|line| print(&format!("{line}\n")))?,
        }
    }
    Ok(())
}
