//! The metrics by HTTP, where Prometheus asks for them itself. An address that the board does not have yet is
//! tried again: the network may come after the door.

use crate::http::{
    Endpoint, HttpAnswer, HttpHandler, HttpLimits, HttpReply, HttpRequest, HttpServer, Method, StatusCode,
    header, unheard,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where the metrics are.
const PATH: &str = "/metrics";
/// The type of the text, by which Prometheus knows its format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How long after an attempt to listen the next one comes.
const RETRY: Duration = Duration::from_secs(10);

/// Listens at an address, as soon as that is possible.
pub(super) struct ScrapePoint {
    address: SocketAddr,
    answers: Arc<ScrapeAnswers>,
    server: Option<HttpServer>,
    /// When the last attempt was, by the loop's clock.
    tried: Option<Duration>,
    /// Why it did not succeed, as the log knows.
    told: Option<String>,
}

impl ScrapePoint {
    /// Answers with what `text` returns, at `address`.
    pub(super) fn new(address: SocketAddr, text: impl Fn() -> String + Send + Sync + 'static) -> Self {
        if !address.ip().to_canonical().is_loopback() {
            log::warn!(
                "metrics.listen {address}: whoever reaches this address reads the metrics, in plain text; use it only in \
                 a network that you trust"
            );
        }
        let answers = Arc::new(ScrapeAnswers(Box::new(text)));
        Self { address, answers, server: None, tried: None, told: None }
    }

    /// Listens at `now` of the loop's clock, unless it does already or has tried just before.
    pub(super) fn listen(&mut self, now: Duration) {
        let is_early = self.tried.is_some_and(|tried| now.saturating_sub(tried) < RETRY);
        if self.server.is_some() || is_early {
            return;
        }
        self.tried = Some(now);
        let endpoint = Endpoint { address: self.address, tls: None };
        match HttpServer::start(
            "metrics-http",
            endpoint,
            limits(),
            Arc::<ScrapeAnswers>::clone(&self.answers),
        ) {
            Ok(server) => {
                log::info!("metrics are at http://{}{PATH}", server.address());
                self.server = Some(server);
            }
            Err(error) => {
                let problem = unheard("metrics.listen", self.address, &error);
                if self.told.as_ref() != Some(&problem) {
                    log::error!("{problem}; it is tried again every {} s", RETRY.as_secs());
                    self.told = Some(problem);
                }
            }
        }
    }
}

impl std::fmt::Debug for ScrapePoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ScrapePoint").field("address", &self.address).finish_non_exhaustive()
    }
}

/// One Prometheus, or two, every few seconds.
fn limits() -> HttpLimits {
    HttpLimits {
        connections: 8,
        connections_a_peer: Some(4),
        connections_a_second: 10,
        requests_a_second: 10,
        requests_a_second_each: 5,
        body_bytes: 0,
        ..HttpLimits::default()
    }
}

struct ScrapeAnswers(Box<dyn Fn() -> String + Send + Sync>);

impl HttpHandler for ScrapeAnswers {
    fn answer(&self, request: HttpRequest) -> HttpAnswer {
        let reply = match (request.path.as_str(), request.method) {
            (PATH, Method::GET | Method::HEAD) => HttpReply::new(StatusCode::OK, FORMAT, (self.0)()),
            (PATH, _) => {
                let allowed = header::HeaderValue::from_static("GET, HEAD");
                HttpReply::text(StatusCode::METHOD_NOT_ALLOWED, "metrics can only be read")
                    .with(header::ALLOW, allowed)
            }
            _ => HttpReply::text(StatusCode::NOT_FOUND, format!("metrics are at {PATH}")),
        };
        // The next scrape is some seconds away; nothing is kept open for it.
        reply.last().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(format!("{request} HTTP/1.1\r\nHost: door\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn an_address_that_is_taken_is_tried_again_and_then_answers() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let mut point = ScrapePoint::new(address, || "door 1\n".into());
        point.listen(Duration::ZERO);
        assert!(
            point.told.as_ref().is_some_and(|told| told.starts_with("metrics.listen: nothing can be heard"))
        );
        drop(taken);
        point.listen(RETRY / 2);
        assert!(point.server.is_none(), "not again yet");
        point.listen(RETRY);
        let reply = ask(address, "GET /metrics?x=1");
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with("\r\n\r\ndoor 1\n"), "{reply}");
        let head = reply.to_ascii_lowercase();
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{reply}");
        assert!(head.contains("connection: close\r\n"), "{reply}");
        for (request, status) in [
            ("HEAD /metrics", "200"),
            ("GET /", "404"),
            ("GET /metrics/", "404"),
            ("POST /metrics", "405"),
            ("DELETE /metrics", "405"),
        ] {
            let reply = ask(address, request);
            assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {reply}");
        }
        drop(point);
        assert!(TcpStream::connect(address).is_err(), "nothing listens any more");
    }
}
