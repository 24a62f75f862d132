//! `maskwatch-lab fleet`: many doors and one MQTT broker.

use crate::fleet::{FleetFigures, FleetPlan, play};
use crate::progress::Progress;
use maskwatch::cli::outcome::{Outcome, print};
use maskwatch::config::{BrokerAddress, MqttConfig};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of `maskwatch-lab fleet`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many doors
    #[arg(long, value_name = "NUMBER", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    doors: u32,
    /// For how long they hear of alerts
    #[arg(long, value_name = "MINUTES", default_value_t = 5.0)]
    minutes: f64,
    /// Alerts of each door in a minute
    #[arg(long, value_name = "NUMBER", default_value_t = 6.0)]
    alerts: f64,
    /// The broker: mqtt://HOST[:PORT] or mqtts://HOST[:PORT]
    #[arg(long, value_name = "ADDRESS", default_value = "mqtt://127.0.0.1:1883")]
    broker: String,
    /// File with user = "…" and password = "…" of the doors
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Certificates in PEM of those who may sign for the broker [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Outcome {
    let seconds = args.minutes * 60.0;
    if !(1.0..=86_400.0).contains(&seconds) || !(0.01..=6000.0).contains(&args.alerts) {
        anyhow::bail!("--minutes takes 0.02 to 1440, and --alerts 0.01 to 6000");
    }
    let broker =
        BrokerAddress::parse(&args.broker).map_err(|problem| anyhow::anyhow!("--broker {problem}"))?;
    let plan = FleetPlan {
        doors: args.doors as usize,
        lasts: Duration::from_secs_f64(seconds),
        alerts_per_minute: args.alerts,
        config: MqttConfig { credentials: args.credentials, authorities: args.ca, ..MqttConfig::new(broker) },
    };
    let progress = Progress::new("alerts", "alerts", plan.events(), 0);
    let figures = play(&plan, || progress.advance(1))?;
    drop(progress);
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&figures)?))?;
    } else {
        print(&table(&figures))?;
    }
    let is_whole = figures.lost == 0 && figures.out_of_order == 0;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(figures: &FleetFigures) -> String {
    let FleetFigures { doors, sent, lost, again, out_of_order, latency_ms, outage, memory_per_door_kb } =
        figures;
    let mut rows = vec![
        ("doors", doors.to_string()),
        ("events accepted", sent.to_string()),
        ("lost", lost.to_string()),
        ("arrived once more, known by their numbers", again.to_string()),
        ("out of order", out_of_order.to_string()),
        ("latency with the broker there, p50 / p99", format!("{:.1} / {:.1} ms", latency_ms.0, latency_ms.1)),
        ("memory of a door", format!("{memory_per_door_kb:.0} kB")),
    ];
    if let Some(outage) = outage {
        let (median, most, last) = outage.doors_back_s;
        rows.extend([
            ("the broker was away for", format!("{:.1} s", outage.lasted_s)),
            ("doors back after, p50 / p99 / last", format!("{median:.1} / {most:.1} / {last:.1} s")),
            ("most doors back within a second", outage.most_in_a_second.to_string()),
            ("doors that did not come back", outage.doors_missing.to_string()),
            ("events accepted meanwhile", outage.events.to_string()),
        ]);
    }
    let lines = rows.iter().map(|(name, value)| format!("| {name} | {value} |\n"));
    format!("| figure | value |\n|---|---|\n{}", lines.collect::<String>())
}
