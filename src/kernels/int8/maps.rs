//! What moves maps about: patches of a picture, pooling, the sum of a map and an enlarged one. Plain Rust, which compilers
//! vectorise well.

/// Bytes of a patch: 27 of the picture, rounded up to a multiple of [`super::GROUP`].
pub const PATCH: usize = 32;

/// One row of 3×3 patches at stride 2 with one pixel of padding, for a first convolution over RGB: `target` gets [`PATCH`] bytes
/// per patch, row by row `[ky, kx, channel]`, the last five 0.
///
/// `rows` are those below the patches, of a picture with an even number of pixels; none where they are padding. `padding` is the
/// pixel that stands for them; `offset` as of [`super::Kernels::offset`].
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
            if column == 0 {
                patch[..3].copy_from_slice(&padding);
                patch[3..].copy_from_slice(&bytes[..6]);
            } else {
                patch.copy_from_slice(&bytes[6 * column - 3..6 * column + 6]);
            }
            if offset != 0 {
                patch.iter_mut().for_each(|byte| *byte = byte.wrapping_sub(offset));
            }
        }
    }
    for patch in target.chunks_exact_mut(PATCH) {
        patch[27..].fill(0);
    }
}

/// The larger one of each 2×2 values with stride 2, of two neighbouring rows of a map.
pub fn max_pool(rows: [&[u8]; 2], channels: usize, offset: u8, target: &mut [u8]) {
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

/// Scale and zero point of a map, relative to the one that is written: `value = (stored + offset − zero point) · multiplier`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Scale over that of the target.
    pub multiplier: f32,
    /// Zero point, 0 to 255.
    pub zero_point: u8,
}

/// One row of a map plus one of a map half as large, each of whose pixels is used twice; rounded as [`super`] says.
pub fn upsample_add(
    (row, term): (&[u8], Term),
    (half, half_term): (&[u8], Term),
    channels: usize,
    (zero_point, offset): (u8, u8),
    target: &mut [u8],
) {
    let real = |byte: u8, term: Term| {
        (i32::from(byte.wrapping_add(offset)) - i32::from(term.zero_point)) as f32 * term.multiplier
    };
    for (column, (target, values)) in
        target.chunks_exact_mut(channels).zip(row.chunks_exact(channels)).enumerate()
    {
        let small = &half[column / 2 * channels..][..channels];
        for ((target, a), b) in target.iter_mut().zip(values).zip(small) {
            let sum = real(*a, term) + real(*b, half_term);
            let value = sum.round_ties_even() as i32 + i32::from(zero_point);
            *target = (value.clamp(0, 255) as u8).wrapping_sub(offset);
        }
    }
}

/// Adds the values (0 to 255) of `pixels` `[.., channels]` to `sums` `[channels]`.
pub fn add_up(pixels: &[u8], offset: u8, sums: &mut [u32]) {
    for pixel in pixels.chunks_exact(sums.len()) {
        for (sum, byte) in sums.iter_mut().zip(pixel) {
            *sum += u32::from(byte.wrapping_add(offset));
        }
    }
}
