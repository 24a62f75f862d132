//! Asks the kernel who owns pins, without touching one.

use super::driver::PinState;
#[cfg(target_os = "linux")]
use super::gpiocdev::CharacterDevice;
#[cfg(target_os = "linux")]
use super::rppal::available;
use super::{Backend, OutputError, PinAccess};

/// What is known of pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The way to the pins, such as "GPIO character device pinctrl-bcm2835 (/dev/gpiochip0)".
    pub way: String,
    /// The state of each pin that was asked for.
    pub pins: Vec<PinState>,
}

/// Asks for the state of `pins`.
///
/// # Errors
/// As [`open`](super::open()): there is no way to the pins.
#[cfg(target_os = "linux")]
pub fn survey(access: PinAccess<'_>, pins: &[u32]) -> Result<Survey, OutputError> {
    let PinAccess { backend, chip, compute_module } = access;
    if backend == Backend::Simulated {
        return Ok(Survey {
            way: "simulated, no pin is driven".into(),
            pins: vec![PinState::Free; pins.len()],
        });
    }
    let through_registers = match backend {
        Backend::Rppal => {
            available().map_err(OutputError::NoBackend)?;
            true
        }
        _ => backend == Backend::Auto && chip.is_none() && available().is_ok(),
    };
    let kernel = CharacterDevice::open(chip, compute_module)?;
    let pins = pins.iter().map(|pin| kernel.state(*pin)).collect();
    let registers = if through_registers { "through the registers; " } else { "" };
    Ok(Survey { way: format!("{registers}{}", kernel.describe_chip()), pins })
}

/// Asks for the state of `pins`.
///
/// # Errors
/// Always, where there is no Linux.
#[cfg(not(target_os = "linux"))]
pub fn survey(_: PinAccess<'_>, _: &[u32]) -> Result<Survey, OutputError> {
    Err(OutputError::NoBackend("pins are driven on Linux only".into()))
}
