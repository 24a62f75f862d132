//! One connection to the broker, from the first packet to the last.

use super::transport;
use crate::config::MqttConfig;
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, PublishNotice, PublishOptions, QoS};
use std::future::pending;
use std::time::Duration;
use tokio::select;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Packets that wait to be sent at most: more than a batch of events and all else together.
const CAPACITY: usize = 128;
/// What came in and nobody has looked at.
const INCOMING: usize = 32;

/// What comes from a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FromBroker {
    /// It has taken the door in.
    Connected,
    /// A message, and whether it was kept for those who come later.
    Message {
        /// Its topic.
        topic: String,
        /// Its text.
        payload: Vec<u8>,
        /// Whether it is an old one that was kept.
        is_retained: bool,
    },
    /// It has confirmed the batch of events.
    Confirmed,
    /// The connection has ended: why, to go behind `the broker …`.
    Ended(String),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    client: AsyncClient,
    incoming: Receiver<FromBroker>,
    task: JoinHandle<()>,
    /// Waits for the broker to confirm a batch of events.
    confirmation: Option<JoinHandle<bool>>,
}

impl Line {
    /// Begins to connect.
    pub(super) fn open(options: MqttOptions, config: &MqttConfig) -> Self {
        let (client, mut packets) = AsyncClient::builder(options).capacity(CAPACITY).build();
        let (told, incoming) = channel(INCOMING);
        let config = config.clone();
        let task = tokio::spawn(async move {
            let mut was_taken_in = false;
            loop {
                let message = match packets.poll().await {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        was_taken_in = true;
                        FromBroker::Connected
                    }
                    Ok(Event::Incoming(Incoming::Publish(publish))) => FromBroker::Message {
                        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                        payload: publish.payload.to_vec(),
                        is_retained: publish.retain,
                    },
                    Ok(_) => continue,
                    // It would connect again at once; the door waits first.
                    Err(error) => FromBroker::Ended(transport::reason(&error, &config, was_taken_in)),
                };
                let is_end = matches!(message, FromBroker::Ended(_));
                if told.send(message).await.is_err() || is_end {
                    return;
                }
            }
        });
        Self { client, incoming, task, confirmation: None }
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> FromBroker {
        loop {
            select! {
                told = self.incoming.recv() => {
                    return told.unwrap_or_else(|| FromBroker::Ended("has ended the connection".into()));
                }
                confirmed = confirmed(&mut self.confirmation) => {
                    self.confirmation = None;
                    // What was not confirmed ends the connection, which tells why.
                    if confirmed {
                        return FromBroker::Confirmed;
                    }
                }
            }
        }
    }

    /// Sends a message, if there is room.
    pub(super) fn send(&self, topic: String, payload: Vec<u8>, retain: bool) -> bool {
        self.client.try_publish(topic, payload, PublishOptions::new(QoS::AtLeastOnce).retain(retain)).is_ok()
    }

    /// Asks for the messages of a topic, if there is room.
    pub(super) fn subscribe(&self, topic: String) -> bool {
        self.client.try_subscribe(topic, QoS::AtLeastOnce).is_ok()
    }

    /// Sends a batch of events, in order; [`FromBroker::Confirmed`] comes once the broker has them all.
    pub(super) fn send_batch(&mut self, topic: &str, batch: Vec<Vec<u8>>) -> bool {
        let mut notices: Vec<PublishNotice> = Vec::with_capacity(batch.len());
        for event in batch {
            let options = PublishOptions::new(QoS::AtLeastOnce);
            match self.client.try_publish_tracked(topic, event, options) {
                Ok(notice) => notices.push(notice),
                Err(_) => return false,
            }
        }
        self.confirmation = Some(tokio::spawn(async move {
            for notice in notices {
                if notice.wait_completion_async().await.is_err() {
                    return false;
                }
            }
            true
        }));
        true
    }

    /// Says goodbye; takes `limit` at most.
    pub(super) async fn close(mut self, limit: Duration) {
        if self.client.try_disconnect().is_ok() {
            // It may be gone already.
            let _ = timeout(limit, &mut self.task).await;
        }
    }
}

/// Whether the broker has confirmed the batch; does not end while there is none.
async fn confirmed(confirmation: &mut Option<JoinHandle<bool>>) -> bool {
    match confirmation {
        Some(confirmation) => confirmation.await.unwrap_or(false),
        None => pending().await,
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(confirmation) = &self.confirmation {
            confirmation.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerAddress;
    use crate::daemon::listeners::mqtt::client_options;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Why a connection ends whose other side answers with `answer` to what comes first.
    fn ended(scheme: &str, answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let broker = BrokerAddress::parse(&format!("{scheme}://{}", listener.local_addr().unwrap())).unwrap();
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(answer).unwrap();
        });
        let config = MqttConfig::new(broker);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(async {
            let mut line = Line::open(client_options(&config, "door".into()).unwrap(), &config);
            timeout(Duration::from_secs(30), line.next()).await.unwrap()
        });
        other.join().unwrap();
        match told {
            FromBroker::Ended(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_port_that_speaks_no_tls_is_told_apart_from_one_that_is_not_trusted() {
        // What a web server and a plain broker answer, and one that goes away.
        for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0x20, 2, 0, 1], b""] {
            let reason = ended("mqtts", answer);
            assert!(reason.starts_with("speaks no TLS at port "), "{reason}");
            assert!(reason.contains("usually 8883, or write mqtt:// instead of mqtts://"), "{reason}");
        }
    }

    #[test]
    fn a_port_that_speaks_tls_is_guessed() {
        // The alerts for a wrong version and for an unexpected message, and one that goes away.
        for answer in [&[0x15, 3, 1, 0, 2, 2, 70][..], &[0x15, 3, 3, 0, 2, 2, 10], b""] {
            let reason = ended("mqtt", answer);
            assert!(reason.contains("if the port speaks TLS, write mqtts:// instead of mqtt://"), "{reason}");
        }
    }
}
