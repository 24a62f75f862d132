//! What systemd and the journal tell of the service, and the drop-ins that a configuration needs.

use super::report::{Diagnosis, Root};
use crate::config::Config;
use crate::outputs::{Kind, Pwm};
use crate::source::{ProgramSource, SourceSpec};
use crate::text::flattened;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many faults are shown.
const FAULTS: usize = 3;
/// The service has been started again so often by itself that something is wrong.
const RESTARTS: u32 = 3;

pub(super) fn examine(root: &Root, service: &str, config: Option<&Config>) -> Vec<Diagnosis> {
    let unit = format!("{service}.service");
    let properties = "LoadState,ActiveState,UnitFileState,NRestarts,StatusText";
    let Some(told) = answer("systemctl", &["show", &unit, "--no-pager", "--property", properties]) else {
        return vec![Diagnosis::ok("service", "systemd does not run here")];
    };
    let told: HashMap<&str, &str> = told.lines().filter_map(|line| line.split_once('=')).collect();
    let of = |key: &str| told.get(key).copied().unwrap_or_default();
    if of("LoadState") != "loaded" {
        return vec![Diagnosis::warn(
            "service",
            format!(
                "{service} is not installed as a service; install the package to have it start with the board"
            ),
        )];
    }
    let mut findings = vec![state(service, of("ActiveState"), of("UnitFileState"), of("StatusText"))];
    let restarts = of("NRestarts").parse().unwrap_or(0);
    if restarts >= RESTARTS {
        let text = format!(
            "it was started again {restarts} times; the journal says why: journalctl -u {service} -e"
        );
        findings.push(Diagnosis::warn("restarts", text));
    }
    findings.extend(config.into_iter().flat_map(|config| missing_drop_ins(root, service, config)));
    findings.push(journal(service, &unit));
    findings
}

fn state(service: &str, active: &str, enabled: &str, status: &str) -> Diagnosis {
    let status = if status.is_empty() { String::new() } else { format!(" ({})", flattened(status)) };
    match (active, enabled) {
        ("active", "enabled") => Diagnosis::ok("service", format!("{service} runs{status}")),
        ("active", _) => Diagnosis::warn(
            "service",
            format!("{service} runs{status}, but will not after a reboot; sudo systemctl enable {service}"),
        ),
        ("failed" | "activating", _) => Diagnosis::error(
            "service",
            format!("{service} does not come up{status}; the journal says why: journalctl -u {service} -e"),
        ),
        _ => {
            Diagnosis::warn("service", format!("{service} is stopped; sudo systemctl enable --now {service}"))
        }
    }
}

/// The drop-ins that `config` needs, each once, with what needs it.
fn drop_ins(config: &Config) -> Vec<(&'static str, &'static str)> {
    let mut needed = Vec::new();
    match &config.source.spec {
        SourceSpec::Program(ProgramSource::Csi(_)) => needed.push(("rpicam.conf", "the CSI camera")),
        SourceSpec::Program(ProgramSource::Stream(_)) => needed.push(("network.conf", "the network camera")),
        SourceSpec::Command(line) if line.to_string().contains("rpicam-") => {
            needed.push(("rpicam.conf", "the CSI camera"));
        }
        _ => {}
    }
    let hardware = |kind: Kind| matches!(kind, Kind::PassiveBuzzer { pwm: Pwm::Hardware, .. });
    if config.outputs.outputs.iter().any(|output| hardware(output.kind)) {
        needed.push(("pwm.conf", "the passive buzzer"));
    }
    for program in config.hooks.iter().filter_map(|hook| hook.run.first()) {
        match program.rsplit('/').next() {
            Some("sound" | "aplay") => needed.push(("sound.conf", "the hook that plays a sound")),
            Some("mail" | "webhook" | "curl" | "sendmail" | "msmtp") => {
                needed.push(("network.conf", "the hook that sends something"));
            }
            _ => {}
        }
    }
    if config.web.enabled {
        needed.push(("web.conf", "the web page"));
    }
    if config.metrics.file.is_some() {
        needed.push(("metrics-file.conf", "the file with metrics"));
    }
    if config.metrics.listen.is_some() {
        needed.push(("metrics.conf", "the address for metrics"));
    }
    if config.mqtt.is_some() {
        needed.push(("mqtt.conf", "the broker"));
    }
    let mut seen = HashSet::new();
    needed.retain(|(name, _)| seen.insert(*name));
    needed
}

/// The drop-ins that `config` needs and that are not in place, with what needs them.
pub(super) fn missing(root: &Root, service: &str, config: &Config) -> Vec<(&'static str, &'static str)> {
    let in_place = |name: &str| {
        let folders = [format!("{service}.service.d"), "maskwatch@.service.d".to_owned()];
        folders.iter().any(|folder| root.exists(&format!("etc/systemd/system/{folder}/{name}")))
    };
    drop_ins(config).into_iter().filter(|(name, _)| !in_place(name)).collect()
}

fn missing_drop_ins(root: &Root, service: &str, config: &Config) -> Vec<Diagnosis> {
    let told = |(name, what): (&str, &str)| {
        Diagnosis::error(
            "drop-in",
            format!(
                "{what} needs {name}; sudo install -D -m 644 /usr/share/maskwatch/drop-ins/{name} -t \
                 /etc/systemd/system/{service}.service.d, then sudo systemctl daemon-reload and restart {service}"
            ),
        )
    };
    missing(root, service, config).into_iter().map(told).collect()
}

/// The last warnings and errors in the journal.
fn journal(service: &str, unit: &str) -> Diagnosis {
    // Only what the daemon itself says: systemd has opinions of its own about units.
    let arguments = [
        "-u",
        unit,
        "-t",
        "maskwatch",
        "-p",
        "warning",
        "--since",
        "-24h",
        "-n",
        "50",
        "-o",
        "cat",
        "--no-pager",
        "-q",
    ];
    match answer("journalctl", &arguments) {
        None => {
            Diagnosis::ok("journal", "this user may not read the journal; run as root to see the last faults")
        }
        Some(text) => {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = lines.iter().rev().take(FAULTS).rev().map(|line| flattened(line)).collect::<Vec<_>>();
            if last.is_empty() {
                return Diagnosis::ok("journal", "no warning in the last 24 hours");
            }
            let text = format!(
                "{} warnings in the last 24 hours, the last: {}; all of them: journalctl -u {service} -p warning",
                lines.len(),
                last.join(" | ")
            );
            Diagnosis::warn("journal", text)
        }
    }
}

/// What a program writes; `None` where it is missing, fails or takes too long.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .env("LC_ALL", "C")
        .spawn()
        .ok()?;
    let pipe = child.stdout.take()?;
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        // What is readable is used, even where the rest fails; nobody may wait for it any more.
        let _ = pipe.take(1 << 20).read_to_end(&mut text);
        let _ = sender.send(text);
    });
    let start = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(10)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    let text = ended.then(|| received.recv_timeout(PATIENCE).ok()).flatten()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::report::Severity;
    use super::*;
    use std::path::Path;

    #[test]
    fn the_services_state_has_its_mend() {
        for (active, enabled, level, said) in [
            ("active", "enabled", Severity::Ok, "runs (door is idle)"),
            ("active", "disabled", Severity::Warn, "systemctl enable maskwatch"),
            ("failed", "enabled", Severity::Error, "journalctl -u maskwatch"),
            ("activating", "enabled", Severity::Error, "does not come up"),
            ("inactive", "enabled", Severity::Warn, "enable --now maskwatch"),
        ] {
            let finding = state("maskwatch", active, enabled, "door is idle");
            assert!(finding.level == level && finding.text.contains(said), "{finding:?}");
        }
    }

    #[test]
    fn a_drop_in_that_is_needed_is_named_until_it_is_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let config = Config::parse("[source]\nspec = \"csi\"\n", "door.toml").unwrap();
        let missing = missing_drop_ins(&root, "maskwatch", &config);
        assert!(missing.len() == 1 && missing[0].level == Severity::Error, "{missing:?}");
        assert!(missing[0].text.contains("drop-ins/rpicam.conf"), "{missing:?}");
        let place = folder.path().join("etc/systemd/system/maskwatch.service.d");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("rpicam.conf"), "").unwrap();
        assert_eq!(missing_drop_ins(&root, "maskwatch", &config), []);
        assert_eq!(missing_drop_ins(&root, "maskwatch", &Config::default()), []);
    }

    #[test]
    fn each_drop_in_is_asked_for_once_with_what_needs_it() {
        let needed = |text: &str| {
            let config = Config::parse(text, "door.toml").unwrap();
            let names: Vec<_> = drop_ins(&config).into_iter().map(|(name, _)| name).collect();
            let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/drop-ins"));
            assert!(names.iter().all(|name| folder.join(name).is_file()), "{names:?}");
            names
        };
        let hook = |program: &str| format!("[[hook]]\non = \"alert\"\nrun = [\"{program}\"]\n");
        let mail = hook("/usr/share/maskwatch/hooks/mail");
        assert_eq!(needed(&format!("{mail}{}", hook("curl"))), ["network.conf"]);
        assert_eq!(needed(&hook("/usr/share/maskwatch/hooks/sound")), ["sound.conf"]);
        assert_eq!(needed(&hook("/usr/local/bin/own")), [""; 0]);
        let buzzer = "[outputs.buzzer]\nkind = \"passive-buzzer\"\npin = 18\npwm = \"hardware\"\n";
        assert_eq!(needed(buzzer), ["pwm.conf"]);
        assert_eq!(needed("[metrics]\nfile = \"/var/a.prom\"\n"), ["metrics-file.conf"]);
        if cfg!(feature = "web") {
            assert_eq!(needed("[metrics]\nlisten = \"127.0.0.1:9101\"\n"), ["metrics.conf"]);
        }
        assert_eq!(needed("[source]\nspec = \"rtsp://camera/1\"\n"), ["network.conf"]);
        assert_eq!(needed("[source]\nspec = \"command: rpicam-vid -o -\"\n"), ["rpicam.conf"]);
        assert_eq!(needed("[web]\nenabled = true\n"), ["web.conf"]);
        assert_eq!(needed("[web]\nenabled = false\n"), [""; 0]);
        #[cfg(feature = "mqtt")]
        assert_eq!(needed("[mqtt]\nbroker = \"mqtt://h\"\n"), ["mqtt.conf"]);
    }

    #[test]
    fn a_program_that_fails_hangs_or_is_missing_gives_nothing() {
        assert_eq!(answer("sh", &["-c", "echo yes"]).as_deref(), Some("yes\n"));
        assert_eq!(answer("sh", &["-c", "echo yes; exit 1"]), None);
        assert_eq!(answer("/no/such/program", &[]), None);
    }
}
