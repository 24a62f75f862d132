//! Tests of [`super`]: configurations of older versions are read, with warnings that name today's keys.

use super::*;

/// The first default file that there ever was.
const OLDEST: &str = include_str!("../../../tests/fixtures/oldest.toml");

fn read(text: &str) -> Config {
    Config::parse(text, "door.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_first_default_file_is_read_and_only_its_old_keys_are_named() {
    let config = read(OLDEST);
    let told = |key: &str, today: &str| {
        let is_it = |line: &str| line.starts_with(&format!("{key} = "));
        let line = OLDEST.lines().position(is_it).unwrap() + 1;
        format!(
            "door.toml line {line}: decision.{key} counts frames, which say less the faster they come; use {today}"
        )
    };
    assert_eq!(
        config.warnings,
        [told("votes", "evidence_seconds = 0.4"), told("window", "window_seconds = 1")]
    );
    // What an older file says of the outputs still holds, word for word.
    assert_eq!(config.outputs.outputs.len(), 4);
}

/// Whatever could be written then: the door starts, and what the warnings say to write means the same.
#[test]
fn every_old_number_of_votes_is_read_and_the_warnings_say_what_to_write_instead() {
    for votes in 1..=50 {
        for window in votes..=50 {
            let old = read(&format!("[decision]\nvotes = {votes}\nwindow = {window}\n"));
            let instead: Vec<&str> =
                old.warnings.iter().filter_map(|warning| warning.split("; use ").nth(1)).collect();
            assert_eq!(instead.len(), 2, "{:?}", old.warnings);
            let today = read(&format!("[decision]\n{}\n", instead.join("\n")));
            assert_eq!((today.decision, today.warnings), (old.decision, vec![]), "{votes} of {window}");
        }
    }
}
