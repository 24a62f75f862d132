//! Tests of [`super`]: what clients may send, over memory and over real connections.

use super::*;
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Says what it was asked, and counts.
#[derive(Default)]
struct Echo(AtomicU64);

impl HttpHandler for Echo {
    fn answer(&self, request: HttpRequest) -> HttpAnswer {
        self.0.fetch_add(1, Ordering::Relaxed);
        let HttpRequest { method, path, body, .. } = request;
        HttpReply::text(StatusCode::OK, format!("{method} {path} {}", String::from_utf8_lossy(&body))).into()
    }
}

fn limits() -> HttpLimits {
    HttpLimits { body_bytes: 100, patience: Duration::from_millis(300), ..HttpLimits::default() }
}

/// The answers to `sent`, and how many requests reached the handler.
fn asked(sent: impl Into<Vec<u8>>) -> (String, u64) {
    let echo = Arc::new(Echo::default());
    let answers = answer_bytes(echo.clone(), limits(), sent.into()).unwrap();
    (String::from_utf8(answers).unwrap(), echo.0.load(Ordering::Relaxed))
}

fn statuses(answers: &str) -> Vec<&str> {
    let lines = answers.lines().filter_map(|line| line.strip_prefix("HTTP/1."));
    lines.filter_map(|line| line.get(2..5)).collect()
}

#[test]
fn requests_are_answered_one_after_the_other() {
    let (answers, reached) = asked(
        "GET /a?b=1 HTTP/1.1\r\nHost: door\r\n\r\n\
         POST /c HTTP/1.1\r\nHost: door\r\nContent-Length: 3\r\n\r\nxyz\
         HEAD /d HTTP/1.1\r\nHost: door\r\n\r\n",
    );
    assert_eq!((statuses(&answers), reached), (vec!["200", "200", "200"], 3));
    assert!(answers.contains("GET /a \n") && answers.contains("POST /c xyz\n"), "{answers}");
    assert!(!answers.contains("GET /d"), "{answers}");
    assert!(answers.to_lowercase().contains("x-content-type-options: nosniff"), "{answers}");
}

#[test]
fn what_two_servers_could_read_differently_is_refused_and_ends_the_connection() {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: door\r\n\r\n";
    for headers in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length : 4\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        " Content-Length: 4\r\n",
        "X: a\r\n b\r\n",
        "X: a\rTransfer-Encoding: chunked\r\n",
        "X: a\0b\r\n",
    ] {
        let (answers, reached) =
            asked(format!("POST / HTTP/1.1\r\nHost: door\r\n{headers}\r\n0\r\n\r\n{hidden}"));
        assert_eq!(reached, 0, "{headers:?}: {answers}");
        let statuses = statuses(&answers);
        assert!(matches!(statuses[..], ["400" | "411"]), "{headers:?}: {answers}");
    }
}

#[test]
fn what_is_no_request_for_a_path_here_is_refused() {
    for (line, host) in [
        ("GET http://other/ HTTP/1.1", "Host: door\r\n"),
        ("CONNECT other:443 HTTP/1.1", "Host: door\r\n"),
        ("OPTIONS * HTTP/1.1", "Host: door\r\n"),
        ("GET / HTTP/1.1", ""),
        ("GET / HTTP/1.1", "Host: door\r\nHost: other\r\n"),
        ("GET / HTTP/2.0", "Host: door\r\n"),
        ("GET /", "Host: door\r\n"),
        ("GET  / HTTP/1.1", "Host: door\r\n"),
        ("PRI * HTTP/2.0", "\r\nSM\r\n"),
    ] {
        let (answers, reached) = asked(format!("{line}\r\n{host}\r\n"));
        assert_eq!(reached, 0, "{line} {host:?}: {answers}");
        assert!(matches!(statuses(&answers)[..], ["400"] | []), "{line} {host:?}: {answers}");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let long = "a".repeat(9000);
    let many = "X: y\r\n".repeat(200);
    for (sent, status) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: door\r\n\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nHost: door\r\nX: {long}\r\n\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nHost: door\r\n{many}\r\n"), "431"),
        (format!("POST / HTTP/1.1\r\nHost: door\r\nContent-Length: 101\r\n\r\n{}", "a".repeat(101)), "413"),
        (format!("POST / HTTP/1.1\r\nHost: door\r\nContent-Length: 9000\r\n\r\n{long}"), "413"),
    ] {
        let (answers, reached) = asked(sent);
        assert_eq!((statuses(&answers), reached), (vec![status], 0), "{answers}");
    }
}

#[test]
fn half_a_request_reaches_nobody() {
    let request = "POST /c HTTP/1.1\r\nHost: door\r\nContent-Length: 3\r\n\r\nxyz";
    for end in 0..request.len() {
        let (answers, reached) = asked(&request[..end]);
        assert_eq!(reached, 0, "{end}: {answers}");
    }
    assert_eq!(asked(request).1, 1);
}

fn server(limits: HttpLimits) -> (HttpServer, Arc<Echo>) {
    let echo = Arc::new(Echo::default());
    let endpoint = Endpoint { address: "127.0.0.1:0".parse().unwrap(), tls: None };
    (HttpServer::start("http-test", endpoint, limits, echo.clone()).unwrap(), echo)
}

fn connect(server: &HttpServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: door\r\n\r\n";

/// Everything until the connection ends.
fn rest(mut stream: TcpStream) -> String {
    let mut answers = Vec::new();
    // It may also be reset.
    let _ = stream.read_to_end(&mut answers);
    String::from_utf8_lossy(&answers).into_owned()
}

#[test]
fn who_sends_slowly_or_nothing_is_sent_away_and_others_are_served_meanwhile() {
    let (server, echo) = server(HttpLimits { connections: 4, ..limits() });
    let mut slow: Vec<_> = (0..4).map(|_| connect(&server)).collect();
    slow[1].write_all(b"GET / HT").unwrap();
    slow[2].write_all(b"POST / HTTP/1.1\r\nHost: door\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
    slow[3].write_all(GET).unwrap();
    // All places are taken: this one waits until the first have lost theirs.
    let mut patient = connect(&server);
    patient.write_all(GET).unwrap();
    patient.shutdown(Shutdown::Write).unwrap();
    assert_eq!(statuses(&rest(patient)), ["200"]);
    let said: Vec<String> = slow.into_iter().map(rest).collect();
    let said: Vec<Vec<&str>> = said.iter().map(|answers| statuses(answers)).collect();
    assert_eq!(said, [vec![], vec![], vec!["408"], vec!["200"]], "all of them were sent away");
    assert_eq!(echo.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_connection_does_not_live_for_ever() {
    let (server, _) = server(HttpLimits { lifetime: Duration::from_millis(500), ..limits() });
    let mut stream = connect(&server);
    let start = Instant::now();
    let mut answer = [0; 1024];
    while start.elapsed() < Duration::from_secs(60) {
        // Busy, so that it is not sent away for resting.
        if stream.write_all(GET).is_err() || !matches!(stream.read(&mut answer), Ok(1..)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it is still there");
}

#[test]
fn requests_keep_to_the_rate_over_all_connections() {
    let limits = HttpLimits { requests_a_second: 20, requests_a_second_each: 20, ..limits() };
    let (server, echo) = server(limits);
    let start = Instant::now();
    let mut streams: Vec<_> = (0..8).map(|_| connect(&server)).collect();
    let mut answer = [0; 1 << 14];
    while start.elapsed() < Duration::from_secs(2) {
        for stream in &mut streams {
            stream.set_nonblocking(true).unwrap();
            let _ = stream.write(&GET.repeat(5));
            let _ = stream.read(&mut answer);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (reached, lasted) = (echo.0.load(Ordering::Relaxed), start.elapsed().as_secs_f64());
    assert!(reached >= 20, "{reached}");
    assert!((reached as f64) <= 20.0 * (lasted + 1.5), "{reached} in {lasted} s");
}

#[test]
fn the_end_waits_for_nobody() {
    let (server, _) = server(HttpLimits::default());
    let mut streams: Vec<_> = (0..4).map(|_| connect(&server)).collect();
    streams[0].write_all(b"GET /").unwrap();
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(streams.into_iter().all(|stream| rest(stream).is_empty()));
}

proptest! {
    #[test]
    fn garbage_is_refused_or_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        near in prop::collection::vec((0usize..90, any::<u8>()), 0..4),
    ) {
        asked_anything(bytes);
        let mut request = b"POST /c?d=e HTTP/1.1\r\nHost: door\r\nContent-Length: 3\r\nCookie: a=b\r\n\r\nxyz".to_vec();
        for (place, byte) in near {
            let place = place % request.len();
            request[place] = byte;
        }
        asked_anything(request);
    }
}

fn asked_anything(bytes: Vec<u8>) {
    let answers = answer_bytes(Arc::new(Echo::default()), limits(), bytes).unwrap();
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1."), "{answers:?}");
}
