//! Chooses the source that a [`SourceSpec`] names, and opens it.

use std::time::Duration;

use super::command::CommandSource;
use super::files::Pictures;
use super::frozen::FrozenMemory;
use super::oriented::oriented;
use super::reconnect::{Backoff, Reconnecting};
use super::threaded::ThreadedSource;
#[cfg(target_os = "linux")]
use super::v4l2::{Camera, Finder};
use super::{CommandLine, Next, Options, ProgramSource, Source, SourceError, SourceSpec};

/// Opens a source for a program that runs without end. A camera or command runs on a thread of its own, so
/// that a device that hangs does not block the caller. When it fails it is opened again after 1, 5, 10 and
/// then every 60 seconds, without end; [`Options::longest_pause`] shortens the pauses.
///
/// # Errors
/// Only for pictures that cannot be listed. A camera or command that is missing is no error here:
/// [`Source::state`] reports it.
pub fn open(spec: &SourceSpec, options: &Options) -> Result<Box<dyn Source>, SourceError> {
    match spec {
        SourceSpec::Pictures(_) => open_once(spec, options),
        SourceSpec::Command(line) => {
            let line = line.clone();
            Ok(lasting_command(spec.shown(), options, move || Ok(line.clone())))
        }
        // A video ends, as pictures do.
        SourceSpec::Program(ProgramSource::Video(_)) => {
            Ok(Box::new(ThreadedSource::new(open_once(spec, options)?)))
        }
        SourceSpec::Program(program) => {
            let (program, own) = (program.clone(), *options);
            Ok(lasting_command(spec.shown(), options, move || program.command(&own)))
        }
        #[cfg(target_os = "linux")]
        SourceSpec::Camera(name) => {
            // The finder lives as long as the source: it recognises a camera that returns under another
            // number.
            let (mut finder, options) = (Finder::new(name.clone()), *options);
            Ok(lasting(spec.shown(), &options, move || {
                Camera::open(&mut finder, &options).map(|camera| Box::new(camera) as Box<dyn Source>)
            }))
        }
        #[cfg(not(target_os = "linux"))]
        SourceSpec::Camera(_) => Err(SourceError::NoCamerasHere),
    }
}

/// The cameras that are there and give pictures.
#[must_use]
pub fn cameras() -> Vec<SourceSpec> {
    #[cfg(target_os = "linux")]
    return super::v4l2::cameras().into_iter().map(SourceSpec::Camera).collect();
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

/// Opens a source for one run. A source that is missing or fails is an error at once.
///
/// # Errors
/// The error of the camera, the command or the files.
pub fn open_once(spec: &SourceSpec, options: &Options) -> Result<Box<dyn Source>, SourceError> {
    let source: Box<dyn Source> = match spec {
        SourceSpec::Pictures(path) => {
            Box::new(Pictures::open([path], options.frames_per_second, options.repeat)?)
        }
        SourceSpec::Command(line) => Box::new(CommandSource::start(line, options)?),
        SourceSpec::Program(program) => {
            let command = CommandSource::start(&program.command(options)?, options)?;
            match program {
                ProgramSource::Video(_) => Box::new(Ending(command)),
                ProgramSource::Csi(_) | ProgramSource::Stream(_) => Box::new(command),
            }
        }
        #[cfg(target_os = "linux")]
        SourceSpec::Camera(name) => Box::new(Camera::open(&mut Finder::new(name.clone()), options)?),
        #[cfg(not(target_os = "linux"))]
        SourceSpec::Camera(_) => return Err(SourceError::NoCamerasHere),
    };
    Ok(oriented(source, options.turn))
}

/// A command that is started again whenever it ends, each time with the line that `line` gives.
fn lasting_command(
    name: String,
    options: &Options,
    mut line: impl FnMut() -> Result<CommandLine, SourceError> + Send + 'static,
) -> Box<dyn Source> {
    // What is remembered of a frozen command lasts from one run to the next.
    let (own, memory) = (*options, FrozenMemory::default());
    lasting(name, options, move || {
        let command = CommandSource::start_again(&line()?, &own, memory.clone())?;
        Ok(Box::new(command) as Box<dyn Source>)
    })
}

/// A command whose end without a mistake is the end of the frames.
struct Ending(CommandSource);

impl Source for Ending {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        match self.0.next(wait) {
            Err(SourceError::CommandEnded { has_failed: false, .. }) => Ok(Next::End),
            other => other,
        }
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// A source on a thread of its own that is opened again whenever it fails.
fn lasting(
    name: String,
    options: &Options,
    open: impl FnMut() -> Result<Box<dyn Source>, SourceError> + Send + 'static,
) -> Box<dyn Source> {
    let backoff = Backoff::up_to(options.longest_pause);
    let source = Reconnecting::with_backoff(name, backoff, open)
        .with_sight(options)
        .with_pace(options.frames_per_second);
    oriented(Box::new(ThreadedSource::new(source)), options.turn)
}
