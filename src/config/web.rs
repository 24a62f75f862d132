//! The section `[web]`: the page in a browser.

use super::error::ConfigError;
use super::reader::{Section, Sourced};
use crate::text::{LONGEST_QUOTE, shortened};
use maskwatch_vision::named;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Longest path that the kernel takes.
const LONGEST_PATH: usize = 4095;
/// Where the page is if nobody says.
const USUAL_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const USUAL_PASSWORD: &str = "/etc/maskwatch/web-password";
const USUAL_ZONES: &str = "/var/lib/maskwatch/zones.toml";

/// What the page may do besides showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebCommand {
    /// Silence the buzzers.
    Silence,
    /// Pause the door.
    Pause,
    /// End a pause.
    Resume,
    /// Show a state as a test.
    Test,
    /// Write zones.
    Zones,
}

named!(WebCommand {
    Silence => "silence",
    Pause => "pause",
    Resume => "resume",
    Test => "test",
    Zones => "zones",
});

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, with those that vouch for it, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

/// The page in a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Where it is.
    pub listen: SocketAddr,
    /// For HTTPS; `None` for plain HTTP.
    pub certificate: Option<CertificateFiles>,
    /// Whether a proxy on the way to the browser speaks HTTPS.
    pub behind_proxy: bool,
    /// The file with the hash of the password.
    pub password_file: PathBuf,
    /// What the page may do.
    pub commands: Vec<WebCommand>,
    /// Whether it shows what the camera sees.
    pub preview: bool,
    /// Whether faces in that can be recognised.
    pub preview_faces: bool,
    /// Where zones are kept that were drawn in the page.
    pub zones_file: PathBuf,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: USUAL_LISTEN,
            certificate: None,
            behind_proxy: false,
            password_file: USUAL_PASSWORD.into(),
            commands: vec![WebCommand::Silence, WebCommand::Pause, WebCommand::Resume, WebCommand::Test],
            preview: false,
            preview_faces: false,
            zones_file: USUAL_ZONES.into(),
        }
    }
}

impl WebConfig {
    /// Whether the page may do `command`.
    #[must_use]
    pub fn allows(&self, command: WebCommand) -> bool {
        self.commands.contains(&command)
    }

    /// Whether who listens at `other` keeps the page from its own address.
    #[must_use]
    pub fn is_in_the_way_of(&self, other: SocketAddr) -> bool {
        let (page, other_ip) = (self.listen.ip(), other.ip());
        // The IPv6 address for all takes those of IPv4 as well.
        let covers = |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
        let meet = page == other_ip || covers(page, other_ip) || covers(other_ip, page);
        self.enabled && self.listen.port() == other.port() && meet
    }

    /// Its address for a browser.
    #[must_use]
    pub fn address(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.listen)
    }
}

/// Reads `[web]`, and says what should be mended.
pub(super) fn web(mut section: Section<'_>) -> Result<(WebConfig, Vec<String>), ConfigError> {
    let usual = WebConfig::default();
    let told = section.truth("enabled")?;
    let enabled = told.unwrap_or(usual.enabled);
    let listen = address(&mut section)?;
    let certificate = path(&mut section, "certificate", "/etc/maskwatch/web-certificate.pem")?;
    let key = path(&mut section, "key", "/etc/maskwatch/web-key.pem")?;
    let certificate = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Some(CertificateFiles { certificate: certificate.value, key: key.value })
        }
        (None, None) => None,
        (Some(alone), None) => {
            return Err(section.refuse(&alone, "is given without its key; add key = \"FILE\"".into()));
        }
        (None, Some(alone)) => {
            let problem = "is given without its certificate; add certificate = \"FILE\"";
            return Err(section.refuse(&alone, problem.into()));
        }
    };
    let behind_proxy = section.truth("behind_proxy")?.unwrap_or(usual.behind_proxy);
    let address = Sourced::or(&listen, usual.listen);
    if !address.ip().is_loopback() && certificate.is_none() && !behind_proxy {
        let problem = format!(
            "is {address}, which other machines reach, and the password would cross the network in clear; give \
             certificate and key, or behind_proxy = true where a proxy speaks HTTPS"
        );
        return Err(section.refuse_any(&listen, problem));
    }
    let password_file = path(&mut section, "password_file", USUAL_PASSWORD)?;
    let commands = section.choices("commands", &WebCommand::NAMES)?.unwrap_or(usual.commands);
    let preview = section.truth("preview")?.unwrap_or(usual.preview);
    let preview_faces = section.truth("preview_faces")?.unwrap_or(usual.preview_faces);
    if preview_faces && !preview {
        section.warn_whole("has preview_faces = true, which does nothing without preview = true".into());
    }
    let zones_file = path(&mut section, "zones_file", USUAL_ZONES)?;
    let config = WebConfig {
        enabled,
        listen: address,
        certificate,
        behind_proxy,
        password_file: Sourced::or(&password_file, usual.password_file),
        commands,
        preview,
        preview_faces,
        zones_file: Sourced::or(&zones_file, usual.zones_file),
    };
    // Zones that were drawn count without the page, too.
    let WebConfig { commands, zones_file, .. } = config.clone();
    if told.is_none() && config != (WebConfig { commands, zones_file, ..WebConfig::default() }) {
        section
            .warn_whole("has values but no enabled, so there is no page; add enabled = true or false".into());
    }
    if enabled && config.zones_file != Path::new(USUAL_ZONES) && !config.allows(WebCommand::Zones) {
        section.warn_whole("has a zones_file, which does nothing unless commands has \"zones\"".into());
    }
    Ok((config, section.finish()?))
}

/// Takes an address with its port.
fn address(section: &mut Section<'_>) -> Result<Option<Sourced<SocketAddr>>, ConfigError> {
    let Some(text) = section.text("listen")? else { return Ok(None) };
    match text.value.parse::<SocketAddr>() {
        Ok(address) if address.port() > 0 => Ok(Some(text.map(|_| address))),
        _ => {
            let problem = format!(
                "is \"{}\", not an address and port; write for example \"127.0.0.1:8080\" or \"[::]:8443\"",
                shortened(&text.value, LONGEST_QUOTE)
            );
            Err(section.refuse(&text, problem))
        }
    }
}

/// Takes an absolute path.
fn path(
    section: &mut Section<'_>,
    key: &str,
    example: &str,
) -> Result<Option<Sourced<PathBuf>>, ConfigError> {
    let Some(text) = section.text(key)? else { return Ok(None) };
    let usable =
        text.value.starts_with('/') && text.value.len() <= LONGEST_PATH && !text.value.contains('\0');
    if !usable {
        let shown = shortened(&text.value, LONGEST_QUOTE);
        let problem = format!("is \"{shown}\", not an absolute path; write for example \"{example}\"");
        return Err(section.refuse(&text, problem));
    }
    Ok(Some(text.map(PathBuf::from)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<WebConfig, String> {
        Config::parse(&format!("[web]\n{text}"), "door.toml")
            .map(|config| config.web)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn values_that_do_nothing_are_said() {
        let warned = |text: &str| Config::parse(text, "door.toml").unwrap().warnings;
        for quiet in ["", "[web]\nenabled = false\npreview = true\n", "[web]\nlisten = \"127.0.0.1:8080\"\n"]
        {
            assert_eq!(warned(quiet), [""; 0], "{quiet}");
        }
        for (text, told) in [
            (
                "[web]\npreview = true\n",
                "door.toml line 1: web has values but no enabled, so there is no page",
            ),
            ("[web]\nenabled = true\nzones_file = \"/a\"\n", "has a zones_file, which does nothing unless"),
            ("[metrics]\nevery_seconds = 5\n", "metrics.every_seconds has no effect without metrics.file"),
        ] {
            assert!(matches!(&warned(text)[..], [one] if one.contains(told)), "{:?}", warned(text));
        }
    }

    #[test]
    fn two_who_listen_get_in_each_others_way_at_the_same_port_alone() {
        for (page, other, meet) in [
            ("127.0.0.1:9101", "127.0.0.1:9101", true),
            ("127.0.0.1:9101", "127.0.0.1:9102", false),
            ("127.0.0.1:9101", "0.0.0.0:9101", true),
            ("127.0.0.1:9101", "[::]:9101", true),
            ("0.0.0.0:9101", "[::1]:9101", false),
            ("127.0.0.1:9101", "127.0.0.2:9101", false),
        ] {
            let config = WebConfig { enabled: true, listen: page.parse().unwrap(), ..WebConfig::default() };
            assert_eq!(config.is_in_the_way_of(other.parse().unwrap()), meet, "{page} {other}");
        }
    }

    #[test]
    fn by_default_there_is_no_page_and_it_would_be_on_this_board_alone() {
        let usual = read("").unwrap();
        assert_eq!(usual, WebConfig::default());
        assert!(!usual.enabled && !usual.preview && !usual.preview_faces);
        assert!(usual.listen.ip().is_loopback() && !usual.allows(WebCommand::Zones));
    }

    #[test]
    fn values_arrive() {
        let text = "enabled = true\nlisten = \"[::]:8443\"\ncertificate = \"/a.pem\"\nkey = \"/b.pem\"\n\
                    password_file = \"/c\"\ncommands = [\"zones\", \"pause\", \"zones\"]\npreview = true\n\
                    preview_faces = true\nzones_file = \"/d\"\n";
        let config = read(text).unwrap();
        let files = CertificateFiles { certificate: "/a.pem".into(), key: "/b.pem".into() };
        assert_eq!((config.listen.port(), &config.certificate), (8443, &Some(files)));
        assert_eq!(config.commands, [WebCommand::Zones, WebCommand::Pause]);
        assert!(config.enabled && config.preview && config.preview_faces);
        assert_eq!((config.password_file, config.zones_file), ("/c".into(), "/d".into()));
    }

    #[test]
    fn other_machines_reach_it_only_over_https() {
        for address in ["0.0.0.0:8080", "192.168.1.4:80", "[::]:8080"] {
            let refused = read(&format!("listen = \"{address}\"\n")).unwrap_err();
            assert!(
                refused.starts_with("door.toml line 2: web.listen is ") && refused.contains("in clear"),
                "{refused}"
            );
            for mend in ["behind_proxy = true\n", "certificate = \"/a\"\nkey = \"/b\"\n"] {
                read(&format!("listen = \"{address}\"\n{mend}")).unwrap();
            }
        }
        for address in ["127.0.0.1:1", "[::1]:65535", "127.1.2.3:80"] {
            read(&format!("listen = \"{address}\"\n")).unwrap();
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, said) in [
            ("enabled = 1", "web.enabled is a number; use true or false, without quotes"),
            (
                "listen = \"8080\"",
                "web.listen is \"8080\", not an address and port; write for example \"127.0.0.1:8080\" or \"[::]:8443\"",
            ),
            (
                "listen = \"127.0.0.1:0\"",
                "web.listen is \"127.0.0.1:0\", not an address and port; write for example \"127.0.0.1:8080\" or \"[::]:8443\"",
            ),
            ("certificate = \"/a\"", "web.certificate is given without its key; add key = \"FILE\""),
            ("key = \"/a\"", "web.key is given without its certificate; add certificate = \"FILE\""),
            (
                "password_file = \"a\"",
                "web.password_file is \"a\", not an absolute path; write for example \"/etc/maskwatch/web-password\"",
            ),
            (
                "commands = [\"open\"]",
                "web.commands has \"open\"; use a list of \"silence\", \"pause\", \"resume\", \"test\", \"zones\"",
            ),
            (
                "commands = \"all\"",
                "web.commands is text; use a list of \"silence\", \"pause\", \"resume\", \"test\", \"zones\", or [] for none",
            ),
            ("password = \"a\"", "web.password is not known; did you mean password_file?"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.starts_with("door.toml line 2: "), "{refused}");
            if !text.starts_with("password =") {
                assert_eq!(refused, format!("door.toml line 2: {said}"));
            }
        }
        let config = Config::parse("[web]\npreview_faces = true\n", "door.toml").unwrap();
        assert!(config.warnings[0].contains("does nothing without preview"), "{:?}", config.warnings);
    }
}
