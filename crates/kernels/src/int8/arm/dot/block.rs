//! A depthwise layer in the order in which the dot product wants it.
//!
//! `sdot` multiplies four bytes by four weights, so the three rows of a column lie side by side, for each
//! channel (top, middle, bottom, anything), and the fourth weight is 0. Transpositions bring the rows there:
//! of bytes, which part even channels from odd ones, then of pairs of bytes with the bottom row, where the
//! neighbouring channel's byte becomes the fourth one or the third.

use crate::int8::arm::requantize::Scales;
use crate::int8::layers::{CacheLine, Depthwise};
use crate::int8::layout::GROUP;
use std::mem::offset_of;

/// Sixteen channels of a layer, or its last eight. The channels lie in four registers: number 0, 4, 8 and 12
/// of them; 2, 6, 10 and 14; 1, 5, 9 and 13; 3, 7, 11 and 15.
#[repr(C, align(64))]
pub(super) struct PreparedBlock<const SMALL: bool> {
    /// For each column of a window, four registers of weights.
    pub(super) taps: [[[i8; 16]; 4]; 3],
    /// What turns sums into values.
    pub(super) scales: Scales<4, SMALL>,
}

/// Cache lines per block.
const LINES: usize = 6;

/// A [`PreparedBlock`] for each group and its neighbour; see
/// [`Kernels::prepare`](crate::int8::Kernels::prepare).
pub(super) fn prepare(layer: &Depthwise) -> Vec<CacheLine> {
    let blocks = (0..layer.channels() / GROUP).flat_map(|group| {
        if layer.small() {
            PreparedBlock::<true>::new(layer, group).lines()
        } else {
            PreparedBlock::<false>::new(layer, group).lines()
        }
    });
    blocks.collect()
}

impl<const SMALL: bool> PreparedBlock<SMALL> {
    /// Offset in bytes of the taps.
    pub(super) const TAPS: usize = offset_of!(Self, taps);
    /// Offset in bytes of what sums begin with.
    pub(super) const START: usize = offset_of!(Self, scales) + Scales::<4, SMALL>::START;
    /// Offset in bytes of the multipliers.
    pub(super) const MULTIPLIER: usize = offset_of!(Self, scales) + Scales::<4, SMALL>::MULTIPLIER;
    /// Offset in bytes of what is added to scaled sums.
    pub(super) const SHIFT: usize = offset_of!(Self, scales) + Scales::<4, SMALL>::SHIFT;

    /// The channels of `group` and, if there is one, of the next.
    fn new(layer: &Depthwise, group: usize) -> Self {
        let first = group * GROUP;
        let mut taps = [[[0; 16]; 4]; 3];
        let (mut bias, mut multiplier) = ([[0; 4]; 4], [[0.0; 4]; 4]);
        for channel in first..layer.channels().min(first + 2 * GROUP) {
            // Its register and its place there. The weight of the bottom row stands where the transposition
            // puts that row's byte: third in even channels, fourth in odd ones.
            let index = channel - first;
            let (part, lane) = ([0, 2, 1, 3][index % 4], index / 4);
            for (column, taps) in taps.iter_mut().enumerate() {
                for row in 0..3 {
                    let byte = if row == 2 { 2 + index % 2 } else { row };
                    // SAFETY: the layer has nine weights for each channel.
                    taps[part][4 * lane + byte] = unsafe { *layer.weights(3 * row + column, channel) };
                }
            }
            bias[part][lane] = layer.bias()[channel];
            multiplier[part][lane] = layer.multiplier()[channel];
        }
        Self { taps, scales: Scales::from_lanes(&bias, &multiplier) }
    }

    fn lines(self) -> [CacheLine; LINES] {
        const {
            assert!(size_of::<Self>() == size_of::<[CacheLine; LINES]>());
            assert!(size_of::<Self>() == size_of::<[[[i8; 16]; 4]; 3]>() + size_of::<Scales<4, SMALL>>());
        }
        // SAFETY: both have the same size and no padding, and bytes may be anything.
        unsafe { std::mem::transmute_copy(&self) }
    }

    /// The block of `group`, in a layer that [`prepare`] has prepared.
    pub(super) fn of(layer: &Depthwise, group: usize) -> &Self {
        const { assert!(align_of::<Self>() == align_of::<CacheLine>()) };
        let lines = &layer.prepared()[LINES * group..LINES * (group + 1)];
        assert!(layer.small() == SMALL, "prepared with other sums");
        // SAFETY: `prepare` has made these lines of such a block.
        unsafe { &*lines.as_ptr().cast() }
    }
}
