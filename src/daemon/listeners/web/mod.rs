//! The listener behind the page in a browser. It shows what the door does, takes a few orders, and lets zones
//! be drawn, all behind a password. Off by default; no picture leaves the process unless the configuration
//! allows it.
//!
//! - `password` and `sessions`: who may; `site`: what each path answers; `facts`: what the page is told.
//! - `preview`: what the camera sees; `zones`: where faces count.
//! - `page/`: the page itself, as it is sent.

mod facts;
pub mod password;
mod preview;
mod sessions;
mod site;
#[cfg(test)]
mod tests;
mod zones;

use super::counts;
use super::hall::Listener;
use super::notice::Notice;
use super::window::Window;
use crate::config::{PathChoice, WebConfig};
use crate::daemon::orders::OrderSender;
use crate::http::{Endpoint, HttpHandler, HttpLimits, HttpServer, Tls, unheard};
use facts::DoorFacts;
use password::WebPassword;
use preview::Preview;
pub use sessions::{Sessions, Token};
use site::{Site, known};
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// New connections a second over HTTPS: a handshake takes a small board some ten milliseconds.
const HANDSHAKES: u32 = 10;
/// How long after an attempt to listen the next one comes.
const RETRY: Duration = Duration::from_secs(10);

/// Where the page gives its orders, and where it finds what it shows.
#[derive(Debug, Clone)]
pub struct WebParts<'a> {
    /// The name of the door.
    pub door: String,
    /// Takes orders.
    pub orders: OrderSender,
    /// Set to read the configuration anew.
    pub reload: Arc<AtomicBool>,
    /// Where the counts are.
    pub counts: &'a PathChoice,
}

/// What the page answers, without a server.
pub struct Answers {
    /// Answers requests.
    pub site: Arc<dyn HttpHandler>,
    known: Arc<Mutex<DoorFacts>>,
    window: Option<Arc<Window>>,
    preview: Option<Arc<Preview>>,
}

impl Answers {
    /// The answers that `config` wants, for those who know `password`.
    #[must_use]
    pub fn new(config: &WebConfig, parts: WebParts<'_>, password: WebPassword) -> Self {
        let window = config.preview.then(Arc::<Window>::default);
        let preview =
            window.as_ref().map(|window| Arc::new(Preview::new(Arc::clone(window), config.preview_faces)));
        let known = Arc::new(Mutex::new(DoorFacts::new()));
        let site = Site {
            config: config.clone(),
            door: parts.door,
            password,
            sessions: Sessions::default(),
            attempts: Mutex::default(),
            known: Arc::clone(&known),
            orders: parts.orders,
            preview: preview.clone(),
            reload: parts.reload,
            counts: counts::wanted(parts.counts),
        };
        Self { site: Arc::new(site), known, window, preview }
    }
}

/// The page's listener and server.
pub struct Web {
    known: Arc<Mutex<DoorFacts>>,
    window: Option<Arc<Window>>,
    preview: Option<Arc<Preview>>,
    endpoint: Endpoint,
    limits: HttpLimits,
    site: Arc<dyn HttpHandler>,
    server: Option<HttpServer>,
    /// When the last attempt to listen was, by the loop's clock.
    tried: Option<Duration>,
    /// Why it did not succeed, as the log knows.
    told: Option<String>,
}

impl Web {
    /// Shows the page from now on, as `config` wants it. Where its address cannot be listened at, that is
    /// said, and tried again: the network may come after the door.
    ///
    /// # Errors
    /// One sentence, if its password or certificate cannot be used.
    pub fn open(config: &WebConfig, parts: WebParts<'_>) -> Result<Self, String> {
        let usual = HttpLimits::default();
        let each = usual.connections_a_peer.filter(|_| !config.behind_proxy);
        let often = if config.certificate.is_some() { HANDSHAKES } else { usual.connections_a_second };
        let limits = HttpLimits { connections_a_peer: each, connections_a_second: often, ..usual };
        let password = WebPassword::load(&config.password_file).map_err(|error| error.to_string())?;
        let tls = config.certificate.as_ref().map(|files| Tls::load(&files.certificate, &files.key));
        let tls = tls.transpose().map_err(|error| error.to_string())?;
        let endpoint = Endpoint { address: config.listen, tls };
        let Answers { site, known, window, preview } = Answers::new(config, parts, password);
        let (server, tried, told) = (None, None, None);
        let mut web = Self { known, window, preview, endpoint, limits, site, server, tried, told };
        web.listen(None);
        Ok(web)
    }

    /// Where the page is, once it is there.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(HttpServer::address)
    }

    /// Where the page looks at frames; `None` where it may not.
    #[must_use]
    pub fn window(&self) -> Option<Arc<Window>> {
        self.window.clone()
    }

    /// Listens at `now` of the loop's clock, unless it does already or has tried just before.
    fn listen(&mut self, now: Option<Duration>) {
        let is_early = |now: Duration| self.tried.is_some_and(|tried| now.saturating_sub(tried) < RETRY);
        if self.server.is_some() || now.is_some_and(is_early) {
            return;
        }
        self.tried = now;
        let (endpoint, site) = (self.endpoint.clone(), Arc::clone(&self.site));
        match HttpServer::start("web-clients", endpoint, self.limits.clone(), site) {
            Ok(server) => {
                let scheme = if self.endpoint.tls.is_some() { "https" } else { "http" };
                log::info!("the web page is at {scheme}://{}/", server.address());
                self.server = Some(server);
            }
            Err(error) => {
                let problem = unheard("web.listen", self.endpoint.address, &error);
                // Once: what repeats every few seconds helps nobody.
                if self.told.as_ref() != Some(&problem) {
                    log::error!("there is no web page yet: {problem}; it is tried again");
                    self.told = Some(problem);
                }
            }
        }
    }
}

impl Listener for Web {
    fn name(&self) -> &'static str {
        "web"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        |_| true
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        known(&self.known).note(at, notice);
        if let Some(preview) = &self.preview {
            preview.forget(Instant::now());
        }
        self.listen(Some(at));
    }
}
