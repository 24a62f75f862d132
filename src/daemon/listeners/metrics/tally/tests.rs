//! Tests of [`super`]: an hour at a door, told by notices, and the whole text that comes of it.

use super::*;
use crate::config::Config;
use crate::daemon::listeners::metrics::exposition::MetricKind;
use crate::daemon::listeners::metrics::exposition::parser::{Sample, samples};
use crate::daemon::watch::Face;
use crate::decide::Signal;
use crate::geometry::Rect;
use crate::track::TrackId;
use crate::vision::classifier::Probabilities;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn face(track: u64, verdict: Verdict) -> Face {
    Face {
        track: TrackId(track),
        rect: Rect::new(0.0, 0.0, 40.0, 50.0),
        judgement: Judgement::Answered(Probabilities::of_mask(0.01)),
        answer: None,
        verdict,
    }
}

fn looked(state: DoorState, faces: Vec<Face>, detect: u64, still: bool) -> Notice {
    let stages = Stages { wait: at(3), detect: at(detect), judge: at(70), decide: at(0) };
    let signal = Signal { state, since: at(0) };
    Notice::Looked(Arc::new(LookReport { frame: (640, 480), faces, signal, stages, still }))
}

fn fault(kind: FaultKind, reason: &str) -> Notice {
    Notice::Fault { kind, reason: reason.into() }
}

/// Of everything that can happen at least one, and of some things more.
fn an_hour() -> DoorTally {
    let mut tally = DoorTally::default();
    let mut hear = |milliseconds: u64, notice: Notice| tally.note(at(milliseconds), &notice);
    hear(0, Notice::Configured(Arc::new(Config::default())));
    hear(1, Notice::Ready("watching".into()));
    hear(100, looked(DoorState::Idle, Vec::new(), 24, false));
    hear(200, looked(DoorState::Idle, Vec::new(), 0, true));
    hear(300, Notice::Missed(2));
    hear(301, looked(DoorState::Look, vec![face(1, Verdict::Unsure)], 26, false));
    let verdict = |verdict| Notice::Finding(Finding::Verdict { track: TrackId(1), verdict });
    hear(800, verdict(Verdict::Unmasked));
    hear(800, Notice::Finding(Finding::Alert { track: TrackId(1), first_seen: at(270) }));
    let signal = Signal { state: DoorState::Alert, since: at(800) };
    hear(800, Notice::State { from: DoorState::Look, signal });
    let crowd = vec![face(1, Verdict::Unmasked), face(2, Verdict::Masked)];
    hear(801, looked(DoorState::Alert, crowd, 6_000, false));
    hear(802, Notice::LeftOut(3));
    // Who takes the mask off has been seen for long, and says nothing about how fast the door is.
    hear(850, Notice::Finding(Finding::Alert { track: TrackId(2), first_seen: at(0) }));
    hear(900, verdict(Verdict::Masked));
    hear(9_000, Notice::Skipped("damaged".into()));
    hear(10_000, fault(FaultKind::SourceAway, "camera is unplugged"));
    hear(11_000, fault(FaultKind::SourceAway, "camera is unplugged, again"));
    hear(12_000, Notice::Progress);
    hear(12_500, Notice::Progress);
    hear(13_000, fault(FaultKind::NoFrames, "no frame"));
    hear(14_000, Notice::Reopened);
    hear(14_000, Notice::Recovered { reason: "no frame".into(), lasted: at(4_000) });
    hear(15_000, fault(FaultKind::SourceBlind, "black"));
    hear(16_000, Notice::Mode(DoorMode { paused_until: Some(at(90_000)), ..DoorMode::default() }));
    hear(17_000, Notice::Rested);
    hear(18_000, Notice::Refused("no".into()));
    tally
}

fn text(tally: &DoorTally) -> String {
    let folder = tempfile::tempdir().unwrap();
    let flags = folder.path().join("sys/devices/platform/soc/soc:firmware/get_throttled");
    std::fs::create_dir_all(flags.parent().unwrap()).unwrap();
    std::fs::write(flags, "50004\n").unwrap();
    let board = BoardReading { temperature: Some(51.234), supply: SupplyReport::read(folder.path()) };
    tally.text(at(20_801), "north", 1_796_000_000.0, board, &[("log", 0), ("service manager", 7)])
}

/// What differs between machines and versions is left out.
fn stable(text: &str) -> String {
    text.replace(std::env::consts::ARCH, "ARCH").replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn the_whole_text_is_as_it_was() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/daemon/listeners/metrics/tally/an-hour.prom");
    let text = stable(&text(&an_hour()));
    if std::env::var_os("MASKWATCH_SNAPSHOT").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap();
    assert_eq!(text, expected, "if that is right, run this test with MASKWATCH_SNAPSHOT=1");
}

#[test]
fn before_anything_has_happened_every_series_is_there_and_zero() {
    let fresh = DoorTally::default().text(at(0), "north", 1.0, BoardReading::default(), &[]);
    let fresh = samples(&fresh).unwrap();
    let later = samples(&text(&an_hour())).unwrap();
    let series = |samples: &[Sample]| -> BTreeSet<_> {
        samples.iter().map(|(name, labels, _)| (name.clone(), labels.clone())).collect()
    };
    let appeared: BTreeSet<String> =
        series(&later).difference(&series(&fresh)).map(|(name, _)| name.clone()).collect();
    // A rate cannot see the first step of a series that begins with it; these are no counters, or no alarm.
    let untold = [
        "maskwatch_board_limited",
        "maskwatch_board_limited_since_boot",
        "maskwatch_last_look_age_seconds",
        "maskwatch_listener_lost_events_total",
        "maskwatch_temperature_celsius",
    ];
    assert_eq!(appeared.iter().map(String::as_str).collect::<Vec<_>>(), untold);
    let constant = [
        "maskwatch_build_info",
        "maskwatch_config_last_reload_successful",
        "maskwatch_door_state",
        "maskwatch_start_time_seconds",
    ];
    for (name, labels, value) in fresh {
        assert!(value == 0.0 || constant.contains(&name.as_str()), "{name} {labels:?} {value}");
    }
}

#[test]
fn every_metric_is_there_once_with_help_kind_and_its_labels() {
    let text = text(&an_hour());
    let samples = samples(&text).unwrap();
    let mut series = BTreeMap::new();
    for (name, labels, _) in &samples {
        assert_eq!(series.insert((name, labels), ()), None, "{name} {labels:?} is there twice");
    }
    let helped: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let known: Vec<&str> = families::FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(helped, known);
    for family in families::FAMILIES {
        let is_its = |name: &str| match family.kind {
            MetricKind::Histogram => ["_bucket", "_sum", "_count"]
                .into_iter()
                .any(|end| name.strip_suffix(end).is_some_and(|name| name == family.name)),
            _ => name == family.name,
        };
        let mut labels: Vec<Vec<&str>> = samples
            .iter()
            .filter(|(name, ..)| is_its(name))
            .map(|(_, labels, _)| labels.iter().map(|(label, _)| label.as_str()).collect())
            .collect();
        labels.iter_mut().for_each(|labels| labels.retain(|label| *label != "le"));
        labels.dedup();
        assert_eq!(labels, [[&["door"], family.labels].concat()], "{}", family.name);
        assert_eq!(family.kind == MetricKind::Counter, family.name.ends_with("_total"), "{}", family.name);
    }
    assert!(samples.len() < 200, "{} series are too many for each of many doors", samples.len());
}

/// The table in docs/metrics.md is what the program says.
#[test]
fn the_documented_table_is_that_of_the_program() {
    let row = |family: &MetricFamily| {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (family.name, family.kind.name());
        format!("| `{name}` | {kind} | {} | {} |", labels.join(", "), family.help)
    };
    let rows: Vec<String> = families::FAMILIES.iter().map(row).collect();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let told: Vec<&str> = page.lines().filter(|line| line.starts_with("| `maskwatch_")).collect();
    assert_eq!(told, rows, "docs/metrics.md should have these rows:\n{}\n", rows.join("\n"));
}
