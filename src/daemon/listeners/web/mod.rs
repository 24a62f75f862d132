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
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
            preview,
            reload: parts.reload,
            counts: counts::wanted(parts.counts),
        };
        Self { site: Arc::new(site), known, window }
    }
}

/// The page's listener and server.
#[derive(Debug)]
pub struct Web {
    known: Arc<Mutex<DoorFacts>>,
    server: HttpServer,
    window: Option<Arc<Window>>,
}

impl Web {
    /// Shows the page from now on, as `config` wants it.
    ///
    /// # Errors
    /// One sentence, if there can be no page.
    pub fn open(config: &WebConfig, parts: WebParts<'_>) -> Result<Self, String> {
        let limits = HttpLimits::default();
        let limits =
            if config.behind_proxy { HttpLimits { connections_a_peer: None, ..limits } } else { limits };
        Self::open_with(config, parts, limits)
    }

    fn open_with(config: &WebConfig, parts: WebParts<'_>, limits: HttpLimits) -> Result<Self, String> {
        let password = WebPassword::load(&config.password_file).map_err(|error| error.to_string())?;
        let tls = config.certificate.as_ref().map(|files| Tls::load(&files.certificate, &files.key));
        let tls = tls.transpose().map_err(|error| error.to_string())?;
        let Answers { site, known, window } = Answers::new(config, parts, password);
        let server = HttpServer::start("web-clients", Endpoint { address: config.listen, tls }, limits, site)
            .map_err(|error| unheard("web.listen", config.listen, &error))?;
        Ok(Self { known, server, window })
    }

    /// Where the page is.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// Where the page looks at frames; `None` where it may not.
    #[must_use]
    pub fn window(&self) -> Option<Arc<Window>> {
        self.window.clone()
    }
}

impl Listener for Web {
    fn name(&self) -> &'static str {
        "web"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        |notice| !matches!(notice, Notice::Progress)
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        known(&self.known).note(at, notice);
    }
}
