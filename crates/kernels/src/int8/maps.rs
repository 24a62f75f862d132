//! The small operations around convolutions: patches of a picture, pooling, the sum of a map's pixels, and
//! the sum of a map and an enlarged one. Plain Rust, which compilers vectorise well; but for 32-bit Arm they
//! may not use NEON, so two of these are in assembly, too.
//!
//! `offset` is [`Kernels::offset`](super::Kernels::offset) throughout.

#[cfg(all(target_arch = "arm", target_os = "linux"))]
use crate::cpu::Neon;

/// Bytes of a patch: 27 of the picture, padded to a multiple of [`GROUP`](super::GROUP).
pub const PATCH: usize = 32;

/// The offset of signed bytes.
const SIGNED: u8 = 128;

/// Cuts one row of 3×3 patches out of an RGB picture, at stride 2 with one pixel of padding, so that a first
/// convolution is a 1×1 convolution of patches.
///
/// `target` is `[patch, 32]`: for each patch `[ky, kx, channel]`, then five bytes 0. `rows` are the three
/// rows of the picture that the patches cover, `[2 · patches, 3]` unsigned bytes each, or one pixel less if
/// the picture's width is odd, or `None` where padding takes their place. `padding` is the padding's pixel.
///
/// # Panics
/// When a row is shorter than that.
pub fn patches(rows: [Option<&[u8]>; 3], padding: [u8; 3], offset: u8, target: &mut [u8]) {
    for (row, bytes) in rows.into_iter().enumerate() {
        let at = 9 * row;
        let Some(bytes) = bytes else {
            for patch in target.chunks_exact_mut(PATCH) {
                for (index, byte) in patch[at..at + 9].iter_mut().enumerate() {
                    *byte = padding[index % 3].wrapping_sub(offset);
                }
            }
            continue;
        };
        for (column, patch) in target.chunks_exact_mut(PATCH).enumerate() {
            let patch = &mut patch[at..at + 9];
            // Copies of a known length are a few instructions, others a call: there are a hundred thousand
            // patches in a frame.
            if column > 0 && 6 * column + 6 <= bytes.len() {
                patch.copy_from_slice(&bytes[6 * column - 3..6 * column + 6]);
            } else {
                // The pixel on the left of the first patch and, at an odd width, that on the right of the
                // last one lie outside.
                let left = if column == 0 { 3 } else { 0 };
                let right = if 6 * column + 6 > bytes.len() { 6 } else { 9 };
                patch[..left].copy_from_slice(&padding[..left]);
                patch[left..right].copy_from_slice(&bytes[6 * column + left - 3..6 * column + right - 3]);
                patch[right..].copy_from_slice(&padding[..9 - right]);
            }
            if offset == SIGNED {
                // Flips all sign bits. In words, for 32-bit Arm; that is no slower where bytes are
                // vectorised.
                let (eight, last) = patch.split_at_mut(8);
                if let Ok(bytes) = <&mut [u8; 8]>::try_from(eight) {
                    *bytes = (u64::from_ne_bytes(*bytes) ^ u64::from_ne_bytes([SIGNED; 8])).to_ne_bytes();
                }
                last[0] ^= SIGNED;
            }
        }
    }
    for patch in target.chunks_exact_mut(PATCH) {
        patch[27..].fill(0);
    }
}

/// Maximum of each 2×2 values at stride 2: `rows` are two neighbouring rows of a map, `[2 · column, channel]`
/// each, and `target` is `[column, channel]`.
pub fn max_pool(rows: [&[u8]; 2], channels: usize, offset: u8, target: &mut [u8]) {
    #[cfg(all(target_arch = "arm", target_os = "linux"))]
    if offset == SIGNED && Neon::new().is_some_and(|neon| neon.max_pool(rows, channels, target)) {
        return;
    }
    // Signed storage is unsigned storage with the sign bit flipped.
    let larger = |a: u8, b: u8| if offset == 0 { a.max(b) } else { (a as i8).max(b as i8) as u8 };
    for ((target, top), bottom) in target
        .chunks_exact_mut(channels)
        .zip(rows[0].chunks_exact(2 * channels))
        .zip(rows[1].chunks_exact(2 * channels))
    {
        let ((a, b), (c, d)) = (top.split_at(channels), bottom.split_at(channels));
        for ((((target, a), b), c), d) in target.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *target = larger(larger(*a, *b), larger(*c, *d));
        }
    }
}

/// Scale and zero point of a map that is added to another: it adds `(value − zero_point) · multiplier` steps
/// of the target's scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Scale of the map divided by the target's scale.
    pub multiplier: f32,
    /// Zero point of the map, 0 to 255.
    pub zero_point: u8,
}

/// Adds one row of a map and one of a map half as large, each of whose pixels counts twice (nearest
/// neighbour), and rounds as [`super`] says.
///
/// `row` and `target` are `[column, channel]`, `half` is `[column / 2, channel]`. `zero_point` is that of the
/// target, 0 to 255.
///
/// # Panics
/// When `half` is shorter than half of `row`.
pub fn upsample_add(
    (row, term): (&[u8], Term),
    (half, half_term): (&[u8], Term),
    channels: usize,
    (zero_point, offset): (u8, u8),
    target: &mut [u8],
) {
    #[cfg(all(target_arch = "arm", target_os = "linux"))]
    if offset == SIGNED
        && Neon::new().is_some_and(|neon| {
            neon.upsample_add((row, term), (half, half_term), channels, zero_point, target)
        })
    {
        return;
    }
    let real = |byte: u8, term: Term| {
        (i32::from(byte.wrapping_add(offset)) - i32::from(term.zero_point)) as f32 * term.multiplier
    };
    for (column, (target, values)) in
        target.chunks_exact_mut(channels).zip(row.chunks_exact(channels)).enumerate()
    {
        let small = &half[column / 2 * channels..][..channels];
        for ((target, a), b) in target.iter_mut().zip(values).zip(small) {
            let value = rounded(real(*a, term) + real(*b, half_term)) + i32::from(zero_point);
            *target = (value.clamp(0, 255) as u8).wrapping_sub(offset);
        }
    }
}

/// The nearest integer, ties to even, of a number that is then clamped to 0..=255 anyway.
///
/// `round_ties_even` is a function call on x86 without SSE 4.1. Here the addition itself rounds: the last bit
/// of 1.5 · 2²³ counts ones. Compilers vectorise that.
fn rounded(real: f32) -> i32 {
    const ONES: f32 = 12_582_912.0;
    let sum = real.clamp(-1024.0, 1024.0) + ONES;
    sum.to_bits() as i32 - ONES.to_bits() as i32
}

/// The byte to be stored for `real` steps of a scale whose zero point is 0: rounded and clamped to 0..=255.
#[must_use]
pub fn stored(real: f32, offset: u8) -> u8 {
    (rounded(real).clamp(0, 255) as u8).wrapping_sub(offset)
}

/// Adds the values (0 to 255) of `pixels` `[pixel, channel]` to `sums` `[channel]`.
///
/// # Panics
/// When `sums` is empty.
pub fn add_up(pixels: &[u8], offset: u8, sums: &mut [u32]) {
    for pixel in pixels.chunks_exact(sums.len()) {
        for (sum, byte) in sums.iter_mut().zip(pixel) {
            *sum += u32::from(byte.wrapping_add(offset));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rounding_is_that_of_the_convolutions(real in -1000f32..1000.0, half in -2000i32..2000) {
            prop_assert_eq!(rounded(real), real.round_ties_even() as i32);
            let half = half as f32 / 2.0;
            prop_assert_eq!(rounded(half), half.round_ties_even() as i32);
        }

        #[test]
        fn pooling_is_that_of_the_values(values in prop::collection::vec(0u8..=255, 32)) {
            let pooled = |offset: u8| {
                let stored: Vec<u8> = values.iter().map(|value| value.wrapping_sub(offset)).collect();
                let (top, bottom) = stored.split_at(16);
                let mut target = [0; 8];
                max_pool([top, bottom], 4, offset, &mut target);
                target.map(|byte| byte.wrapping_add(offset))
            };
            for (index, value) in pooled(0).into_iter().enumerate() {
                let (pixel, channel) = (index / 4, index % 4);
                let of = |row: usize, column: usize| values[16 * row + 4 * (2 * pixel + column) + channel];
                prop_assert_eq!(value, of(0, 0).max(of(0, 1)).max(of(1, 0)).max(of(1, 1)));
            }
            prop_assert_eq!(pooled(0), pooled(128));
        }
    }

    proptest! {
        /// Eights of channels are different code on some CPUs, for signed bytes.
        #[test]
        fn both_ways_of_storing_bytes_agree_at_eights_of_channels(
            values in prop::collection::vec(any::<u8>(), 480), channels in 1usize..4, zero_points: [u8; 3],
            multipliers in [-2.5f32..2.5, 0.0f32..1.0], halves: bool,
        ) {
            let channels = 8 * channels;
            let term = |at: usize, multiplier| Term { multiplier, zero_point: zero_points[at] };
            // Ties are frequent where both maps count in halves.
            let multipliers = if halves { [0.5, 1.5] } else { multipliers };
            let results = |offset: u8| {
                let stored: Vec<u8> = values.iter().map(|value| value.wrapping_sub(offset)).collect();
                let (pooled, columns) = (&mut vec![0; 2 * channels], 5 * channels);
                max_pool([&stored[..5 * channels], &stored[columns..]], channels, offset, pooled);
                let mut sum = vec![0; columns];
                upsample_add(
                    (&stored[..columns], term(0, multipliers[0])),
                    (&stored[columns..], term(1, multipliers[1])), channels,
                    (zero_points[2], offset), &mut sum,
                );
                let bytes = pooled.iter().chain(&sum).map(|byte| byte.wrapping_add(offset));
                bytes.collect::<Vec<_>>()
            };
            prop_assert_eq!(results(0), results(128));
        }
    }

    #[test]
    fn an_enlarged_map_is_added_with_its_own_scale() {
        let term = |multiplier, zero_point| Term { multiplier, zero_point };
        for offset in [0u8, 128] {
            let stored = |values: &[u8]| values.iter().map(|v| v.wrapping_sub(offset)).collect::<Vec<_>>();
            let mut target = [0; 4];
            let (row, half) = (stored(&[10, 20, 30, 255]), stored(&[5, 200]));
            let maps = ((&row[..], term(0.5, 10)), (&half[..], term(2.0, 0)));
            upsample_add(maps.0, maps.1, 1, (3, offset), &mut target);
            // (value − zero point) · multiplier of both, plus 3, clamped.
            assert_eq!(target.map(|byte| byte.wrapping_add(offset)), [13, 18, 255, 255]);
        }
    }

    #[test]
    fn patches_are_those_of_a_padded_picture() {
        // Two rows of four pixels; the first patch begins one row and one column outside.
        let rows: Vec<Vec<u8>> = (0..2).map(|y| (0..12).map(|x| 100 * y + x).collect()).collect();
        let mut target = vec![9; 2 * PATCH];
        patches([None, Some(&rows[0]), Some(&rows[1])], [71, 72, 73], 0, &mut target);
        let mut signed = vec![9; 2 * PATCH];
        patches([None, Some(&rows[0]), Some(&rows[1])], [71, 72, 73], SIGNED, &mut signed);
        for (signed, unsigned) in signed.chunks(PATCH).zip(target.chunks(PATCH)) {
            let signed: Vec<u8> = signed[..27].iter().map(|byte| byte.wrapping_add(SIGNED)).collect();
            assert_eq!(signed, unsigned[..27]);
        }
        let padding = [71, 72, 73];
        assert_eq!(target[..9], [padding, padding, padding].concat());
        assert_eq!(target[9..18], [71, 72, 73, 0, 1, 2, 3, 4, 5]);
        assert_eq!(target[18..32], [71, 72, 73, 100, 101, 102, 103, 104, 105, 0, 0, 0, 0, 0]);
        assert_eq!(target[32 + 9..32 + 18], [3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn the_last_patch_of_an_odd_width_is_padded() {
        for pixels in [1, 3, 5] {
            let row: Vec<u8> = (0..3 * pixels).collect();
            let mut target = vec![9; usize::from(pixels).div_ceil(2) * PATCH];
            patches([Some(&row), None, Some(&row)], [71, 72, 73], 0, &mut target);
            let last = &target[target.len() - PATCH..];
            let before = if pixels == 1 { vec![71, 72, 73] } else { row[row.len() - 6..][..3].to_vec() };
            let expected = [before, row[row.len() - 3..].to_vec(), vec![71, 72, 73]].concat();
            assert_eq!((&last[..9], &last[18..27]), (&expected[..], &expected[..]), "{pixels}");
            assert_eq!(last[9..18], [71, 72, 73, 71, 72, 73, 71, 72, 73]);
        }
    }
}
