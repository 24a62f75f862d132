//! What listeners are told: the loop's events without their pictures, free to cross threads.

use crate::config::Config;
use crate::daemon::event::Event;
use crate::daemon::health::FaultKind;
use crate::daemon::mode::DoorMode;
use crate::daemon::watch::{Face, Stages};
use crate::decide::{DoorState, Finding, HeldPass, Signal};
use std::sync::Arc;
use std::time::Duration;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// An attempt to open the source has ended without success: the daemon goes on.
    Progress,
    /// A frame came while the door is paused: nobody looked at it.
    Rested,
    /// The source gives frames after it was away.
    Reopened,
    /// A frame was looked at.
    Looked(Arc<LookReport>),
    /// So many faces of a frame were not judged: there was no time for them.
    LeftOut(usize),
    /// Looks are rarer than the configuration asks for; told once.
    Rare {
        /// The median time between two looks.
        interval: Duration,
        /// The time that is asked for.
        wanted: Duration,
    },
    /// So many frames were dropped since the last one: a newer one had come before anybody asked.
    Missed(u64),
    /// The source gave something that is no frame; what, in a few words.
    Skipped(Arc<str>),
    /// Something about a person was found.
    Finding(Finding),
    /// The door shows another state.
    State {
        /// What it showed before.
        from: DoorState,
        /// What it shows now.
        signal: Signal,
    },
    /// A pass is held from now on, for another time than before, or no longer.
    PassHeld(Option<HeldPass>),
    /// Orders have changed how the door works, or such a change is over.
    Mode(DoorMode),
    /// The one sentence that says what the daemon does has changed.
    Status(Arc<str>),
    /// Something is wrong, or is wrong for another reason than before.
    Fault {
        /// Of which kind it is.
        kind: FaultKind,
        /// What is wrong, and how to mend it.
        reason: Arc<str>,
    },
    /// The fault is over.
    Recovered {
        /// What was wrong last.
        reason: Arc<str>,
        /// Since the fault began.
        lasted: Duration,
    },
    /// This configuration is followed from now on.
    Configured(Arc<Config>),
    /// Configuration, networks and pins are up; the sentence says what the daemon does.
    Ready(Arc<str>),
    /// The configuration is being reloaded; [`Ready`](Self::Ready) ends that.
    Reloading,
    /// The new configuration was refused, and the old one goes on: why.
    Refused(Arc<str>),
    /// The daemon ends.
    Stopping,
}

/// What a look at a frame has shown, without the frame.
#[derive(Debug, Clone, PartialEq)]
pub struct LookReport {
    /// The frame's width and height in pixels.
    pub frame: (u32, u32),
    /// Its faces.
    pub faces: Vec<Face>,
    /// What the door shows now.
    pub signal: Signal,
    /// How long the look took.
    pub stages: Stages,
    /// Whether nothing had moved since the look before, so that the networks were not run.
    pub still: bool,
}

impl From<&Event<'_>> for Notice {
    fn from(event: &Event<'_>) -> Self {
        match event {
            Event::Frame { picture, faces, signal, stages, still } => Self::Looked(Arc::new(LookReport {
                frame: picture.dimensions(),
                faces: faces.to_vec(),
                signal: *signal,
                stages: *stages,
                still: *still,
            })),
            Event::Attempt => Self::Progress,
            Event::Rested => Self::Rested,
            Event::Reopened => Self::Reopened,
            Event::Missed(count) => Self::Missed(*count),
            Event::Mode(mode) => Self::Mode(*mode),
            Event::PassHeld(held) => Self::PassHeld(*held),
            Event::LeftOut(count) => Self::LeftOut(*count),
            Event::Rare { interval, wanted } => Self::Rare { interval: *interval, wanted: *wanted },
            Event::Skipped(what) => Self::Skipped((*what).into()),
            Event::Finding(finding) => Self::Finding(*finding),
            Event::State { from, signal } => Self::State { from: *from, signal: *signal },
            Event::Status(status) => Self::Status((*status).into()),
            Event::Fault { kind, reason, .. } => Self::Fault { kind: *kind, reason: (*reason).into() },
            Event::Recovered { reason, lasted } => {
                Self::Recovered { reason: (*reason).into(), lasted: *lasted }
            }
        }
    }
}
