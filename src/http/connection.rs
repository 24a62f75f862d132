//! One connection: requests are let in by their pace, taken whole, and handed on. What is ambiguous or too
//! large is refused and ends the connection, so that no rest of it is taken for a request.

use super::limits::HttpLimits;
use super::message::{HttpAnswer, HttpHandler, HttpReply, HttpRequest};
use super::pace::Turns;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::time::{sleep, timeout};

/// How long a request waits for its turn at most.
const TURN: Duration = Duration::from_secs(1);
/// Bytes that are read ahead, and that wait to be written, beyond the longest headers.
const AHEAD: usize = 8192;

/// What the connections of a server share.
pub(super) struct Shared {
    pub(super) handler: Arc<dyn HttpHandler>,
    pub(super) limits: HttpLimits,
    requests: Mutex<Turns>,
}

impl Shared {
    pub(super) fn new(handler: Arc<dyn HttpHandler>, limits: HttpLimits) -> Self {
        let requests = Mutex::new(Turns::a_second(limits.requests_a_second));
        Self { handler, limits, requests }
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) secure: bool,
}

/// Serves a connection until it ends or has lived long enough.
pub(super) async fn serve<S>(stream: S, caller: Caller, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = shared.limits.clone();
    let own = Arc::new(Mutex::new(Turns::a_second(limits.requests_a_second_each)));
    let service = service_fn(move |request| {
        let (shared, own) = (Arc::clone(&shared), Arc::clone(&own));
        async move { Ok::<_, Infallible>(finished(reply(request, caller, &shared, &own).await)) }
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.patience)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes + AHEAD)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // How a connection ends is its peer's business: floods must not fill the log.
    if timeout(limits.lifetime, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(limits.patience, connection).await;
    }
}

/// Answers one request.
async fn reply(request: Request<Incoming>, caller: Caller, shared: &Shared, own: &Mutex<Turns>) -> HttpReply {
    for pace in [own, &shared.requests] {
        let turn = pace.lock().unwrap_or_else(PoisonError::into_inner).turn(Instant::now(), TURN);
        match turn {
            Some(Duration::ZERO) => {}
            Some(wait) => sleep(wait).await,
            None => return refuse(StatusCode::TOO_MANY_REQUESTS, "too many requests; try again later"),
        }
    }
    match whole(request, caller, &shared.limits).await {
        Ok(request) => match shared.handler.answer(request) {
            HttpAnswer::Now(reply) => reply,
            HttpAnswer::Later(reply) => reply.await,
        },
        Err(refusal) => refusal,
    }
}

/// The request with its body, or why it is refused.
async fn whole(
    request: Request<Incoming>,
    Caller { peer, secure }: Caller,
    limits: &HttpLimits,
) -> Result<HttpRequest, HttpReply> {
    let (head, body) = request.into_parts();
    // A body of a stated length is the only kind: where length and chunks are both stated, servers in a row
    // may differ over where a request ends.
    if head.headers.contains_key(TRANSFER_ENCODING) {
        return Err(refuse(
            StatusCode::LENGTH_REQUIRED,
            "send the body with a Content-Length, not in chunks",
        ));
    }
    if head.headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(refuse(StatusCode::BAD_REQUEST, "send one Content-Length"));
    }
    if head.headers.get_all(HOST).iter().count() != 1 {
        return Err(refuse(StatusCode::BAD_REQUEST, "send one Host"));
    }
    let path = head.uri.path();
    if head.uri.authority().is_some() || !path.starts_with('/') {
        return Err(refuse(StatusCode::BAD_REQUEST, "ask for a path that begins with /"));
    }
    let too_long = || {
        let problem = format!("the body is longer than {} bytes", limits.body_bytes);
        refuse(StatusCode::PAYLOAD_TOO_LARGE, problem)
    };
    let (path, query) = (path.to_owned(), head.uri.query().map(str::to_owned));
    let body = match timeout(limits.patience, Limited::new(body, limits.body_bytes).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_long()),
        Ok(Err(_)) => return Err(refuse(StatusCode::BAD_REQUEST, "the body cannot be read")),
        Err(_) => return Err(refuse(StatusCode::REQUEST_TIMEOUT, "the body came too slowly")),
    };
    // What may be seen may be asked about: the server leaves out the body.
    let method = if head.method == Method::HEAD { Method::GET } else { head.method };
    Ok(HttpRequest { method, path, query, headers: head.headers, body, peer, secure })
}

fn refuse(status: StatusCode, sentence: impl Into<String>) -> HttpReply {
    HttpReply::text(status, sentence).last()
}

fn finished(HttpReply { status, mut headers, body }: HttpReply) -> Response<Full<Bytes>> {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if body.is_empty() {
        headers.remove(CONTENT_TYPE);
    }
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What a connection that sends `bytes` and then no more is answered, without any network.
///
/// # Errors
/// When the system gives no event loop.
pub fn answer_bytes(
    handler: Arc<dyn HttpHandler>,
    limits: HttpLimits,
    bytes: Vec<u8>,
) -> std::io::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async move {
        let (ours, theirs) = duplex(64 << 10);
        let caller = Caller { peer: (Ipv4Addr::LOCALHOST, 0).into(), secure: false };
        tokio::spawn(serve(theirs, caller, Arc::new(Shared::new(handler, limits))));
        let (mut reader, mut writer) = tokio::io::split(ours);
        tokio::spawn(async move {
            // The server may have gone before all was sent.
            let _ = writer.write_all(&bytes).await;
            let _ = writer.shutdown().await;
        });
        let mut answers = Vec::new();
        reader.read_to_end(&mut answers).await?;
        Ok(answers)
    })
}
