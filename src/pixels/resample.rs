//! Pictures at another size, averaged over each target pixel's area where they shrink (antialiased bilinear). Rows are
//! read one at a time and converted to RGB on the way, so that no full-size RGB copy comes about; nothing is allocated
//! once the first picture of a kind is through.
//!
//! Weights, rounding and the order of the passes (down, then across) are those of fast_image_resize's `Bilinear`
//! convolution, which the networks were trained on and which the tests compare with, byte for byte.

use super::picture::View;

/// The target pixels that are wanted of a resized picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) across: usize,
    pub(super) down: usize,
}

/// Resizes pictures and keeps the memory that it takes.
#[derive(Debug, Default)]
pub(super) struct Resampler {
    across: Taps,
    down: Taps,
    /// The rows that the pass down reads, where the picture is not in RGB: row y at place y modulo their number.
    rows: Vec<u8>,
    /// One row after the pass down.
    line: Vec<u8>,
}

impl Resampler {
    /// Writes a `part` of `picture`, resized to `size`, into `target`, whose rows begin `stride` bytes after each other.
    pub(super) fn resample(
        &mut self,
        picture: View<'_>,
        size: (u32, u32),
        part: Part,
        target: &mut [u8],
        stride: usize,
    ) {
        let (width, height) = picture.dimensions();
        self.across.set(width, size.0);
        self.down.set(height, size.1);
        let columns = self.across.spans.get(part.left..part.left + part.across).unwrap_or_default();
        let lines = self.down.spans.get(part.top..part.top + part.down).unwrap_or_default();
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else { return };
        let (first, bytes) = (first.start, 3 * (last.end - first.start));
        let kept = self.down.longest;
        self.rows.resize(kept * bytes, 0);
        // A pixel is read as four bytes, the last one too.
        self.line.resize(bytes + 1, 0);
        let mut read = 0;
        for (span, target) in lines.iter().zip(target.chunks_mut(stride)) {
            let Some(target) = target.get_mut(..3 * part.across) else { return };
            for y in span.start.max(read)..span.end {
                if picture.rgb_row(first, y).is_none() {
                    picture.read_row(first, y, &mut self.rows[y % kept * bytes..][..bytes]);
                }
                read = y + 1;
            }
            let rows = &self.rows;
            let row = |y: usize| match picture.rgb_row(first, y) {
                Some(row) => &row[..bytes],
                None => &rows[y % kept * bytes..][..bytes],
            };
            let line = if width == size.0 { &mut *target } else { &mut self.line[..bytes] };
            if height == size.1 {
                line.copy_from_slice(row(span.start));
            } else {
                pass_down(&self.down, span, row, line);
            }
            if width != size.0 {
                pass_across(&self.across, columns, first, &self.line, target);
            }
        }
    }
}

/// Weights of the source pixels in one direction, for each target pixel.
#[derive(Debug, Default)]
struct Taps {
    /// Lengths of source and target that the rest is for.
    lengths: (u32, u32),
    spans: Vec<Span>,
    /// Fixed point numbers with `shift` bits behind the point.
    weights: Vec<i16>,
    shift: u32,
    /// The most source pixels that a target pixel has.
    longest: usize,
    exact: Vec<f64>,
}

/// The source pixels `start..end` make one target pixel; their weights begin at `first`.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    first: usize,
}

impl Taps {
    fn set(&mut self, source: u32, target: u32) {
        if self.lengths == (source, target) {
            return;
        }
        self.lengths = (source, target);
        self.spans.clear();
        self.exact.clear();
        let scale = f64::from(source) / f64::from(target);
        let radius = scale.max(1.0);
        let factor = 1.0 / radius;
        for place in 0..target {
            let centre = (f64::from(place) + 0.5) * scale;
            let start = (centre - radius).floor().max(0.0) as u32;
            let end = (centre + radius).ceil().min(f64::from(source)) as u32;
            let weight = |x: u32| (1.0 - ((f64::from(x) - (centre - 0.5)) * factor).abs()).max(0.0);
            let start = (start..end).find(|&x| weight(x) > 0.0).unwrap_or(start);
            let end = (start..end).rfind(|&x| weight(x) > 0.0).map_or(end, |last| last + 1);
            let first = self.exact.len();
            let sum: f64 = (start..end).map(weight).sum();
            self.exact.extend((start..end).map(|x| weight(x) / sum));
            self.spans.push(Span { start: start as usize, end: end as usize, first });
        }
        // As many bits as the largest weight leaves room for in an i16, at most 21.
        let largest = self.exact.iter().copied().fold(0.0, f64::max);
        let fits = |shift: u32| (largest * f64::from(1u32 << shift)).round() < f64::from(1u32 << 15);
        self.shift = (1..22).take_while(|&shift| fits(shift)).last().unwrap_or(0);
        let unit = f64::from(1u32 << self.shift);
        self.weights.clear();
        self.weights.extend(self.exact.iter().map(|weight| (weight * unit).round() as i16));
        self.longest = self.spans.iter().map(|span| span.end - span.start).max().unwrap_or(0);
    }

    fn weights(&self, span: &Span) -> &[i16] {
        &self.weights[span.first..][..span.end - span.start]
    }
}

/// One target row as the weighted sum of source rows.
fn pass_down<'a>(taps: &Taps, span: &Span, row: impl Fn(usize) -> &'a [u8], line: &mut [u8]) {
    /// As many sums as fit into vector registers.
    const CHUNK: usize = 32;
    let weights = taps.weights(span);
    let half = 1 << taps.shift >> 1;
    let mut chunks = line.chunks_exact_mut(CHUNK);
    let mut place = 0;
    for chunk in &mut chunks {
        let mut sums = [half; CHUNK];
        for (y, &weight) in (span.start..).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(&row(y)[place..place + CHUNK]) {
                *sum += i32::from(value) * i32::from(weight);
            }
        }
        for (to, sum) in chunk.iter_mut().zip(sums) {
            *to = (sum >> taps.shift).clamp(0, 255) as u8;
        }
        place += CHUNK;
    }
    for (place, to) in (place..).zip(chunks.into_remainder()) {
        let sum: i32 = (span.start..)
            .zip(weights)
            .map(|(y, &weight)| i32::from(row(y)[place]) * i32::from(weight))
            .sum();
        *to = ((half + sum) >> taps.shift).clamp(0, 255) as u8;
    }
}

/// One target row whose pixels are weighted sums of those of `line`, which begins with source column `first`.
fn pass_across(taps: &Taps, columns: &[Span], first: usize, line: &[u8], target: &mut [u8]) {
    let half = 1 << taps.shift >> 1;
    for (span, to) in columns.iter().zip(target.chunks_exact_mut(3)) {
        let mut sums = [half; 4];
        let pixels = line[3 * (span.start - first)..].chunks_exact(3);
        for (&weight, pixel) in taps.weights(span).iter().zip(pixels) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(value) * i32::from(weight);
            }
        }
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = (sum >> taps.shift).clamp(0, 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fast_image_resize as fir;
    use image::RgbImage;
    use proptest::prelude::*;

    /// What fast_image_resize makes of it.
    fn reference(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let mut target = RgbImage::new(width, height);
        let algorithm = fir::ResizeAlg::Convolution(fir::FilterType::Bilinear);
        let source = fir::images::ImageRef::new(
            picture.width(),
            picture.height(),
            picture.as_raw(),
            fir::PixelType::U8x3,
        );
        let mut view =
            fir::images::Image::from_slice_u8(width, height, target.as_mut(), fir::PixelType::U8x3).unwrap();
        fir::Resizer::new()
            .resize(&source.unwrap(), &mut view, &fir::ResizeOptions::new().resize_alg(algorithm))
            .unwrap();
        target
    }

    fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
        let mut state = seed | 1;
        RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            image::Rgb([(state >> 56) as u8, (state >> 48) as u8, (state >> 40) as u8])
        })
    }

    fn resampled(resampler: &mut Resampler, picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let mut target = RgbImage::new(width, height);
        let part = Part { left: 0, top: 0, across: width as usize, down: height as usize };
        resampler.resample(picture.into(), (width, height), part, &mut target, 3 * width as usize);
        target
    }

    proptest! {
        #[test]
        fn it_is_fast_image_resize_byte_for_byte(
            sizes in prop::collection::vec((1u32..90, 1u32..90, 1u32..90, 1u32..90), 1..4), seed: u64,
        ) {
            let mut resampler = Resampler::default();
            for (width, height, across, down) in sizes {
                let picture = noise(width, height, seed);
                prop_assert!(
                    resampled(&mut resampler, &picture, across, down) == reference(&picture, across, down),
                    "{}x{} to {}x{}", width, height, across, down
                );
            }
        }

        #[test]
        fn a_part_is_that_part(
            size in (1u32..60, 1u32..60), target in (1u32..60, 1u32..60), seed: u64,
            corner in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            extent in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let picture = noise(size.0, size.1, seed);
            let mut resampler = Resampler::default();
            let whole = resampled(&mut resampler, &picture, target.0, target.1);
            let (left, top) = (corner.0.index(target.0 as usize), corner.1.index(target.1 as usize));
            let across = 1 + extent.0.index(target.0 as usize - left);
            let down = 1 + extent.1.index(target.1 as usize - top);
            let mut part = RgbImage::new(across as u32, down as u32);
            let wanted = Part { left, top, across, down };
            resampler.resample((&picture).into(), target, wanted, &mut part, 3 * across);
            let (left, top) = (left as u32, top as u32);
            let expected = image::imageops::crop_imm(&whole, left, top, across as u32, down as u32);
            prop_assert!(part == expected.to_image());
        }
    }

    #[test]
    fn the_sizes_of_cameras_and_networks_are_the_same_too() {
        let mut resampler = Resampler::default();
        for (source, target) in [
            ((640, 480), (320, 240)),
            ((640, 480), (480, 360)),
            ((1280, 720), (480, 270)),
            ((97, 97), (256, 256)),
            ((700, 700), (146, 146)),
        ] {
            let picture = noise(source.0, source.1, 7);
            assert!(
                resampled(&mut resampler, &picture, target.0, target.1)
                    == reference(&picture, target.0, target.1),
                "{source:?} to {target:?}"
            );
        }
    }
}
