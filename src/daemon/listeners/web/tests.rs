//! Tests of [`super`]: who gets what of the page.

use super::*;
use crate::config::{Config, WebCommand};
use crate::daemon::orders::{Orders, orders};
use crate::http::{HttpAnswer, HttpHandler, HttpRequest, Method, answer_bytes};
use argon2::{Argon2, Params, PasswordHasher};
use proptest::prelude::*;
use std::sync::atomic::Ordering;

const PASSWORD: &str = "correct horse";

fn site(change: impl FnOnce(&mut WebConfig)) -> (Arc<Site>, Orders, Arc<AtomicBool>) {
    // A hash that costs next to nothing: tests try many passwords.
    let quick = Argon2::from(Params::new(8, 1, 1, None).unwrap());
    let line = quick.hash_password_with_salt(PASSWORD.as_bytes(), b"some salt").unwrap().to_string();
    let (sender, received) = orders();
    let reload = Arc::<AtomicBool>::default();
    let mut config = WebConfig::default();
    change(&mut config);
    let preview = config.preview.then(|| Arc::new(Preview::new(Arc::default(), config.preview_faces)));
    let site = Site {
        config,
        door: "north".into(),
        password: WebPassword::parse(&line).unwrap(),
        sessions: Sessions::default(),
        attempts: Mutex::default(),
        known: Arc::new(Mutex::new(DoorFacts::new())),
        orders: sender,
        preview,
        reload: Arc::clone(&reload),
        counts: None,
    };
    (Arc::new(site), received, reload)
}

/// Sends a request with these header lines; returns status, headers and body.
fn ask(site: &Arc<Site>, line: &str, headers: &[String], body: &str) -> (u16, String, String) {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let request =
        format!("{line} HTTP/1.1\r\nHost: door:1\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    let answer = answer_bytes(site.clone(), HttpLimits::default(), request.into()).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

/// What the page's script sends with a change.
fn own(scheme: &str) -> Vec<String> {
    vec![format!("Origin: {scheme}://door:1"), "Content-Type: application/json".into()]
}

/// Logs in; the headers of a change in that session.
fn log_in(site: &Arc<Site>) -> Vec<String> {
    let scheme = if site.config.behind_proxy { "https" } else { "http" };
    let body = format!("{{\"password\":\"{PASSWORD}\"}}");
    let (status, head, body) = ask(site, "POST /api/login", &own(scheme), &body);
    assert_eq!(status, 200, "{head}\n{body}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let flags = "; path=/; httponly; samesite=strict";
    assert!(cookie.contains(flags), "{cookie}");
    assert_eq!(cookie.ends_with("; secure"), site.config.behind_proxy, "{cookie}");
    let cookie = cookie.split(';').next().unwrap().replace("__host-", "__Host-");
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    let mut headers = own(scheme);
    headers.extend([
        format!("Cookie: a=b; {cookie}"),
        format!("X-CSRF-Token: {}", told["csrf"].as_str().unwrap()),
    ]);
    headers
}

#[test]
fn without_the_password_there_is_a_page_and_nothing_on_it() {
    let (site, _orders, _) = site(|config| config.preview = true);
    for path in ["/", "/page.css", "/page.js", "/zones.js", "/icon.svg"] {
        let (status, head, body) = ask(&site, &format!("GET {path}"), &[], "");
        assert_eq!((status, body.contains("north")), (200, false), "{path}");
        for header in
            ["content-security-policy: default-src 'none'", "x-frame-options: deny", "nosniff", "no-store"]
        {
            assert!(head.contains(header), "{path}: {head}");
        }
        assert!(!head.contains("set-cookie"), "{head}");
    }
    for path in ["session", "now", "counts", "zones", "preview", "nothing"] {
        for headers in [
            vec![],
            vec!["Cookie: maskwatch=".to_owned()],
            vec![format!("Cookie: maskwatch={}", "0".repeat(64))],
        ] {
            assert_eq!(ask(&site, &format!("GET /api/{path}"), &headers, "").0, 401, "{path}");
        }
        assert_eq!(ask(&site, &format!("POST /api/{path}"), &own("http"), "{}").0, 401, "{path}");
    }
    assert_eq!(ask(&site, "GET /../etc/passwd", &[], "").0, 404);
    assert_eq!(ask(&site, "DELETE /", &[], "").0, 405);
}

#[test]
fn with_it_everything_is_shown() {
    let (site, _orders, _) = site(|_| {});
    let session = log_in(&site);
    for (path, part) in [
        ("session", "\"door\":\"north\""),
        ("now?since=0", "\"type\":\"health\""),
        ("counts?by=hour", "nothing is counted"),
        ("zones", "{\"zones\":[]}"),
    ] {
        let (status, _, body) = ask(&site, &format!("GET /api/{path}"), &session, "");
        assert!(status == 200 && body.contains(part), "{path}: {status} {body}");
    }
    assert_eq!(ask(&site, "GET /api/preview", &session, "").0, 403, "no picture unless it is allowed");
    assert_eq!(ask(&site, "POST /api/logout", &session, "{}").0, 200);
    assert_eq!(ask(&site, "GET /api/now", &session, "").0, 401);
}

#[test]
fn a_wrong_password_is_refused_and_guessing_is_slow() {
    let (site, _orders, _) = site(|_| {});
    let statuses: Vec<u16> = (0..8)
        .map(|_| ask(&site, "POST /api/login", &own("http"), r#"{"password":"wrong horse"}"#).0)
        .collect();
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429, 429, 429]);
    let right = format!("{{\"password\":\"{PASSWORD}\"}}");
    assert_eq!(ask(&site, "POST /api/login", &own("http"), &right).0, 429, "the right one waits, too");
    let (site, ..) = self::site(|_| {});
    for body in ["", "{}", "[]", "{\"password\":1}", "{\"password\":\"a\",\"b\":1}"] {
        assert_eq!(ask(&site, "POST /api/login", &own("http"), body).0, 400, "{body}");
    }
}

#[test]
fn behind_a_proxy_who_guesses_is_whom_the_proxy_names() {
    let (site, _orders, _) = site(|config| config.behind_proxy = true);
    let wrong = |forwarded: &str| {
        let mut headers = own("https");
        headers.push(format!("X-Forwarded-For: {forwarded}"));
        ask(&site, "POST /api/login", &headers, r#"{"password":"wrong horse"}"#).0
    };
    let statuses: Vec<u16> = (0..7).map(|number| wrong(&format!("10.0.0.{number}, 10.1.1.1"))).collect();
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429, 429], "what the guesser adds does not count");
    assert_eq!(wrong("10.2.2.2"), 403);
    log_in(&site);
}

#[test]
fn a_change_needs_the_page_its_session_and_the_number_of_that() {
    let (site, orders, _) = site(|_| {});
    let session = log_in(&site);
    let send = |headers: &[String]| ask(&site, "POST /api/command", headers, r#"{"command":"resume"}"#).0;
    for (from, to, status) in [
        ("Origin: http://door:1", "Origin: http://door:2", 403),
        ("Origin: http://door:1", "Origin: https://door:1", 403),
        ("Origin: http://door:1", "Origin: null", 403),
        ("Origin: http://door:1", "X: y", 403),
        ("Content-Type: application/json", "Content-Type: text/plain", 415),
        ("X-CSRF-Token: ", "X-CSRF-Token: 0", 403),
        ("Cookie: ", "Cookie: x", 401),
    ] {
        let changed: Vec<String> =
            session.iter().map(|header| header.replace(from, to).replace("xa=b; maskwatch=", "x=")).collect();
        assert_eq!(send(&changed), status, "{to}");
    }
    let mut cross = session.clone();
    cross.push("Sec-Fetch-Site: cross-site".into());
    assert_eq!(send(&cross), 403);
    let (other, _) = site.sessions.begin(std::time::Instant::now()).unwrap();
    let of_other: Vec<String> = session
        .iter()
        .map(|header| {
            if header.starts_with("Cookie") {
                format!("Cookie: maskwatch={}", other.text())
            } else {
                header.clone()
            }
        })
        .collect();
    assert_eq!(send(&of_other), 403, "the number of another session");
    assert!(orders.next().is_none(), "nothing was done");
}

#[test]
fn orders_reach_the_loop_if_they_are_allowed() {
    let (site, orders, _) = site(|config| config.commands = vec![WebCommand::Pause, WebCommand::Test]);
    let session = log_in(&site);
    let answering = std::thread::spawn(move || {
        let mut commands = Vec::new();
        while commands.len() < 2 {
            if let Some(order) = orders.next() {
                order.answer(if commands.is_empty() { Ok(()) } else { Err("not while it is paused".into()) });
                commands.push(format!("{:?}", order.command));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        commands
    });
    let send = |body: &str| {
        let (status, _, body) = ask(&site, "POST /api/command", &session, body);
        (status, body)
    };
    assert_eq!(send(r#"{"command":"pause","seconds":60}"#).0, 200);
    let (status, body) = send(r#"{"command":"test","state":"alert","seconds":5}"#);
    assert!(status == 409 && body.contains("not while it is paused"), "{body}");
    assert_eq!(answering.join().unwrap(), ["Pause(60s)", "Test(Alert, 5s)"]);
    for (body, status) in [
        (r#"{"command":"silence","seconds":60}"#, 403),
        (r#"{"command":"resume"}"#, 403),
        (r#"{"command":"pause","seconds":1e9}"#, 409),
        (r#"{"command":"watch"}"#, 400),
        ("pause", 400),
    ] {
        assert_eq!(send(body).0, status, "{body}");
    }
    assert_eq!(ask(&site, "POST /api/zones", &session, r#"{"zones":[]}"#).0, 403);
}

#[test]
fn zones_that_were_drawn_count_after_the_reload_that_they_cause() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("zones.toml");
    let (site, _orders, reload) = site(|config| {
        (config.commands, config.zones_file) = (vec![WebCommand::Zones], file.clone());
    });
    let session = log_in(&site);
    let send = |body: &str| ask(&site, "POST /api/zones", &session, body);
    let (status, _, body) = send(r#"{"zones":[{"name":"a","kind":"count","points":[[0,0],[1,1]]}]}"#);
    assert!(status == 422 && body.contains("has 2 corners") && !reload.load(Ordering::Relaxed), "{body}");
    let (status, ..) = send(r#"{"zones":[{"name":"a","kind":"ignore","points":[[0,0],[1,0],[1,1]]}]}"#);
    assert!(status == 200 && reload.load(Ordering::Relaxed));
    let main = folder.path().join("door.toml");
    let read = |commands: &str| {
        std::fs::write(&main, format!("[zones.old]\npoints = [[0, 0], [1, 0], [0, 1]]\n[web]\ncommands = [{commands}]\nzones_file = \"{}\"\n", file.display())).unwrap();
        Config::load(&main).unwrap()
    };
    let config = read("\"zones\"");
    assert_eq!((config.zones.0.len(), config.zones.0[0].name.as_str()), (1, "a"));
    assert!(config.warnings[0].contains("remove that file to go back"), "{:?}", config.warnings);
    assert_eq!(read("").zones.0[0].name, "old", "a page that may not write them does not count");
    std::fs::write(&file, "half a fi").unwrap();
    let config = read("\"zones\"");
    assert_eq!(config.zones.0[0].name, "old", "a damaged file keeps no door from working");
    assert!(config.warnings[0].contains("do not count"), "{:?}", config.warnings);
}

#[test]
fn an_address_that_cannot_be_listened_at_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let config = WebConfig { listen, password_file: file.clone(), ..WebConfig::default() };
    let open = || {
        let (orders, reload) = (orders().0, Arc::default());
        Web::open(&config, WebParts { door: "north".into(), orders, reload, counts: &PathChoice::Nowhere })
    };
    assert!(open().err().is_some_and(|problem| problem.contains("sudo maskwatch config password")));
    let quick = Argon2::from(Params::new(8, 1, 1, None).unwrap());
    let line = quick.hash_password_with_salt(PASSWORD.as_bytes(), b"some salt").unwrap().to_string();
    std::fs::write(&file, line).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut web = open().unwrap();
    assert_eq!(web.address(), None);
    drop(taken);
    let mut hear = |second| {
        web.hear(Duration::from_secs(second), &Notice::Progress);
        web.address()
    };
    assert_eq!(hear(100), Some(listen));
}

#[test]
fn the_page_is_in_its_own_words_and_calls_nobody_else() {
    for (name, text) in [
        ("index.html", include_str!("page/index.html")),
        ("page.css", include_str!("page/page.css")),
        ("page.js", include_str!("page/page.js")),
        ("zones.js", include_str!("page/zones.js")),
        ("icon.svg", include_str!("page/icon.svg")),
    ] {
        let foreign = text.replace("http://www.w3.org/", "");
        assert!(
            !foreign.contains("://") && !text.contains("innerHTML") && !text.contains("style=\""),
            "{name}"
        );
        assert!(text.len() < 40_000 && !text.is_empty(), "{name}");
    }
}

proptest! {
    #[test]
    fn any_request_is_answered(
        path in "/(api/(login|now|command|zones|counts|preview|session|x))?(\\?[a-z=&0-9%]{0,20})?",
        cookie in "\\PC{0,80}", body in prop::collection::vec(any::<u8>(), 0..200), is_post: bool,
    ) {
        let (site, ..) = site(|_| {});
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let mut headers = crate::http::header::HeaderMap::new();
        if let Ok(value) = format!("maskwatch={cookie}").try_into() {
            headers.insert(crate::http::header::COOKIE, value);
        }
        let method = if is_post { Method::POST } else { Method::GET };
        let (path, query) = (path.to_owned(), Some(query.to_owned()));
        let peer = ([127, 0, 0, 1], 1).into();
        let request = HttpRequest { method, path, query, headers, body: body.into(), peer, secure: false };
        let is_api = request.path.starts_with("/api/");
        let HttpAnswer::Now(reply) = site.answer(request) else { panic!("nobody may wait") };
        prop_assert!(!is_api || !reply.status.is_success());
    }
}
