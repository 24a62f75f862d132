//! Chooses the way to the pins, and opens it.

use super::driver::Driver;
use super::error::OutputError;
#[cfg(target_os = "linux")]
use super::gpiocdev::CharacterDevice;
#[cfg(target_os = "linux")]
use super::rppal::{Registers, available};
use super::simulated::simulated;
use maskwatch_vision::named;

/// The way to the pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// `Rppal` if its gpiomem device opens, else `Gpiocdev`.
    #[default]
    Auto,
    /// The GPIO registers of a Raspberry Pi, through /dev/gpiomem.
    Rppal,
    /// The kernel's GPIO character device.
    Gpiocdev,
    /// No pins: changes are only logged.
    Simulated,
}

named!(Backend {
    Auto => "auto",
    Rppal => "rppal",
    Gpiocdev => "gpiocdev",
    Simulated => "simulated",
});

/// How the pins are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PinAccess<'a> {
    /// The way to the pins.
    pub backend: Backend,
    /// The GPIO chip that [`Backend::Gpiocdev`] uses, by label, name or path; without it the chip is found by
    /// the labels of Raspberry Pis.
    pub chip: Option<&'a str>,
    /// Whether this is a Compute Module, all of whose lines may be used.
    pub compute_module: bool,
}

/// Opens the way to the pins.
///
/// # Errors
/// [`OutputError`] that names the backend or chip and the mend.
pub fn open(access: PinAccess<'_>) -> Result<Box<dyn Driver>, OutputError> {
    match access.backend {
        Backend::Simulated => Ok(simulated().0),
        #[cfg(target_os = "linux")]
        Backend::Rppal => Ok(Box::new(Registers::open(access.compute_module)?)),
        #[cfg(target_os = "linux")]
        Backend::Gpiocdev => Ok(Box::new(CharacterDevice::open(access.chip, access.compute_module)?)),
        #[cfg(target_os = "linux")]
        Backend::Auto => automatic(access),
        #[cfg(not(target_os = "linux"))]
        Backend::Rppal | Backend::Gpiocdev | Backend::Auto => {
            Err(OutputError::NoBackend("pins are driven on Linux only".into()))
        }
    }
}

/// Opens gpiocdev if a chip is configured; else rppal if it is available, else gpiocdev.
#[cfg(target_os = "linux")]
fn automatic(access: PinAccess<'_>) -> Result<Box<dyn Driver>, OutputError> {
    let PinAccess { chip, compute_module, .. } = access;
    if chip.is_some() {
        return Ok(Box::new(CharacterDevice::open(chip, compute_module)?));
    }
    let reason = match available() {
        // This is a Raspberry Pi: an error of rppal is the one to show.
        Ok(()) => return Ok(Box::new(Registers::open(compute_module)?)),
        Err(reason) => reason,
    };
    log::debug!("rppal cannot be used: {reason}");
    match CharacterDevice::open(None, compute_module) {
        Ok(driver) => Ok(Box::new(driver)),
        Err(OutputError::NoBackend(problem)) => {
            Err(OutputError::NoBackend(format!("{reason}, and {problem}")))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_chip_that_is_not_there_is_named_with_what_is() {
        let told = |backend, chip| {
            let access = PinAccess { backend, chip: Some(chip), compute_module: false };
            open(access).err().unwrap().to_string()
        };
        let error = told(Backend::Gpiocdev, "no-such-chip");
        assert!(error.starts_with("GPIO chip no-such-chip: there is none"), "{error}");
        let error = told(Backend::Auto, "/dev/null");
        assert!(error.starts_with("GPIO chip /dev/null:"), "{error}");
    }
}
