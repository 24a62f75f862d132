//! The section `[mqtt]`: the broker that is told of the door, and what it may ask.

use super::error::ConfigError;
use super::limits;
use super::place::checked;
use super::reader::{Section, Sourced};
use crate::text::{LONGEST_QUOTE, shortened};
use maskwatch_vision::named;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Longest name of a door or part of a topic, in bytes.
const LONGEST_NAME: usize = 64;
/// Longest path that the kernel takes.
const LONGEST_PATH: usize = 4095;
/// What a broker looks like.
const EXAMPLE: &str = "\"mqtts://broker.example\" or \"mqtt://192.168.1.5:1883\"";

/// Where a broker is, and whether the way to it is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Its name or IP address.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub is_encrypted: bool,
}

impl BrokerAddress {
    /// Reads `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`, with an IPv6 address in brackets.
    ///
    /// # Errors
    /// What is wrong with it, to go behind its name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = shortened(text, LONGEST_QUOTE);
        let (is_encrypted, rest) = match (text.strip_prefix("mqtts://"), text.strip_prefix("mqtt://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(format!("is \"{shown}\"; write for example {EXAMPLE}")),
        };
        if rest.contains('@') {
            return Err(
                "has a user or password in it, which everybody could read; put them into the file of \
                        mqtt.credentials"
                    .into(),
            );
        }
        let bracketed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, port)) if host.parse::<std::net::Ipv6Addr>().is_ok() => (host, port),
            Some(_) => return Err(format!("is \"{shown}\", whose brackets hold no IPv6 address")),
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => Some(if is_encrypted { 8883 } else { 1883 }),
            None => None,
            Some(port) => port.parse().ok().filter(|port| *port != 0),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_host =
            bracketed.is_some() || (!host.is_empty() && host.len() <= 253 && host.chars().all(is_name));
        match port.filter(|_| is_host) {
            Some(port) => Ok(Self { host: host.into(), port, is_encrypted }),
            None => Err(format!("is \"{shown}\", not a host with a port; write for example {EXAMPLE}")),
        }
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "mqtts" } else { "mqtt" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// A kind of order that may come from the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// The buzzers are silent for a while.
    Silence,
    /// Nobody is judged for a while.
    Pause,
    /// The pause is over.
    Resume,
    /// A state is shown for a moment.
    Test,
}

named!(OrderKind {
    Silence => "silence",
    Pause => "pause",
    Resume => "resume",
    Test => "test",
});

/// A broker, and what goes to and comes from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttConfig {
    /// Where it is.
    pub broker: BrokerAddress,
    /// The file with `user` and `password`.
    pub credentials: Option<PathBuf>,
    /// The certificates of those who may sign for the broker; the system's if `None`.
    pub authorities: Option<PathBuf>,
    /// The door's own certificate and private key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The door's name in topics; that of the service if `None`.
    pub door: Option<String>,
    /// The first part of each topic.
    pub topic: String,
    /// Where Home Assistant looks for devices; `None` if it is not told.
    pub discovery: Option<String>,
    /// What the broker may ask.
    pub allowed: Vec<OrderKind>,
    /// How often figures are sent.
    pub stats_every: Duration,
    /// Events that wait for the broker at most.
    pub queue: usize,
}

impl MqttConfig {
    /// The defaults for a broker.
    #[must_use]
    pub fn new(broker: BrokerAddress) -> Self {
        Self {
            broker,
            credentials: None,
            authorities: None,
            identity: None,
            door: None,
            topic: "maskwatch".into(),
            discovery: Some("homeassistant".into()),
            allowed: Vec::new(),
            stats_every: Duration::from_secs(60),
            queue: 10_000,
        }
    }
}

/// Whether `text` can be one level of a topic, and part of a client's name.
#[must_use]
pub fn is_topic_level(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(is_plain)
}

/// Reads `[mqtt]`, and says what should be mended; `None` without a broker.
pub(super) fn mqtt(mut section: Section<'_>) -> Result<(Option<MqttConfig>, Vec<String>), ConfigError> {
    let broker = section.text("broker")?;
    let address = match &broker {
        Some(text) => {
            Some(BrokerAddress::parse(&text.value).map_err(|problem| section.refuse(text, problem))?)
        }
        None => None,
    };
    if let (Some(text), false) = (&broker, cfg!(feature = "mqtt")) {
        let problem = "cannot be used: this program was built without MQTT; install one that has it";
        return Err(section.refuse(text, problem.into()));
    }
    let path = |section: &mut Section<'_>, key: &str, example: &str| match section.text(key)? {
        Some(path) => checked(section, &path, example, LONGEST_PATH).map(Some),
        None => Ok(None),
    };
    let credentials = path(&mut section, "credentials", "/etc/maskwatch/mqtt.toml")?;
    let encrypted = [
        ("ca", "/etc/maskwatch/ca.pem"),
        ("certificate", "/etc/maskwatch/door.pem"),
        ("key", "/etc/maskwatch/door.key"),
    ];
    let [authorities, certificate, key] = encrypted.map(|(key, example)| path(&mut section, key, example));
    let (authorities, certificate, key) = (authorities?, certificate?, key?);
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(section.refuse_key("certificate", "needs a key beside it; add key".into()));
        }
        (None, Some(_)) => {
            return Err(section.refuse_key("key", "needs a certificate beside it; add certificate".into()));
        }
    };
    if (authorities.is_some() || identity.is_some())
        && let (Some(text), Some(false)) = (&broker, address.as_ref().map(|address| address.is_encrypted))
    {
        let problem =
            "is not encrypted, so ca, certificate and key have no effect; write mqtts:// instead of mqtt://";
        return Err(section.refuse(text, problem.into()));
    }
    let door = section.text("door")?;
    let topic = section.text("topic")?;
    let discovery = section.text_or_empty("discovery")?;
    let level = |section: &Section<'_>, name: Option<Sourced<String>>| match name {
        Some(name) if !is_topic_level(&name.value) => {
            let problem = format!(
                "is \"{}\"; use letters, digits, \"-\", \"_\" and \".\", {LONGEST_NAME} bytes at most",
                shortened(&name.value, LONGEST_QUOTE)
            );
            Err(section.refuse(&name, problem))
        }
        name => Ok(name.map(|name| name.value)),
    };
    let (door, topic) = (level(&section, door)?, level(&section, topic)?);
    let has_discovery = discovery.as_ref().is_none_or(|discovery| !discovery.value.is_empty());
    let discovery = level(&section, discovery.filter(|_| has_discovery))?;
    let allowed = section.choices("allow", &OrderKind::NAMES)?.unwrap_or_default();
    let stats_every = section.seconds("stats_seconds", limits::STATS_PAUSES)?;
    let queue = section.whole("queue", limits::QUEUED_EVENTS)?;
    let has_broker = address.is_some();
    let nowhere = BrokerAddress { host: String::new(), port: 0, is_encrypted: false };
    let usual = MqttConfig::new(address.unwrap_or(nowhere));
    let config = MqttConfig {
        credentials,
        authorities,
        identity,
        door,
        topic: topic.unwrap_or_else(|| usual.topic.clone()),
        discovery: if has_discovery { discovery.or_else(|| usual.discovery.clone()) } else { None },
        allowed,
        stats_every: Sourced::or(&stats_every, usual.stats_every),
        queue: queue.map_or(usual.queue, |queue| queue.value as usize),
        broker: usual.broker.clone(),
    };
    if !has_broker && config != usual {
        section.warn_whole(format!(
            "has values but no broker, so nothing is sent; add for example broker = {EXAMPLE}, or remove them"
        ));
    }
    let warnings = section.finish()?;
    Ok((has_broker.then_some(config), warnings))
}

#[cfg(test)]
#[cfg(feature = "mqtt")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Option<MqttConfig>, String> {
        let text = format!("[mqtt]\n{text}");
        let mut root = Section::root(&text, "door.toml").map_err(|error| error.to_string())?;
        let section = root.section("mqtt").map_err(|error| error.to_string())?;
        mqtt(section).map(|(config, _)| config).map_err(|error| error.to_string())
    }

    #[test]
    fn values_without_a_broker_are_said() {
        use crate::config::Config;
        let warned = |text: &str| Config::parse(&format!("[mqtt]\n{text}"), "door.toml").unwrap().warnings;
        assert_eq!(warned("topic = \"maskwatch\"\n"), [""; 0], "what is so anyhow");
        assert_eq!(warned("broker = \"mqtts://h\"\ndoor = \"north\"\n"), [""; 0]);
        let told =
            "door.toml line 1: mqtt has values but no broker, so nothing is sent; add for example broker = ";
        for idle in ["door = \"north\"\n", "queue = 200\n", "ca = \"/a\"\n"] {
            assert!(matches!(&warned(idle)[..], [one] if one.starts_with(told)), "{:?}", warned(idle));
        }
    }

    #[test]
    fn nothing_is_sent_unless_a_broker_is_named() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("door = \"north\"\n"), Ok(None));
        let config = read("broker = \"mqtts://broker.example\"\n").unwrap().unwrap();
        assert_eq!(config, MqttConfig::new(config.broker.clone()));
        assert_eq!(config.broker.to_string(), "mqtts://broker.example:8883");
        assert!(config.allowed.is_empty());
    }

    #[test]
    fn all_keys_are_read() {
        let text = "broker = \"mqtts://[fd00::1]:9000\"\ncredentials = \"/a\"\nca = \"/b\"\ncertificate = \"/c\"\nkey = \"/d\"\n\
                    door = \"north\"\ntopic = \"site\"\ndiscovery = \"\"\nallow = [\"silence\", \"silence\"]\n\
                    stats_seconds = 5\nqueue = 100\n";
        let config = read(text).unwrap().unwrap();
        assert_eq!(config.broker.to_string(), "mqtts://[fd00::1]:9000");
        assert_eq!(config.identity, Some(("/c".into(), "/d".into())));
        assert_eq!((config.door.as_deref(), config.topic.as_str()), (Some("north"), "site"));
        assert_eq!((config.discovery, config.allowed), (None, vec![OrderKind::Silence]));
        assert_eq!((config.stats_every, config.queue), (Duration::from_secs(5), 100));
    }

    #[test]
    fn mistakes_are_refused_with_the_mend() {
        for (text, told) in [
            (
                "broker = \"broker\"\n",
                "mqtt.broker is \"broker\"; write for example \"mqtts://broker.example\"",
            ),
            ("broker = \"mqtt://me:secret@h\"\n", "put them into the file of mqtt.credentials"),
            ("broker = \"mqtt://h:0\"\n", "not a host with a port"),
            ("broker = \"mqtt://h/a\"\n", "not a host with a port"),
            ("broker = \"mqtt://[h]\"\n", "no IPv6 address"),
            ("broker = \"mqtt://h\"\nca = \"/a\"\n", "write mqtts:// instead of mqtt://"),
            ("broker = \"mqtts://h\"\nkey = \"/a\"\n", "mqtt.key needs a certificate beside it"),
            ("credentials = \"a\"\n", "write for example \"/etc/maskwatch/mqtt.toml\""),
            ("door = \"a/b\"\n", "use letters, digits"),
            ("topic = \"+\"\n", "use letters, digits"),
            ("allow = [\"reboot\"]\n", "mqtt.allow has \"reboot\"; use a list of \"silence\""),
            ("queue = 1\n", "mqtt.queue is 1; use a whole number from 100 to 100000"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(told), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_and_read_the_same(text in "mqtts?://[a-z0-9:.\\[\\]]{0,20}") {
            if let Ok(address) = BrokerAddress::parse(&text) {
                prop_assert_eq!(BrokerAddress::parse(&address.to_string()), Ok(address));
            }
        }
    }
}
