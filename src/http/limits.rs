//! How much a server takes at most.

use std::time::Duration;

/// The bounds of a server. The default suits a page that a few people look at.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpLimits {
    /// Connections at a time; more wait in the kernel's queue.
    pub connections: usize,
    /// Connections of one address at a time; more are closed at once. `None` where all come from one, such as
    /// a proxy. The board's own addresses are not limited.
    pub connections_a_peer: Option<usize>,
    /// New connections a second; more wait in the kernel's queue.
    pub connections_a_second: u32,
    /// Requests a second over all connections; more wait for a moment, and are refused after that.
    pub requests_a_second: u32,
    /// Requests a second of one connection.
    pub requests_a_second_each: u32,
    /// Bytes of a request's line and headers. There are at most 100 headers, whatever their length.
    pub header_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// How long a connection may take for a TLS handshake, for a request's line and headers from the end of
    /// the request before, and for its body.
    pub patience: Duration,
    /// How long a connection lives; browsers open another one.
    pub lifetime: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 32,
            connections_a_peer: Some(12),
            connections_a_second: 30,
            requests_a_second: 60,
            requests_a_second_each: 20,
            header_bytes: 8192,
            body_bytes: 32 << 10,
            patience: Duration::from_secs(10),
            lifetime: Duration::from_secs(60),
        }
    }
}
