//! One client of the local socket: what it has sent, what waits for it, and how long it may stay. Both
//! buffers are bounded, and nothing here waits.

use super::protocol::{LONGEST_REQUEST, Message};
use crate::daemon::orders::OrderOutcome;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// Bytes that are read of a client at once.
const BITE: usize = 4096;
/// Bytes that wait for a client at most; what the door says beyond is left out and counted.
const MOST_WAITING: usize = 64 << 10;
/// While more than this waits for a client, it is not read.
const READ_UP_TO: usize = 16 << 10;
/// Orders of one client whose outcome is not known yet.
const MOST_ORDERS: usize = 4;
/// A client that asks nothing for so long is sent away.
const IDLE: Duration = Duration::from_secs(60);
/// So is one that has asked nothing yet, or that takes nothing of what waits for it.
const SLOW: Duration = Duration::from_secs(15);

/// A client.
pub(super) struct Client {
    pub(super) stream: UnixStream,
    /// Whether it wants to know what happens.
    pub(super) watches: bool,
    incoming: Vec<u8>,
    outgoing: VecDeque<u8>,
    /// Lines that were left out.
    lost: u64,
    orders: Vec<(&'static str, Receiver<OrderOutcome>)>,
    /// When it last asked something, and whether it ever did.
    asked: (Instant, bool),
    /// When something that waits for it was last taken, or nothing waited.
    taken: Instant,
    /// It is sent away once what waits was taken.
    leaves: bool,
    gone: bool,
}

impl Client {
    /// A client that has just come. Its stream must not block.
    pub(super) fn new(stream: UnixStream, now: Instant) -> Self {
        Self {
            stream,
            watches: false,
            incoming: Vec::new(),
            outgoing: VecDeque::new(),
            lost: 0,
            orders: Vec::new(),
            asked: (now, false),
            taken: now,
            leaves: false,
            gone: false,
        }
    }

    /// Whether it is worth reading now.
    pub(super) fn is_heard(&self) -> bool {
        !self.leaves && self.outgoing.len() <= READ_UP_TO
    }

    /// Whether something waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether an order of it waits for its outcome.
    pub(super) fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Reads once and returns the whole lines that have come.
    pub(super) fn read(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut bite = [0; BITE];
        match self.stream.read(&mut bite) {
            Ok(0) => self.leaves = true,
            Ok(length) => self.incoming.extend_from_slice(bite.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.gone = true,
        }
        let lines = take_lines(&mut self.incoming);
        if self.incoming.len() > LONGEST_REQUEST {
            self.incoming.clear();
            self.dismiss(format!("a line is longer than {LONGEST_REQUEST} bytes"));
        }
        if !lines.is_empty() {
            self.asked = (now, true);
        }
        lines
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, command: Option<&str>, outcome: OrderOutcome) {
        self.say(&Message::answer(command, outcome));
    }

    /// Says what was asked for.
    pub(super) fn say(&mut self, message: &Message) {
        self.outgoing.extend(message.line().as_bytes());
    }

    /// Tells what happens, or counts it where too much waits already.
    pub(super) fn tell(&mut self, line: &str) {
        if self.outgoing.len() + line.len() > MOST_WAITING {
            self.lost += 1;
            return;
        }
        if self.lost > 0 {
            let lines = std::mem::take(&mut self.lost);
            self.say(&Message::Lost { lines });
        }
        self.outgoing.extend(line.as_bytes());
    }

    /// Says why it has to go, and sends it away.
    pub(super) fn dismiss(&mut self, reason: String) {
        self.answer(None, Err(reason));
        self.leaves = true;
    }

    /// Keeps an order until its outcome is known.
    pub(super) fn keep(&mut self, command: &'static str, outcome: Receiver<OrderOutcome>) {
        self.orders.push((command, outcome));
    }

    /// Whether it may give another order now.
    pub(super) fn may_order(&self) -> bool {
        self.orders.len() < MOST_ORDERS
    }

    /// Answers the orders whose outcome is known.
    pub(super) fn settle(&mut self) {
        for (command, outcome) in std::mem::take(&mut self.orders) {
            match outcome.try_recv() {
                Ok(outcome) => self.answer(Some(command), outcome),
                Err(TryRecvError::Empty) => self.orders.push((command, outcome)),
                Err(TryRecvError::Disconnected) => {
                    self.answer(Some(command), Err("the daemon ends".into()));
                }
            }
        }
    }

    /// Writes as much as it takes at once.
    pub(super) fn write(&mut self, now: Instant) {
        while !self.outgoing.is_empty() {
            match self.stream.write(self.outgoing.as_slices().0) {
                Ok(length @ 1..) => {
                    self.outgoing.drain(..length);
                    self.taken = now;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
        self.taken = now;
    }

    /// Whether its place is free at `now`.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let since = |moment: Instant| now.saturating_duration_since(moment);
        let (asked, ever) = self.asked;
        self.gone
            || (self.leaves && self.outgoing.is_empty() && self.orders.is_empty())
            || (self.is_awaited() && since(self.taken) > SLOW)
            || (!self.watches && since(asked) > if ever { IDLE } else { SLOW })
    }
}

/// Takes the whole lines off the front of `bytes`, without their ends. Empty ones are left out.
fn take_lines(bytes: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let whole: Vec<u8> = bytes.drain(..=end).collect();
    let trimmed = whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    trimmed.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (UnixStream, Client) {
        let (theirs, ours) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (theirs, Client::new(ours, Instant::now()))
    }

    #[test]
    fn a_client_that_takes_nothing_costs_bounded_memory_and_is_sent_away() {
        let (theirs, mut client) = pair();
        let now = Instant::now();
        let line = format!("{}\n", "a".repeat(999));
        for _ in 0..10_000 {
            client.tell(&line);
            client.write(now);
        }
        assert!(client.outgoing.len() <= MOST_WAITING + 100, "{}", client.outgoing.len());
        assert!(client.lost > 0 && !client.is_over(now));
        assert!(client.is_over(now + SLOW + Duration::from_secs(1)));
        drop(theirs);
        // A process that another test has just forked holds the socket until it runs its program.
        let end = Instant::now() + Duration::from_secs(60);
        while !client.is_over(now) && Instant::now() < end {
            client.write(now);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(client.is_over(now), "it has gone");
    }

    #[test]
    fn what_was_left_out_is_told_once_there_is_room() {
        let (mut theirs, mut client) = pair();
        let now = Instant::now();
        let line = format!("{}\n", "a".repeat(999));
        while client.lost < 3 {
            client.tell(&line);
        }
        theirs.set_nonblocking(true).unwrap();
        let mut read = vec![0; 1 << 20];
        while client.is_awaited() {
            client.write(now);
            let _ = theirs.read(&mut read);
        }
        client.tell("next\n");
        let waiting: Vec<u8> = client.outgoing.iter().copied().collect();
        assert_eq!(String::from_utf8(waiting).unwrap(), "{\"type\":\"lost\",\"lines\":3}\nnext\n");
    }

    #[test]
    fn a_line_without_an_end_ends_the_connection() {
        let (mut theirs, mut client) = pair();
        let now = Instant::now();
        theirs.write_all(&[b'x'; 3000]).unwrap();
        assert!(client.read(now).is_empty());
        assert!(!client.is_heard());
        client.write(now);
        assert!(client.is_over(now));
        let mut said = String::new();
        drop(client);
        theirs.read_to_string(&mut said).unwrap();
        assert!(said.contains("longer than 1024 bytes"), "{said}");
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_arrive(
            bytes in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..300),
            cut in 0usize..300
        ) {
            let (first, rest) = bytes.split_at(cut.min(bytes.len()));
            let mut at_once = bytes.clone();
            let mut in_two = first.to_vec();
            let mut lines = take_lines(&mut in_two);
            in_two.extend_from_slice(rest);
            lines.extend(take_lines(&mut in_two));
            prop_assert_eq!(&lines, &take_lines(&mut at_once));
            prop_assert_eq!(in_two, at_once);
            prop_assert!(lines.iter().all(|line| !line.is_empty() && !line.contains(&b'\n')));
        }
    }
}
