//! A server for HTTP/1.1 and HTTPS that is bounded in everything: connections, bytes, time and requests a
//! second. A flood takes a small share of one core, and never one of the door's. It knows nothing of doors:
//! what a path answers is up to an [`HttpHandler`].
//!
//! - `message`: requests and replies; `limits`: the bounds; `pace`: so many a second.
//! - `connection`: one connection; `server`: the thread that serves them all; `tls`: its certificate.

mod connection;
mod limits;
mod message;
mod pace;
mod server;
mod tls;

#[cfg(test)]
mod tests;

pub use connection::answer_bytes;
pub use hyper::{Method, StatusCode, header};
pub use limits::HttpLimits;
pub use message::{HttpAnswer, HttpHandler, HttpReply, HttpRequest};
pub use pace::Turns;
pub use server::{Endpoint, HttpServer, unheard};
pub use tls::{Tls, TlsError};
