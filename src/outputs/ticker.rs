//! The thread that owns the pins and refreshes them: LEDs keep blinking while the loop waits for a frame or a
//! network. It also guards against failures of the loop: when the loop stops or dies the outputs go off, and
//! when it hangs they show *fault*. The loop in turn notices when this thread ends or hangs. It says what it
//! has to say through a thread of its own ([`super::words`]), so that no log can hold it up.

use super::button::Button;
use super::error::OutputError;
use super::output::Output;
use super::panel::{Panel, PassHold, Reconfigure};
use super::shared::SharedValue;
use super::words::Words;
use crate::decide::DoorState;
use log::Level;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Interval at which the outputs are refreshed.
const TICK: Duration = Duration::from_millis(25);
/// A thread that has not refreshed the outputs for this long hangs: in a pin that takes no level.
const HANG: Duration = Duration::from_secs(5);
/// How long the loop looks before it says so: after a pause of the whole process both begin anew.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How long the end waits for a thread that may hang; four pins that take half a second each take two.
const FAREWELL: Duration = Duration::from_secs(4);

/// The outputs, refreshed by a thread of their own. They go off when this is dropped.
#[derive(Debug)]
pub struct Outputs {
    shared: Arc<SharedValue<OutputsOrder>>,
    thread: Option<JoinHandle<()>>,
    /// Writes what the thread has to say.
    writer: Option<JoinHandle<()>>,
}

/// What the thread has to do, and how it fared.
#[derive(Debug)]
struct OutputsOrder {
    state: DoorState,
    /// How long the state had lasted at the time `confirmed`.
    elapsed: Duration,
    /// When `show` was last called.
    confirmed: Instant,
    /// New outputs that replace the present ones.
    change: Option<NewOutputs>,
    /// For how long the buzzers have to be silent from now on.
    silence: Option<Duration>,
    held: Option<PassHold>,
    /// No buzzer sounds, whatever the button and orders say.
    is_quiet: bool,
    /// A long press of the button that the loop has not seen: the pause that it stands for.
    long_press: Option<Duration>,
    /// How often the thread has refreshed the outputs.
    turns: u64,
    /// The turn that the loop saw last, and when it was new.
    seen: (u64, Instant),
    ended: bool,
    /// Why the thread has ended.
    error: Option<OutputError>,
}

#[derive(Debug)]
struct NewOutputs {
    outputs: Vec<Output>,
    button: Option<Button>,
    done: SyncSender<Result<(), OutputError>>,
}

impl Outputs {
    /// Moves `panel` to a thread that shows *off* until the first [`show`](Self::show). The outputs go off
    /// when `stop` becomes true, and show *fault* when `show` is not called for `stall`.
    ///
    /// # Errors
    /// [`OutputError::NoThread`] when no thread can be started; the outputs are off then.
    pub fn start(mut panel: Panel, stop: Arc<AtomicBool>, stall: Duration) -> Result<Self, OutputError> {
        let no_thread = |error: std::io::Error| OutputError::NoThread(error.to_string());
        let (words, writer) =
            Words::for_thread(|level, sentence| log::log!(level, "{sentence}")).map_err(no_thread)?;
        panel.set_words(words);
        let order = OutputsOrder {
            state: DoorState::Off,
            elapsed: Duration::ZERO,
            confirmed: Instant::now(),
            change: None,
            silence: None,
            held: None,
            is_quiet: false,
            long_press: None,
            turns: 0,
            seen: (0, Instant::now()),
            ended: false,
            error: None,
        };
        let shared = Arc::new(SharedValue::new(order));
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("outputs".into())
            .spawn(move || refresh(panel, &theirs, &stop, stall))
            .map_err(no_thread)?;
        Ok(Self { shared, thread: Some(thread), writer: Some(writer) })
    }

    /// Shows `state`, which began `elapsed` ago, from now on.
    ///
    /// # Errors
    /// When the outputs could not be driven; they are off from then on. [`OutputError::ThreadHangs`] when
    /// their thread no longer refreshes them; what they show then is unknown.
    pub fn show(&self, state: DoorState, elapsed: Duration) -> Result<(), OutputError> {
        if let Some(error) = &self.shared.lock().error {
            return Err(error.clone());
        }
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(OutputError::ThreadEnded);
        }
        self.look_after_thread()?;
        self.shared.change(|order| {
            (order.state, order.elapsed, order.confirmed) = (state, elapsed, Instant::now());
        });
        Ok(())
    }

    /// Holds a pass, or none, besides the state that is shown. It ends in time by itself.
    pub fn hold_pass(&self, held: Option<PassHold>) {
        self.shared.change(|order| order.held = held);
    }

    /// Silences the buzzers for `time` from now on; none lets them sound again.
    pub fn silence(&self, time: Duration) {
        self.shared.change(|order| order.silence = Some(time));
    }

    /// Lets no buzzer sound from now on, or again as the button and orders say.
    pub fn set_quiet(&self, is_quiet: bool) {
        self.shared.change(|order| order.is_quiet = is_quiet);
    }

    /// The pause for which a long press of the button stands, once after each.
    #[must_use]
    pub fn take_long_press(&self) -> Option<Duration> {
        self.shared.lock().long_press.take()
    }

    /// Whether the thread goes on refreshing the outputs.
    fn look_after_thread(&self) -> Result<(), OutputError> {
        let goes_on = || {
            let mut order = self.shared.lock();
            if order.turns != order.seen.0 {
                order.seen = (order.turns, Instant::now());
            }
            order.seen.1.elapsed() < HANG
        };
        let limit = Instant::now() + SECOND_LOOK;
        while !goes_on() {
            if Instant::now() >= limit {
                return Err(OutputError::ThreadHangs);
            }
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    /// Replaces the outputs and the button, through the same driver. Pins that are used in the same way
    /// before and after stay as they are; the others go off.
    ///
    /// # Errors
    /// When the new pins cannot be opened. The old ones are used again, unless the next call of
    /// [`show`](Self::show) returns an error.
    pub fn reconfigure(&self, outputs: Vec<Output>, button: Option<Button>) -> Result<(), OutputError> {
        let (done, answer) = sync_channel(1);
        self.shared.change(|order| order.change = Some(NewOutputs { outputs, button, done }));
        // The sender stays in the order when the thread ends; then the thread's error is the answer.
        let limit = Instant::now() + HANG;
        loop {
            match answer.recv_timeout(TICK) {
                Ok(outcome) => return outcome,
                Err(_) if self.thread.as_ref().is_none_or(JoinHandle::is_finished) => {
                    let error = self.shared.lock().error.clone();
                    return Err(error.unwrap_or(OutputError::ThreadEnded));
                }
                Err(_) if Instant::now() >= limit => return Err(OutputError::ThreadHangs),
                Err(_) => {}
            }
        }
    }

    /// Switches everything off and releases the pins; nothing can be shown any more.
    pub fn release(&mut self) {
        self.end();
    }

    /// Switches everything off and ends the thread.
    ///
    /// # Errors
    /// When the outputs could not be driven at some time before.
    pub fn stop(mut self) -> Result<(), OutputError> {
        self.end();
        self.shared.lock().error.take().map_or(Ok(()), Err)
    }

    fn end(&mut self) {
        self.shared.change(|order| order.ended = true);
        let limit = Instant::now() + FAREWELL;
        if let Some(thread) = self.thread.take()
            && let Err(error) = join(thread, limit)
        {
            self.shared.lock().error.get_or_insert(error);
        }
        // Its last words; a log that hangs is left behind.
        let _ = self.writer.take().map(|writer| join(writer, limit));
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for `thread` to end, until `limit`; one that hangs is left behind and ends with the process.
fn join(thread: JoinHandle<()>, limit: Instant) -> Result<(), OutputError> {
    while !thread.is_finished() {
        if Instant::now() >= limit {
            return Err(OutputError::ThreadHangs);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    thread.join().map_err(|_| OutputError::ThreadEnded)
}

/// The work of the thread. The panel switches itself off when this returns or panics.
fn refresh(mut panel: Panel, shared: &SharedValue<OutputsOrder>, stop: &AtomicBool, stall: Duration) {
    let mut stalled: Option<Instant> = None;
    loop {
        let mut order = shared.lock();
        if order.ended {
            return;
        }
        order.turns = order.turns.wrapping_add(1);
        if let Some(NewOutputs { outputs, button, done }) = order.change.take() {
            drop(order);
            let outcome = match panel.reconfigure(&outputs, button) {
                Ok(()) => Ok(()),
                Err(Reconfigure::Refused(error)) => Err(error),
                Err(Reconfigure::Lost(error)) => {
                    shared.lock().error = Some(error);
                    return;
                }
            };
            // The caller may have stopped waiting.
            let _ = done.send(outcome);
            continue;
        }
        if let Some(time) = order.silence.take() {
            panel.silence(Instant::now().checked_add(time));
        }
        panel.hold_pass(order.held);
        panel.set_quiet(order.is_quiet);
        let since_confirmed = order.confirmed.elapsed();
        let (mut state, mut elapsed) = (order.state, order.elapsed + since_confirmed);
        drop(order);
        if since_confirmed < stall {
            stalled = None;
        } else if state != DoorState::Off {
            let began = *stalled.get_or_insert_with(|| {
                let seconds = since_confirmed.as_secs();
                panel.say(
                    Level::Error,
                    format_args!("the loop has made no progress for {seconds} s; the outputs show a fault"),
                );
                Instant::now()
            });
            (state, elapsed) = (DoorState::Fault, began.elapsed());
        }
        if stop.load(Ordering::Relaxed) {
            state = DoorState::Off;
        }
        if let Err(error) = panel.show(state, elapsed, Instant::now()) {
            shared.lock().error = Some(error);
            return;
        }
        let mut order = shared.lock();
        order.long_press = panel.take_long_press().or(order.long_press);
        if !order.ended {
            shared.wait_up_to(order, TICK);
        }
    }
}
