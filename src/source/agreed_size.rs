//! The size of the frames of a command that writes Motion JPEG. A frame that states a far larger size than
//! those before may have a damaged header, and must not fill the memory. When several whole frames agree on
//! the new size, it is the command's size from then on: somebody has set the camera to another one.

use crate::pixels::jpeg;

/// How many frames in a row must agree.
const AGREEING: u32 = 3;

/// The size that frames are expected to have.
#[derive(Debug, Default)]
pub(super) struct AgreedSize {
    size: (u32, u32),
    /// Another size, and how many frames in a row had it.
    other: ((u32, u32), u32),
}

impl AgreedSize {
    /// The size; 0 by 0 for any.
    pub(super) fn get(&self) -> (u32, u32) {
        self.size
    }

    /// Notes a frame that was decoded.
    pub(super) fn decoded(&mut self, size: (u32, u32)) {
        if self.size == (0, 0) {
            self.size = size;
        }
        self.other = Default::default();
    }

    /// Notes a frame that was refused because it states this other size. True if it is the size from now on.
    pub(super) fn refused(&mut self, bytes: &[u8], size: (u32, u32)) -> bool {
        // Only whole frames count; to check one fills no memory with pixels.
        if jpeg::check(bytes, |_, _| Ok(())).is_err() {
            self.other = Default::default();
            return false;
        }
        let before = if self.other.0 == size { self.other.1 } else { 0 };
        self.other = (size, before + 1);
        let agreed = before + 1 >= AGREEING;
        if agreed {
            (self.size, self.other) = (size, Default::default());
        }
        agreed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{RgbImage, codecs::jpeg::JpegEncoder};

    #[test]
    fn only_whole_frames_that_agree_change_the_size() {
        let mut whole = Vec::new();
        JpegEncoder::new(&mut whole).encode_image(&RgbImage::new(48, 32)).unwrap();
        let cut = &whole[..whole.len() - 9];
        let mut agreed = AgreedSize::default();
        agreed.decoded((16, 16));
        agreed.decoded((17, 16));
        assert_eq!(agreed.get(), (16, 16), "the first frame says it");
        let large = (48, 32);
        assert!(!agreed.refused(&whole, large) && !agreed.refused(&whole, large));
        assert!(!agreed.refused(cut, large), "a damaged one begins the count again");
        assert!(!agreed.refused(&whole, large) && !agreed.refused(&whole, large));
        assert!(!agreed.refused(&whole, (99, 99)), "so does another size");
        assert!(!agreed.refused(&whole, large) && !agreed.refused(&whole, large));
        agreed.decoded((16, 16));
        assert!(!agreed.refused(&whole, large) && !agreed.refused(&whole, large));
        assert_eq!(agreed.get(), (16, 16));
        assert!(agreed.refused(&whole, large));
        assert_eq!(agreed.get(), large);
    }
}
