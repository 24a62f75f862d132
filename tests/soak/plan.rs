//! What happens when: a plan of scenes and faults that follows from a seed. The writer shows it, the judge
//! knows by it what the outputs have to be. Times are seconds of the plan's own clock.

use std::fmt;
use std::str::FromStr;

/// Who is in front of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    Nobody,
    Bare,
    Masked,
}

impl Scene {
    pub(crate) const ALL: [Self; 3] = [Self::Nobody, Self::Bare, Self::Masked];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Bare => "bare",
            Self::Masked => "masked",
        }
    }
}

/// What goes wrong, or is done to the daemon, during a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Every other frame is lost, and the rest comes late.
    Loss,
    /// A third of the frames are damaged.
    SomeCorrupt,
    /// All frames are damaged.
    AllCorrupt,
    /// Nothing is written, but the daemon does not give the command up.
    Stall,
    /// Nothing is written until the daemon starts the command again.
    LongStall,
    /// The command ends in the midst of a frame, and is started again.
    Exit,
    /// The command is stopped, and goes on later.
    WriterStopped,
    /// The daemon is stopped, and goes on later: to it, time jumps.
    DaemonStopped,
    /// Frames are black: the lens is covered.
    Black,
    /// The configuration is read anew, with other rules and patterns.
    Reload,
    /// A bad configuration is refused.
    BadReload,
    /// The configuration is read anew with frames in another format, so the source is another one.
    OtherSource,
}

impl Fault {
    pub(crate) const ALL: [Self; 12] = [
        Self::Loss,
        Self::SomeCorrupt,
        Self::AllCorrupt,
        Self::Stall,
        Self::LongStall,
        Self::Exit,
        Self::WriterStopped,
        Self::DaemonStopped,
        Self::Black,
        Self::Reload,
        Self::BadReload,
        Self::OtherSource,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Loss => "frames lost",
            Self::SomeCorrupt => "a third corrupt",
            Self::AllCorrupt => "all corrupt",
            Self::Stall => "stall",
            Self::LongStall => "stall until restart",
            Self::Exit => "command exits",
            Self::WriterStopped => "command stopped",
            Self::DaemonStopped => "daemon stopped (time jumps)",
            Self::Black => "black frames",
            Self::Reload => "reload",
            Self::BadReload => "bad reload",
            Self::OtherSource => "reload, other format",
        }
    }

    /// Seconds that it lasts.
    const fn length(self) -> f64 {
        match self {
            Self::Loss | Self::SomeCorrupt | Self::AllCorrupt => 4.0,
            Self::Stall | Self::WriterStopped | Self::DaemonStopped => 4.0,
            // The daemon gives a command up after twelve seconds without a frame.
            Self::LongStall => 13.0,
            // Black counts after five seconds.
            Self::Black => 7.5,
            Self::Exit | Self::Reload | Self::BadReload | Self::OtherSource => 0.5,
        }
    }

    /// Whether the command is started again because of it.
    pub(crate) const fn restarts(self) -> bool {
        matches!(self, Self::LongStall | Self::Exit | Self::OtherSource)
    }

    /// Seconds of the scene after it. A command that has been started again has then worked for long enough
    /// to count as sound, so that the next pause is a short one.
    const fn recovery(self) -> f64 {
        if self.restarts() { 8.0 } else { CALM }
    }

    /// Whether the outputs go on to show what is in front of the camera.
    pub(crate) const fn is_harmless(self) -> bool {
        matches!(self, Self::Loss | Self::SomeCorrupt | Self::Reload | Self::BadReload)
    }

    /// Whether it lasts so long that the door has to show it.
    pub(crate) const fn is_shown(self) -> bool {
        matches!(self, Self::AllCorrupt | Self::Stall | Self::LongStall | Self::WriterStopped | Self::Black)
    }
}

/// A stretch of time with one scene, and maybe a fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Phase {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) scene: Scene,
    pub(crate) fault: Option<Fault>,
    /// The scene has been the same since a person's coming, before which nobody was there for long enough to
    /// be forgotten.
    pub(crate) is_fresh: bool,
}

/// Seconds that a scene without a fault lasts; long enough for what is asserted of it on a busy machine.
const CALM: f64 = 4.0;

/// The whole time from 0 on.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Plan(pub(crate) Vec<Phase>);

impl Plan {
    /// Phases for about `seconds`, ending with whole acts: somebody comes and goes, something goes wrong,
    /// somebody is there when it is over. Every fault comes before one comes again.
    pub(crate) fn new(seed: u64, seconds: f64) -> Self {
        let mut numbers = Numbers(seed);
        let mut plan = Self::default();
        let mut left: Vec<Fault> = Vec::new();
        // The first act has no fault: the daemon has to start.
        plan.add(CALM + 2.0, Scene::Nobody, None);
        plan.add(CALM, Scene::Bare, None);
        plan.add(CALM, Scene::Nobody, None);
        plan.add(CALM, Scene::Masked, None);
        loop {
            if left.is_empty() {
                left = Fault::ALL.to_vec();
            }
            let fault = left.swap_remove(numbers.below(left.len()));
            let act = CALM + fault.length() + fault.recovery();
            if plan.end() + act + CALM > seconds {
                break;
            }
            let during = if fault.is_harmless() { Scene::Bare } else { Scene::ALL[numbers.below(3)] };
            let after = [Scene::Bare, Scene::Masked][numbers.below(2)];
            plan.add(CALM, Scene::Nobody, None);
            plan.add(fault.length(), during, Some(fault));
            plan.add(fault.recovery(), if fault.is_harmless() { Scene::Bare } else { after }, None);
        }
        plan.add(CALM, Scene::Nobody, None);
        plan
    }

    fn add(&mut self, length: f64, scene: Scene, fault: Option<Fault>) {
        let from = self.end();
        let is_fresh = self.0.last().is_none_or(|last| {
            let forgotten =
                last.scene == Scene::Nobody && last.fault.is_none() && last.to - last.from >= CALM;
            forgotten || (last.is_fresh && last.scene == scene)
        });
        self.0.push(Phase { from, to: from + length, scene, fault, is_fresh });
    }

    pub(crate) fn end(&self) -> f64 {
        self.0.last().map_or(0.0, |phase| phase.to)
    }

    /// What is at `time`; the last phase goes on for ever.
    pub(crate) fn at(&self, time: f64) -> Option<&Phase> {
        self.0.iter().find(|phase| time < phase.to).or(self.0.last())
    }
}

/// A generator of numbers that are the same for the same seed (Steele et al. 2014, SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

impl fmt::Display for Plan {
    /// One phase a line, for the writer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Phase { from, to, scene, fault, is_fresh } in &self.0 {
            let (scene, fault) = (scene.name(), fault.map_or("-", Fault::name));
            writeln!(f, "{from:.1}\t{to:.1}\t{scene}\t{fault}\t{is_fresh}")?;
        }
        Ok(())
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let phase = |line: &str| {
            let words: Vec<&str> = line.split('\t').collect();
            let [from, to, scene, fault, is_fresh] = *words else { return None };
            Some(Phase {
                from: from.parse().ok()?,
                to: to.parse().ok()?,
                scene: Scene::ALL.into_iter().find(|known| known.name() == scene)?,
                fault: match fault {
                    "-" => None,
                    name => Some(Fault::ALL.into_iter().find(|known| known.name() == name)?),
                },
                is_fresh: is_fresh.parse().ok()?,
            })
        };
        text.lines()
            .map(|line| phase(line).ok_or_else(|| format!("no phase: {line}")))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Seconds on the monotonic clock, which is the same in all processes.
pub(crate) fn monotonic() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec of ours, which the call fills.
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
    }
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
