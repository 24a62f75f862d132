//! The pins of outputs and button: whether they are there, free, and not those of a bus.

use super::report::{Diagnosis, Root};
use crate::config::Config;
use crate::outputs::{Backend, HEADER_PINS, PinState, Survey, header_pin, survey};

/// The buses on a Raspberry Pi's header: the name in the device tree's aliases, the switch in config.txt, and
/// the BCM numbers that the bus uses.
const BUSES: [(&str, &str, &[u32]); 3] = [
    ("i2c1", "dtparam=i2c_arm=on", &[2, 3]),
    ("spi0", "dtparam=spi=on", &[7, 8, 9, 10, 11]),
    ("serial0", "enable_uart=1", &[14, 15]),
];

pub(super) fn examine(root: &Root, config: &Config, runs: bool) -> Vec<Diagnosis> {
    let named = named(config);
    let pins: Vec<u32> = named.iter().map(|(_, pin)| *pin).collect();
    match survey(config.outputs.access(), &pins) {
        Ok(survey) => told(root, config, &named, &survey, runs),
        Err(error) => vec![Diagnosis::error("pins", error.to_string())],
    }
}

/// The outputs and the button with their pins.
fn named(config: &Config) -> Vec<(String, u32)> {
    let outputs = config.outputs.outputs.iter().map(|output| (output.name.clone(), output.pin));
    outputs.chain(config.outputs.button.map(|button| ("button".to_owned(), button.pin))).collect()
}

fn told(
    root: &Root,
    config: &Config,
    named: &[(String, u32)],
    survey: &Survey,
    runs: bool,
) -> Vec<Diagnosis> {
    let shown: Vec<String> = named.iter().map(|(name, pin)| shown(name, *pin)).collect();
    let mut findings = Vec::new();
    for ((name, pin), state) in named.iter().zip(&survey.pins) {
        match state {
            PinState::Free => {}
            PinState::Ours if runs => {}
            PinState::Ours => findings.push(Diagnosis::error(
                "pins",
                format!(
                    "output {name}: GPIO{pin} is in use by a maskwatch that does not answer; \
                     `systemctl status maskwatch` shows it"
                ),
            )),
            PinState::Refused(problem) => {
                findings.push(Diagnosis::error("pins", format!("output {name}: GPIO{pin} {problem}")));
            }
        }
        if config.outputs.backend != Backend::Simulated
            && let Some((bus, switch)) = bus(root, *pin)
        {
            findings.push(Diagnosis::warn(
                "pins",
                format!(
                    "output {name}: GPIO{pin} belongs to {bus}, which is switched on; use another pin, or remove \
                     {switch} from /boot/firmware/config.txt and reboot"
                ),
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Diagnosis::ok("pins", format!("{}; {}", shown.join(", "), survey.way)));
    }
    findings
}

/// An output as a line of the report shows it; the header's pin is what a finger counts.
fn shown(name: &str, pin: u32) -> String {
    let place = header_pin(pin).filter(|_| HEADER_PINS.contains(&pin));
    let place = place.map(|number| format!(" (header pin {number})")).unwrap_or_default();
    format!("{name} on GPIO{pin}{place}")
}

/// The bus that is switched on and uses `pin`, with its switch.
fn bus(root: &Root, pin: u32) -> Option<(&'static str, &'static str)> {
    let (alias, switch, _) = BUSES.into_iter().find(|(_, _, pins)| pins.contains(&pin))?;
    let node = root.read(&format!("proc/device-tree/aliases/{alias}"))?;
    // On a Pi 5 the first serial port has a connector of its own.
    if alias == "serial0" && root.exists("proc/device-tree/aliases/rp1_gpio") && !node.contains("rp1") {
        return None;
    }
    let status = root.read(&format!("proc/device-tree/{}/status", node.trim_start_matches('/')));
    (status.as_deref() == Some("okay")).then_some((alias, switch))
}

#[cfg(test)]
mod tests {
    use super::super::report::Severity;
    use super::super::report::fake as root;
    use super::*;

    fn found(root: &Root, text: &str, pins: &[PinState], runs: bool) -> Vec<Diagnosis> {
        let config = Config::parse(text, "door.toml").unwrap();
        let survey = Survey { way: "the kernel".into(), pins: pins.to_vec() };
        told(root, &config, &named(&config), &survey, runs)
    }

    #[test]
    fn free_pins_are_named_with_the_headers_pins() {
        let (_folder, root) = root(&[]);
        let findings =
            found(&root, "[outputs.red]\n[button]\npin = 5\n", &[PinState::Free, PinState::Free], false);
        let text = "red on GPIO17 (header pin 11), button on GPIO5 (header pin 29); the kernel";
        assert_eq!(findings, [Diagnosis::ok("pins", text)]);
    }

    #[test]
    fn whoever_else_has_a_pin_is_named() {
        let (_folder, root) = root(&[]);
        let one = "[outputs.red]\n";
        assert_eq!(found(&root, one, &[PinState::Ours], true)[0].level, Severity::Ok);
        let orphan = &found(&root, one, &[PinState::Ours], false)[0];
        assert!(orphan.level == Severity::Error && orphan.text.contains("does not answer"), "{orphan:?}");
        let other = &found(&root, one, &[PinState::Refused("is in use by \"spi0 CS0\"".into())], true)[0];
        assert_eq!(*other, Diagnosis::error("pins", "output red: GPIO17 is in use by \"spi0 CS0\""));
    }

    #[test]
    fn pins_of_a_bus_are_told_where_it_is_on() {
        let (_folder, on) = root(&[
            ("proc/device-tree/aliases/i2c1", "/soc/i2c@7e804000\0"),
            ("proc/device-tree/soc/i2c@7e804000/status", "okay\0"),
            ("proc/device-tree/aliases/spi0", "/soc/spi@7e204000\0"),
            ("proc/device-tree/soc/spi@7e204000/status", "disabled\0"),
        ]);
        let text = "[outputs.red]\npin = 2\n[outputs.green]\npin = 10\n";
        let findings = found(&on, text, &[PinState::Free, PinState::Free], false);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].level == Severity::Warn && findings[0].text.contains("remove dtparam=i2c_arm=on")
        );
    }
}
