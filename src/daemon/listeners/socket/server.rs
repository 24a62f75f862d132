//! The thread that serves the clients of the local socket. Everything about it is bounded: clients, bytes,
//! requests, and the time between two rounds, so that a flood takes a small share of one core and no more.

use super::client::Client;
use super::events::LastEvents;
use super::figures::LiveFigures;
use super::protocol::{Message, PROTOCOL, Request};
use super::recall::AlertMemory;
use crate::daemon::listeners::notice::Notice;
use crate::daemon::orders::OrderSender;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Clients at a time.
pub(super) const MOST_CLIENTS: usize = 8;
/// From the beginning of one round to that of the next at least.
const ROUND: Duration = Duration::from_millis(20);
/// Clients let in or sent away in one round.
const ACCEPTED_A_ROUND: usize = 4;
/// Requests answered to one client in one round; the rest of what it sent at once is refused.
const REQUESTS_A_ROUND: usize = 8;
/// How often those who watch are told how the daemon fares.
const HEALTH_EVERY: Duration = Duration::from_secs(5);
/// How long a client without news waits to be looked after.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What the listener and the server's thread share.
#[derive(Debug, Default)]
pub(super) struct Common {
    figures: Mutex<LiveFigures>,
    recall: Mutex<AlertMemory>,
    events: Mutex<LastEvents>,
    /// How many clients there are.
    pub(super) clients: AtomicUsize,
}

impl Common {
    /// Notes what happened at `at`.
    pub(super) fn note(&self, at: Duration, notice: &Notice) {
        let mut figures = self.figures();
        figures.note(at, notice);
        self.events().note(at, notice, &figures);
        drop(figures);
        self.recall().note(at, notice);
    }

    /// Locks the figures. Their counts are right even after a panic.
    pub(super) fn figures(&self) -> MutexGuard<'_, LiveFigures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the last events.
    fn events(&self) -> MutexGuard<'_, LastEvents> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks what is remembered of alerts.
    fn recall(&self) -> MutexGuard<'_, AlertMemory> {
        self.recall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's side of everything.
pub(super) struct Server {
    pub(super) listener: UnixListener,
    /// Has a byte whenever there is a notice.
    pub(super) bell: UnixStream,
    pub(super) notices: Receiver<(Duration, Notice)>,
    pub(super) common: Arc<Common>,
    pub(super) orders: OrderSender,
    pub(super) door: String,
    /// The last time of the loop's clock that was heard, and when.
    pub(super) reference: (Instant, Duration),
}

impl Server {
    /// Serves until nobody sends notices any more.
    pub(super) fn serve(mut self) {
        let mut clients: Vec<Client> = Vec::new();
        let mut healthy = Instant::now();
        loop {
            let began = Instant::now();
            self.wait(&clients);
            let now = Instant::now();
            if !self.hear(&mut clients) {
                return;
            }
            self.accept(&mut clients, now);
            for client in &mut clients {
                if client.is_heard() {
                    self.attend(client, now);
                }
                client.settle();
            }
            if now.saturating_duration_since(healthy) >= HEALTH_EVERY {
                healthy = now;
                let line = self.common.figures().health(self.time()).line();
                clients.iter_mut().filter(|client| client.watches).for_each(|client| client.tell(&line));
            }
            clients.iter_mut().for_each(|client| client.write(now));
            clients.retain(|client| !client.is_over(now));
            self.common.clients.store(clients.len(), Ordering::Relaxed);
            std::thread::sleep(ROUND.saturating_sub(began.elapsed()));
        }
    }

    /// The time of the loop's clock.
    fn time(&self) -> Duration {
        let (heard, at) = self.reference;
        at + heard.elapsed()
    }

    /// Waits for something to do.
    fn wait(&self, clients: &[Client]) {
        let mut fds =
            vec![PollFd::new(&self.bell, PollFlags::IN), PollFd::new(&self.listener, PollFlags::IN)];
        for client in clients {
            let mut wanted = PollFlags::empty();
            wanted.set(PollFlags::IN, client.is_heard());
            wanted.set(PollFlags::OUT, client.is_awaited());
            fds.push(PollFd::new(&client.stream, wanted));
        }
        let limit = match clients {
            [] => None,
            _ if clients.iter().any(Client::has_orders) => Some(ROUND),
            _ => Some(LONGEST_WAIT),
        };
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, limit.as_ref());
    }

    /// Tells those who watch what has happened. Returns false once nothing more can happen.
    fn hear(&mut self, clients: &mut [Client]) -> bool {
        let mut bytes = [0; 256];
        let _ = self.bell.read(&mut bytes);
        loop {
            match self.notices.try_recv() {
                Ok((at, notice)) => {
                    self.reference = (Instant::now(), at);
                    let mut watching = clients.iter_mut().filter(|client| client.watches).peekable();
                    if watching.peek().is_none() {
                        continue;
                    }
                    // The sentence that follows each change of the state tells of it, too, and fits it.
                    if matches!(notice, Notice::State { .. }) {
                        continue;
                    }
                    let message = self.common.figures().tell(at, &notice);
                    let Some(line) = message.map(|message| message.line()) else { continue };
                    watching.for_each(|client| client.tell(&line));
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Lets clients in, as long as there is room.
    fn accept(&self, clients: &mut Vec<Client>, now: Instant) {
        for _ in 0..ACCEPTED_A_ROUND {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if clients.len() >= MOST_CLIENTS {
                let refusal =
                    format!("there are {MOST_CLIENTS} clients already; end one, or try again later");
                let line = Message::answer(None, Err(refusal)).line();
                // An empty stream takes a short line at once.
                let _ = (&stream).write_all(line.as_bytes());
                continue;
            }
            let mut client = Client::new(stream, now);
            client.say(&Message::Hello {
                protocol: PROTOCOL,
                version: env!("CARGO_PKG_VERSION").into(),
                door: self.door.clone(),
            });
            clients.push(client);
        }
    }

    /// Answers what a client has asked.
    fn attend(&self, client: &mut Client, now: Instant) {
        for (index, line) in client.read(now).iter().enumerate() {
            if index >= REQUESTS_A_ROUND {
                client.answer(None, Err("too many requests at once; wait for the answers".into()));
                return;
            }
            let request = match Request::parse(line) {
                Ok(request) => request,
                Err(problem) => {
                    client.answer(None, Err(problem));
                    continue;
                }
            };
            match request {
                Request::State => client.say(&self.common.figures().state(self.time())),
                Request::Health => client.say(&self.common.figures().health(self.time())),
                Request::Why => client.say(&self.common.recall().tell(self.time())),
                Request::Events => client.say(&self.common.events().tell(self.time())),
                Request::Watch => {
                    client.watches = true;
                    client.answer(Some(request.name()), Ok(()));
                    client.say(&self.common.figures().state(self.time()));
                    client.say(&self.common.figures().health(self.time()));
                }
                _ => self.order(client, &request),
            }
        }
    }

    /// Hands an order on to the loop.
    fn order(&self, client: &mut Client, request: &Request) {
        let sent = match request.command() {
            _ if !client.may_order() => Err("wait for the answers to your other orders first".into()),
            Ok(Some(command)) => self.orders.send(command),
            Ok(None) => return,
            Err(problem) => Err(problem),
        };
        match sent {
            Ok(outcome) => client.keep(request.name(), outcome),
            Err(problem) => client.answer(Some(request.name()), Err(problem)),
        }
    }
}
