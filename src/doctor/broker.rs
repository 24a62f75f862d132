//! The broker: whether the files that it needs can be used, and whether it can be reached.

use super::report::Diagnosis;
use crate::config::Config;

/// Examines the broker of the configuration, if there is one.
#[cfg(not(feature = "mqtt"))]
pub(super) fn examine(_: &Config) -> Vec<Diagnosis> {
    Vec::new()
}

/// Examines the broker of the configuration, if there is one. Nothing is sent to it: a second client of the
/// door's name would push out the daemon's.
#[cfg(feature = "mqtt")]
pub(super) fn examine(config: &Config) -> Vec<Diagnosis> {
    use crate::daemon::listeners::client_options;
    use std::net::{TcpStream, ToSocketAddrs};
    use std::time::Duration;

    /// How long the broker may take to answer.
    const PATIENCE: Duration = Duration::from_secs(3);

    let Some(mqtt) = &config.mqtt else { return Vec::new() };
    let broker = &mqtt.broker;
    if let Err(problem) = client_options(mqtt, "doctor".into()) {
        return vec![Diagnosis::error("broker", format!("{broker} is not told of the door: {problem}"))];
    }
    let connected = (broker.host.as_str(), broker.port).to_socket_addrs().and_then(|addresses| {
        let mut last = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| std::io::Error::other("its name has no address")))
    });
    vec![match connected {
        Ok(()) if broker.is_encrypted => Diagnosis::ok("broker", format!("{broker} can be reached")),
        Ok(()) => Diagnosis::warn(
            "broker",
            format!(
                "{broker} can be reached, and everybody in between can read along; use mqtts:// if it can"
            ),
        ),
        Err(error) => Diagnosis::warn(
            "broker",
            format!(
                "{broker} cannot be reached ({error}); events wait for it; check its name, its port and the network"
            ),
        ),
    }]
}

#[cfg(all(test, feature = "mqtt"))]
mod tests {
    use super::super::report::Severity;
    use super::*;
    use crate::config::{BrokerAddress, MqttConfig};
    use std::net::TcpListener;

    #[test]
    fn a_broker_is_reached_or_the_reason_told() {
        let found = |mqtt: Option<MqttConfig>| examine(&Config { mqtt, ..Config::default() });
        assert_eq!(found(None), []);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let broker = |port: u16| {
            MqttConfig::new(BrokerAddress { host: "127.0.0.1".into(), port, is_encrypted: false })
        };
        let plain = &found(Some(broker(port)))[0];
        assert!(plain.level == Severity::Warn && plain.text.contains("read along"), "{plain:?}");
        drop(listener);
        let away = &found(Some(broker(port)))[0];
        assert!(away.level == Severity::Warn && away.text.contains("events wait for it"), "{away:?}");
        let lost = MqttConfig { credentials: Some("/nowhere/mqtt.toml".into()), ..broker(port) };
        let lost = &found(Some(lost))[0];
        assert!(
            lost.level == Severity::Error && lost.text.contains("/nowhere/mqtt.toml cannot be read"),
            "{lost:?}"
        );
    }
}
