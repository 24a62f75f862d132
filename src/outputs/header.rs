//! The header of a Raspberry Pi: which of its chip's lines are on it, and under which number.

use std::ops::RangeInclusive;

/// Labels of the chip behind the header: Raspberry Pi 5, 4, and all before.
pub const HEADER_CHIPS: [&str; 3] = ["pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"];
/// BCM numbers of the lines on the header. The board uses the others itself: for its SD card, its Wi-Fi, its
/// LEDs.
pub const HEADER_PINS: RangeInclusive<u32> = 0..=27;

/// BCM number of each of the header's pins 1 to 40; `None` for supply and ground.
const BCM_NUMBERS: [Option<u32>; 40] = [
    None,
    None,
    Some(2),
    None,
    Some(3),
    None,
    Some(4),
    Some(14),
    None,
    Some(15),
    Some(17),
    Some(18),
    Some(27),
    None,
    Some(22),
    Some(23),
    None,
    Some(24),
    Some(10),
    None,
    Some(9),
    Some(25),
    Some(11),
    Some(8),
    None,
    Some(7),
    Some(0),
    Some(1),
    Some(5),
    None,
    Some(6),
    Some(12),
    Some(13),
    None,
    Some(19),
    Some(16),
    Some(26),
    Some(20),
    None,
    Some(21),
];

/// The header's pin 1 to 40 of a BCM number.
#[must_use]
pub fn header_pin(bcm: u32) -> Option<usize> {
    BCM_NUMBERS.iter().position(|number| *number == Some(bcm)).map(|index| index + 1)
}

/// Refuses a line that is not on the header, with the end of a sentence that starts with the pin. A Compute
/// Module has more lines than there are on the header of a Raspberry Pi.
///
/// # Errors
/// With what is wrong and the mend.
pub fn check_header_pin(pin: u32, compute_module: bool) -> Result<(), String> {
    if compute_module || HEADER_PINS.contains(&pin) {
        return Ok(());
    }
    // The example is a pin that has a BCM number: that of the header's pin if there is one.
    let meant = (pin as usize).checked_sub(1).and_then(|index| *BCM_NUMBERS.get(index)?);
    let (header, bcm) = meant.map_or((37, 26), |bcm| (pin, bcm));
    Err(format!(
        "is not on a Raspberry Pi's header; use the BCM number (0 to 27), not the header's pin number: \
         header pin {header} is BCM {bcm} (Compute Module: compute_module = true)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_header_has_each_of_its_lines_once() {
        let lines: Vec<u32> = BCM_NUMBERS.into_iter().flatten().collect();
        assert_eq!(lines.iter().copied().collect::<BTreeSet<_>>(), HEADER_PINS.collect());
        assert_eq!(lines.len(), 28);
        assert_eq!((header_pin(17), header_pin(26), header_pin(28)), (Some(11), Some(37), None));
        assert_eq!((BCM_NUMBERS[10], BCM_NUMBERS[36], BCM_NUMBERS[39]), (Some(17), Some(26), Some(21)));
    }

    #[test]
    fn a_number_of_the_header_is_told_as_bcm() {
        assert_eq!(check_header_pin(27, false), Ok(()));
        assert_eq!(check_header_pin(37, true), Ok(()));
        let told = |pin| check_header_pin(pin, false).unwrap_err();
        assert!(told(37).contains("header pin 37 is BCM 26"), "{}", told(37));
        assert!(told(38).contains("header pin 38 is BCM 20"), "{}", told(38));
        for pin in [28, 39, 41, 511, u32::MAX] {
            assert!(told(pin).contains("header pin 28 is BCM 1") == (pin == 28), "{}", told(pin));
            assert!(told(pin).contains("use the BCM number (0 to 27), not the header's pin number"));
        }
    }
}
