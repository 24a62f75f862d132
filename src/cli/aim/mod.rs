//! `maskwatch aim`: where faces would be seen and how large, while a camera is mounted. No picture is shown
//! or leaves the board.

mod map;

use super::configuration::ConfigArgs;
use super::connection::SocketArgs;
use super::outcome::{Outcome, print};
use super::process::{ENDING_OR_CLOSED, stop_flag};
use super::terminal::Terminal;
use super::values::seconds;
use crate::daemon::listeners::socket::protocol::{FaceMessage, LookMessage, Message, Request};
use crate::doctor;
use crate::geometry::Rect;
use crate::source::{self, Next, Source, SourceSpec};
use crate::text::escaped;
use crate::vision::zones::Zones;
use crate::vision::{Chain, ChainOptions, JudgedFace, Judgement, Vision, everybody};
use anyhow::{anyhow, bail};
use map::{AimedFace, Standards};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a frame is waited for before the flag that ends it is looked at.
const GLANCE: Duration = Duration::from_millis(200);
/// How often lines are printed where there is no terminal.
const LINES_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `maskwatch aim`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    socket: SocketArgs,
    /// Where frames come from, instead of source.spec; no daemon is asked then
    #[arg(long, value_name = "SOURCE")]
    source: Option<SourceSpec>,
    /// Ends after this many seconds; by default at Ctrl-C, or when q is typed
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
}

pub(crate) fn run(args: Args) -> Outcome {
    let mut config = args.config.load()?;
    if let Some(spec) = &args.source {
        config.source.spec.clone_from(spec);
    }
    let stop = stop_flag(&ENDING_OR_CLOSED)?;
    let standards = Standards { rules: config.decision.clone(), zones: config.zones.clone() };
    let end = args.duration.map(|duration| Instant::now() + duration);
    // A daemon that runs has the camera: what it sees is shown.
    if args.source.is_none()
        && let Ok(mut connection) = args.socket.connect()
    {
        connection.send(&Request::Watch)?;
        let mut view = AimView::open(standards, &stop, end);
        while !view.is_over() {
            match connection.receive()? {
                Some(Message::Look(look)) => view.take(&of_daemon(&look), look.frame, None)?,
                Some(_) => {}
                None => bail!("the daemon has ended the connection"),
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    // All faces are found, also those that the zones leave out: they are shown as such.
    let mut chain = Chain::load(&ChainOptions { zones: Zones::default(), ..config.vision() })?;
    let options = config.source.options();
    let mut source = source::open_once(&config.source.spec, &options)?;
    let told = format!("watching {}", source.describe());
    let mut view = AimView::open(standards, &stop, end);
    if view.terminal.is_none() {
        print(&format!("{}\n", escaped(&told)))?;
    }
    let mut last = Instant::now();
    while !view.is_over() {
        match source.next(GLANCE)? {
            Next::Frame(frame) => {
                last = Instant::now();
                let picture = frame.picture.view()?;
                let faces = chain.look(picture, &mut everybody).map_err(|error| anyhow!("{error}"))?;
                let sight = doctor::sight(picture);
                view.take(
                    &faces.iter().map(of_chain).collect::<Vec<_>>(),
                    picture.dimensions(),
                    Some(&sight.text),
                )?;
            }
            Next::End => break,
            Next::Skipped(_) | Next::Nothing
                if last.elapsed() > options.timeout.max(Duration::from_secs(12)) =>
            {
                bail!("{} gives no frames; maskwatch doctor tells more", source.describe())
            }
            Next::Skipped(_) | Next::Nothing => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of_chain(face: &JudgedFace) -> AimedFace {
    let stopped = match face.judgement {
        Judgement::Stopped(gate) => Some(gate.name().to_owned()),
        Judgement::Nobody => Some("no human head".to_owned()),
        Judgement::Unasked | Judgement::Answered(_) => None,
    };
    AimedFace { rect: face.rect, stopped, mask: face.judgement.answer().map(|answer| answer.mask) }
}

fn of_daemon(look: &LookMessage) -> Vec<AimedFace> {
    let face = |FaceMessage { rect: [x, y, w, h], probabilities, stopped, .. }: &FaceMessage| AimedFace {
        rect: Rect::new(*x, *y, *w, *h),
        stopped: stopped.clone(),
        mask: probabilities.map(|said| said.mask),
    };
    look.faces.iter().map(face).collect()
}

/// A screen, or lines where there is no terminal.
struct AimView<'a> {
    standards: Standards,
    terminal: Option<Terminal>,
    printed: Option<Instant>,
    stop: &'a AtomicBool,
    end: Option<Instant>,
}

impl<'a> AimView<'a> {
    fn open(standards: Standards, stop: &'a AtomicBool, end: Option<Instant>) -> Self {
        let terminal = std::io::stdout().is_terminal().then(Terminal::open);
        Self { standards, terminal, printed: None, stop, end }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.end.is_some_and(|end| Instant::now() >= end)
            || self.terminal.as_ref().is_some_and(Terminal::is_left)
    }

    fn take(&mut self, faces: &[AimedFace], frame: (u32, u32), sight: Option<&str>) -> anyhow::Result<()> {
        if let Some(terminal) = &mut self.terminal {
            let mut lines = self.standards.draw(faces, frame, (terminal.columns(), terminal.rows()));
            lines.extend(sight.map(str::to_owned));
            return terminal.draw(&lines);
        }
        if self.printed.is_some_and(|printed| printed.elapsed() < LINES_EVERY) {
            return Ok(());
        }
        self.printed = Some(Instant::now());
        let mut told = self.standards.tell(faces, frame);
        if told.is_empty() {
            told.push("no face".into());
        }
        told.extend(sight.map(|sight| format!("  {sight}")));
        told.iter().try_for_each(|line| print(&format!("{}\n", escaped(line))))
    }
}
