//! The thread that owns the pins and refreshes them, so that LEDs blink on while the loop waits for a frame
//! or a network. It is also the last guard: if the loop asks for an end, dies or hangs, the outputs go off or
//! show *fault*.

use super::panel::Reconfigure;
use super::{Button, Output, OutputError, Panel};
use crate::decide::DoorState;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often patterns are looked at.
const TICK: Duration = Duration::from_millis(25);

/// The outputs, refreshed by a thread of their own; off as soon as this is dropped.
#[derive(Debug)]
pub struct Outputs {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    order: Mutex<Order>,
    changed: Condvar,
}

#[derive(Debug)]
struct Order {
    state: DoorState,
    /// How long the state had lasted when it was last confirmed, and when that was.
    elapsed: Duration,
    confirmed: Instant,
    /// Other outputs, to be taken over.
    change: Option<NewOutputs>,
    ended: bool,
    error: Option<OutputError>,
}

#[derive(Debug)]
struct NewOutputs {
    outputs: Vec<Output>,
    button: Option<Button>,
    done: SyncSender<Result<(), OutputError>>,
}

impl Shared {
    fn order(&self) -> MutexGuard<'_, Order> {
        // Every write below is a plain assignment: a poisoned order is still a whole one.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outputs {
    /// Hands `panel` to a thread, showing *off* until the first [`show`](Self::show). The outputs go off at
    /// once when `stop` becomes true, and show *fault* when no `show` came for `stall`.
    ///
    /// # Errors
    /// [`OutputError::NoThread`] when the system has no thread to give; the outputs are off then.
    pub fn start(panel: Panel, stop: Arc<AtomicBool>, stall: Duration) -> Result<Self, OutputError> {
        let order = Order {
            state: DoorState::Off,
            elapsed: Duration::ZERO,
            confirmed: Instant::now(),
            change: None,
            ended: false,
            error: None,
        };
        let shared = Arc::new(Shared { order: Mutex::new(order), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("outputs".into())
            .spawn(move || refresh(panel, &theirs, &stop, stall))
            .map_err(|error| OutputError::NoThread(error.to_string()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Shows `state`, which began `elapsed` ago, from now on.
    ///
    /// # Errors
    /// Why the outputs could not be driven any more; they are off then, and stay so.
    pub fn show(&self, state: DoorState, elapsed: Duration) -> Result<(), OutputError> {
        let mut order = self.shared.order();
        if let Some(error) = &order.error {
            return Err(error.clone());
        }
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(OutputError::ThreadEnded);
        }
        (order.state, order.elapsed, order.confirmed) = (state, elapsed, Instant::now());
        drop(order);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Goes on with other outputs and another button, through the same driver. Pins that are used in the same
    /// way before and after are not touched; the others go off.
    ///
    /// # Errors
    /// Why the new pins cannot be had; all is as before then, unless a later [`show`](Self::show) says
    /// otherwise.
    pub fn reconfigure(&self, outputs: Vec<Output>, button: Option<Button>) -> Result<(), OutputError> {
        let (done, answer) = sync_channel(1);
        self.shared.order().change = Some(NewOutputs { outputs, button, done });
        self.shared.changed.notify_one();
        // A thread that ends drops the order with its sender only after a last look: an error there is the
        // answer.
        loop {
            match answer.recv_timeout(TICK) {
                Ok(outcome) => return outcome,
                Err(_) if self.thread.as_ref().is_none_or(JoinHandle::is_finished) => {
                    let error = self.shared.order().error.clone();
                    return Err(error.unwrap_or(OutputError::ThreadEnded));
                }
                Err(_) => {}
            }
        }
    }

    /// Switches everything off and lets go of the pins; nothing can be shown any more.
    pub fn release(&mut self) {
        self.end();
    }

    /// Switches everything off and ends the thread.
    ///
    /// # Errors
    /// Why the outputs could not be driven, if that ever happened.
    pub fn stop(mut self) -> Result<(), OutputError> {
        self.end();
        self.shared.order().error.take().map_or(Ok(()), Err)
    }

    fn end(&mut self) {
        self.shared.order().ended = true;
        self.shared.changed.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            self.shared.order().error.get_or_insert(OutputError::ThreadEnded);
        }
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread's life; the panel switches itself off however it ends.
fn refresh(mut panel: Panel, shared: &Shared, stop: &AtomicBool, stall: Duration) {
    let mut stalled: Option<Instant> = None;
    loop {
        let mut order = shared.order();
        if order.ended {
            return;
        }
        if let Some(NewOutputs { outputs, button, done }) = order.change.take() {
            drop(order);
            let outcome = match panel.reconfigure(&outputs, button) {
                Ok(()) => Ok(()),
                Err(Reconfigure::Refused(error)) => Err(error),
                Err(Reconfigure::Lost(error)) => {
                    shared.order().error = Some(error);
                    return;
                }
            };
            // Where nobody waits any more, nobody wants to know.
            let _ = done.send(outcome);
            continue;
        }
        let since_confirmed = order.confirmed.elapsed();
        let (mut state, mut elapsed) = (order.state, order.elapsed + since_confirmed);
        drop(order);
        if since_confirmed < stall {
            stalled = None;
        } else if state != DoorState::Off {
            let began = *stalled.get_or_insert_with(|| {
                log::error!("no progress for {} s: showing a fault", since_confirmed.as_secs());
                Instant::now()
            });
            (state, elapsed) = (DoorState::Fault, began.elapsed());
        }
        if stop.load(Ordering::Relaxed) {
            state = DoorState::Off;
        }
        if let Err(error) = panel.show(state, elapsed, Instant::now()) {
            shared.order().error = Some(error);
            return;
        }
        let order = shared.order();
        if !order.ended {
            let waited = shared.changed.wait_timeout(order, TICK);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}
