//! The loop that carries frames from the source to the outputs. It ends when told to, when a
//! source of files is at its end, or when something fails that cannot heal; a camera that is away is the door
//! state *fault*, and the loop goes on waiting for it.

use super::clock::Clock;
use super::event::{Event, Observer};
use super::health::{FaultKind, Health, News, Problem};
use super::mode::{Command, DoorMode};
use super::orders::Orders;
use super::quiet::QuietTimes;
use super::shown::Shown;
use super::watch::{LookError, Seen, Watch};
use crate::config::SourceConfig;
use crate::config::limits::NO_LOOK;
use crate::decide::{DoorState, Finding, HeldPass, Signal};
use crate::outputs::{OutputError, Outputs, PassHold};
use crate::source::{Frame, Next, Skipped, Source, SourceError, State};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the loop waits for a frame before it looks at everything else.
const PATIENCE: Duration = Duration::from_millis(200);
/// Without a look for so long nothing can be said about the door, whatever the cause: the outputs show a
/// fault, by themselves if the loop hangs.
pub const STALL: Duration = NO_LOOK;
/// Frames vouch for the time at which they were taken, but a camera whose clock lies must not make the door
/// believe that time stands still.
const OLDEST_FRAME: Duration = Duration::from_millis(500);
/// Looks that are this much rarer than asked for are worth telling.
const RARE: f32 = 1.5;
/// Orders that are followed before the next frame at most: many of them must not hold it up.
const ORDERS_A_TURN: usize = 4;

/// Flags by which others, such as signal handlers, steer the loop.
#[derive(Debug, Clone, Copy)]
pub struct Flags<'a> {
    /// The loop ends when this is true.
    pub stop: &'a AtomicBool,
    /// The loop pauses with [`Ended::Reload`] when this is true, and makes it false.
    pub reload: &'a AtomicBool,
}

/// Why the loop ended without fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// The source has no more frames.
    SourceEnded,
    /// It was told to read the configuration anew; run it again to go on.
    Reload,
}

/// Why the loop cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The source broke for good.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The outputs cannot be driven.
    #[error(transparent)]
    Outputs(#[from] OutputError),
}

/// How often frames are to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FramePace {
    /// How long to go without a frame before that is a fault; more than [`STALL`] counts as that.
    pub timeout: Duration,
    /// The time from one frame to the next.
    pub interval: Duration,
}

impl From<&SourceConfig> for FramePace {
    fn from(config: &SourceConfig) -> Self {
        Self { timeout: config.timeout, interval: Duration::from_secs_f32(1.0 / config.frames_per_second) }
    }
}

/// The daemon's parts; [`run`](Self::run) may be called again after it returned, with parts replaced in
/// between.
pub struct Daemon<'a> {
    /// Where frames come from.
    pub source: Box<dyn Source>,
    /// What is made of them.
    pub watch: Watch,
    /// What is switched.
    pub outputs: Outputs,
    /// What it is asked to do meanwhile.
    pub orders: Orders,
    /// When it is silent or dark; `None` is never.
    pub quiet: Option<QuietTimes>,
    mode: DoorMode,
    /// The mode that observers know of.
    told_mode: DoorMode,
    /// The held pass that observers know of.
    told_pass: Option<HeldPass>,
    pace: FramePace,
    /// Whether it was told that looks are rarer than asked for.
    told_rare: bool,
    clock: &'a dyn Clock,
    state: DoorState,
    /// Since when it shows that.
    since: Duration,
    shown: Shown,
    last_frame: Duration,
    health: Health,
    /// When the source's present absence began and how often it was tried to open since.
    attempts: Option<(Instant, u32)>,
    /// The number of the last frame that came since the source was opened.
    sequence: Option<u64>,
}

impl<'a> Daemon<'a> {
    /// The daemon made of these parts; time begins to count now.
    #[must_use]
    pub fn new(
        source: Box<dyn Source>,
        watch: Watch,
        outputs: Outputs,
        pace: FramePace,
        clock: &'a dyn Clock,
    ) -> Self {
        Self {
            source,
            watch,
            outputs,
            orders: Orders::default(),
            quiet: None,
            mode: DoorMode::default(),
            told_mode: DoorMode::default(),
            told_pass: None,
            pace,
            told_rare: false,
            clock,
            state: DoorState::Off,
            since: clock.now(),
            shown: Shown::default(),
            last_frame: clock.now(),
            health: Health::default(),
            attempts: None,
            sequence: None,
        }
    }

    /// Expects frames at another pace from now on.
    pub fn set_pace(&mut self, pace: FramePace) {
        self.told_rare &= self.pace == pace;
        self.pace = pace;
    }

    /// What was told of the present state, for who has not heard it: what the door shows, what orders and
    /// quiet hours have changed, and the fault.
    pub fn recount(&self, mut hear: impl FnMut(&Event<'_>)) {
        let signal = Signal { state: self.state, since: self.since };
        hear(&Event::State { from: self.state, signal });
        hear(&Event::Mode(self.mode));
        hear(&Event::PassHeld(self.told_pass));
        if let Some(Problem { kind, reason }) = self.health.fault() {
            hear(&Event::Fault { kind: *kind, reason, began: true });
        }
    }

    /// What it does now, or what is wrong, in one sentence.
    #[must_use]
    pub fn status(&self) -> String {
        let mut held = if self.mode.is_paused() { "paused; ".to_owned() } else { String::new() };
        if let Some(quiet) = self.mode.quiet {
            held += &format!("{quiet}; ");
        }
        let source = || self.source.describe();
        match self.health.fault() {
            Some(fault) => format!("{held}fault: {}", fault.reason),
            None if self.mode.rests() => format!("{held}watching {}", source()),
            None if self.state == DoorState::Off => format!("{held}waiting for {}", source()),
            None => format!("{held}door {}; watching {}", self.state, source()),
        }
    }

    /// Runs the loop until it ends. The outputs keep what they show until they are stopped or dropped, or go
    /// off by themselves when the flag they watch is that of [`Flags::stop`].
    ///
    /// # Errors
    /// What cannot heal: a broken source that does not reopen itself, or outputs that cannot be driven.
    pub fn run(&mut self, flags: Flags<'_>, observer: &mut dyn Observer) -> Result<Ended, DaemonError> {
        loop {
            if flags.stop.load(Ordering::Relaxed) {
                return Ok(Ended::Stopped);
            }
            if flags.reload.swap(false, Ordering::Relaxed) {
                return Ok(Ended::Reload);
            }
            self.follow_orders(observer);
            match self.source.next(PATIENCE)? {
                Next::Frame(frame) => self.frame(&frame, observer)?,
                Next::Skipped(skipped) => {
                    observer.on_event(self.clock.now(), &Event::Skipped(&skipped.to_string()));
                    // It had a number, too.
                    self.sequence = self.sequence.map(|sequence| sequence + 1);
                    self.no_frame(observer)?;
                }
                Next::Nothing => self.no_frame(observer)?,
                Next::End => return Ok(Ended::SourceEnded),
            }
        }
    }

    /// Does what was ordered, ends what is over, looks for quiet hours, and tells what that has changed.
    fn follow_orders(&mut self, observer: &mut dyn Observer) {
        let now = self.clock.now();
        let rested = self.mode.rests();
        self.mode.expire(now);
        self.mode.quiet = self.quiet.as_mut().and_then(|quiet| quiet.at(now));
        if let Some(pause) = self.outputs.take_long_press() {
            let command = if self.mode.is_paused() { Command::Resume } else { Command::Pause(pause) };
            // Neither can be refused: the configuration allows no pause that is too short or too long.
            let _ = self.mode.take(command, now, self.state);
        }
        for _ in 0..ORDERS_A_TURN {
            let Some(order) = self.orders.next() else { break };
            let real = self.watch.signal(now).state;
            let outcome = self.mode.take(order.command, now, real);
            if let (Ok(()), Command::Silence(time)) = (&outcome, order.command) {
                self.outputs.silence(time);
            }
            order.answer(outcome);
        }
        if self.mode.rests() && !rested {
            self.watch.rest();
        }
        if self.mode != self.told_mode {
            self.told_mode = self.mode;
            observer.on_event(now, &Event::Mode(self.mode));
            observer.on_event(now, &Event::Status(&self.status()));
        }
    }

    fn frame(&mut self, frame: &Frame, observer: &mut dyn Observer) -> Result<(), DaemonError> {
        let (picture, arrived) = (&frame.picture, self.clock.now());
        self.note_source(frame.sequence, arrived, observer);
        if self.mode.rests() {
            self.last_frame = arrived;
            let problem = Problem::of_source(self.source.state());
            self.show(problem, &[], observer)?;
            observer.on_event(arrived, &Event::Rested);
            return Ok(());
        }
        let captured = self.clock.at(frame.captured).clamp(arrived.saturating_sub(OLDEST_FRAME), arrived);
        let seen = match self.watch.look(picture, captured, self.clock) {
            Ok(seen) => Ok(seen),
            Err(LookError::Vision(error)) => Err(error),
            Err(LookError::Picture(reason)) => {
                let skipped = Skipped { name: self.source.describe(), reason };
                observer.on_event(self.clock.now(), &Event::Skipped(&skipped.to_string()));
                return self.no_frame(observer);
            }
        };
        let now = self.clock.now();
        self.last_frame = now;
        let took = now.saturating_sub(arrived);
        let (seen, problem) = match seen {
            Ok(seen) if took >= STALL => (seen, Some(too_slow(took))),
            // Frames may come and still show nothing.
            Ok(seen) => (seen, Problem::of_source(self.source.state())),
            Err(error) => (Seen::default(), Some(Problem::new(FaultKind::Networks, error.to_string()))),
        };
        let signal = self.show(problem, &seen.findings, observer)?;
        if seen.left_out > 0 {
            observer.on_event(now, &Event::LeftOut(seen.left_out));
        }
        self.tell_if_rare(now, observer);
        let Seen { faces, stages, still, .. } = &seen;
        observer.on_event(now, &Event::Frame { picture, faces, signal, stages: *stages, still: *still });
        Ok(())
    }

    /// Tells that the source is back, or of frames that nobody asked for before this one came.
    fn note_source(&mut self, sequence: u64, now: Duration, observer: &mut dyn Observer) {
        if self.attempts.take().is_some() {
            observer.on_event(now, &Event::Reopened);
        }
        let last = self.sequence.replace(sequence);
        // A source that was opened again may count from 0.
        let missed = last.map_or(0, |last| sequence.saturating_sub(last.saturating_add(1)));
        if missed > 0 {
            observer.on_event(now, &Event::Missed(missed));
        }
    }

    fn tell_if_rare(&mut self, now: Duration, observer: &mut dyn Observer) {
        let Some(interval) = self.watch.settled_interval().filter(|_| !self.told_rare) else { return };
        if interval > self.pace.interval.mul_f32(RARE) {
            self.told_rare = true;
            observer.on_event(now, &Event::Rare { interval, wanted: self.pace.interval });
        }
    }

    fn no_frame(&mut self, observer: &mut dyn Observer) -> Result<(), DaemonError> {
        let now = self.clock.now();
        // A source that is slower than it should be is no fault as long as it goes on. One that is slower
        // than the timeout shows it by its first interval, or the door would be in fault between its next
        // frames.
        let slow = || self.watch.interval().filter(|interval| *interval >= self.pace.timeout);
        let usual = self.watch.settled_interval().or_else(slow).unwrap_or_default().mul_f32(RARE);
        let timeout = self.pace.timeout.max(usual).min(STALL);
        let overdue = now.saturating_sub(self.last_frame) >= timeout;
        let problem = match self.source.state() {
            State::Away(away) => {
                self.sequence = None;
                let attempts = Some((away.since, away.attempts));
                if std::mem::replace(&mut self.attempts, attempts) != attempts {
                    observer.on_event(now, &Event::Attempt);
                }
                Some(Problem::new(FaultKind::SourceAway, away.reason))
            }
            state @ State::Blind(_) => Problem::of_source(state),
            State::Starting | State::Connected if overdue => {
                let seconds = timeout.as_secs_f32();
                let reason = format!("no usable frame from {} for {seconds} s", self.source.describe());
                Some(Problem::new(FaultKind::NoFrames, reason))
            }
            // A gap that is not yet too long neither begins nor ends a fault.
            State::Starting | State::Connected => self.health.fault().cloned(),
        };
        self.show(problem, &[], observer).map(drop)
    }

    /// Brings a pass that is held to the outputs: not in a pause, and in a test only in that of *pass*.
    /// Returns the one that is held by somebody in view.
    fn hold_pass(&mut self, signal: Signal, is_real: bool, now: Duration) -> Option<HeldPass> {
        let moment = Instant::now();
        let real = self.watch.held_pass(now).filter(|_| is_real);
        let held = match real {
            Some(HeldPass { since, until }) => {
                let since = moment.checked_sub(now.saturating_sub(since)).unwrap_or(moment);
                Some(PassHold { since, until: moment + until.saturating_sub(now) })
            }
            None if !is_real && signal.state == DoorState::Pass => {
                let since = moment.checked_sub(now.saturating_sub(signal.since)).unwrap_or(moment);
                Some(PassHold { since, until: moment + PATIENCE * 2 })
            }
            None => None,
        };
        self.outputs.hold_pass(held);
        real
    }

    /// Brings health and time to the outputs, then tells what changed.
    fn show(
        &mut self,
        problem: Option<Problem>,
        findings: &[Finding],
        observer: &mut dyn Observer,
    ) -> Result<Signal, DaemonError> {
        let now = self.clock.now();
        self.watch.set_fault(problem.is_some());
        let real = self.watch.signal(now);
        let signal = self.mode.shown(real);
        let pass = self.hold_pass(signal, signal == real, now);
        self.outputs.set_quiet(self.mode.quiet.is_some());
        self.outputs.show(signal.state, self.shown.elapsed(signal, now))?;
        for finding in findings {
            observer.on_event(now, &Event::Finding(*finding));
        }
        let told_pass = std::mem::replace(&mut self.told_pass, pass);
        if pass != told_pass {
            observer.on_event(now, &Event::PassHeld(pass));
        }
        let news = self.health.report(problem, now);
        match (&news, self.health.fault()) {
            (News::Began | News::OtherCause, Some(Problem { kind, reason })) => {
                let began = news == News::Began;
                observer.on_event(now, &Event::Fault { kind: *kind, reason, began });
            }
            (News::Over { reason, lasted }, _) => {
                observer.on_event(now, &Event::Recovered { reason, lasted: *lasted });
            }
            _ => {}
        }
        let from = std::mem::replace(&mut self.state, signal.state);
        if signal.state != from {
            self.since = signal.since;
            observer.on_event(now, &Event::State { from, signal });
        }
        if signal.state != from || news != News::Nothing || pass != told_pass {
            observer.on_event(now, &Event::Status(&self.status()));
        }
        Ok(signal)
    }
}

fn too_slow(took: Duration) -> Problem {
    let reason = format!(
        "the networks took {:.0} s for one frame; use a smaller detector.width and detector.height, or a faster board",
        took.as_secs_f32()
    );
    Problem::new(FaultKind::TooSlow, reason)
}
