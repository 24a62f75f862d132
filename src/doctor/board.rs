//! The board: its name, heat, supply and memory, as kernel and firmware tell them.

use super::report::{Diagnosis, Root};
use crate::daemon::{BoardLimit, SupplyReport};

/// From this temperature on a Raspberry Pi lowers its clock by and by; at 85 °C it does so at once.
const HOT: f64 = 80.0;
/// So much free memory the daemon wants at least, in MiB: twice what it uses.
const LEAST_MEMORY: u64 = 48;

pub(super) fn examine(root: &Root) -> Vec<Diagnosis> {
    vec![board(root), heat(root), supply(root), memory(root)]
}

fn board(root: &Root) -> Diagnosis {
    let processor = || {
        let text = root.read("proc/cpuinfo")?;
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = root.read("proc/device-tree/model").or_else(processor);
    let name = model.unwrap_or_else(|| format!("an unknown {} machine", std::env::consts::ARCH));
    let system = root.read("etc/os-release").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(line.trim_matches('"').to_owned())
    });
    let system = system.map(|system| format!(", {system}")).unwrap_or_default();
    Diagnosis::ok("board", format!("{name}{system}, {}-bit program", usize::BITS))
}

fn heat(root: &Root) -> Diagnosis {
    let told = root.read("sys/class/thermal/thermal_zone0/temp").and_then(|text| text.parse::<f64>().ok());
    match told.map(|thousandths| thousandths / 1000.0) {
        Some(degrees) if degrees >= HOT => Diagnosis::warn(
            "heat",
            format!("the processor has {degrees:.0} °C and is slowed down; give it a heat sink or a fan"),
        ),
        Some(degrees) => Diagnosis::ok("heat", format!("the processor has {degrees:.0} °C")),
        None => Diagnosis::ok("heat", "the kernel does not tell the processor's temperature"),
    }
}

fn supply(root: &Root) -> Diagnosis {
    let told = SupplyReport::read(&root.path(""));
    let is_now = |limit| told.now(limit) == Some(true);
    let was = |limit| told.since_boot(limit) == Some(true);
    let mend = "use the board's own power supply and a short cable";
    if is_now(BoardLimit::UnderVoltage) {
        Diagnosis::error("supply", format!("the supply's voltage is too low now; {mend}"))
    } else if is_now(BoardLimit::Throttled) || is_now(BoardLimit::SoftTemperature) {
        Diagnosis::warn("supply", "the processor is slowed down now; give it a heat sink or a fan")
    } else if was(BoardLimit::UnderVoltage) {
        Diagnosis::warn("supply", format!("the supply's voltage was too low since the start; {mend}"))
    } else if was(BoardLimit::Throttled) || was(BoardLimit::SoftTemperature) {
        Diagnosis::warn(
            "supply",
            "the processor was slowed down since the start; give it a heat sink or a fan",
        )
    } else if told == SupplyReport::default() {
        Diagnosis::ok("supply", "this board does not tell whether its supply suffices")
    } else {
        Diagnosis::ok("supply", "the voltage has been high enough since the start")
    }
}

fn memory(root: &Root) -> Diagnosis {
    let available = root.read("proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    });
    match available.map(|kibibytes| kibibytes / 1024) {
        Some(mebibytes) if mebibytes < LEAST_MEMORY => Diagnosis::warn(
            "memory",
            format!(
                "only {mebibytes} MiB are free, and the daemon wants {LEAST_MEMORY}; stop other programs"
            ),
        ),
        Some(mebibytes) => Diagnosis::ok("memory", format!("{mebibytes} MiB are free")),
        None => Diagnosis::ok("memory", "the kernel does not tell how much is free"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Severity;
    use super::super::report::fake as root;
    use super::*;

    const FLAGS: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";

    #[test]
    fn nothing_told_is_no_fault() {
        let (_folder, root) = root(&[]);
        assert!(examine(&root).iter().all(|finding| finding.level == Severity::Ok));
    }

    #[test]
    fn the_board_is_named_by_its_device_tree() {
        let (_folder, root) = root(&[
            ("proc/device-tree/model", "Raspberry Pi 3 Model B Rev 1.2\0"),
            ("proc/cpuinfo", "model name\t: ARMv8\n"),
            ("etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"),
        ]);
        let text = board(&root).text;
        assert!(text.starts_with("Raspberry Pi 3 Model B Rev 1.2, Debian GNU/Linux 12, "), "{text}");
    }

    #[test]
    fn heat_and_little_memory_are_warnings() {
        for (thousandths, level) in
            [("79999", Severity::Ok), ("80000", Severity::Warn), ("hot", Severity::Ok)]
        {
            let (_folder, root) = root(&[("sys/class/thermal/thermal_zone0/temp", thousandths)]);
            assert_eq!(heat(&root).level, level, "{thousandths}");
        }
        for (kibibytes, level) in [(48 * 1024 - 1, Severity::Warn), (48 * 1024, Severity::Ok)] {
            let text = format!("MemTotal: 900000 kB\nMemAvailable:   {kibibytes} kB\n");
            let (_folder, root) = root(&[("proc/meminfo", &text)]);
            assert_eq!(memory(&root).level, level, "{kibibytes}");
        }
    }

    #[test]
    fn the_firmwares_flags_are_told_now_before_since_the_start() {
        for (flags, level, said) in [
            ("0", Severity::Ok, "high enough"),
            ("50005", Severity::Error, "too low now"),
            ("0x50000", Severity::Warn, "too low since"),
            ("4", Severity::Warn, "slowed down now"),
            ("80000", Severity::Warn, "was slowed down"),
            ("none", Severity::Ok, "does not tell"),
        ] {
            let (_folder, root) = root(&[(FLAGS, flags)]);
            let finding = supply(&root);
            assert_eq!(finding.level, level, "{flags}");
            assert!(finding.text.contains(said), "{flags}: {}", finding.text);
        }
    }

    #[test]
    fn without_flags_the_kernels_alarm_is_told() {
        for (alarm, level) in [("1\n", Severity::Warn), ("0\n", Severity::Ok)] {
            let (_folder, root) = root(&[
                ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
                ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
                ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm),
            ]);
            assert_eq!(supply(&root).level, level);
            assert!(!supply(&root).text.contains("does not tell"));
        }
    }
}
