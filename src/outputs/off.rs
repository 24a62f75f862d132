//! Switches pins off one by one, for a daemon that is gone: a pin that fails does not keep the others on.

use super::driver::Driver;
use super::error::OutputError;
use super::output::Output;

/// Drives the pin of each of `outputs` inactive. Returns what went wrong.
pub fn switch_off(driver: &mut dyn Driver, outputs: &[Output]) -> Vec<OutputError> {
    let off = |output: &Output| {
        let level = output.active.level(false);
        let driven = driver.output(output).and_then(|mut pin| pin.drive(level));
        if driven.is_ok() {
            let (kind, Output { name, pin, .. }) = (driver.pin_kind(), output);
            log::debug!("{kind} {name} (GPIO{pin}) was driven {level:?}");
        }
        driven.err()
    };
    outputs.iter().filter_map(off).collect()
}
