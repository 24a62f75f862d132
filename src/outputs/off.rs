//! Switches pins off one by one, for a daemon that is gone: a pin that fails does not keep the others on, and
//! one of which nobody knows which level is off is driven no more.

use super::driver::Driver;
use super::error::OutputError;
use super::output::Output;

/// Makes the pin of each of `outputs` an input, which drives nothing. Returns what went wrong.
pub fn let_go(driver: &mut dyn Driver, outputs: &[Output]) -> Vec<OutputError> {
    let go = |output: &Output| {
        let gone = driver.let_go(output);
        if gone.is_ok() {
            let (kind, Output { name, pin, .. }) = (driver.pin_kind(), output);
            log::debug!("{kind} {name} (GPIO{pin}) is an input now");
        }
        gone.err()
    };
    outputs.iter().filter_map(go).collect()
}

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
