//! Who hears what the broker passes on.

use super::lock;
use super::tally::FleetTally;
use maskwatch::config::MqttConfig;
use maskwatch::daemon::listeners::client_options;
use rumqttc::{Client, ConnectionError, Event, Incoming, Publish, QoS};
use serde::Deserialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the broker may take to let the watcher in.
const PATIENCE: Duration = Duration::from_secs(20);
/// Messages that the broker may have under way to the watcher.
const CAPACITY: usize = 64;

/// The part of an event that is looked at.
#[derive(Deserialize)]
struct HeardEvent {
    number: u64,
    #[serde(rename = "type")]
    kind: String,
    /// Alerts are numbered by their persons here.
    person: Option<usize>,
}

/// Hears all doors.
pub(super) struct FleetWatcher {
    client: Client,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FleetWatcher {
    /// Hears from now on, into `tally`. The broker keeps what comes while it is away.
    pub(super) fn start(config: &MqttConfig, tally: Arc<Mutex<FleetTally>>) -> Result<Self, String> {
        let mut options = client_options(config, "maskwatch-fleet".into())?;
        options.set_clean_session(false).set_inflight(CAPACITY as u16);
        let (client, mut connection) = Client::builder(options).capacity(CAPACITY).build();
        let ending = Arc::<AtomicBool>::default();
        let (is_ending, topic, asks) = (Arc::clone(&ending), config.topic.clone(), client.clone());
        let (told, first) = sync_channel(1);
        let thread = std::thread::Builder::new().name("fleet-watcher".into()).spawn(move || {
            for packet in connection.iter() {
                if is_ending.load(Ordering::Relaxed) {
                    return;
                }
                match packet {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        lock(&tally).regain(Instant::now());
                        for name in ["event", "availability"] {
                            let _ = asks.try_subscribe(format!("{topic}/+/{name}"), QoS::AtLeastOnce);
                        }
                        let _ = told.try_send(Ok(()));
                    }
                    Ok(Event::Incoming(Incoming::Publish(publish))) => hear(&publish, &tally),
                    Ok(_) => {}
                    Err(ConnectionError::RequestsDone) => return,
                    Err(error) => {
                        lock(&tally).lose(Instant::now());
                        let _ = told.try_send(Err(error.to_string()));
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
            }
        });
        let thread = Some(thread.map_err(|error| error.to_string())?);
        let watcher = Self { client, ending, thread };
        first.recv_timeout(PATIENCE).map_err(|_| "does not answer".to_owned())??;
        Ok(watcher)
    }
}

impl Drop for FleetWatcher {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        // One that is away cannot be told.
        let _ = self.client.try_disconnect();
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its thread already.
            let _ = thread.join();
        }
    }
}

fn hear(publish: &Publish, tally: &Mutex<FleetTally>) {
    let now = Instant::now();
    let topic = String::from_utf8_lossy(&publish.topic);
    let mut levels = topic.rsplit('/');
    let (name, door) = (levels.next(), levels.next());
    let door = door.and_then(|door| door.strip_prefix("door-")).and_then(|number| number.parse().ok());
    let Some(door) = door else { return };
    match name {
        Some("availability") if publish.payload.as_ref() == b"online" && !publish.retain => {
            lock(tally).online(door, now);
        }
        Some("event") => {
            let Ok(event) = serde_json::from_slice::<HeardEvent>(&publish.payload) else { return };
            if let (Some(index), "alert") = (event.person, event.kind.as_str()) {
                lock(tally).receive(door, index, event.number, now);
            }
        }
        _ => {}
    }
}
