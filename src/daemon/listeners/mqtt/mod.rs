//! The listener that tells an MQTT broker of the door: its state, what happens, and how the daemon fares; and
//! that takes orders from there, where the configuration allows them. docs/mqtt.md describes the topics. No
//! picture is sent. MQTT 3.1.1, <https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html>.
//!
//! - `topics`, `report`, `days`, `discovery`: what is said where; `instructions`: orders.
//! - `numbers`, `outbox`, `event_file`: events and how they wait, in memory or on the disk.
//! - `transport`: address, TLS and credentials; `line`: one connection; `backoff`: between two of them;
//!   `session`: all of it.

mod backoff;
mod days;
mod discovery;
mod event_file;
mod instructions;
mod line;
mod numbers;
mod outbox;
mod report;
mod session;
mod topics;
mod transport;

use super::hall::Listener;
use super::notice::Notice;
use crate::config::MqttConfig;
use crate::daemon::orders::OrderSender;
use crate::daemon::wall::WallClock;
pub use days::DayCounts;
pub use instructions::Instructions;
use numbers::EventNumbers;
use outbox::Outbox;
use report::BrokerReport;
use session::{BrokerSession, Fed, lock};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::{Sender, channel};
use topics::Topics;
pub(super) use transport::broker_problems;
pub use transport::client_options;

/// The file in which events wait, in the service's state folder.
const EVENTS: &str = "mqtt.events";
/// The file with the number of starts, beside it.
const STARTS: &str = "mqtt.starts";
/// Events that wait for the thread at most.
const QUEUE: usize = 64;

/// Tells a broker of the door.
pub struct Mqtt {
    report: Arc<Mutex<BrokerReport>>,
    clock: Box<dyn WallClock>,
    fed: Option<Sender<Fed>>,
    thread: Option<JoinHandle<()>>,
}

impl Mqtt {
    /// Tells the broker of `config` from now on, in the name of `door`. Events wait in the folder `state`
    /// while it is away, in memory if there is none. Orders that are allowed go to `orders`. The counts are
    /// those since now.
    ///
    /// # Errors
    /// When the system gives no thread or no way to wait for the network.
    pub fn start(
        config: &MqttConfig,
        door: &str,
        state: Option<&Path>,
        orders: OrderSender,
        clock: Box<dyn WallClock>,
    ) -> std::io::Result<Self> {
        Self::start_counting(config, door, state, orders, clock, None)
    }

    /// The same, with the counts of the day where there are `days`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_counting(
        config: &MqttConfig,
        door: &str,
        state: Option<&Path>,
        orders: OrderSender,
        clock: Box<dyn WallClock>,
        days: Option<DayCounts>,
    ) -> std::io::Result<Self> {
        let place = |name: &str| state.map(|folder| folder.join(name));
        let (numbers, saved) = EventNumbers::open(place(STARTS).as_deref(), SystemTime::now());
        match (state, saved) {
            (None, _) => log::warn!(
                "there is no state directory, so events wait for the broker in memory alone; run this as a service"
            ),
            (Some(folder), Err(error)) => log::warn!(
                "{} cannot be written ({error}), so numbers of events may come twice; let the daemon's user write it",
                folder.join(STARTS).display()
            ),
            (Some(_), Ok(())) => {}
        }
        let report = Arc::<Mutex<BrokerReport>>::default();
        let (fed, waiting) = channel(QUEUE);
        let session = BrokerSession::new(
            config.clone(),
            Topics::new(config, door),
            Arc::clone(&report),
            Outbox::open(place(EVENTS).as_deref(), config.queue),
            numbers,
            Instructions::new(config.allowed.clone(), orders),
            waiting,
        )
        .with_days(days);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("mqtt-broker".into())
            .spawn(move || runtime.block_on(session.serve()))?;
        Ok(Self { report, clock, fed: Some(fed), thread: Some(thread) })
    }

    /// Learns what happened before this listener began; it is no event any more.
    pub fn learn(&self, at: Duration, notice: &Notice) {
        lock(&self.report).note(at, notice);
    }

    fn feed(&self, fed: Fed) {
        if let Some(queue) = &self.fed {
            // Waits if the disk is slow; what cannot wait then is counted before the listeners' queues.
            let _ = queue.blocking_send(fed);
        }
    }
}

impl Listener for Mqtt {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        |notice| !matches!(notice, Notice::Progress)
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        let event = {
            let mut report = lock(&self.report);
            report.note(at, notice);
            report.event(at, notice)
        };
        if let Some(event) = event {
            let time =
                self.clock.now().map(|now| now.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
            self.feed(Fed::Event(Box::new(event), time));
        }
        if report::changes_state(notice) {
            self.feed(Fed::State);
        }
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        self.fed = None;
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its thread already.
            let _ = thread.join();
        }
    }
}
