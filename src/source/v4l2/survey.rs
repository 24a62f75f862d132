//! What a camera that captures offers, and how long it exposes: read, and nothing is set.

use std::time::Duration;

use v4l::v4l_sys as sys;

use super::choice::{Offer, Sizes};
use super::driver::{CaptureDriver, ControlDriver};
use crate::pixels::format::FrameFormat;
use crate::source::{CameraSurvey, Exposure, OfferedFormat};

/// The unit of `V4L2_CID_EXPOSURE_ABSOLUTE`.
const EXPOSURE_UNIT: Duration = Duration::from_micros(100);

/// What the camera behind `driver` tells while it gives frames of `taken`.
pub(super) fn survey(driver: &(impl CaptureDriver + ControlDriver), taken: &FrameFormat) -> CameraSurvey {
    let offers = driver.offers();
    let is_taken = |offer: &&Offer| offer.fourcc.pixels() == Some(taken.pixels);
    let mut rates = offers
        .iter()
        .find(is_taken)
        .map_or_else(Vec::new, |offer| driver.rates(offer.fourcc, taken.width, taken.height));
    rates.retain(|rate| rate.is_finite() && *rate > 0.0);
    rates.sort_by(f64::total_cmp);
    let formats = offers
        .iter()
        .map(|offer| OfferedFormat { code: offer.fourcc.to_string(), largest: largest(&offer.sizes) });
    CameraSurvey { formats: formats.collect(), rates, exposure: exposure(driver) }
}

fn largest(sizes: &Sizes) -> Option<(u32, u32)> {
    match sizes {
        Sizes::Unknown => None,
        Sizes::Discrete(sizes) => {
            sizes.iter().copied().max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
        }
        Sizes::Steps { most, .. } => Some(*most),
    }
}

fn exposure(driver: &impl ControlDriver) -> Option<Exposure> {
    let units =
        u32::try_from(driver.control(sys::V4L2_CID_EXPOSURE_ABSOLUTE)?).ok().filter(|units| *units > 0)?;
    let manual = sys::v4l2_exposure_auto_type_V4L2_EXPOSURE_MANUAL as i32;
    let priority = sys::v4l2_exposure_auto_type_V4L2_EXPOSURE_SHUTTER_PRIORITY as i32;
    let mode = driver.control(sys::V4L2_CID_EXPOSURE_AUTO);
    Some(Exposure {
        time: EXPOSURE_UNIT * units,
        is_automatic: mode.is_some_and(|mode| mode != manual && mode != priority),
    })
}
