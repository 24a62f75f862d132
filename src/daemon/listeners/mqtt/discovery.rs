//! What Home Assistant is told of the door, so that it shows it without being configured: one message for the
//! whole device, after <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>. Pure.

use super::topics::Topics;
use crate::config::OrderKind;
use crate::decide::DoorState;
use serde_json::{Map, Value, json};

/// For how long the button in Home Assistant silences the buzzers, in seconds.
const SILENCE: u32 = 60;

/// The message; buttons and switches are only in it where their orders are `allowed`.
pub(super) fn message(topics: &Topics, allowed: &[OrderKind]) -> Value {
    let id = topics.identifier();
    let mut components = Map::new();
    let mut add = |key: &str, platform: &str, name: &str, more: Value| {
        let mut component = Map::new();
        component.insert("platform".into(), platform.into());
        component.insert("unique_id".into(), format!("{id}_{key}").into());
        component.insert("name".into(), name.into());
        if let Value::Object(more) = more {
            component.extend(more);
        }
        components.insert(key.into(), component.into());
    };
    let (state, stats) = (topics.state(), topics.stats());
    add(
        "state",
        "sensor",
        "State",
        json!({
            "device_class": "enum", "options": DoorState::ALL.map(DoorState::name), "icon": "mdi:door",
            "state_topic": state, "value_template": "{{ value_json.state }}",
        }),
    );
    add(
        "alert",
        "binary_sensor",
        "Unmasked face",
        json!({
            "device_class": "safety", "state_topic": state,
            "value_template": "{{ 'ON' if value_json.state == 'alert' else 'OFF' }}",
        }),
    );
    add(
        "fault",
        "binary_sensor",
        "Fault",
        json!({
            "device_class": "problem", "entity_category": "diagnostic", "state_topic": state,
            "value_template": "{{ 'ON' if value_json.fault is defined else 'OFF' }}",
        }),
    );
    add(
        "reason",
        "sensor",
        "Reason of the fault",
        json!({
            "entity_category": "diagnostic", "state_topic": state,
            "value_template": "{{ value_json.fault | default('none') | truncate(250) }}",
        }),
    );
    for (key, name) in [
        ("people", "People"),
        ("masked", "Masked people"),
        ("unmasked", "Unmasked people"),
        ("incorrect", "Masks worn incorrectly"),
        ("unsure", "Unsure people"),
        ("alerts", "Alerts"),
    ] {
        // No counts are told while the clock is not believed.
        let template = format!("{{{{ (value_json.counts | default({{}})).{key} | default(none) }}}}");
        add(
            key,
            "sensor",
            name,
            json!({ "state_class": "total_increasing", "state_topic": stats, "value_template": template }),
        );
    }
    add(
        "looks_per_second",
        "sensor",
        "Looks a second",
        json!({
            "state_class": "measurement", "entity_category": "diagnostic", "state_topic": stats,
            "value_template": "{{ value_json.looks_per_second }}",
        }),
    );
    add(
        "temperature",
        "sensor",
        "Processor temperature",
        json!({
            "device_class": "temperature", "unit_of_measurement": "°C", "state_class": "measurement",
            "entity_category": "diagnostic", "state_topic": stats,
            "value_template": "{{ value_json.temperature | default(none) }}",
        }),
    );
    let orders = topics.orders();
    let may = |kind| allowed.contains(&kind);
    if may(OrderKind::Silence) {
        let press = json!({ "command": "silence", "seconds": SILENCE }).to_string();
        add(
            "silence",
            "button",
            "Silence the buzzer",
            json!({ "command_topic": orders, "payload_press": press }),
        );
    }
    if may(OrderKind::Pause) && may(OrderKind::Resume) {
        add(
            "pause",
            "switch",
            "Pause",
            json!({
                "command_topic": orders, "payload_on": r#"{"command":"pause"}"#,
                "payload_off": r#"{"command":"resume"}"#, "state_topic": state, "state_on": "ON", "state_off": "OFF",
                "value_template": "{{ 'ON' if value_json.paused is defined else 'OFF' }}",
            }),
        );
    }
    json!({
        "device": {
            "identifiers": [id], "name": format!("maskwatch {}", topics.door), "manufacturer": "maskwatch",
            "model": "Door", "sw_version": env!("CARGO_PKG_VERSION"),
        },
        "origin": { "name": "maskwatch", "sw_version": env!("CARGO_PKG_VERSION") },
        "availability": [{ "topic": topics.availability() }],
        "qos": 1,
        "components": components,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BrokerAddress, MqttConfig};

    #[test]
    fn orders_are_offered_only_where_they_are_allowed() {
        let config = MqttConfig::new(BrokerAddress::parse("mqtt://h").unwrap());
        let topics = Topics::new(&config, "north");
        let keys = |allowed: &[OrderKind]| {
            let message = message(&topics, allowed);
            message["components"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        let none = keys(&[]);
        assert!(none.contains(&"alert".to_owned()) && !none.contains(&"silence".to_owned()), "{none:?}");
        assert_eq!(keys(&[OrderKind::Pause]), none, "a pause that could not be ended");
        assert_eq!(keys(&OrderKind::ALL).len(), none.len() + 2);
    }

    #[test]
    fn the_payloads_are_orders_that_the_door_knows() {
        use crate::daemon::listeners::socket::protocol::Request;
        let config = MqttConfig::new(BrokerAddress::parse("mqtt://h").unwrap());
        let message = message(&Topics::new(&config, "north"), &OrderKind::ALL);
        for (component, key) in
            [("silence", "payload_press"), ("pause", "payload_on"), ("pause", "payload_off")]
        {
            let payload = message["components"][component][key].as_str().unwrap();
            assert!(Request::parse(payload.as_bytes()).unwrap().command().unwrap().is_some(), "{payload}");
        }
    }
}
