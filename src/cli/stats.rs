//! `maskwatch stats`: what a daemon has counted, drawn in the terminal, as a table for other programs, or as
//! a picture.

mod chart;
mod table;

use super::outcome::{Outcome, print};
use super::values::one_of;
use crate::daemon::listeners::counts::{Ledger, PeriodKind, find, periods};
use anyhow::Context;
use chart::draw;
use clap::builder::TypedValueParser;
use jiff::tz::TimeZone;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `maskwatch stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Length of the periods
    #[arg(long, value_name = "PERIOD", value_parser = period_parser(), default_value = "day")]
    by: PeriodKind,
    /// How many of the last periods to show; those in which nothing was counted are left out [default: 14
    /// days, or 24 hours]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=400))]
    last: Option<u16>,
    /// How to print them
    #[arg(long, value_name = "FORMAT", value_parser = format_parser(), default_value = "text")]
    format: Format,
    /// Draw them into this picture instead
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// File of counts, as in counts.path; by default that of the service
    #[arg(long, value_name = "FILE", conflicts_with = "door")]
    file: Option<PathBuf>,
    /// Name of the door, where the board has several: NAME of the service maskwatch@NAME
    #[arg(long, value_name = "NAME")]
    door: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Text,
    Csv,
    Json,
}

fn period_parser() -> impl TypedValueParser<Value = PeriodKind> {
    one_of([("hour", "", PeriodKind::Hour), ("day", "", PeriodKind::Day)])
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    one_of([
        ("text", "a table with bars, for people", Format::Text),
        ("csv", "a table with a header", Format::Csv),
        ("json", "one object", Format::Json),
    ])
}

pub(crate) fn run(args: Args) -> Outcome {
    let path = args.file.unwrap_or_else(|| find(args.door.as_deref()));
    let ledger = Ledger::load(&path).with_context(|| {
        "no counts can be shown; the daemon writes them unless counts.path is \"\"".to_owned()
    })?;
    let periods = periods(&ledger, args.by, args.last, &TimeZone::system());
    if let Some(png) = args.png {
        let title = format!("people by {}", args.by.name());
        let picture = draw(&title, &periods);
        picture
            .save_with_format(&png, image::ImageFormat::Png)
            .with_context(|| format!("{} cannot be written; name another file with --png", png.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&match args.format {
        Format::Text => {
            table::text(args.by.name(), &periods, &ledger.undated, std::io::stdout().is_terminal())
        }
        Format::Csv => table::csv(&periods, &ledger.undated),
        Format::Json => table::json(args.by.name(), &periods, &ledger.undated),
    })?;
    Ok(ExitCode::SUCCESS)
}
