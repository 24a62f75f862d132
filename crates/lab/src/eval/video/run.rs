//! One clip at one rate through the daemon's own loop, by the clip's own clock.

use super::clips::VideoClip;
use super::frames::ClipFrames;
use super::report::{Showing, ShownState};
use crate::eval::error::EvalError;
use crate::eval::film::FilmClock;
use crate::eval::strip::ClipStrip;
use maskwatch::config::Config;
use maskwatch::daemon::{Daemon, Event, Flags, FramePace, Observer, Watch};
use maskwatch::decide::{DoorState, Finding};
use maskwatch::outputs::{Outputs, Panel, simulated};
use maskwatch::source::{Frame, Next, Source, SourceError};
use maskwatch::vision::Vision;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The outputs' own patience is not tried here: it counts real time.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// Time between two pictures of a strip.
const EVERY: Duration = Duration::from_millis(500);

/// What the door shows at `clip`, resampled to `rate` frames a second by the nearest frame, and for how long
/// the clip lasts. A strip of annotated frames comes with it.
///
/// # Errors
/// When the clip cannot be decoded, or the daemon reports a fault.
pub fn run(
    clip: &VideoClip,
    rate: u32,
    vision: Box<dyn Vision>,
    config: &Config,
) -> Result<(Showing, Duration, ClipStrip), EvalError> {
    let (clock, failed) = (FilmClock::default(), Failed::default());
    let frames = ClipFrames::open(&clip.path, f64::from(rate))?;
    let film = VideoFilm { frames, shown: 0, clock: clock.clone(), failed: Arc::clone(&failed) };
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let (driver, _) = simulated();
    let panel = Panel::open(driver, &config.outputs.outputs, None)?;
    let outputs = Outputs::start(panel, Arc::clone(&stop), NEVER)?;
    let watch = Watch::configured(vision, config);
    let pace = FramePace { timeout: NEVER, interval: Duration::from_secs_f64(1.0 / f64::from(rate)) };
    let mut daemon = Daemon::new(Box::new(film), watch, outputs, pace, &clock);
    let mut witness = ClipWitness { strip: ClipStrip::every(EVERY), ..ClipWitness::default() };
    daemon.run(Flags { stop: &stop, reload: &reload }, &mut witness)?;
    daemon.outputs.stop()?;
    if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    if let Some(fault) = witness.fault {
        return Err(EvalError::Fault(fault));
    }
    let ClipWitness { states, alerts, first_face, last, strip, .. } = witness;
    let first_alert = states.iter().find(|shown| shown.state == DoorState::Alert).map(|shown| shown.from);
    let showing = Showing {
        right: clip.expected.is_met(&states.iter().map(|shown| shown.state).collect::<Vec<_>>()),
        false_alerts: if clip.expected.forbids_alerts() { alerts } else { 0 },
        seconds_to_alert: first_alert.zip(first_face).map(|(alert, face)| alert.saturating_sub(face)),
        states,
    };
    Ok((showing, last, strip))
}

/// A clip as a source of frames; no time passes while it is asked.
struct VideoFilm {
    frames: ClipFrames,
    shown: u64,
    clock: FilmClock,
    failed: Failed,
}

/// Why the clip could not be decoded to its end.
type Failed = Arc<Mutex<Option<EvalError>>>;

impl Source for VideoFilm {
    fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
        match self.frames.next_frame() {
            Ok(Some((now, picture))) => {
                self.clock.set(now);
                let sequence = self.shown;
                self.shown += 1;
                let (picture, captured) = (picture.into(), Instant::now());
                Ok(Next::Frame(Frame { picture, name: None, sequence, captured }))
            }
            Ok(None) => Ok(Next::End),
            Err(error) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Ok(Next::End)
            }
        }
    }

    fn describe(&self) -> String {
        "a clip".into()
    }
}

/// Notes what the door shows.
#[derive(Default)]
struct ClipWitness {
    states: Vec<ShownState>,
    alerts: usize,
    first_face: Option<Duration>,
    last: Duration,
    fault: Option<String>,
    strip: ClipStrip,
}

impl Observer for ClipWitness {
    fn on_event(&mut self, now: Duration, event: &Event<'_>) {
        match event {
            Event::Finding(Finding::Alert { .. }) => self.alerts += 1,
            Event::State { signal, .. } => {
                self.states.push(ShownState { from: now, state: signal.state });
                self.strip.hurry();
            }
            Event::Frame { picture, faces, signal, .. } => {
                self.last = now;
                if !faces.is_empty() {
                    self.first_face.get_or_insert(now);
                }
                if let Ok(picture) = picture.view() {
                    self.strip.add(now, picture, faces, signal.state);
                }
            }
            Event::Fault { reason, .. } => {
                self.fault.get_or_insert_with(|| (*reason).to_owned());
            }
            _ => {}
        }
    }
}
