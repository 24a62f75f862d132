//! What firmware and kernel of a Raspberry Pi tell of its supply and clock: whether the voltage is too low,
//! and whether the processor is slowed down.

use maskwatch_vision::named;
use std::path::Path;

/// The firmware's flags, where Raspberry Pi OS has them.
const FLAGS: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
/// The flags that tell of the time since the start are so many bits above those of now.
const SINCE_BOOT: u32 = 16;

/// Something that keeps the board from its full speed. The order is that of the firmware's flags, from bit 0
/// on (<https://www.raspberrypi.com/documentation/computers/os.html#get_throttled>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoardLimit {
    /// The supply's voltage is too low.
    UnderVoltage,
    /// The clock's upper limit is lowered.
    FrequencyCapped,
    /// The clock is lowered.
    Throttled,
    /// It is so warm that the clock is lowered by and by.
    SoftTemperature,
}

named!(BoardLimit {
    UnderVoltage => "under_voltage",
    FrequencyCapped => "frequency_capped",
    Throttled => "throttled",
    SoftTemperature => "soft_temperature_limit",
});

/// What was told of the supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SupplyReport {
    flags: Option<u32>,
    /// The alarm of the kernel's driver for the firmware's under-voltage flag, where there are no flags.
    alarm: Option<bool>,
}

impl SupplyReport {
    /// What is told below `root`, which is `/` but for tests.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let told = std::fs::read_to_string(root.join(FLAGS)).ok();
        let flags = told.and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
        Self { flags, alarm: if flags.is_none() { alarm(root) } else { None } }
    }

    /// Whether `limit` holds now; `None` where it is not told.
    #[must_use]
    pub fn now(self, limit: BoardLimit) -> Option<bool> {
        self.flags.map(|flags| flags >> limit as u32 & 1 == 1)
    }

    /// Whether `limit` has held at any time since the board was started; `None` where it is not told.
    #[must_use]
    pub fn since_boot(self, limit: BoardLimit) -> Option<bool> {
        let flagged = self.flags.map(|flags| flags >> (SINCE_BOOT + limit as u32) & 1 == 1);
        flagged.or(self.alarm.filter(|_| limit == BoardLimit::UnderVoltage))
    }
}

fn alarm(root: &Path) -> Option<bool> {
    let sensors = std::fs::read_dir(root.join("sys/class/hwmon")).ok()?;
    sensors.flatten().find_map(|sensor| {
        let read = |file: &str| std::fs::read_to_string(sensor.path().join(file)).ok();
        (read("name")?.trim() == "rpi_volt").then(|| read("in0_lcrit_alarm"))?.map(|text| text.trim() == "1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(file: &str, text: &str) -> SupplyReport {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        SupplyReport::read(folder.path())
    }

    #[test]
    fn each_flag_has_a_bit_for_now_and_one_for_since_boot() {
        for (bit, limit) in BoardLimit::ALL.into_iter().enumerate() {
            let now = told(FLAGS, &format!("{:x}\n", 1 << bit));
            let before = told(FLAGS, &format!("0x{:x}", 0x10000 << bit));
            for other in BoardLimit::ALL {
                let is_it = Some(other == limit);
                assert_eq!((now.now(other), now.since_boot(other)), (is_it, Some(false)));
                assert_eq!((before.now(other), before.since_boot(other)), (Some(false), is_it));
            }
        }
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        let nothing = told(FLAGS, "none\n");
        assert_eq!(nothing, SupplyReport::default());
        assert_eq!(nothing.now(BoardLimit::Throttled), None);
        let folder = tempfile::tempdir().unwrap();
        let sensor = folder.path().join("sys/class/hwmon/hwmon0");
        std::fs::create_dir_all(&sensor).unwrap();
        std::fs::write(sensor.join("name"), "rpi_volt\n").unwrap();
        std::fs::write(sensor.join("in0_lcrit_alarm"), "1\n").unwrap();
        let alarmed = SupplyReport::read(folder.path());
        assert_eq!(alarmed.since_boot(BoardLimit::UnderVoltage), Some(true));
        assert_eq!(alarmed.since_boot(BoardLimit::Throttled), None);
        assert_eq!(alarmed.now(BoardLimit::UnderVoltage), None, "the alarm stays until the next start");
    }
}
