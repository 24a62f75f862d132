//! Many doors and one MQTT broker: each door is the daemon's own listener with its threads, its file and its
//! connection, and hears of alerts by a plan. One watcher hears what the broker passes on. Measured are what
//! arrives, how late, and how doors come back after the broker was away.
//!
//! - `tally`: what was sent and what arrived; `watcher`: who hears it.

mod tally;
mod watcher;

use maskwatch::config::MqttConfig;
use maskwatch::daemon::listeners::{Listener, Mqtt, Notice};
use maskwatch::daemon::{OrderSender, Orders, SystemWallClock, orders};
use maskwatch::decide::Finding;
use maskwatch::track::TrackId;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tally::lock;
pub use tally::{BrokerOutage, FleetFigures, FleetTally};
use watcher::FleetWatcher;

/// How long the last events may take, and doors to come back.
const PATIENCE: Duration = Duration::from_secs(120);
/// Doors that are started or ended at a time.
const AT_ONCE: usize = 32;

/// What is played.
#[derive(Debug, Clone)]
pub struct FleetPlan {
    /// How many doors.
    pub doors: usize,
    /// For how long they hear of alerts.
    pub lasts: Duration,
    /// Alerts of each door in a minute.
    pub alerts_per_minute: f64,
    /// Where the broker is, and how it is talked to. The names of the doors are made up.
    pub config: MqttConfig,
}

impl FleetPlan {
    /// The time from one alert at any door to the next.
    fn pause(&self) -> Duration {
        Duration::from_secs(60).div_f64(self.alerts_per_minute * self.doors as f64)
    }

    /// About how many alerts there will be.
    #[must_use]
    pub fn events(&self) -> u64 {
        (self.lasts.as_secs_f64() / self.pause().as_secs_f64()) as u64
    }
}

/// Why a fleet cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A folder, thread or connection cannot be had.
    #[error("{0}; each door needs some ten files, so raise the limit (ulimit -n 65536)")]
    System(#[from] std::io::Error),
    /// The broker does not let the watcher in.
    #[error("the broker {0}; start it, or name another")]
    Broker(String),
}

/// One door.
struct FleetDoor {
    listener: Mqtt,
    /// Nobody gives orders here.
    _orders: (OrderSender, Orders),
}

/// Plays `plan`; `progress` hears of each event that is sent.
///
/// # Errors
/// [`FleetError`], before anything is measured.
pub fn play(plan: &FleetPlan, mut progress: impl FnMut()) -> Result<FleetFigures, FleetError> {
    let folder = tempfile::tempdir()?;
    let tally = Arc::new(Mutex::new(FleetTally::new(plan.doors)));
    let watcher = FleetWatcher::start(&plan.config, Arc::clone(&tally)).map_err(FleetError::Broker)?;
    let before = resident();
    let mut doors = (0..plan.doors)
        .map(|number| open(&plan.config, number, folder.path()))
        .collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    while lock(&tally).doors_online() < plan.doors && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    let start = Instant::now();
    let pause = plan.pause();
    let mut number = 0;
    while start.elapsed() < plan.lasts {
        // All doors in turn, but not in their order.
        let door = (number * 7919) % plan.doors;
        lock(&tally).send(door, Instant::now());
        let alert = Finding::Alert { track: TrackId(number as u64), first_seen: Duration::ZERO };
        doors[door].listener.hear(start.elapsed(), &Notice::Finding(alert));
        number += 1;
        progress();
        std::thread::sleep((pause * number as u32).saturating_sub(start.elapsed()));
    }
    let per_door = resident().saturating_sub(before) / plan.doors.max(1) as u64;
    let sent = Instant::now();
    while lock(&tally).missing() > 0 && sent.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    // What comes twice comes late.
    std::thread::sleep(Duration::from_secs(1));
    let figures = lock(&tally).figures(per_door);
    while !doors.is_empty() {
        let ending = doors.split_off(doors.len().saturating_sub(AT_ONCE));
        std::thread::scope(|scope| ending.into_iter().for_each(|door| drop(scope.spawn(move || drop(door)))));
    }
    drop(watcher);
    Ok(figures)
}

fn open(config: &MqttConfig, number: usize, folder: &Path) -> Result<FleetDoor, std::io::Error> {
    let name = door_name(number);
    let state = folder.join(&name);
    std::fs::create_dir(&state)?;
    let config = MqttConfig { door: Some(name.clone()), ..config.clone() };
    let (sender, received) = orders();
    let clock = Box::new(SystemWallClock::new(true));
    let listener = Mqtt::start(&config, &name, Some(&state), sender.clone(), clock)?;
    Ok(FleetDoor { listener, _orders: (sender, received) })
}

fn door_name(number: usize) -> String {
    format!("door-{number}")
}

/// The bytes of memory that this process holds.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = pages.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}
