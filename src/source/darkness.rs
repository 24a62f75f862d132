//! Tells black pictures, of a camera whose lens is covered or that has no light. A dark entrance is not
//! enough: the picture must be black everywhere. Pure.

use crate::pixels::delayed::DelayedPicture;
use crate::pixels::picture::View;

/// Values of red, green or blue up to this are black: a sensor's black with some noise. In a night scene a
/// lamp, a reflection or the camera's amplification always gives higher values.
const BLACK: u8 = 8;
/// Values from this on are white, at the sensor's upper limit.
const WHITE: u8 = 250;
/// How far a block's mean may be off.
const ROUNDED: u8 = 4;
/// Every fourth row is checked.
const ROWS: usize = 4;
/// Pixels converted at a time; in a lit picture the first few end the search.
const RUN: usize = 32;

/// Whether every pixel is black.
pub(super) fn is_black(picture: View<'_>) -> bool {
    all(picture, |value| value <= BLACK)
}

/// As [`is_black`], without decoding a frame that shows anything.
pub(super) fn is_black_frame(picture: &DelayedPicture) -> bool {
    // A block of black pixels has a black mean, but for what coding rounds away.
    let lit = |means| !all(means, |value| value <= BLACK + ROUNDED);
    !picture.block_means().is_some_and(lit) && picture.view().is_ok_and(is_black)
}

/// As [`is_clipped`], of a frame.
pub(super) fn is_clipped_frame(picture: &DelayedPicture) -> bool {
    picture.view().is_ok_and(is_clipped)
}

/// Whether every pixel is black, or every pixel is white: such pictures do not change from frame to frame.
pub(super) fn is_clipped(picture: View<'_>) -> bool {
    is_black(picture) || all(picture, |value| value >= WHITE)
}

fn all(picture: View<'_>, fits: impl Fn(u8) -> bool) -> bool {
    let (width, height) = picture.dimensions();
    let mut rgb = [0; 3 * RUN];
    (0..height as usize).step_by(ROWS).all(|y| {
        (0..width as usize).step_by(RUN).all(|left| {
            let run = &mut rgb[..3 * RUN.min(width as usize - left)];
            picture.read_row(left, y, run);
            run.iter().all(|&value| fits(value))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::format::{FrameFormat, PixelFormat};
    use image::{Rgb, RgbImage};

    fn flat(shade: u8) -> RgbImage {
        RgbImage::from_pixel(70, 50, Rgb([shade; 3]))
    }

    #[test]
    fn black_is_black_in_every_place() {
        let black = flat(BLACK);
        assert!(is_black(View::from(&black)));
        assert!(!is_black(View::from(&flat(BLACK + 1))));
        // A lamp of a few pixels, in the last column too.
        for x in [0, 33, 66] {
            let mut lamp = black.clone();
            for (dx, dy) in (0..4).flat_map(|dx| (0..4).map(move |dy| (dx, dy))) {
                lamp.put_pixel(x + dx, 22 + dy, Rgb([90, 80, 40]));
            }
            assert!(!is_black(View::from(&lamp)), "a lamp at {x}");
        }
    }

    #[test]
    fn black_is_known_in_a_cameras_own_formats() {
        let yuyv = FrameFormat::new(PixelFormat::Yuyv422, 64, 16);
        let frame = |y: u8, c: u8| [y, c, y, c].repeat(64 * 16 / 2);
        let black = |bytes: &[u8]| is_black(View::new(bytes, &yuyv).unwrap());
        assert!(black(&frame(16, 128)));
        assert!(black(&frame(20, 128)));
        assert!(!black(&frame(30, 128)), "a dim scene");
        assert!(!black(&frame(0, 0)), "zeros are green: no sensor gives them, a broken transfer does");
    }

    #[test]
    fn white_is_clipped_and_grey_is_not() {
        assert!(is_clipped(View::from(&flat(255))) && is_clipped(View::from(&flat(0))));
        assert!(!is_clipped(View::from(&flat(128))));
        let mut halves = flat(0);
        for y in 0..25 {
            (0..70).for_each(|x| halves.put_pixel(x, y, Rgb([255; 3])));
        }
        assert!(!is_clipped(View::from(&halves)));
    }
}
