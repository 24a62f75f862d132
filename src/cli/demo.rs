//! `maskwatch demo`: the daemon's real loop at work, on bundled pictures or a camera, with simulated pins.
//! Shows outputs and verdicts live and leaves annotated pictures. On the bundled pictures it is also a test:
//! the bare face has to light red, the masked one green.

mod scene;
mod screen;

use super::networks::ModelArgs;
use super::outcome::{Outcome, print};
use super::process::{ENDING_OR_CLOSED, start_log, stop_flag};
use super::turn::TurnArgs;
use super::values::seconds;
use crate::config::Config;
use crate::daemon::{
    Clock, Daemon, Ended, Event, Face, Flags, FramePace, Observer, STALL, SystemClock, Watch,
};
use crate::decide::{DoorState, Signal};
use crate::outputs::{Output, Outputs, Panel, Recorder, simulated};
use crate::pixels::annotate::{Mark, annotate, caption};
use crate::pixels::picture::View;
use crate::source::{self, Options, Source, SourceSpec};
use crate::text::escaped;
use crate::vision::Chain;
use anyhow::Context;
use image::Rgb;
use scene::{Scene, Visitor};
use screen::Screen;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A camera may run for days: it leaves no more pictures than this.
const MOST_PICTURES: usize = 60;
/// While a face is in view, a picture is left at least this often.
const PICTURE_EVERY: Duration = Duration::from_secs(2);

/// Arguments of `maskwatch demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use a camera (or any other source of `maskwatch run`) instead of the bundled pictures, until Ctrl-C
    #[arg(long, value_name = "SOURCE")]
    camera: Option<SourceSpec>,
    #[command(flatten)]
    turn: TurnArgs,
    /// Ends after this many seconds; by default at the end of the pictures, with a camera at Ctrl-C
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    #[command(flatten)]
    models: ModelArgs,
    /// Folder for the annotated pictures
    #[arg(long, value_name = "DIR", default_value = "demo-output")]
    output: PathBuf,
    /// How many frames of the bundled pictures are made a second
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=60))]
    frames_per_second: u32,
    /// Do not wait between the bundled pictures' frames: as fast as the machine can
    #[arg(long, conflicts_with = "camera")]
    no_wait: bool,
}

pub(crate) fn run(args: Args) -> Outcome {
    if std::env::var_os("RUST_LOG").is_some() {
        start_log();
    }
    std::fs::create_dir_all(&args.output).with_context(|| {
        format!("{} cannot be made; name another folder with --output", args.output.display())
    })?;
    let config = Config { models: args.models.options(), ..Config::default() };
    let stop = stop_flag(&ENDING_OR_CLOSED)?;
    let networks = Chain::load(&config.vision())?;
    let (source, clock, scene) = open(&args, &config)?;
    let outputs = config.outputs.outputs.clone();
    let (driver, recorder) = simulated();
    let thread = Outputs::start(Panel::open(driver, &outputs, None)?, Arc::clone(&stop), STALL)?;
    let watch = Watch::configured(Box::new(networks), &config);

    let places = format!("watching {}; pictures go to {}", source.describe(), args.output.display());
    print(&format!("{}\n", escaped(&places)))?;
    let mut show = Show {
        screen: Screen::new(&outputs),
        album: Album::new(&args.output),
        outputs: outputs.clone(),
        recorder,
        scene,
        seen: Checks::default(),
        frames: 0,
        stop: Arc::clone(&stop),
        failed: None,
    };
    if let Some(duration) = args.duration {
        // By its own time, since no event comes from a camera that gives no frames.
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            std::thread::sleep(duration);
            stop.store(true, Ordering::Relaxed);
        });
    }
    let mut daemon = Daemon::new(source, watch, thread, FramePace::from(&config.source), &*clock);
    let never = AtomicBool::new(false);
    let ended = daemon.run(Flags { stop: &stop, reload: &never }, &mut show)?;
    daemon.outputs.stop()?;
    show.screen.finish();
    show.conclude(ended)
}

/// The source with the clock that belongs to it, and the scene where it is the bundled one.
type SourceAndClock = (Box<dyn Source>, Box<dyn Clock>, Option<scene::Watcher>);

fn open(args: &Args, config: &Config) -> anyhow::Result<SourceAndClock> {
    let Some(camera) = &args.camera else {
        let scene = Scene::new(args.frames_per_second, !args.no_wait)?;
        let watcher = scene.watcher();
        return Ok((Box::new(scene), Box::new(watcher.clone()), Some(watcher)));
    };
    let options = Options {
        size: (config.source.width, config.source.height),
        turn: args.turn.turn(),
        frames_per_second: Some(config.source.frames_per_second),
        ..Options::default()
    };
    Ok((source::open(camera, &options)?, Box::new(SystemClock::start()), None))
}

/// What the bundled pictures have to bring about, noted as it happens.
#[derive(Debug, Default)]
struct Checks {
    red_for_bare: bool,
    green_for_bare: bool,
    green_for_masked: bool,
    alert_for_masked: bool,
}

/// Shows, draws and checks what the loop tells.
struct Show {
    screen: Screen,
    album: Album,
    outputs: Vec<Output>,
    recorder: Recorder,
    scene: Option<scene::Watcher>,
    seen: Checks,
    frames: u64,
    stop: Arc<AtomicBool>,
    failed: Option<anyhow::Error>,
}

impl Show {
    /// Which outputs are on, by the levels of their simulated pins.
    fn lit(&self) -> Vec<bool> {
        let on = |output: &Output| self.recorder.level(output.pin) == Some(output.active.level(true));
        self.outputs.iter().map(on).collect()
    }

    fn is_lit(&self, name: &str, lit: &[bool]) -> bool {
        self.outputs.iter().zip(lit).any(|(output, lit)| output.name == name && *lit)
    }

    fn check(&mut self, lit: &[bool], state: DoorState) {
        let (red, green) = (self.is_lit("red", lit), self.is_lit("green", lit));
        match self.scene.as_ref().map(scene::Watcher::visitor) {
            Some(Visitor::Bare) => {
                self.seen.red_for_bare |= red;
                self.seen.green_for_bare |= green;
            }
            Some(Visitor::Masked) => {
                self.seen.green_for_masked |= green;
                self.seen.alert_for_masked |= state == DoorState::Alert;
            }
            Some(Visitor::Nobody) | None => {}
        }
    }

    fn conclude(self, ended: Ended) -> Outcome {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let folder = self.album.folder.display().to_string();
        print(&format!("{} annotated pictures are in {}\n", self.album.count, escaped(&folder)))?;
        if self.scene.is_none() {
            anyhow::ensure!(self.frames > 0, "no frame came; check the camera with --camera");
            return Ok(ExitCode::SUCCESS);
        }
        if ended == Ended::Stopped {
            anyhow::bail!("stopped before both faces were shown");
        }
        let Checks { red_for_bare, green_for_bare, green_for_masked, alert_for_masked } = self.seen;
        anyhow::ensure!(red_for_bare, "red did not light for the bare face");
        anyhow::ensure!(!green_for_bare, "green was lit for the bare face");
        anyhow::ensure!(green_for_masked, "green did not light for the masked face");
        anyhow::ensure!(!alert_for_masked, "the masked face raised an alert");
        print("red was lit for the bare face and green for the masked one: all is well\n")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Observer for Show {
    fn on_event(&mut self, now: Duration, event: &Event<'_>) {
        match event {
            Event::Frame { picture, faces, signal, .. } => {
                self.frames += 1;
                let lit = self.lit();
                self.check(&lit, signal.state);
                self.screen.frame(now, &lit, *signal, faces);
                let drawn = picture.view().map_err(anyhow::Error::from);
                if let Err(error) = drawn.and_then(|view| self.album.frame(now, view, faces, *signal)) {
                    self.failed = Some(error);
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            Event::Finding(finding) => self.screen.finding(now, finding),
            Event::State { from, signal } => self.screen.state(now, *from, *signal),
            Event::Fault { reason, began: true, .. } => self.screen.health(now, Some(reason)),
            Event::Recovered { .. } => self.screen.health(now, None),
            Event::Fault { .. }
            | Event::Skipped(_)
            | Event::LeftOut(_)
            | Event::Rare { .. }
            | Event::Attempt
            | Event::Reopened
            | Event::Missed(_)
            | Event::Rested
            | Event::Mode(_)
            | Event::PassHeld(_)
            | Event::Status(_) => {}
        }
    }
}

/// The folder of annotated pictures.
struct Album {
    folder: PathBuf,
    count: usize,
    last: Option<(DoorState, Duration)>,
}

impl Album {
    fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), count: 0, last: None }
    }

    /// Leaves a picture where the door's state is new, and from time to time while there are faces.
    fn frame(
        &mut self,
        now: Duration,
        picture: View<'_>,
        faces: &[Face],
        signal: Signal,
    ) -> anyhow::Result<()> {
        let due = self.last.is_none_or(|(state, at)| {
            state != signal.state || (!faces.is_empty() && now.saturating_sub(at) >= PICTURE_EVERY)
        });
        if !due || self.count >= MOST_PICTURES {
            return Ok(());
        }
        self.last = Some((signal.state, now));
        self.count += 1;
        let mut picture = picture.to_rgb();
        let marks: Vec<Mark> = faces.iter().map(mark).collect();
        annotate(&mut picture, &marks);
        let text = format!("{:5.1} s  door: {}", now.as_secs_f32(), signal.state);
        caption(&mut picture, &text, Rgb(signal.state.colour()));
        let path = self.folder.join(format!("{:02}-{}.jpg", self.count, signal.state));
        picture.save(&path).with_context(|| {
            format!("{} cannot be written; name another folder with --output", path.display())
        })
    }
}

fn mark(face: &Face) -> Mark {
    Mark { rect: face.rect, text: screen::face(face), colour: Rgb(face.verdict.colour()) }
}
