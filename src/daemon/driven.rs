//! Which pins are driven now, and how they are switched off, in a file that outlives the process: whoever
//! switches off after a crash must not depend on a configuration that has changed or broken since.

use super::folders::{RUNTIME_FOLDER, runtime_folder};
use crate::config::{Config, OutputsConfig};
use crate::outputs::{self, Output, OutputError, let_go, switch_off};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file in it.
const FILE: &str = "driven-pins.toml";

/// The record of driven pins. Where there is no folder for it, nothing is recorded.
#[derive(Debug, Clone, Default)]
pub struct DrivenPins(Option<PathBuf>);

impl DrivenPins {
    /// The record of this process, in the folder that systemd has made for it. A process that a person has
    /// started records nothing: it must not write over what the service has driven.
    #[must_use]
    pub fn of_service() -> Self {
        runtime_folder().map_or_else(Self::default, |folder| Self::within(&folder))
    }

    /// The record of whoever was here before: the service's, also for a person.
    #[must_use]
    pub fn left_behind() -> Self {
        match Self::of_service() {
            Self(None) => Self::within(Path::new(RUNTIME_FOLDER)),
            named => named,
        }
    }

    /// The record in `folder`, if there is such a folder.
    #[must_use]
    pub fn within(folder: &Path) -> Self {
        Self(folder.is_dir().then(|| folder.join(FILE)))
    }

    /// What was recorded last, if it can be read.
    #[must_use]
    pub fn recorded(&self) -> Option<OutputsConfig> {
        let path = self.0.as_ref().filter(|path| path.exists())?;
        match Config::load(path) {
            Ok(config) => Some(config.outputs),
            Err(error) => {
                log::warn!("the record of the pins that were driven is of no use: {error}");
                None
            }
        }
    }

    /// Records that the pins of `config` are driven from now on.
    pub fn record(&self, config: &OutputsConfig) {
        let Some(path) = &self.0 else { return };
        let written = atomic_write_file::AtomicWriteFile::open(path).and_then(|mut file| {
            std::io::Write::write_all(&mut file, config.wiring().as_bytes())?;
            file.commit()
        });
        if let Err(error) = written {
            let path = path.display();
            log::warn!(
                "{path} cannot be written ({error}): if the daemon is killed, the configuration says what is switched off"
            );
        }
    }

    /// Records the pins of `config`, which are about to be driven, beside those that are driven already.
    /// Those of another way to the pins stay alone until [`record`](Self::record): they may be driven still.
    pub fn add(&self, config: &OutputsConfig) {
        let mut all = config.clone();
        match self.recorded() {
            Some(before) if !before.access_is_that_of(config) => return,
            Some(before) => all.outputs.extend(beside(&before.outputs, config)),
            None => {}
        }
        self.record(&all);
    }

    /// Forgets what was recorded: everything is off.
    pub fn forget(&self) {
        if let Some(path) = &self.0
            && let Err(error) = std::fs::remove_file(path)
            && error.kind() != ErrorKind::NotFound
        {
            log::warn!("{} cannot be removed: {error}", path.display());
        }
    }

    /// Switches off what an earlier daemon, which was killed, has driven and that of `config` does not drive.
    pub(super) fn switch_off_others(&self, config: &OutputsConfig) {
        let Some(mut before) = self.recorded() else { return };
        if before.access_is_that_of(config) {
            before.outputs = beside(&before.outputs, config);
        }
        if before.outputs.is_empty() {
            return;
        }
        for error in off(&before, &[]) {
            log::warn!("a pin that was driven before stays as it is: {error}");
        }
    }
}

/// Those of `outputs` whose pins `config` does not use.
fn beside(outputs: &[Output], config: &OutputsConfig) -> Vec<Output> {
    let used = |output: &&Output| !config.outputs.iter().any(|other| other.pin == output.pin);
    outputs.iter().filter(used).cloned().collect()
}

/// Drives every output of `config` inactive, and lets the pins of `of_unknown_level` go, whatever becomes of
/// the others. Returns what went wrong.
pub fn off(config: &OutputsConfig, of_unknown_level: &[Output]) -> Vec<OutputError> {
    match outputs::open(config.access()) {
        Ok(mut driver) => {
            let mut errors = switch_off(&mut *driver, &config.outputs);
            errors.extend(let_go(&mut *driver, of_unknown_level));
            errors
        }
        Err(error) => vec![error],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outputs::{Active, Backend, Kind, Pwm};

    fn config(text: &str) -> OutputsConfig {
        Config::parse(text, "door.toml").unwrap().outputs
    }

    /// What matters for switching off.
    fn wiring(config: &OutputsConfig) -> Vec<(u32, Active, Kind)> {
        let mut wiring: Vec<_> =
            config.outputs.iter().map(|output| (output.pin, output.active, output.kind)).collect();
        wiring.sort_by_key(|(pin, ..)| *pin);
        wiring
    }

    #[test]
    fn what_is_recorded_is_read_back_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let driven = DrivenPins::within(folder.path());
        assert!(driven.recorded().is_none());
        let door = config(
            "[outputs]\nbackend = \"gpiocdev\"\nchip = \"a \\\"chip\\\"\"\n[outputs.red]\npin = 300\nactive = \"low\"\n\
             [outputs.siren]\npin = 18\nkind = \"passive-buzzer\"\ntone_hz = 440\npwm = \"software\"\nalert = \"steady\"\n",
        );
        driven.record(&door);
        let recorded = driven.recorded().unwrap();
        assert_eq!((recorded.backend, &recorded.chip), (Backend::Gpiocdev, &door.chip));
        let siren = Kind::PassiveBuzzer { frequency: 440, pwm: Pwm::Software };
        assert_eq!(wiring(&recorded), [(18, Active::High, siren), (300, Active::Low, Kind::Led)]);
        driven.forget();
        assert!(driven.recorded().is_none());
        driven.forget();
        std::fs::write(folder.path().join(FILE), "damaged").unwrap();
        assert!(driven.recorded().is_none());
    }

    #[test]
    fn pins_that_are_about_to_be_driven_are_recorded_beside_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        let driven = DrivenPins::within(folder.path());
        driven.record(&config("[outputs.red]\npin = 5\n[outputs.green]\npin = 6\n"));
        driven.add(&config("[outputs.red]\npin = 7\n[outputs.green]\npin = 6\nactive = \"low\"\n"));
        let pins = |driven: &DrivenPins| {
            wiring(&driven.recorded().unwrap())
                .into_iter()
                .map(|(pin, active, _)| (pin, active))
                .collect::<Vec<_>>()
        };
        assert_eq!(pins(&driven), [(5, Active::High), (6, Active::Low), (7, Active::High)]);
        let others = config("[outputs]\nbackend = \"simulated\"\n[outputs.red]\npin = 9\n");
        driven.add(&others);
        assert_eq!(pins(&driven).len(), 3, "another way to the pins is not yet open");
        driven.record(&others);
        assert_eq!(pins(&driven), [(9, Active::High)]);
    }

    #[test]
    fn without_a_folder_nothing_is_recorded_and_nothing_fails() {
        let driven = DrivenPins::within(Path::new("/nowhere/maskwatch"));
        driven.record(&OutputsConfig::default());
        driven.add(&OutputsConfig::default());
        driven.forget();
        assert!(driven.recorded().is_none());
    }
}
