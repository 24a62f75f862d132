//! The depthwise convolution: one instruction multiplies the three rows of a column and adds them up, for 16
//! channels.

use super::registers::{by_quarters, first_16, interleave, requantized, spread};
use crate::int8::layers::Depthwise;
use crate::int8::layout::{GROUP, Windows};
use std::arch::x86_64::*;
use std::ops::Range;

/// Most channels that are computed at once.
const CHANNELS: usize = 64;

/// Computes all channels of `groups`, 64 at a time.
///
/// # Safety
/// As for [`Kernels::depthwise`](crate::int8::Kernels::depthwise).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn depthwise(
    layer: &Depthwise,
    groups: Range<usize>,
    windows: &Windows,
    target: *mut u8,
    pixel: usize,
) {
    let (first, end) = (groups.start * GROUP, groups.end * GROUP);
    let mut channel = first;
    while channel < end {
        let count = (end - channel).min(CHANNELS);
        // SAFETY: the caller promises the pixels, also of this slice of their channels.
        unsafe {
            let [top, middle, bottom] = windows.rows;
            let at = channel - first;
            let windows = Windows { rows: [top.add(at), middle.add(at), bottom.add(at)], ..*windows };
            let slice = ChannelSlice { layer, channel, count, target: target.add(at), pixel };
            match count {
                33.. => slice.run::<4>(&windows),
                17.. => slice.run::<2>(&windows),
                _ => slice.run::<1>(&windows),
            }
        }
        channel += count;
    }
}

/// Some neighbouring channels of a row of windows.
struct ChannelSlice<'a> {
    layer: &'a Depthwise,
    channel: usize,
    /// Channels, at most 64.
    count: usize,
    target: *mut u8,
    pixel: usize,
}

impl ChannelSlice<'_> {
    /// Computes `16 · Q` channels or fewer, where `Q` is 1, 2 or 4.
    ///
    /// Registers hold one column of the window, four bytes per channel: top, middle, bottom, 0. Each column
    /// is read once and multiplied by the left, middle and right column of the filter, for up to three
    /// neighbouring outputs.
    ///
    /// # Safety
    /// As for [`depthwise`], for these channels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn run<const Q: usize>(&self, windows: &Windows) {
        let mask = u64::MAX >> (CHANNELS - self.count);
        let stride = windows.stride;
        // SAFETY: the caller promises the pixels; masks leave out the channels that are not this slice's.
        unsafe {
            let mut weights = [[_mm512_setzero_si512(); Q]; 3];
            for (tap, weights) in weights.iter_mut().enumerate() {
                let rows = [tap, 3 + tap, 6 + tap];
                *weights = column(rows.map(|tap| self.layer.weights(tap, self.channel)), 0, mask);
            }
            let mut bias = [_mm512_setzero_si512(); Q];
            let mut multiplier = [_mm512_setzero_si512(); Q];
            for (block, (bias, multiplier)) in bias.iter_mut().zip(&mut multiplier).enumerate() {
                let mask = first_16(self.count.saturating_sub(16 * block));
                let at = self.channel + 16 * block;
                *bias = _mm512_maskz_loadu_epi32(mask, self.layer.bias().as_ptr().wrapping_add(at));
                let scale = self.layer.multiplier().as_ptr().wrapping_add(at);
                *multiplier = _mm512_maskz_loadu_epi32(mask, scale.cast());
            }
            let (bias, multiplier) = (by_quarters(bias), by_quarters(multiplier));
            let zero_point = _mm512_set1_epi16(i16::from(self.layer.zero_point()));

            let rows = windows.rows.map(<*const u8>::cast::<i8>);
            let mut left = add(&bias, &column(rows, 0, mask), &weights[0]);
            let mut next = column(rows, windows.pixel, mask);
            for x in 0..windows.columns {
                let middle = next;
                let right = column(rows, (stride * x + 2) * windows.pixel, mask);
                let sums = add(&add(&left, &middle, &weights[1]), &right, &weights[2]);
                let bytes = requantized(&sums, &multiplier, zero_point);
                _mm512_mask_storeu_epi8(self.target.add(x * self.pixel).cast(), mask, bytes);
                let following = if stride == 1 { &middle } else { &right };
                left = add(&bias, following, &weights[0]);
                if stride == 1 {
                    next = right;
                } else if x + 1 < windows.columns {
                    next = column(rows, (stride * x + 3) * windows.pixel, mask);
                }
            }
        }
    }
}

/// `sums` plus the products of `values` and `weights`, by fours.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add<const Q: usize>(sums: &[__m512i; Q], values: &[__m512i; Q], weights: &[__m512i; Q]) -> [__m512i; Q] {
    let mut results = *sums;
    for ((result, value), weight) in results.iter_mut().zip(values).zip(weights) {
        *result = _mm512_dpbusd_epi32(*result, *value, *weight);
    }
    results
}

/// The bytes `offset` bytes behind the starts of three rows, as [`interleave`] orders them.
///
/// # Safety
/// The bytes that `mask` names are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn column<const Q: usize>(rows: [*const i8; 3], offset: usize, mask: u64) -> [__m512i; Q] {
    // SAFETY: the caller promises the bytes that the mask names.
    unsafe {
        let top = _mm512_maskz_loadu_epi8(mask, rows[0].wrapping_add(offset));
        let middle = _mm512_maskz_loadu_epi8(mask, rows[1].wrapping_add(offset));
        let bottom = _mm512_maskz_loadu_epi8(mask, rows[2].wrapping_add(offset));
        interleave(spread::<Q>(top), spread::<Q>(middle), spread::<Q>(bottom))
    }
}
