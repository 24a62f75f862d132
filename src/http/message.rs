//! Requests as they arrive whole, and the replies to them.

use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

/// A request with its whole body.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// GET, POST, …
    pub method: Method,
    /// The path, from its first slash on, as it was sent.
    pub path: String,
    /// What stands behind the first question mark.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Who sent it; a proxy where there is one in between.
    pub peer: SocketAddr,
    /// Whether it came over TLS.
    pub secure: bool,
}

impl HttpRequest {
    /// A header's value, if it is there once and is plain text.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// The value of `key` in the query, as it was sent.
    #[must_use]
    pub fn query_value(&self, key: &str) -> Option<&str> {
        let pairs = self.query.as_deref()?.split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

/// What a request is answered.
#[derive(Debug, Clone)]
pub struct HttpReply {
    /// How it went.
    pub status: StatusCode,
    /// The headers; the server adds date and length.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl HttpReply {
    /// A reply with a body of this type, such as `text/plain`.
    #[must_use]
    pub fn new(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Self { status, headers, body: body.into() }
    }

    /// A reply of one sentence.
    #[must_use]
    pub fn text(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", sentence.into() + "\n")
    }

    /// The same with a header more.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The same, and the connection ends behind it.
    #[must_use]
    pub fn last(mut self) -> Self {
        self.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        self
    }
}

/// A reply, or the promise of one.
pub enum HttpAnswer {
    /// It is here.
    Now(HttpReply),
    /// It comes; other requests are served meanwhile.
    Later(Pin<Box<dyn Future<Output = HttpReply> + Send>>),
}

impl From<HttpReply> for HttpAnswer {
    fn from(reply: HttpReply) -> Self {
        Self::Now(reply)
    }
}

/// Who answers requests. It runs in the server's thread: while it computes, nobody else is served.
pub trait HttpHandler: Send + Sync + 'static {
    /// Answers a request.
    fn answer(&self, request: HttpRequest) -> HttpAnswer;
}
