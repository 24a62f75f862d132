//! What a camera can be told of its picture: exposure, gain, white balance, focus, flicker and backlight. How
//! a device is told is the business of [`super::v4l2`].

/// What is asked of a camera; `None` leaves a control as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Controls {
    /// Time of exposure in steps of 0.1 ms.
    pub exposure: Option<Setting>,
    /// Amplification, in steps of the camera.
    pub gain: Option<Setting>,
    /// Colour temperature of white in kelvins.
    pub white_balance: Option<Setting>,
    /// Distance of focus, in steps of the camera.
    pub focus: Option<Setting>,
    /// The mains frequency at which lamps flicker.
    pub power_line_frequency: Option<PowerLine>,
    /// How much dark foregrounds are lifted, in steps of the camera.
    pub backlight_compensation: Option<u32>,
}

/// A value, or the camera's own choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The camera chooses.
    Auto,
    /// This value.
    Value(u32),
}

/// The mains frequency at which lamps flicker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerLine {
    /// Flicker is not avoided.
    Off,
    /// 50 Hz.
    Hertz50,
    /// 60 Hz.
    Hertz60,
    /// The camera finds out.
    Auto,
}
