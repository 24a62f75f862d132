//! Tells a camera its exposure, gain, white balance, focus, flicker and backlight, as far as it can be told.
//! What it does not offer is said and left out: a door that watches with the wrong gain is better than one
//! that does not watch.

use v4l::v4l_sys as sys;

use super::driver::{ControlDriver, ControlLimits};
use crate::source::{Controls, PowerLine, Setting};

/// A control with a number, and the one that leaves the number to the camera.
struct Adjustable {
    /// Its key in the configuration.
    key: &'static str,
    number: u32,
    automatic: u32,
    /// Values of the latter that let the camera choose, the usual one first.
    on: &'static [i32],
    /// The value that does not.
    off: i32,
}

const EXPOSURE: Adjustable = Adjustable {
    key: "exposure",
    number: sys::V4L2_CID_EXPOSURE_ABSOLUTE,
    automatic: sys::V4L2_CID_EXPOSURE_AUTO,
    // Webcams know "aperture priority", others "auto".
    on: &[
        sys::v4l2_exposure_auto_type_V4L2_EXPOSURE_APERTURE_PRIORITY as i32,
        sys::v4l2_exposure_auto_type_V4L2_EXPOSURE_AUTO as i32,
    ],
    off: sys::v4l2_exposure_auto_type_V4L2_EXPOSURE_MANUAL as i32,
};
const GAIN: Adjustable = switched("gain", sys::V4L2_CID_GAIN, sys::V4L2_CID_AUTOGAIN);
const WHITE_BALANCE: Adjustable =
    switched("white_balance", sys::V4L2_CID_WHITE_BALANCE_TEMPERATURE, sys::V4L2_CID_AUTO_WHITE_BALANCE);
const FOCUS: Adjustable = switched("focus", sys::V4L2_CID_FOCUS_ABSOLUTE, sys::V4L2_CID_FOCUS_AUTO);

const fn switched(key: &'static str, number: u32, automatic: u32) -> Adjustable {
    Adjustable { key, number, automatic, on: &[1], off: 0 }
}

/// Sets what `controls` ask for. Returns what could not be set, each as a sentence about the camera called
/// `name`.
pub(super) fn set(driver: &impl ControlDriver, controls: &Controls, name: &str) -> Vec<String> {
    let desk = Desk { driver, name };
    let adjustables = [
        (EXPOSURE, controls.exposure),
        (GAIN, controls.gain),
        (WHITE_BALANCE, controls.white_balance),
        (FOCUS, controls.focus),
    ];
    let adjusted = adjustables.into_iter().map(|(adjustable, setting)| match setting {
        Some(setting) => desk.adjust(&adjustable, setting),
        None => Ok(()),
    });
    let mut outcomes: Vec<Result<(), String>> = adjusted.collect();
    outcomes.extend(controls.power_line_frequency.map(|wanted| desk.power_line(wanted)));
    outcomes.extend(controls.backlight_compensation.map(|value| desk.backlight(value)));
    outcomes.into_iter().filter_map(Result::err).collect()
}

/// A camera and its name.
struct Desk<'a, D> {
    driver: &'a D,
    name: &'a str,
}

impl<D: ControlDriver> Desk<'_, D> {
    fn adjust(&self, adjustable: &Adjustable, setting: Setting) -> Result<(), String> {
        let Adjustable { key, number, automatic, on, off } = *adjustable;
        let has_automatic = self.driver.limits(automatic).is_some();
        match setting {
            Setting::Auto => {
                let offered = on.iter().find(|value| self.takes(automatic, **value));
                let Some(value) = offered.filter(|_| has_automatic) else {
                    let name = self.name;
                    return Err(format!(
                        "{name} cannot choose its {key} by itself; {}",
                        self.instead(key, number)
                    ));
                };
                self.set(key, automatic, *value)
            }
            Setting::Value(value) => {
                let value = self.number(key, number, value)?;
                // Before the number, which counts for nothing as long as the camera chooses.
                if has_automatic {
                    self.set(key, automatic, off)?;
                }
                self.set(key, number, value)
            }
        }
    }

    fn backlight(&self, value: u32) -> Result<(), String> {
        const KEY: &str = "backlight_compensation";
        const ID: u32 = sys::V4L2_CID_BACKLIGHT_COMPENSATION;
        self.set(KEY, ID, self.number(KEY, ID, value)?)
    }

    fn power_line(&self, wanted: PowerLine) -> Result<(), String> {
        const KEY: &str = "power_line_frequency";
        const ID: u32 = sys::V4L2_CID_POWER_LINE_FREQUENCY;
        let index = match wanted {
            PowerLine::Off => 0,
            PowerLine::Hertz50 => 1,
            PowerLine::Hertz60 => 2,
            PowerLine::Auto => 3,
        };
        if self.takes(ID, index) {
            return self.set(KEY, ID, index);
        }
        let words = ["0", "50", "60", "\"auto\""];
        let offered: Vec<&str> =
            (0..).zip(words).filter(|(index, _)| self.takes(ID, *index)).map(|(_, word)| word).collect();
        let name = self.name;
        Err(match offered.as_slice() {
            [] => self.missing(KEY),
            offered => format!(
                "{name} does not know source.controls.{KEY} = {}; use {}",
                words.get(index as usize).unwrap_or(&""),
                offered.join(" or ")
            ),
        })
    }

    /// Whether a switch or menu has this value.
    fn takes(&self, id: u32, value: i32) -> bool {
        self.driver.limits(id).is_some_and(|limits| {
            let within = (limits.least..=limits.most).contains(&value);
            within && (!limits.is_menu || self.driver.has_choice(id, value.unsigned_abs()))
        })
    }

    /// The value for a control with a number, if the control takes it.
    fn number(&self, key: &str, id: u32, value: u32) -> Result<i32, String> {
        let Some(limits) = self.driver.limits(id) else { return Err(self.missing(key)) };
        let fitting = i32::try_from(value).ok().filter(|value| limits.take(*value));
        fitting.ok_or_else(|| {
            format!("{} does not take source.controls.{key} = {value}; use {limits}", self.name)
        })
    }

    fn missing(&self, key: &str) -> String {
        format!("{} has no control of its {}; remove source.controls.{key}", self.name, key.replace('_', " "))
    }

    fn instead(&self, key: &str, id: u32) -> String {
        match self.driver.limits(id) {
            Some(limits) => format!("use {limits} for source.controls.{key}, or remove it"),
            None => format!("remove source.controls.{key}"),
        }
    }

    fn set(&self, key: &str, id: u32, value: i32) -> Result<(), String> {
        self.driver.set_control(id, value).map_err(|error| {
            format!("{} refuses what source.controls.{key} asks for ({error}); remove it", self.name)
        })
    }
}

impl ControlLimits {
    fn take(&self, value: i32) -> bool {
        let steps = i64::from(value) - i64::from(self.least);
        (self.least..=self.most).contains(&value) && steps % i64::from(self.step.max(1)) == 0
    }
}

impl std::fmt::Display for ControlLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.least, self.most)?;
        if self.step > 1 { write!(f, " in steps of {}", self.step) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::io;

    /// A webcam: what its controls take, and what they were set to, in order.
    #[derive(Default)]
    struct Webcam {
        controls: Vec<(u32, ControlLimits)>,
        /// Entries that a menu lacks.
        lacking: Vec<(u32, u32)>,
        set: RefCell<Vec<(u32, i32)>>,
        refuses: bool,
    }

    impl ControlDriver for Webcam {
        fn limits(&self, id: u32) -> Option<ControlLimits> {
            self.controls.iter().find(|(known, _)| *known == id).map(|(_, limits)| *limits)
        }

        fn has_choice(&self, id: u32, index: u32) -> bool {
            !self.lacking.contains(&(id, index))
        }

        fn control(&self, id: u32) -> Option<i32> {
            self.set.borrow().iter().rev().find(|(known, _)| *known == id).map(|(_, value)| *value)
        }

        fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
            if self.refuses {
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            self.set.borrow_mut().push((id, value));
            Ok(())
        }
    }

    fn number(least: i32, most: i32, step: i32) -> ControlLimits {
        ControlLimits { least, most, step, is_menu: false }
    }

    fn webcam() -> Webcam {
        let menu = |most| ControlLimits { is_menu: true, ..number(0, most, 1) };
        Webcam {
            controls: vec![
                (sys::V4L2_CID_EXPOSURE_ABSOLUTE, number(3, 2047, 1)),
                (sys::V4L2_CID_EXPOSURE_AUTO, menu(3)),
                (sys::V4L2_CID_GAIN, number(0, 255, 5)),
                (sys::V4L2_CID_WHITE_BALANCE_TEMPERATURE, number(2000, 6500, 1)),
                (sys::V4L2_CID_AUTO_WHITE_BALANCE, number(0, 1, 1)),
                (sys::V4L2_CID_POWER_LINE_FREQUENCY, menu(2)),
                (sys::V4L2_CID_BACKLIGHT_COMPENSATION, number(0, 1, 1)),
            ],
            lacking: vec![(sys::V4L2_CID_EXPOSURE_AUTO, 0), (sys::V4L2_CID_EXPOSURE_AUTO, 2)],
            ..Webcam::default()
        }
    }

    fn told(webcam: &Webcam, controls: Controls) -> Vec<String> {
        set(webcam, &controls, "camera /dev/video0 (HD Webcam)")
    }

    #[test]
    fn numbers_are_set_after_the_camera_no_longer_chooses() {
        let webcam = webcam();
        let controls = Controls {
            exposure: Some(Setting::Value(100)),
            gain: Some(Setting::Value(20)),
            white_balance: Some(Setting::Auto),
            power_line_frequency: Some(PowerLine::Hertz50),
            backlight_compensation: Some(1),
            focus: None,
        };
        assert!(told(&webcam, controls).is_empty());
        let expected = [
            (sys::V4L2_CID_EXPOSURE_AUTO, 1),
            (sys::V4L2_CID_EXPOSURE_ABSOLUTE, 100),
            (sys::V4L2_CID_GAIN, 20),
            (sys::V4L2_CID_AUTO_WHITE_BALANCE, 1),
            (sys::V4L2_CID_POWER_LINE_FREQUENCY, 1),
            (sys::V4L2_CID_BACKLIGHT_COMPENSATION, 1),
        ];
        assert_eq!(*webcam.set.borrow(), expected);
    }

    #[test]
    fn automatic_exposure_is_the_kind_that_the_camera_has() {
        let controls = Controls { exposure: Some(Setting::Auto), ..Controls::default() };
        let webcam = webcam();
        assert!(told(&webcam, controls).is_empty());
        let other = Webcam { lacking: vec![(sys::V4L2_CID_EXPOSURE_AUTO, 3)], ..self::webcam() };
        assert!(told(&other, controls).is_empty());
        assert_eq!(*webcam.set.borrow(), [(sys::V4L2_CID_EXPOSURE_AUTO, 3)]);
        assert_eq!(*other.set.borrow(), [(sys::V4L2_CID_EXPOSURE_AUTO, 0)]);
    }

    #[test]
    fn what_the_camera_does_not_offer_is_said_and_the_rest_is_set() {
        let webcam = webcam();
        let controls = Controls {
            exposure: Some(Setting::Value(2)),
            gain: Some(Setting::Auto),
            focus: Some(Setting::Value(0)),
            power_line_frequency: Some(PowerLine::Auto),
            backlight_compensation: Some(1),
            white_balance: None,
        };
        assert_eq!(
            told(&webcam, controls),
            [
                "camera /dev/video0 (HD Webcam) does not take source.controls.exposure = 2; use 3 to 2047",
                "camera /dev/video0 (HD Webcam) cannot choose its gain by itself; use 0 to 255 in steps of 5 for source.controls.gain, or remove it",
                "camera /dev/video0 (HD Webcam) has no control of its focus; remove source.controls.focus",
                "camera /dev/video0 (HD Webcam) does not know source.controls.power_line_frequency = \"auto\"; use 0 or 50 or 60",
            ]
        );
        assert_eq!(*webcam.set.borrow(), [(sys::V4L2_CID_BACKLIGHT_COMPENSATION, 1)]);
        let steps = Controls { gain: Some(Setting::Value(7)), ..Controls::default() };
        assert_eq!(
            told(&webcam, steps),
            [
                "camera /dev/video0 (HD Webcam) does not take source.controls.gain = 7; use 0 to 255 in steps of 5"
            ]
        );
        let bare = Webcam::default();
        assert_eq!(told(&bare, Controls { exposure: Some(Setting::Auto), ..Controls::default() }).len(), 1);
        assert_eq!(
            told(&bare, Controls { power_line_frequency: Some(PowerLine::Off), ..Controls::default() }).len(),
            1
        );
    }

    #[test]
    fn what_the_driver_refuses_is_said() {
        let webcam = Webcam { refuses: true, ..webcam() };
        let [one] = &told(&webcam, Controls { gain: Some(Setting::Value(5)), ..Controls::default() })[..]
        else {
            panic!()
        };
        assert!(one.contains("refuses what source.controls.gain asks for (Input/output error"), "{one}");
    }
}
