//! The topics of a door. Pure.

use crate::config::{MqttConfig, is_topic_level};

/// The topics of a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topics {
    /// The door's name.
    pub(super) door: String,
    base: String,
    discovery: Option<String>,
}

impl Topics {
    /// The topics that `config` asks for; `service` is the door's name if it gives none.
    pub(super) fn new(config: &MqttConfig, service: &str) -> Self {
        let door = config.door.clone().unwrap_or_else(|| level(service));
        let base = format!("{}/{door}", config.topic);
        Self { door, base, discovery: config.discovery.clone() }
    }

    /// `online` or `offline`, retained.
    pub(super) fn availability(&self) -> String {
        format!("{}/availability", self.base)
    }

    /// What the door shows, retained.
    pub(super) fn state(&self) -> String {
        format!("{}/state", self.base)
    }

    /// What happened.
    pub(super) fn event(&self) -> String {
        format!("{}/event", self.base)
    }

    /// How the daemon fares.
    pub(super) fn stats(&self) -> String {
        format!("{}/stats", self.base)
    }

    /// Orders come here.
    pub(super) fn orders(&self) -> String {
        format!("{}/cmd", self.base)
    }

    /// What became of orders.
    pub(super) fn answer(&self) -> String {
        format!("{}/answer", self.base)
    }

    /// Where Home Assistant learns of the door.
    pub(super) fn discovery(&self) -> Option<String> {
        let prefix = self.discovery.as_ref()?;
        Some(format!("{prefix}/device/{}/config", self.identifier()))
    }

    /// Where Home Assistant says that it has started.
    pub(super) fn birth(&self) -> Option<String> {
        self.discovery.as_ref().map(|prefix| format!("{prefix}/status"))
    }

    /// The door's name among all devices: letters, digits, `-` and `_`.
    pub(super) fn identifier(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        self.base.chars().map(plain).collect()
    }
}

/// The name of a service as a level of a topic.
fn level(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .collect();
    if is_topic_level(&plain) { plain } else { "door".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerAddress;
    use proptest::prelude::*;

    fn config() -> MqttConfig {
        MqttConfig::new(BrokerAddress::parse("mqtt://h").unwrap())
    }

    #[test]
    fn a_door_has_its_topics() {
        let topics = Topics::new(&config(), "north");
        assert_eq!(topics.event(), "maskwatch/north/event");
        assert_eq!(topics.discovery().as_deref(), Some("homeassistant/device/maskwatch_north/config"));
        let own =
            MqttConfig { door: Some("süd.1".into()), topic: "site".into(), discovery: None, ..config() };
        let topics = Topics::new(&own, "north");
        assert_eq!((topics.orders().as_str(), topics.discovery()), ("site/süd.1/cmd", None));
        assert_eq!(topics.identifier(), "site_s_d_1");
    }

    proptest! {
        #[test]
        fn whatever_the_service_is_called_its_topics_are_the_doors_own(name in "\\PC{0,80}") {
            let topics = Topics::new(&config(), &name);
            prop_assert_eq!(topics.event().split('/').count(), 3);
            prop_assert!(!topics.event().contains(['+', '#', '\0']));
        }
    }
}
