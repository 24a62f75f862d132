//! Chooses the source that a [`SourceSpec`] names, and opens it.

use super::command::CommandSource;
use super::files::Pictures;
use super::frozen::FrozenMemory;
use super::oriented::oriented;
use super::reconnect::{Backoff, Reconnecting};
use super::threaded::ThreadedSource;
#[cfg(target_os = "linux")]
use super::v4l2::{Camera, Finder};
use super::{Options, Source, SourceError, SourceSpec};

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
            // What is remembered of a frozen command lasts from one run to the next.
            let (line, options, memory) = (line.clone(), *options, FrozenMemory::default());
            Ok(lasting(spec.shown(), &options, move || {
                CommandSource::start_again(&line, &options, memory.clone())
                    .map(|command| Box::new(command) as Box<dyn Source>)
            }))
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
        #[cfg(target_os = "linux")]
        SourceSpec::Camera(name) => Box::new(Camera::open(&mut Finder::new(name.clone()), options)?),
        #[cfg(not(target_os = "linux"))]
        SourceSpec::Camera(_) => return Err(SourceError::NoCamerasHere),
    };
    Ok(oriented(source, options.turn))
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
