//! `maskwatch doctor`: what is in order at this door, what is not, and how to mend it.

use super::configuration::ConfigArgs;
use super::connection::SocketArgs;
use super::outcome::{Outcome, print};
use crate::daemon::listeners::socket::protocol::{Message, Request};
use crate::doctor::{DaemonReport, Diagnosis, Door, Root, Severity};
use crate::text::{escaped, escaped_json};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `maskwatch doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    socket: SocketArgs,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Folder in which the system's files are read, for tests
    #[arg(long, hide = true, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One line per check, as soon as it is known
    Text,
    /// One JSON object with all checks
    Json,
}

pub(crate) fn run(args: Args) -> Outcome {
    let mut findings: Vec<Diagnosis> = Vec::new();
    let mut printed: anyhow::Result<()> = Ok(());
    let mut tell = |finding: Diagnosis| {
        if args.format == Format::Text && printed.is_ok() {
            let Diagnosis { check, level, text } = &finding;
            printed = print(&format!("{:5} {check:9} {}\n", level.name(), escaped(text)));
        }
        findings.push(finding);
    };
    let loaded = args.config.load();
    let config = match &loaded {
        Ok(config) => {
            let file = args.config.shown();
            match &config.warnings[..] {
                [] => tell(Diagnosis { check: "config", level: Severity::Ok, text: file }),
                warnings => warnings.iter().for_each(|warning| {
                    tell(Diagnosis { check: "config", level: Severity::Warn, text: warning.clone() });
                }),
            }
            Some(config)
        }
        Err(error) => {
            let text = format!("{error:#}; mend it first, the camera and the pins were not examined");
            tell(Diagnosis { check: "config", level: Severity::Error, text });
            None
        }
    };
    let running = ask(&args.socket);
    let door = Door {
        root: &Root::new(&args.root),
        config,
        running: running.as_ref(),
        service: &args.socket.service(),
    };
    door.examine(&mut tell);
    printed?;

    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warn));
    match args.format {
        Format::Json => {
            let report = json!({"checks": findings, "errors": errors, "warnings": warnings});
            print(&format!("{}\n", escaped_json(&serde_json::to_string(&report)?)))?;
        }
        Format::Text => print(match (errors, warnings) {
            (0, 0) => "all is well\n",
            (0, _) => "the door works; the lines that start with warn tell what could be better\n",
            _ => "mend the lines that start with error first\n",
        })?,
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks the daemon how it is; `None` if none answers.
fn ask(socket: &SocketArgs) -> Option<DaemonReport> {
    let mut connection = socket.connect().ok()?;
    connection.send(&Request::State).ok()?;
    let Some(Message::State(state)) = connection.receive().ok()? else { return None };
    connection.send(&Request::Health).ok()?;
    let looks_per_second = match connection.receive().ok()? {
        Some(Message::Health(health)) => Some(health.looks_per_second),
        _ => None,
    };
    Some(DaemonReport { status: state.status, fault: state.fault, looks_per_second })
}

impl ConfigArgs {
    /// Which file was read, for a line of the report.
    fn shown(&self) -> String {
        let named = |path: &Path| format!("{} is fine", path.display());
        self.file().map_or_else(|| "no file: the built-in defaults".into(), named)
    }
}
