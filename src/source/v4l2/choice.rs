//! Chooses the format and size to ask a camera for. Pure.

use super::format::FourCc;
use crate::pixels::format::PixelFormat;

/// A format that a camera offers, with its sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) fourcc: FourCc,
    pub(super) sizes: Sizes,
}

/// Sizes as (width, height) in pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sizes {
    /// The driver does not list them.
    Unknown,
    /// A list of sizes.
    Discrete(Vec<(u32, u32)>),
    /// From `least` to `most` by `step`.
    Steps { least: (u32, u32), most: (u32, u32), step: (u32, u32) },
}

/// A format and size to ask the driver for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FormatRequest {
    pub(super) fourcc: FourCc,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl FormatRequest {
    /// Whether `size`, which the driver has set, is the size asked for, apart from rounding.
    pub(super) fn is_nearly(&self, size: (u32, u32)) -> bool {
        let near = |got: u32, asked: u32| {
            let (got, asked) = (u64::from(got), u64::from(asked));
            2 * got > asked && got < 2 * asked
        };
        near(size.0, self.width) && near(size.1, self.height)
    }
}

/// Up to this many pixels a USB 2 camera sends frames without compression at full rate. Above it, Motion JPEG
/// keeps the rate but has to be decoded.
const SMALL: u64 = 640 * 480;

/// One request per format, the best first. Colour comes before grey, then a size that covers `wanted`, then
/// the smallest of those (or the largest below), then the format that is cheapest to read at that size.
pub(super) fn requests(offers: &[Offer], wanted: (u32, u32)) -> Vec<FormatRequest> {
    let mut ranked: Vec<_> = offers
        .iter()
        .filter_map(|offer| {
            let pixels = offer.fourcc.pixels()?;
            let (width, height) = best_size(&offer.sizes, wanted)?;
            let request = FormatRequest { fourcc: offer.fourcc, width, height };
            let key = (
                pixels == PixelFormat::Gray,
                size_key((width, height), wanted),
                format_rank(pixels, area((width, height)) > SMALL),
            );
            Some((key, request))
        })
        .collect();
    // The sort is stable: equals stay in the driver's order.
    ranked.sort_by_key(|&(key, _)| key);
    ranked.into_iter().map(|(_, request)| request).collect()
}

fn area((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// Orders sizes: those that cover `wanted` by growing area, then the others by shrinking area.
fn size_key(size: (u32, u32), wanted: (u32, u32)) -> (bool, u64) {
    let covers = size.0 >= wanted.0 && size.1 >= wanted.1;
    (!covers, if covers { area(size) } else { u64::MAX - area(size) })
}

fn best_size(sizes: &Sizes, wanted: (u32, u32)) -> Option<(u32, u32)> {
    match sizes {
        Sizes::Unknown => Some(wanted),
        Sizes::Discrete(sizes) => {
            let sane = sizes.iter().copied().filter(|&size| area(size) > 0);
            sane.min_by_key(|&size| size_key(size, wanted))
        }
        &Sizes::Steps { least, most, step } => {
            Some((on_step(wanted.0, least.0, most.0, step.0), on_step(wanted.1, least.1, most.1, step.1)))
        }
    }
}

/// The first value of `least`, `least + step`, … that is not below `wanted`, but not above `most`.
fn on_step(wanted: u32, least: u32, most: u32, step: u32) -> u32 {
    let (step, most) = (u64::from(step.max(1)), u64::from(most.max(least)));
    let least = u64::from(least);
    let up = u64::from(wanted).saturating_sub(least).div_ceil(step) * step + least;
    let last = (most - least) / step * step + least;
    // At most `most`, which fits into 32 bits.
    up.min(last) as u32
}

/// Rank of a format; lower is better.
fn format_rank(pixels: PixelFormat, large: bool) -> u8 {
    match pixels {
        PixelFormat::Mjpeg => {
            if large {
                0
            } else {
                9
            }
        }
        // Half the bytes of RGB over the bus, and cheap to read.
        PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::Yuv420p | PixelFormat::Yvu420p => 1,
        PixelFormat::Yuyv422 | PixelFormat::Uyvy422 | PixelFormat::Yvyu422 => 2,
        PixelFormat::Rgb24 | PixelFormat::Bgr24 => 3,
        PixelFormat::Gray => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer(code: &[u8; 4], sizes: &[(u32, u32)]) -> Offer {
        Offer { fourcc: FourCc::new(code), sizes: Sizes::Discrete(sizes.to_vec()) }
    }

    fn first(offers: &[Offer], wanted: (u32, u32)) -> String {
        requests(offers, wanted)
            .first()
            .map_or("none".into(), |c| format!("{} {}x{}", c.fourcc, c.width, c.height))
    }

    #[test]
    fn a_usual_webcam() {
        let sizes = [(160, 120), (320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080)];
        let webcam = [offer(b"MJPG", &sizes), offer(b"YUYV", &sizes), offer(b"H264", &sizes)];
        assert_eq!(first(&webcam, (640, 480)), "YUYV 640x480");
        assert_eq!(first(&webcam, (500, 300)), "YUYV 640x480");
        assert_eq!(first(&webcam, (1280, 720)), "MJPG 1280x720");
        assert_eq!(first(&webcam, (4000, 3000)), "MJPG 1920x1080");
        let formats: Vec<_> = requests(&webcam, (640, 480)).iter().map(|c| c.fourcc.to_string()).collect();
        assert_eq!(formats, ["YUYV", "MJPG"]);
    }

    #[test]
    fn a_larger_size_in_motion_jpeg_only() {
        let webcam = [offer(b"YUYV", &[(640, 480)]), offer(b"MJPG", &[(640, 480), (1280, 720)])];
        assert_eq!(first(&webcam, (1280, 720)), "MJPG 1280x720");
        assert_eq!(first(&webcam, (640, 360)), "YUYV 640x480");
    }

    #[test]
    fn colour_before_grey_and_nothing_from_raw() {
        let infrared = [offer(b"GREY", &[(640, 480)]), offer(b"MJPG", &[(320, 240)])];
        assert_eq!(first(&infrared, (640, 480)), "MJPG 320x240");
        assert_eq!(first(&infrared[..1], (640, 480)), "GREY 640x480");
        assert_eq!(first(&[offer(b"pRAA", &[(3280, 2464)])], (640, 480)), "none");
        assert_eq!(first(&[offer(b"YUYV", &[(0, 480)])], (640, 480)), "none");
    }

    #[test]
    fn steps_and_drivers_that_do_not_tell() {
        let steps = |least, most, step| Offer {
            fourcc: FourCc::new(b"YUYV"),
            sizes: Sizes::Steps { least, most, step },
        };
        assert_eq!(first(&[steps((32, 32), (1920, 1080), (16, 16))], (630, 475)), "YUYV 640x480");
        assert_eq!(first(&[steps((2, 1), (8192, 8192), (2, 1))], (641, 481)), "YUYV 642x481");
        assert_eq!(first(&[steps((800, 600), (1600, 1200), (0, 0))], (640, 480)), "YUYV 800x600");
        assert_eq!(first(&[steps((64, 64), (500, 400), (16, 16))], (640, 480)), "YUYV 496x400");
        let silent = Offer { fourcc: FourCc::new(b"YUYV"), sizes: Sizes::Unknown };
        assert_eq!(first(&[silent], (640, 480)), "YUYV 640x480");
    }

    proptest! {
        #[test]
        fn steps_stay_on_the_grid(wanted: u32, least: u32, most: u32, step: u32) {
            let chosen = on_step(wanted, least, most, step);
            prop_assert!(chosen >= least && chosen <= most.max(least));
            prop_assert_eq!((chosen - least) % step.max(1), 0);
        }

        #[test]
        fn the_chosen_size_covers_if_any_does(
            sizes in prop::collection::vec((1u32..3000, 1u32..3000), 1..8), wanted in (1u32..2000, 1u32..2000),
        ) {
            let chosen = requests(&[offer(b"YUYV", &sizes)], wanted)[0];
            let covers = |size: (u32, u32)| size.0 >= wanted.0 && size.1 >= wanted.1;
            let size = (chosen.width, chosen.height);
            prop_assert!(sizes.contains(&size));
            prop_assert_eq!(covers(size), sizes.iter().any(|&size| covers(size)));
            for &other in sizes.iter().filter(|&&other| covers(other)) {
                prop_assert!(area(size) <= area(other));
            }
        }
    }
}
