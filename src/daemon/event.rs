//! What happens in the loop, as those see it who are told at once.

use super::health::FaultKind;
use super::mode::DoorMode;
use super::watch::{Face, Stages};
use crate::decide::{DoorState, Finding, HeldPass, Signal};
use crate::pixels::delayed::DelayedPicture;
use std::time::Duration;

/// Something that happened in the loop.
#[derive(Debug)]
pub enum Event<'a> {
    /// A frame was looked at.
    Frame {
        /// Its picture; where nothing had moved, nobody may have decoded it.
        picture: &'a DelayedPicture,
        /// Its faces.
        faces: &'a [Face],
        /// What the door shows now.
        signal: Signal,
        /// How long the look took.
        stages: Stages,
        /// Whether nothing had moved since the look before, so that the networks were not run.
        still: bool,
    },
    /// A frame came while the door is paused: nobody looked at it.
    Rested,
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
    Skipped(&'a str),
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
    /// An attempt to open the source has ended without success.
    Attempt,
    /// The source gives frames after it was away.
    Reopened,
    /// The one sentence that says what the daemon does has changed.
    Status(&'a str),
    /// Something is wrong, or is wrong for another reason than before.
    Fault {
        /// Of which kind it is.
        kind: FaultKind,
        /// What is wrong and how to mend it.
        reason: &'a str,
        /// Whether all was well before.
        began: bool,
    },
    /// The fault is over.
    Recovered {
        /// What was wrong last.
        reason: &'a str,
        /// Since the fault began.
        lasted: Duration,
    },
}

/// Someone who is told what happens, after the outputs were, and whom the loop waits for: the demo, which
/// draws the frame, and tests. Who may be slow is a listener instead; see [`super::Listeners`].
pub trait Observer {
    /// Takes note of `event`, which happened at `now` of the loop's clock.
    fn on_event(&mut self, now: Duration, event: &Event<'_>);
}

/// An observer that takes no note.
impl Observer for () {
    fn on_event(&mut self, _: Duration, _: &Event<'_>) {}
}
