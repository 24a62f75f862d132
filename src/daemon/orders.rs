//! The way from those who give orders to the loop that follows them: a bounded queue. Neither side waits for
//! the other.

use super::mode::Command;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Orders that wait for the loop at most.
const QUEUE: usize = 16;

/// What became of an order: nothing to add, or the sentence that says why it was refused.
pub type OrderOutcome = Result<(), String>;

/// A command, and the way back for its outcome.
#[derive(Debug)]
pub struct Order {
    /// What to do.
    pub command: Command,
    answer: SyncSender<OrderOutcome>,
}

impl Order {
    /// Says what became of it; who asked may have gone.
    pub fn answer(&self, outcome: OrderOutcome) {
        let _ = self.answer.try_send(outcome);
    }
}

/// Where the loop finds orders; by default none come.
#[derive(Debug, Default)]
pub struct Orders(Option<Receiver<Order>>);

impl Orders {
    /// The next order, if there is one; never waits.
    pub fn next(&self) -> Option<Order> {
        self.0.as_ref()?.try_recv().ok()
    }
}

/// Sends orders.
#[derive(Debug, Clone)]
pub struct OrderSender(SyncSender<Order>);

impl OrderSender {
    /// Sends a command; never waits. What becomes of it is received later, once.
    ///
    /// # Errors
    /// One sentence, if too many orders wait already or nobody follows them any more.
    pub fn send(&self, command: Command) -> Result<Receiver<OrderOutcome>, String> {
        let (answer, outcome) = sync_channel(1);
        let sent = self.0.try_send(Order { command, answer });
        sent.map(|()| outcome).map_err(|_| "the door is busy with other orders; try again".to_owned())
    }
}

/// A queue of orders.
#[must_use]
pub fn orders() -> (OrderSender, Orders) {
    let (sender, receiver) = sync_channel(QUEUE);
    (OrderSender(sender), Orders(Some(receiver)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_reaches_the_loop_and_its_outcome_comes_back() {
        let (sender, orders) = orders();
        let outcome = sender.send(Command::Resume).unwrap();
        let order = orders.next().unwrap();
        assert_eq!(order.command, Command::Resume);
        order.answer(Err("not now".into()));
        assert_eq!(outcome.recv(), Ok(Err("not now".into())));
        assert!(orders.next().is_none());
    }

    #[test]
    fn more_orders_than_the_loop_can_take_are_refused_and_nobody_waits() {
        let (sender, orders) = orders();
        let waiting: Vec<_> = (0..100).map(|_| sender.send(Command::Resume)).collect();
        assert_eq!(waiting.iter().filter(|sent| sent.is_ok()).count(), QUEUE);
        drop(waiting);
        while let Some(order) = orders.next() {
            order.answer(Ok(()));
        }
        drop(orders);
        assert!(sender.send(Command::Resume).is_err());
    }
}
