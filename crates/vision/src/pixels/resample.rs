//! Resizes pictures. Where they shrink, the pixels under each target pixel are averaged (antialiased
//! bilinear). Rows are read one at a time and converted to RGB, so no full-size RGB copy is made. A picture
//! that lies turned or mirrored is resized as it lies, and only the result is turned. After the first picture
//! of a size nothing is allocated.
//!
//! Weights, rounding and the order of the passes (down, then across) are those of the `Bilinear` convolution
//! of fast_image_resize, on which the networks were trained. The tests compare with it byte for byte.

use super::orientation::Region;
use super::picture::View;
use maskwatch_kernels::rows::{GROUP, PADDING, RowWeights, Rows, Span, sum_of_rows, sums_of_pixels};

/// The part of a resized picture that is computed, in target pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct TargetPart {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) across: usize,
    pub(super) down: usize,
}

/// Resizes pictures and keeps its working memory.
#[derive(Debug, Default)]
pub(super) struct Resampler {
    across: Taps,
    down: Taps,
    /// The rows that the pass down reads, if the picture is not in RGB. Row y is at y modulo their number.
    rows: Vec<u8>,
    /// One row as the pass down leaves it.
    line: Vec<u8>,
    /// What a picture that does not lie upright is resized into.
    lying: Vec<u8>,
}

impl Resampler {
    /// Resizes `picture` to `size` and writes the `part` of it into `target`, whose rows are `stride` bytes
    /// apart.
    pub(super) fn resample(
        &mut self,
        picture: View<'_>,
        size: (u32, u32),
        part: TargetPart,
        target: &mut [u8],
        stride: usize,
    ) {
        let Some(lie) = picture.lie() else { return self.upright(picture, size, part, target, stride) };
        let size = lie.swap(size);
        let TargetPart { left, top, across, down } = part;
        let upright =
            Region { left: left as i64, top: top as i64, width: across as u32, height: down as u32 };
        let lies = lie.part(upright, size);
        let (across, down) = (lies.width as usize, lies.height as usize);
        let part = TargetPart { left: lies.left as usize, top: lies.top as usize, across, down };
        let mut lying = std::mem::take(&mut self.lying);
        lying.resize(3 * across * down, 0);
        self.upright(picture.lying(None), size, part, &mut lying, 3 * across);
        lie.upright(&lying, (across, down), target, stride);
        self.lying = lying;
    }

    fn upright(
        &mut self,
        picture: View<'_>,
        size: (u32, u32),
        part: TargetPart,
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
        self.line.resize(bytes + PADDING, 0);
        let as_it_lies = picture.rgb_rows(first);
        let mut read = 0;
        for (span, target) in lines.iter().zip(target.chunks_mut(stride)) {
            let Some(target) = target.get_mut(..3 * part.across) else { return };
            let rows = match as_it_lies {
                Some((bytes, stride)) => Rows { bytes, stride, count: usize::MAX },
                None => {
                    for y in span.start.max(read)..span.end {
                        picture.read_row(first, y, &mut self.rows[y % kept * bytes..][..bytes]);
                        read = y + 1;
                    }
                    Rows { bytes: &self.rows, stride: bytes, count: kept }
                }
            };
            let line = if width == size.0 { &mut *target } else { &mut self.line[..bytes] };
            if height == size.1 {
                line.copy_from_slice(&rows.from(span.start).next().unwrap_or_default()[..bytes]);
            } else {
                sum_of_rows(rows, *span, self.down.weights_of(span), line);
            }
            if width != size.0 {
                sums_of_pixels(&self.line, first, columns, self.across.weights(), target);
            }
        }
    }
}

/// Weights of the source pixels for each target pixel, in one direction.
#[derive(Debug, Default)]
struct Taps {
    /// Lengths of source and target to which the other fields belong.
    lengths: (u32, u32),
    spans: Vec<Span>,
    /// Fixed-point numbers with `shift` fractional bits.
    weights: Vec<i16>,
    shift: u32,
    /// Maximum number of source pixels of a target pixel.
    longest: usize,
    exact: Vec<f64>,
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
            self.exact.resize(self.exact.len().next_multiple_of(GROUP), 0.0);
            self.spans.push(Span { start: start as usize, end: end as usize, first });
        }
        // As many fractional bits as the largest weight allows in an i16, at most 21.
        let largest = self.exact.iter().copied().fold(0.0, f64::max);
        let fits = |shift: u32| (largest * f64::from(1u32 << shift)).round() < f64::from(1u32 << 15);
        self.shift = (1..22).take_while(|&shift| fits(shift)).last().unwrap_or(0);
        let unit = f64::from(1u32 << self.shift);
        self.weights.clear();
        self.weights.extend(self.exact.iter().map(|weight| (weight * unit).round() as i16));
        self.longest = self.spans.iter().map(|span| span.end - span.start).max().unwrap_or(0);
    }

    fn weights(&self) -> RowWeights<'_> {
        RowWeights { values: &self.weights, shift: self.shift }
    }

    fn weights_of(&self, span: &Span) -> RowWeights<'_> {
        RowWeights { values: &self.weights[span.first..], shift: self.shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use proptest::prelude::*;

    fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
        let mut state = seed | 1;
        RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            image::Rgb([(state >> 56) as u8, (state >> 48) as u8, (state >> 40) as u8])
        })
    }

    fn resampled(resampler: &mut Resampler, picture: &RgbImage, width: u32, height: u32) -> RgbImage {
        let mut target = RgbImage::new(width, height);
        let part = TargetPart { left: 0, top: 0, across: width as usize, down: height as usize };
        resampler.resample(picture.into(), (width, height), part, &mut target, 3 * width as usize);
        target
    }

    proptest! {
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
            let wanted = TargetPart { left, top, across, down };
            resampler.resample((&picture).into(), target, wanted, &mut part, 3 * across);
            let (left, top) = (left as u32, top as u32);
            let expected = image::imageops::crop_imm(&whole, left, top, across as u32, down as u32);
            prop_assert!(part == expected.to_image());
        }
    }
}
