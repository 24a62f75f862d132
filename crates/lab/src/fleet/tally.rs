//! What a fleet has sent and what arrived. Pure: the times are handed in.

use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An event that was sent.
#[derive(Debug, Clone)]
struct SentEvent {
    door: usize,
    at: Instant,
    arrived: Option<Instant>,
}

/// One door as the watcher knows it.
#[derive(Debug, Clone, Default)]
struct KnownDoor {
    last_number: Option<u64>,
    /// When it was online first.
    online: Option<Instant>,
    /// When it was online again after the broker was away.
    back: Option<Instant>,
}

/// What a fleet has sent and what arrived.
#[derive(Debug)]
pub struct FleetTally {
    events: Vec<SentEvent>,
    doors: Vec<KnownDoor>,
    again: usize,
    out_of_order: usize,
    away: Option<Instant>,
    returned: Option<Instant>,
}

/// Locks a tally. What it has counted is right even after a panic.
pub(super) fn lock(tally: &Mutex<FleetTally>) -> MutexGuard<'_, FleetTally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a fleet has fared. Times are in milliseconds or seconds, as the names say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetFigures {
    /// Doors.
    pub doors: usize,
    /// Events that doors have accepted.
    pub sent: usize,
    /// Of those, how many never arrived.
    pub lost: usize,
    /// How often an event arrived once more; its number tells.
    pub again: usize,
    /// How often a new event arrived after a later one of its door.
    pub out_of_order: usize,
    /// Median and 99th percentile of the time from the door to the watcher while the broker was there.
    pub latency_ms: (f64, f64),
    /// The broker's absence, if there was one.
    pub outage: Option<BrokerOutage>,
    /// Memory of this process for each door, in kB.
    pub memory_per_door_kb: f64,
}

/// A broker that was away.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BrokerOutage {
    /// For how long.
    pub lasted_s: f64,
    /// How long after its return doors were back: median, 99th percentile, the last.
    pub doors_back_s: (f64, f64, f64),
    /// The most doors that came back within one second.
    pub most_in_a_second: usize,
    /// Doors that never came back.
    pub doors_missing: usize,
    /// Events that were accepted before their door was back.
    pub events: usize,
}

impl FleetTally {
    /// A fleet of so many doors.
    #[must_use]
    pub fn new(doors: usize) -> Self {
        Self {
            events: Vec::new(),
            doors: vec![KnownDoor::default(); doors],
            again: 0,
            out_of_order: 0,
            away: None,
            returned: None,
        }
    }

    /// A door has the next event, at `now`.
    pub fn send(&mut self, door: usize, now: Instant) {
        self.events.push(SentEvent { door, at: now, arrived: None });
    }

    /// An event with its `number` arrived; it is the `index`-th that was sent.
    pub fn receive(&mut self, door: usize, index: usize, number: u64, now: Instant) {
        let (Some(event), Some(known)) = (self.events.get_mut(index), self.doors.get_mut(door)) else {
            return;
        };
        if event.arrived.is_some() {
            self.again += 1;
            return;
        }
        event.arrived = Some(now);
        self.out_of_order += usize::from(known.last_number.is_some_and(|last| number <= last));
        known.last_number = known.last_number.max(Some(number));
    }

    /// A door said that it is there.
    pub fn online(&mut self, door: usize, now: Instant) {
        let Some(known) = self.doors.get_mut(door) else { return };
        known.online.get_or_insert(now);
        if self.returned.is_some() {
            known.back.get_or_insert(now);
        }
    }

    /// The broker is away.
    pub fn lose(&mut self, now: Instant) {
        self.away.get_or_insert(now);
    }

    /// The broker is there again.
    pub fn regain(&mut self, now: Instant) {
        if self.away.is_some() {
            self.returned.get_or_insert(now);
        }
    }

    /// How many doors have been online.
    #[must_use]
    pub fn doors_online(&self) -> usize {
        self.doors.iter().filter(|door| door.online.is_some()).count()
    }

    /// How many events have not arrived yet.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.events.iter().filter(|event| event.arrived.is_none()).count()
    }

    /// Whether the broker was there when a door accepted an event.
    fn is_calm(&self, event: &SentEvent) -> bool {
        // A broker that is killed is missed a moment later.
        let margin = Duration::from_secs(1);
        let Some(away) = self.away else { return true };
        event.at + margin < away || self.doors[event.door].back.is_some_and(|back| event.at > back)
    }

    /// All figures, with the memory of a door in bytes.
    #[must_use]
    pub fn figures(&self, memory_per_door: u64) -> FleetFigures {
        let latency =
            |event: &SentEvent| event.arrived.map(|arrived| (arrived - event.at).as_secs_f64() * 1000.0);
        let calm: Vec<f64> =
            self.events.iter().filter(|event| self.is_calm(event)).filter_map(latency).collect();
        let calm = sorted(calm);
        let outage = self.away.zip(self.returned).map(|(away, returned)| {
            let backs = self.doors.iter().filter_map(|door| door.back);
            let backs = sorted(backs.map(|back| (back - returned).as_secs_f64()).collect());
            let within = |from: &f64| backs.iter().filter(|back| (*from..from + 1.0).contains(back)).count();
            BrokerOutage {
                lasted_s: (returned - away).as_secs_f64(),
                doors_back_s: (share(&backs, 0.5), share(&backs, 0.99), share(&backs, 1.0)),
                most_in_a_second: backs.iter().map(within).max().unwrap_or(0),
                doors_missing: self.doors.len() - backs.len(),
                events: self.events.iter().filter(|event| !self.is_calm(event)).count(),
            }
        });
        FleetFigures {
            doors: self.doors.len(),
            sent: self.events.len(),
            lost: self.missing(),
            again: self.again,
            out_of_order: self.out_of_order,
            latency_ms: (share(&calm, 0.5), share(&calm, 0.99)),
            outage,
            memory_per_door_kb: memory_per_door as f64 / 1000.0,
        }
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which the share `part` of all lies; 0 without any.
fn share(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_comes_twice_or_late_is_told() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut tally = FleetTally::new(2);
        (0..2).for_each(|door| tally.online(door, at(0)));
        for index in 0..6 {
            tally.send(index % 2, at(1000 * index as u64));
        }
        tally.receive(0, 0, 10, at(5));
        tally.receive(1, 1, 10, at(1001));
        tally.lose(at(2500));
        tally.regain(at(4500));
        tally.online(0, at(5500));
        tally.online(1, at(4600));
        // The third event was confirmed to nobody, so it comes twice; that of the other door comes too late.
        tally.receive(0, 2, 11, at(5501));
        tally.receive(0, 2, 11, at(5502));
        tally.receive(1, 5, 12, at(5600));
        tally.receive(1, 3, 11, at(5601));
        let figures = tally.figures(2000);
        assert_eq!((figures.sent, figures.lost, figures.again, figures.out_of_order), (6, 1, 1, 1));
        // Calm were the first two, and the sixth, whose door was back.
        assert_eq!(figures.latency_ms, (5.0, 600.0));
        assert_eq!(
            figures.outage,
            Some(BrokerOutage {
                lasted_s: 2.0,
                doors_back_s: (1.0, 1.0, 1.0),
                most_in_a_second: 2,
                doors_missing: 0,
                events: 3
            })
        );
        assert_eq!(figures.memory_per_door_kb, 2.0);
    }
}
