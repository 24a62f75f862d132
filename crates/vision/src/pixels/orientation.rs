//! Turned and mirrored pictures: which pixel of a picture as it lies in memory is which of the upright one.
//! Turning is put off: the networks' small inputs are turned, not the frame. Nothing here knows a format.

pub use image::metadata::Orientation;

/// A whole rectangle of pixels; it may reach over the picture's edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) left: i64,
    pub(super) top: i64,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// How an upright picture lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lie {
    /// Upright columns are rows.
    swapped: bool,
    /// Columns are counted from the right edge.
    from_right: bool,
    /// Rows are counted from the lower edge.
    from_bottom: bool,
}

impl Lie {
    /// Of a picture that `orientation` makes upright; `None` for one that is upright already.
    pub(super) fn new(orientation: Orientation) -> Option<Self> {
        let (swapped, from_right, from_bottom) = match orientation {
            Orientation::NoTransforms => return None,
            Orientation::FlipHorizontal => (false, true, false),
            Orientation::FlipVertical => (false, false, true),
            Orientation::Rotate180 => (false, true, true),
            Orientation::Rotate90FlipH => (true, false, false),
            Orientation::Rotate90 => (true, false, true),
            Orientation::Rotate270 => (true, true, false),
            Orientation::Rotate270FlipH => (true, true, true),
        };
        Some(Self { swapped, from_right, from_bottom })
    }

    /// Width and height upright for those in memory, and the other way round.
    pub(super) fn swap<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.swapped { (height, width) } else { (width, height) }
    }

    /// Where the upright `part` lies in a picture of `size` in memory.
    pub(super) fn part(self, part: Region, size: (u32, u32)) -> Region {
        let (width, height) = self.swap((part.width, part.height));
        let (left, top) = self.swap((part.left, part.top));
        let counted = |start: i64, length: u32, whole: u32, is_from_end: bool| {
            let end = start.saturating_add(i64::from(length));
            if is_from_end { i64::from(whole).saturating_sub(end) } else { start }
        };
        Region {
            left: counted(left, width, size.0, self.from_right),
            top: counted(top, height, size.1, self.from_bottom),
            width,
            height,
        }
    }

    /// Copies RGB pixels, `size` of them across and down without gaps, upright into `target`, whose rows are
    /// `stride` bytes apart.
    pub(super) fn upright(self, pixels: &[u8], size: (usize, usize), target: &mut [u8], stride: usize) {
        /// Columns of the target that are filled together: the rows of memory that they come from stay in the
        /// processor's nearest memory.
        const BAND: usize = 32;
        let (width, height) = size;
        let (across, down) = self.swap(size);
        if across == 0 || down == 0 || pixels.len() < 3 * width * height {
            return;
        }
        if !self.swapped {
            for (y, to) in target.chunks_mut(stride).take(down).enumerate() {
                let row = if self.from_bottom { height - 1 - y } else { y };
                let from = &pixels[3 * row * width..][..3 * width];
                let Some(to) = to.get_mut(..3 * across) else { return };
                if self.from_right {
                    mirror_into(from, to);
                } else {
                    to.copy_from_slice(from);
                }
            }
            return;
        }
        let pixels = pixels.as_chunks::<3>().0;
        for band in (0..across).step_by(BAND) {
            let end = across.min(band + BAND);
            for (y, to) in target.chunks_mut(stride).take(down).enumerate() {
                let column = if self.from_right { width - 1 - y } else { y };
                let Some(to) = to.get_mut(3 * band..3 * end) else { return };
                for (x, to) in (band..end).zip(to.as_chunks_mut::<3>().0) {
                    let row = if self.from_bottom { height - 1 - x } else { x };
                    *to = pixels[row * width + column];
                }
            }
        }
    }
}

/// Writes the pixels of the row `from` into `to`, the last one first.
fn mirror_into(from: &[u8], to: &mut [u8]) {
    // Four pixels are three words: that takes half the time of pixel by pixel.
    let (first, fours) = from.as_rchunks::<12>();
    let (to_fours, to_last) = to.as_chunks_mut::<12>();
    for (from, to) in fours.iter().rev().zip(to_fours) {
        let word = |at: usize| u32::from_le_bytes([from[at], from[at + 1], from[at + 2], from[at + 3]]);
        let (a, b, c) = (word(0), word(4), word(8));
        let [one, two, three, four] =
            [a, a >> 24 | b << 8, b >> 16 | c << 16, c >> 8].map(|p| p & 0x00FF_FFFF);
        let words = [four | three << 24, three >> 8 | two << 16, two >> 16 | one << 8];
        to.as_chunks_mut::<4>().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
    }
    let first = first.as_chunks::<3>().0.iter().rev();
    to_last.as_chunks_mut::<3>().0.iter_mut().zip(first).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, Rgb, RgbImage};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_part_lies_where_the_whole_turned_picture_shows_it(
            width in 1u32..50, height in 1u32..50, exif in 2u8..=8, gap in 0usize..4,
            place in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            extent in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let orientation = Orientation::from_exif(exif).unwrap();
            let lie = Lie::new(orientation).unwrap();
            let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 9]));
            let mut whole = DynamicImage::ImageRgb8(picture.clone());
            whole.apply_orientation(orientation);
            let whole = whole.into_rgb8();
            prop_assert_eq!(lie.swap((width, height)), whole.dimensions());

            let (left, top) = (place.0.index(whole.width() as usize), place.1.index(whole.height() as usize));
            let across = 1 + extent.0.index(whole.width() as usize - left);
            let down = 1 + extent.1.index(whole.height() as usize - top);
            let part = Region { left: left as i64, top: top as i64, width: across as u32, height: down as u32 };
            let lies = lie.part(part, (width, height));
            let view = image::imageops::crop_imm(
                &picture, lies.left as u32, lies.top as u32, lies.width, lies.height,
            );
            let stride = 3 * across + gap;
            let mut upright = vec![7; stride * down];
            lie.upright(&view.to_image(), (lies.width as usize, lies.height as usize), &mut upright, stride);
            for (y, row) in upright.chunks(stride).enumerate() {
                prop_assert!(row[3 * across..].iter().all(|byte| *byte == 7), "gaps stay");
                for (x, pixel) in row[..3 * across].chunks(3).enumerate() {
                    prop_assert_eq!(pixel, whole.get_pixel((left + x) as u32, (top + y) as u32).0);
                }
            }
        }
    }

    #[test]
    fn short_buffers_are_left_as_they_are() {
        let lie = Lie::new(Orientation::Rotate90).unwrap();
        let mut target = [1; 12];
        lie.upright(&[0; 11], (2, 2), &mut target, 6);
        lie.upright(&[0; 12], (2, 2), &mut target[..5], 6);
        assert_eq!(target[..5], [1; 5]);
        assert_eq!(Lie::new(Orientation::NoTransforms), None);
    }
}
