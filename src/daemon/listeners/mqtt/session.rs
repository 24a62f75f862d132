//! The door's side of the broker: connects, tells, takes orders, and connects again.

use super::backoff::{JitteredBackoff, chance};
use super::days::DayCounts;
use super::instructions::Instructions;
use super::line::{FromBroker, Line};
use super::numbers::EventNumbers;
use super::outbox::Outbox;
use super::report::{BrokerReport, EventMessage};
use super::topics::Topics;
use super::{discovery, transport};
use crate::config::MqttConfig;
use crate::daemon::listeners::socket::protocol::Message;
use crate::daemon::throttle::{Throttle, repeats};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::select;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

/// Events sent before the broker has to confirm them.
const BATCH: usize = 32;
/// No event of the daemon is longer, in bytes.
const LONGEST_EVENT: usize = 32 << 10;
/// A connection that held for so long was good.
const GOOD: Duration = Duration::from_secs(30);
/// How often it is looked after what could not be sent at once.
const GLANCE: Duration = Duration::from_millis(200);
/// Home Assistant is answered within so many seconds, by chance: all doors hear that it has started.
const BIRTH_ANSWER: f64 = 3.0;
/// What the end of the daemon waits for: events on their way, then the goodbye. All listeners have a second.
const FAREWELL: Duration = Duration::from_millis(400);

/// What the listener hands over.
#[derive(Debug)]
pub(super) enum Fed {
    /// Something happened, at this time of day.
    Event(Box<Message>, Option<String>),
    /// The state may be another one.
    State,
}

/// What is still to be sent, beside events.
#[derive(Debug, Default)]
struct Due {
    subscriptions: bool,
    availability: bool,
    discovery: bool,
    state: bool,
    stats: bool,
}

impl Due {
    /// Everything: nobody knows anything.
    const ALL: Self =
        Self { subscriptions: true, availability: true, discovery: true, state: true, stats: true };
}

/// Why a connection is over.
#[derive(Debug, PartialEq, Eq)]
enum LineEnd {
    /// The broker is away.
    Away,
    /// The daemon ends.
    Stopping,
}

/// The door's side.
pub(super) struct BrokerSession {
    config: MqttConfig,
    topics: Topics,
    report: Arc<Mutex<BrokerReport>>,
    /// `None` where no counts are kept: they are those since the start then.
    days: Option<DayCounts>,
    outbox: Outbox,
    numbers: EventNumbers,
    instructions: Instructions,
    fed: Receiver<Fed>,
    due: Due,
    dropped: u64,
    throttle: Throttle,
    began: Instant,
}

impl BrokerSession {
    /// The door's side, told by `fed` of what happens.
    pub(super) fn new(
        config: MqttConfig,
        topics: Topics,
        report: Arc<Mutex<BrokerReport>>,
        outbox: Outbox,
        numbers: EventNumbers,
        instructions: Instructions,
        fed: Receiver<Fed>,
    ) -> Self {
        Self {
            config,
            topics,
            report,
            days: None,
            outbox,
            numbers,
            instructions,
            fed,
            due: Due::default(),
            dropped: 0,
            throttle: Throttle::default(),
            began: Instant::now(),
        }
    }

    /// The same, with the counts of the day.
    pub(super) fn with_days(self, days: Option<DayCounts>) -> Self {
        Self { days, ..self }
    }

    /// Serves until the listener has ended.
    pub(super) async fn serve(mut self) {
        let mut backoff = JitteredBackoff::default();
        loop {
            let ended = self.connect(&mut backoff).await;
            self.outbox.suspend();
            self.tell_of_outbox();
            if ended == LineEnd::Stopping || !self.rest(backoff.fail()).await {
                return;
            }
        }
    }

    /// One connection.
    async fn connect(&mut self, backoff: &mut JitteredBackoff) -> LineEnd {
        let options = match transport::options(&self.config, &self.topics) {
            Ok(options) => options,
            Err(problem) => {
                self.warn(&format!("the broker {} is not told of the door: {problem}", self.config.broker));
                return LineEnd::Away;
            }
        };
        let mut line = Line::open(options, &self.config);
        let mut connected = None;
        let mut birth: Option<Instant> = None;
        let mut stats = interval(self.config.stats_every);
        stats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut glance = interval(GLANCE);
        glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let has_work = !self.is_settled() || self.instructions.is_busy() || birth.is_some();
            select! {
                told = line.next() => match told {
                    FromBroker::Connected => {
                        connected = Some(Instant::now());
                        self.due = Due::ALL;
                        self.greet();
                    }
                    FromBroker::Confirmed => self.outbox.confirm(),
                    FromBroker::Message { topic, payload, is_retained } if topic == self.topics.orders() => {
                        if let Some(answer) = self.instructions.take(&payload, is_retained) {
                            self.answer(&line, &answer);
                        }
                    }
                    FromBroker::Message { topic, payload, .. } => {
                        if Some(topic) == self.topics.birth() && payload == b"online" {
                            birth = Some(Instant::now() + Duration::from_secs_f64(chance() * BIRTH_ANSWER));
                        }
                    }
                    FromBroker::Ended(reason) => {
                        let was_good = connected.is_some_and(|since: Instant| since.elapsed() >= GOOD);
                        if was_good {
                            backoff.reset();
                        }
                        self.outbox.suspend();
                        let waiting = self.outbox.len();
                        self.warn(&format!("the broker {} {reason}; {waiting} events wait for it", self.config.broker));
                        return LineEnd::Away;
                    }
                },
                fed = self.fed.recv() => match fed {
                    Some(fed) => self.keep(fed),
                    None => {
                        if connected.is_some() {
                            self.part(line).await;
                        }
                        return LineEnd::Stopping;
                    }
                },
                _ = stats.tick(), if connected.is_some() => self.due.stats = true,
                _ = glance.tick(), if has_work => {}
            }
            if birth.is_some_and(|at| at <= Instant::now()) {
                birth = None;
                (self.due.discovery, self.due.state) = (true, true);
            }
            if connected.is_some() {
                self.send(&mut line);
            }
            self.tell_of_outbox();
        }
    }

    /// Waits before the next attempt; returns false if the daemon ends meanwhile.
    async fn rest(&mut self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        loop {
            select! {
                () = sleep_until(end) => return true,
                fed = self.fed.recv() => match fed {
                    Some(fed) => self.keep(fed),
                    None => return false,
                },
            }
            self.tell_of_outbox();
        }
    }

    /// Takes what the listener hands over.
    fn keep(&mut self, fed: Fed) {
        match fed {
            Fed::Event(what, time) => {
                let number = self.numbers.next();
                let event =
                    EventMessage { number, door: &self.topics.door, time: time.as_deref(), what: &what };
                self.outbox.add(json(&event));
            }
            Fed::State => self.due.state = true,
        }
    }

    fn is_settled(&self) -> bool {
        let Due { subscriptions, availability, discovery, state, stats } = self.due;
        !(subscriptions || availability || discovery || state || stats)
    }

    /// Sends all that there is room for.
    fn send(&mut self, line: &mut Line) {
        let topics = &self.topics;
        let send = |due: &mut bool, topic: String, payload: &dyn Fn() -> Vec<u8>, retain: bool| {
            *due = *due && !line.send(topic, payload(), retain);
        };
        if self.due.subscriptions {
            let orders = !self.instructions.are_followed() || line.subscribe(topics.orders());
            let birth = topics.birth().is_none_or(|topic| line.subscribe(topic));
            self.due.subscriptions = !(orders && birth);
        }
        send(&mut self.due.availability, topics.availability(), &|| b"online".to_vec(), true);
        match topics.discovery() {
            Some(topic) => send(
                &mut self.due.discovery,
                topic,
                &|| json(&discovery::message(topics, &self.config.allowed)),
                true,
            ),
            None => self.due.discovery = false,
        }
        send(&mut self.due.state, topics.state(), &|| json(&lock(&self.report).state()), true);
        if self.due.stats {
            let of_day = self.days.as_mut().map(DayCounts::report);
            let (waiting, dropped) = (self.outbox.len(), self.dropped);
            let message = || json(&lock(&self.report).stats(of_day.as_ref(), waiting, dropped));
            send(&mut self.due.stats, topics.stats(), &message, false);
            if !self.due.stats
                && let Some(days) = &mut self.days
                && let Some(of_day) = &of_day
            {
                days.note(of_day);
                self.due.stats = of_day.goes_on;
            }
        }
        while let Some(answer) = self.instructions.next_answer() {
            self.answer(line, &answer);
        }
        let Some(batch) = self.outbox.next_batch(BATCH) else { return };
        // What no event of ours can be was damaged on the disk; it must not hold up those behind it.
        let is_event = |event: &Vec<u8>| event.first() == Some(&b'{') && event.len() <= LONGEST_EVENT;
        let (good, damaged): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_event);
        if !damaged.is_empty() {
            self.dropped += damaged.len() as u64;
            self.warn(&format!("{} events were damaged on the disk and are left out", damaged.len()));
        }
        if !line.send_batch(&self.topics.event(), good) {
            // There is room for a batch unless the connection hangs, which ends it soon.
            self.outbox.suspend();
            self.outbox.resume();
        }
    }

    /// Says what became of an order; one that cannot be told is not told.
    fn answer(&self, line: &Line, answer: &Message) {
        let _ = line.send(self.topics.answer(), json(answer), false);
    }

    /// Tells the last events and says goodbye.
    async fn part(&mut self, mut line: Line) {
        let last = async {
            loop {
                self.send(&mut line);
                if self.outbox.len() == 0 {
                    break;
                }
                match line.next().await {
                    FromBroker::Confirmed => self.outbox.confirm(),
                    FromBroker::Ended(_) => break,
                    FromBroker::Connected | FromBroker::Message { .. } => {}
                }
            }
        };
        // What is not confirmed by then is kept for the next start.
        let _ = timeout(FAREWELL, last).await;
        if line.send(self.topics.availability(), transport::OFFLINE.into(), true) {
            line.close(FAREWELL).await;
        }
    }

    fn greet(&mut self) {
        self.outbox.resume();
        let (broker, waiting) = (&self.config.broker, self.outbox.len());
        let text = match waiting {
            0 => format!("the broker {broker} is told of the door {}", self.topics.door),
            _ => format!(
                "the broker {broker} is told of the door {}, and of {waiting} events first",
                self.topics.door
            ),
        };
        if let Some(count) = self.throttle.admit(&text, self.began.elapsed()) {
            log::info!("{text}{}", repeats(count));
        }
    }

    fn warn(&mut self, text: &str) {
        if let Some(count) = self.throttle.admit(text, self.began.elapsed()) {
            log::warn!("{text}{}", repeats(count));
        }
    }

    fn tell_of_outbox(&mut self) {
        if let Some(problem) = self.outbox.take_problem() {
            self.warn(&problem);
        }
        let dropped = self.outbox.take_dropped();
        if dropped > 0 {
            self.dropped += dropped;
            self.warn(&format!(
                "more than {} events wait for the broker, so the oldest are dropped, {} so far",
                self.config.queue, self.dropped
            ));
        }
    }
}

/// Locks the figures. They are right even after a panic.
pub(super) fn lock(report: &Mutex<BrokerReport>) -> MutexGuard<'_, BrokerReport> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json(message: &impl serde::Serialize) -> Vec<u8> {
    // Strings, numbers and maps with keys of text always are JSON.
    serde_json::to_vec(message).unwrap_or_default()
}
