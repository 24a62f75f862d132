//! What each path of the page answers, and to whom. The page itself is the same for everybody; all that it
//! shows needs a session, and all that it changes a number of that session, from this very page.

use super::facts::DoorFacts;
use super::password::WebPassword;
use super::preview::{GLANCE, PATIENCE, Preview};
use super::sessions::{Attempts, Sessions, Token};
use super::zones::{ZonesMessage, keep};
use crate::config::{WebCommand, WebConfig};
use crate::daemon::listeners::counts::{DoorCounts, Ledger, Period, PeriodKind, periods};
use crate::daemon::listeners::socket::protocol::{Message, Request};
use crate::daemon::orders::{OrderOutcome, OrderSender};
use crate::decide::DoorState;
use crate::http::{HttpAnswer, HttpHandler, HttpReply, HttpRequest, Method, StatusCode, header};
use crate::text::escaped_json;
use hyper::header::{HeaderName, HeaderValue};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The header that brings the number of a session.
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How long an order waits for its outcome; a look of a small board takes a second.
const OUTCOME: Duration = Duration::from_secs(5);
/// How often it is looked for.
const OFTEN: Duration = Duration::from_millis(20);
/// What browsers may do with the page: show it with its own script, and talk to it. Nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                      connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Why a request is refused.
type Refusal = (StatusCode, &'static str);

/// All that the page needs to answer.
pub(super) struct Site {
    pub(super) config: WebConfig,
    pub(super) door: String,
    pub(super) password: WebPassword,
    pub(super) sessions: Sessions,
    pub(super) attempts: Mutex<Attempts>,
    pub(super) known: Arc<Mutex<DoorFacts>>,
    pub(super) orders: OrderSender,
    /// `None` where none is allowed.
    pub(super) preview: Option<Arc<Preview>>,
    /// Set to read the configuration anew.
    pub(super) reload: Arc<AtomicBool>,
    /// Where the counts are, if they are kept.
    pub(super) counts: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    password: String,
}

/// What the page has to know first.
#[derive(Serialize)]
struct SessionMessage<'a> {
    door: &'a str,
    version: &'static str,
    csrf: &'a str,
    commands: Vec<&'static str>,
    states: [&'static str; DoorState::ALL.len()],
    preview: bool,
    preview_faces: bool,
}

#[derive(Serialize)]
struct CountsMessage<'a> {
    by: &'static str,
    periods: Vec<Period>,
    undated: DoorCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

/// Locks what is known. It is right even after a panic.
pub(super) fn known(known: &Mutex<DoorFacts>) -> MutexGuard<'_, DoorFacts> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpHandler for Site {
    fn answer(&self, request: HttpRequest) -> HttpAnswer {
        match self.route(&request) {
            HttpAnswer::Now(reply) => guarded(reply).into(),
            HttpAnswer::Later(reply) => HttpAnswer::Later(Box::pin(async move { guarded(reply.await) })),
        }
    }
}

impl Site {
    fn route(&self, request: &HttpRequest) -> HttpAnswer {
        let page = |kind, text: &'static str| HttpReply::new(StatusCode::OK, kind, text).into();
        match (&request.method, request.path.as_str()) {
            (&Method::GET, "/") => page("text/html; charset=utf-8", include_str!("page/index.html")),
            (&Method::GET, "/page.css") => page("text/css; charset=utf-8", include_str!("page/page.css")),
            (&Method::GET, "/page.js") => {
                page("text/javascript; charset=utf-8", include_str!("page/page.js"))
            }
            (&Method::GET, "/zones.js") => {
                page("text/javascript; charset=utf-8", include_str!("page/zones.js"))
            }
            (&Method::GET, "/icon.svg") => page("image/svg+xml", include_str!("page/icon.svg")),
            (&Method::POST, "/api/login") => match self.same_page(request) {
                Ok(()) => self.login(request).into(),
                Err((status, refusal)) => problem(status, refusal).into(),
            },
            (method, path) if path.starts_with("/api/") => {
                let cookie = self.cookie(request);
                let session =
                    cookie.and_then(|cookie| Some((cookie, self.sessions.find(cookie, Instant::now())?)));
                let Some((cookie, csrf)) = session else {
                    return problem(StatusCode::UNAUTHORIZED, "give the password first").into();
                };
                match *method {
                    Method::GET => self.show(request, &csrf),
                    Method::POST => match self.same_page(request).and_then(|()| brings(request, &csrf)) {
                        Ok(()) => self.change(request, cookie),
                        Err((status, refusal)) => problem(status, refusal).into(),
                    },
                    _ => problem(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST").into(),
                }
            }
            (&Method::GET, _) => problem(StatusCode::NOT_FOUND, "there is nothing here").into(),
            _ => problem(StatusCode::METHOD_NOT_ALLOWED, "use GET").into(),
        }
    }

    /// The name of the cookie: with TLS one that browsers take from nobody else.
    fn cookie_name(&self) -> &'static str {
        if self.is_secure() { "__Host-maskwatch" } else { "maskwatch" }
    }

    /// Whether browsers come over HTTPS.
    fn is_secure(&self) -> bool {
        self.config.certificate.is_some() || self.config.behind_proxy
    }

    fn cookie<'a>(&self, request: &'a HttpRequest) -> Option<&'a str> {
        let cookies = request.header(&header::COOKIE)?.split(';');
        let mut pairs = cookies.filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie_name()).map(|(_, value)| value)
    }

    fn set_cookie(&self, value: &str, more: &str) -> HeaderValue {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", self.cookie_name());
        // The value is hexadecimal.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }

    /// Whether the request comes from this page, and not from another one in the same browser.
    fn same_page(&self, request: &HttpRequest) -> Result<(), Refusal> {
        let host = request.header(&header::HOST).unwrap_or_default();
        let scheme = if self.is_secure() { "https" } else { "http" };
        let is_own = request.header(&header::ORIGIN).is_some_and(|origin| {
            origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) == Some(host)
        });
        let site = request.header(&FETCH_SITE);
        if !is_own || site.is_some_and(|site| site != "same-origin") {
            let refusal = "this comes from another page; a proxy has to hand on Host and Origin as they are";
            return Err((StatusCode::FORBIDDEN, refusal));
        }
        let kind = request.header(&header::CONTENT_TYPE);
        if kind != Some("application/json") {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json"));
        }
        Ok(())
    }

    /// Who tries the password.
    fn who(&self, request: &HttpRequest) -> IpAddr {
        let last = request.headers.get_all(&FORWARDED_FOR).iter().next_back();
        let told = last.and_then(|last| last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        match told {
            // The proxy has added who asked it; what stands before may be made up.
            Some(told) if self.config.behind_proxy => told,
            _ => request.peer.ip(),
        }
    }

    fn login(&self, request: &HttpRequest) -> HttpReply {
        let Ok(Login { password }) = serde_json::from_slice(&request.body) else {
            return problem(StatusCode::BAD_REQUEST, "send the password");
        };
        let (who, now) = (self.who(request), Instant::now());
        if !self.attempts.lock().unwrap_or_else(PoisonError::into_inner).may(who, now) {
            let refusal = problem(StatusCode::TOO_MANY_REQUESTS, "too many attempts; wait ten seconds");
            return refusal.with(header::RETRY_AFTER, HeaderValue::from_static("10"));
        }
        if !self.password.is(&password) {
            log::warn!("the web page: a wrong password from {who}");
            return problem(StatusCode::FORBIDDEN, "this is not the password");
        }
        match self.sessions.begin(now) {
            Ok((token, csrf)) => {
                log::info!("the web page: a session began from {who}");
                self.session(&csrf).with(header::SET_COOKIE, self.set_cookie(token.text(), ""))
            }
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn session(&self, csrf: &Token) -> HttpReply {
        json(&SessionMessage {
            door: &self.door,
            version: env!("CARGO_PKG_VERSION"),
            csrf: csrf.text(),
            commands: self.config.commands.iter().map(|command| command.name()).collect(),
            states: DoorState::ALL.map(DoorState::name),
            preview: self.preview.is_some(),
            preview_faces: self.config.preview_faces,
        })
    }

    fn show(&self, request: &HttpRequest, csrf: &Token) -> HttpAnswer {
        let number = |key| request.query_value(key).and_then(|value| value.parse().ok()).unwrap_or(0);
        match request.path.as_str() {
            "/api/session" => self.session(csrf).into(),
            "/api/now" => json(&known(&self.known).now(number("since"))).into(),
            "/api/counts" => self.counts(request.query_value("by")).into(),
            "/api/zones" => json(&ZonesMessage::from(&known(&self.known).zones)).into(),
            "/api/preview" => match &self.preview {
                Some(preview) => HttpAnswer::Later(Box::pin(picture(
                    Arc::clone(preview),
                    Arc::clone(&self.known),
                    number("after"),
                ))),
                None => {
                    problem(StatusCode::FORBIDDEN, "no picture is shown; web.preview = true allows it").into()
                }
            },
            _ => problem(StatusCode::NOT_FOUND, "there is nothing here").into(),
        }
    }

    fn counts(&self, by: Option<&str>) -> HttpReply {
        let kind = if by == Some("hour") { PeriodKind::Hour } else { PeriodKind::Day };
        let loaded = match &self.counts {
            Some(path) => Ledger::load(path).map_err(|error| error.to_string()),
            None => {
                Err("nothing is counted; counts.path is empty, or the service has no state folder".into())
            }
        };
        let (ledger, problem) = match loaded {
            Ok(ledger) => (ledger, None),
            Err(problem) => (Ledger::default(), Some(problem)),
        };
        json(&CountsMessage {
            by: kind.name(),
            periods: periods(&ledger, kind, None, &TimeZone::system()),
            undated: ledger.undated,
            problem: problem.as_deref(),
        })
    }

    fn change(&self, request: &HttpRequest, cookie: &str) -> HttpAnswer {
        match request.path.as_str() {
            "/api/logout" => {
                self.sessions.end(cookie, Instant::now());
                done().with(header::SET_COOKIE, self.set_cookie("", "; Max-Age=0")).into()
            }
            "/api/command" => self.order(&request.body),
            "/api/zones" if !self.config.allows(WebCommand::Zones) => not_allowed("zones").into(),
            "/api/zones" => match keep(&self.config, &request.body) {
                Ok(()) => {
                    log::info!("the web page: zones were drawn; the configuration is read again");
                    self.reload.store(true, Ordering::Relaxed);
                    done().into()
                }
                Err(refusal) => problem(StatusCode::UNPROCESSABLE_ENTITY, &refusal).into(),
            },
            _ => problem(StatusCode::NOT_FOUND, "there is nothing here").into(),
        }
    }

    /// Hands an order on to the loop.
    fn order(&self, body: &[u8]) -> HttpAnswer {
        let request = match Request::parse(body) {
            Ok(request) => request,
            Err(refusal) => return problem(StatusCode::BAD_REQUEST, &refusal).into(),
        };
        let command = match request {
            Request::Silence { .. } => WebCommand::Silence,
            Request::Pause { .. } => WebCommand::Pause,
            Request::Resume => WebCommand::Resume,
            Request::Test { .. } => WebCommand::Test,
            _ => return problem(StatusCode::BAD_REQUEST, "this is not an order").into(),
        };
        if !self.config.allows(command) {
            return not_allowed(command.name()).into();
        }
        let sent = match request.command() {
            Ok(Some(command)) => self.orders.send(command),
            Ok(None) => Err("this is not an order".into()),
            Err(refusal) => Err(refusal),
        };
        match sent {
            Ok(outcome) => {
                log::info!("the web page: {}", command.name());
                HttpAnswer::Later(Box::pin(outcome_of(outcome)))
            }
            Err(refusal) => problem(StatusCode::CONFLICT, &refusal).into(),
        }
    }
}

/// Waits for what becomes of an order.
async fn outcome_of(outcome: Receiver<OrderOutcome>) -> HttpReply {
    let end = Instant::now() + OUTCOME;
    loop {
        match outcome.try_recv() {
            Ok(Ok(())) => return done(),
            Ok(Err(refusal)) => return problem(StatusCode::CONFLICT, &refusal),
            Err(TryRecvError::Disconnected) => return problem(StatusCode::CONFLICT, "the daemon ends"),
            Err(TryRecvError::Empty) if Instant::now() >= end => {
                return problem(StatusCode::GATEWAY_TIMEOUT, "the door does not answer; it may follow later");
            }
            Err(TryRecvError::Empty) => tokio::time::sleep(OFTEN).await,
        }
    }
}

/// Waits for a picture that is newer than `after`.
async fn picture(preview: Arc<Preview>, facts: Arc<Mutex<DoorFacts>>, after: u64) -> HttpReply {
    let end = Instant::now() + PATIENCE;
    loop {
        let now = Instant::now();
        let zones = known(&facts).zones.clone();
        if let Some(reply) = preview.after(after, &zones, now) {
            return reply;
        }
        if now >= end {
            // No frame is looked at: the door is paused or off, or the camera is away.
            return HttpReply::new(StatusCode::NO_CONTENT, "image/jpeg", "");
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Whether the request brings the number of its session.
fn brings(request: &HttpRequest, csrf: &Token) -> Result<(), Refusal> {
    let is_there = request.header(&CSRF).is_some_and(|brought| csrf.is(brought));
    is_there.then_some(()).ok_or((StatusCode::FORBIDDEN, "reload the page, and try again"))
}

fn not_allowed(command: &str) -> HttpReply {
    let refusal = format!("the page may not do this; add \"{command}\" to web.commands");
    problem(StatusCode::FORBIDDEN, &refusal)
}

/// It was done.
fn done() -> HttpReply {
    json(&Message::answer(None, Ok(())))
}

/// It was not done, and why.
fn problem(status: StatusCode, sentence: &str) -> HttpReply {
    HttpReply { status, ..json(&Message::answer(None, Err(sentence.to_owned()))) }
}

fn json(message: &impl Serialize) -> HttpReply {
    // These types have nothing that JSON cannot say.
    let text = serde_json::to_string(message).unwrap_or_default();
    HttpReply::new(StatusCode::OK, "application/json", escaped_json(&text).into_owned())
}

/// The reply with what keeps browsers from doing more with it than showing it here.
fn guarded(mut reply: HttpReply) -> HttpReply {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ] {
        reply.headers.insert(name, HeaderValue::from_static(value));
    }
    reply
}
