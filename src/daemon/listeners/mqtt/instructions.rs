//! Orders that come from the broker: which are followed, and what becomes of them.

use crate::config::OrderKind;
use crate::daemon::listeners::socket::protocol::{Message, Request};
use crate::daemon::mode::Command;
use crate::daemon::orders::{OrderOutcome, OrderSender};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError};

/// Orders that wait for the loop at most.
const MOST_PENDING: usize = 4;

/// The orders that come from a broker, and what becomes of them.
#[derive(Debug)]
pub struct Instructions {
    allowed: Vec<OrderKind>,
    orders: OrderSender,
    pending: VecDeque<(String, Receiver<OrderOutcome>)>,
}

impl Instructions {
    /// Hands those of the kinds `allowed` on to `orders`.
    #[must_use]
    pub fn new(allowed: Vec<OrderKind>, orders: OrderSender) -> Self {
        Self { allowed, orders, pending: VecDeque::new() }
    }

    /// Whether any order is followed.
    pub(super) fn are_followed(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Takes an order; the answer, unless it comes later.
    pub fn take(&mut self, payload: &[u8], is_retained: bool) -> Option<Message> {
        // A retained one would be followed again at each connection, long after it was meant.
        if is_retained {
            let refusal = "a retained order is not followed; publish it without the retain flag";
            return Some(Message::answer(None, Err(refusal.into())));
        }
        let request = match Request::parse(payload) {
            Ok(request) => request,
            Err(problem) => return Some(Message::answer(None, Err(problem))),
        };
        match self.order(&request) {
            Ok(outcome) => {
                self.pending.push_back((request.name().to_owned(), outcome));
                None
            }
            Err(problem) => Some(Message::answer(Some(request.name()), Err(problem))),
        }
    }

    fn order(&self, request: &Request) -> Result<Receiver<OrderOutcome>, String> {
        let Some(command) = request.command()? else {
            return Err("this asks for what the topics state and stats tell; subscribe to them".into());
        };
        if !self.allowed.contains(&kind(&command)) {
            return Err(format!(
                "this door does not follow {} from its broker; mqtt.allow in its configuration lists what it follows",
                request.name()
            ));
        }
        if self.pending.len() >= MOST_PENDING {
            return Err("wait for the answers to the other orders first".into());
        }
        self.orders.send(command)
    }

    /// Whether answers are still to come.
    pub(super) fn is_busy(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The next answer that is there.
    pub(super) fn next_answer(&mut self) -> Option<Message> {
        let (name, outcome) = self.pending.front()?;
        let outcome = match outcome.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err("the door is ending".into()),
        };
        let answer = Message::answer(Some(name), outcome);
        self.pending.pop_front();
        Some(answer)
    }
}

fn kind(command: &Command) -> OrderKind {
    match command {
        Command::Silence(_) => OrderKind::Silence,
        Command::Pause(_) => OrderKind::Pause,
        Command::Resume => OrderKind::Resume,
        Command::Test(..) => OrderKind::Test,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::orders;

    fn refusal(answer: Option<Message>) -> String {
        match answer {
            Some(Message::Answer { ok: false, error: Some(error), .. }) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_allowed_reaches_the_loop_and_is_answered() {
        let (sender, received) = orders();
        let mut instructions = Instructions::new(vec![OrderKind::Resume], sender);
        assert_eq!(instructions.take(br#"{"command":"resume"}"#, false), None);
        assert_eq!(instructions.next_answer(), None);
        let order = received.next().unwrap();
        assert_eq!(order.command, Command::Resume);
        order.answer(Ok(()));
        assert_eq!(instructions.next_answer(), Some(Message::answer(Some("resume"), Ok(()))));
        assert!(!instructions.is_busy());
    }

    #[test]
    fn all_else_is_refused_in_one_sentence() {
        let (sender, received) = orders();
        let mut instructions = Instructions::new(vec![OrderKind::Resume], sender);
        let mut take = |payload: &str, retained| refusal(instructions.take(payload.as_bytes(), retained));
        assert!(take(r#"{"command":"silence","seconds":5}"#, false).contains("does not follow silence"));
        assert!(take(r#"{"command":"state"}"#, false).contains("subscribe to them"));
        assert!(take("reboot", false).contains("is not a command"));
        assert!(take(&" ".repeat(1 << 20), false).contains("longer than"));
        assert!(take(r#"{"command":"resume"}"#, true).contains("without the retain flag"));
        assert!(received.next().is_none());
    }

    #[test]
    fn a_flood_of_orders_does_not_reach_the_loop() {
        let (sender, received) = orders();
        let mut instructions = Instructions::new(vec![OrderKind::Resume], sender);
        let answers = (0..1000).filter_map(|_| instructions.take(br#"{"command":"resume"}"#, false)).count();
        assert_eq!(answers, 1000 - MOST_PENDING);
        assert_eq!(std::iter::from_fn(|| received.next()).count(), MOST_PENDING);
    }
}
