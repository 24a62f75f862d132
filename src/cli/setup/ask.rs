//! The questions of `maskwatch setup`, asked in a terminal.

use super::super::process::{ENDING_OR_CLOSED, stop_flag};
use super::plan::{Plan, line};
use crate::config::{Config, OutputsConfig};
use crate::daemon::{DrivenPins, Opener};
use crate::decide::DoorState;
use crate::doctor::{self, Severity};
use crate::outputs::{Kind, Output, Pattern, Patterns};
use crate::source::{self, SourceSpec};
use anyhow::{Context, bail};
use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Select};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long an output is shown.
const SHOW: Duration = Duration::from_secs(3);
/// How often it is told that somebody still wants it.
const BEAT: Duration = Duration::from_millis(50);

/// Somebody at a terminal who is asked. Ctrl-C ends that at any time: a pin that is shown goes off, and the
/// cursor, which a question hides, is there again.
pub(super) struct Questions {
    stop: Arc<AtomicBool>,
    /// What has become of the file.
    pub(super) outcome: &'static str,
}

impl Questions {
    /// From now on signals no longer end the process at once.
    pub(super) fn begin() -> anyhow::Result<Self> {
        Ok(Self { stop: stop_flag(&ENDING_OR_CLOSED)?, outcome: "nothing was written" })
    }

    /// Fails once somebody has ended it.
    pub(super) fn go_on(&self) -> anyhow::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            bail!("setup was stopped, and {}", self.outcome);
        }
        Ok(())
    }

    /// The answer to a question.
    fn answer<T>(&self, answer: dialoguer::Result<T>) -> anyhow::Result<T> {
        self.go_on()?;
        answer.context("nobody answers")
    }

    /// A question that is answered with yes or no.
    pub(super) fn yes(&self, question: &str) -> anyhow::Result<bool> {
        self.answer(Confirm::new().with_prompt(question).default(true).interact())
    }

    /// Asks for everything that the options have left open.
    pub(super) fn ask(&self, wanted: &mut Plan, config: &Config) -> anyhow::Result<()> {
        if wanted.source.is_none() {
            wanted.source = self.camera(config)?;
        }
        if wanted.outputs.is_empty() && self.yes("Blink each output, to see which one is where?")? {
            wanted.outputs = self.pins(&config.outputs)?;
        }
        if !wanted.fit && wanted.sizes.is_none() {
            wanted.fit = self.yes("Time the networks, and choose sizes that this board can do?")?;
        }
        Ok(())
    }

    /// Lets the user choose among cameras until one gives pictures, or is wanted all the same.
    fn camera(&self, config: &Config) -> anyhow::Result<Option<SourceSpec>> {
        loop {
            let mut specs = vec![config.source.spec.clone()];
            for spec in source::cameras() {
                if !specs.contains(&spec) {
                    specs.push(spec);
                }
            }
            let mut names: Vec<String> = specs.iter().map(SourceSpec::shown).collect();
            names[0] += " (as it is)";
            names.push("a CSI camera on the ribbon cable".into());
            names.push("another one: an address, a path or a command".into());
            let chosen =
                self.answer(Select::new().with_prompt("Camera").items(&names).default(0).interact())?;
            let spec = match specs.get(chosen) {
                Some(spec) => spec.clone(),
                None if chosen == specs.len() => "csi".parse()?,
                None => self.answer(Input::<SourceSpec>::new().with_prompt("Source").interact_text())?,
            };
            let mut tried = config.clone();
            tried.source.spec = spec.clone();
            let found = doctor::look(&tried);
            self.go_on()?;
            found.iter().for_each(|finding| println!("{}", line(finding)));
            let works = found.iter().all(|finding| finding.level < Severity::Error);
            if works || self.yes("Take it all the same?")? {
                return Ok((chosen > 0).then_some(spec));
            }
        }
    }

    /// Shows each output alone and asks which one it was.
    fn pins(&self, config: &OutputsConfig) -> anyhow::Result<Vec<(String, u32)>> {
        let mut found: Vec<(String, u32)> = Vec::new();
        for output in &config.outputs {
            println!("GPIO{} is on for {} s, as {} should be", output.pin, SHOW.as_secs(), output.name);
            let shown = self.show(config, output);
            self.go_on()?;
            if let Err(error) = shown {
                println!("{error:#}");
                continue;
            }
            let mut names: Vec<&str> = config.outputs.iter().map(|output| output.name.as_str()).collect();
            let usual = names.iter().position(|name| *name == output.name).unwrap_or(0);
            names.push("nothing");
            let question = Select::new().with_prompt("Which one was on").items(&names).default(usual);
            let chosen = self.answer(question.interact())?;
            match config.outputs.get(chosen) {
                Some(seen) if found.iter().any(|(name, _)| *name == seen.name) => {
                    bail!("{} was on at two pins; check the wiring, and run setup again", seen.name)
                }
                Some(seen) => found.push((seen.name.clone(), output.pin)),
                None => println!("check its wire and its ground, and which way round it is; docs: wiring"),
            }
        }
        Ok(found)
    }

    /// Blinks `output` alone.
    fn show(&self, config: &OutputsConfig, output: &Output) -> anyhow::Result<()> {
        // A relay is not made to chatter.
        let pattern = match output.kind {
            Kind::Relay { .. } => Pattern::Steady,
            _ => Pattern::Blink { period: Duration::from_secs(1), duty: 0.5 },
        };
        let patterns = Patterns::default().with(DoorState::Alert, pattern);
        let outputs = vec![Output { patterns, ..output.clone() }];
        let alone = Config {
            outputs: OutputsConfig { outputs, button: None, ..config.clone() },
            ..Config::default()
        };
        let driven = DrivenPins::of_service();
        let opener =
            Opener { stop: Arc::clone(&self.stop), longest_pause: Duration::ZERO, driven: driven.clone() };
        let outputs = opener.outputs(&alone)?;
        let began = Instant::now();
        while began.elapsed() < SHOW && !self.stop.load(Ordering::Relaxed) {
            outputs.show(DoorState::Alert, began.elapsed())?;
            std::thread::sleep(BEAT);
        }
        outputs.stop()?;
        driven.forget();
        Ok(())
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        // A terminal that has gone needs no cursor.
        let _ = Term::stderr().show_cursor();
    }
}
