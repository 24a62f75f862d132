//! NEON: four pixels' colours, or sixteen bytes of a row, per step, added up in 32 bits.

use super::kernels::RowKernels;
use super::layout::{RowWeights, Rows, Span};
use super::portable;
use super::samples::{EightPairs, Factors, Samples};
use crate::cpu::Neon;
use std::arch::aarch64::*;

impl RowKernels for Neon {
    fn sum_of_rows(&self, rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]) {
        // SAFETY: `self` proves the instructions.
        unsafe { sum_of_rows(rows, span, weights, line) }
    }

    fn sums_of_pixels(
        &self,
        line: &[u8],
        first: usize,
        spans: &[Span],
        weights: RowWeights<'_>,
        target: &mut [u8],
    ) {
        // SAFETY: `self` proves the instructions.
        unsafe { sums_of_pixels(line, first, spans, weights, target) }
    }

    fn convert_eights(
        &self,
        factors: &Factors,
        samples: &Samples<'_>,
        first: usize,
        chunks: &mut [EightPairs],
    ) {
        // Compilers vectorise that for NEON.
        portable::convert_eights(factors, samples, first, chunks);
    }
}

/// See [`RowKernels::sum_of_rows`]: 16 bytes at a time.
#[target_feature(enable = "neon")]
fn sum_of_rows(rows: Rows<'_>, span: Span, weights: RowWeights<'_>, line: &mut [u8]) {
    const CHUNK: usize = 16;
    let (chunks, _) = line.as_chunks_mut::<CHUNK>();
    let done = CHUNK * chunks.len();
    for (index, chunk) in chunks.iter_mut().enumerate() {
        // SAFETY: the slices that are read and the chunk that is written have 16 bytes.
        unsafe {
            let half = vdupq_n_s32(1 << weights.shift >> 1);
            let shift = vdupq_n_s32(-(weights.shift as i32));
            let mut sums = [half; 4];
            for (&weight, row) in weights.values[..span.end - span.start].iter().zip(rows.from(span.start)) {
                let values: &[u8] = &row[CHUNK * index..][..CHUNK];
                let values = vld1q_u8(values.as_ptr());
                let low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(values)));
                let high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(values)));
                sums = [
                    vmlal_n_s16(sums[0], vget_low_s16(low), weight),
                    vmlal_n_s16(sums[1], vget_high_s16(low), weight),
                    vmlal_n_s16(sums[2], vget_low_s16(high), weight),
                    vmlal_n_s16(sums[3], vget_high_s16(high), weight),
                ];
            }
            let [a, b, c, d] = sums.map(|sum| vqmovun_s32(vshlq_s32(sum, shift)));
            let bytes = vcombine_u8(vqmovn_u16(vcombine_u16(a, b)), vqmovn_u16(vcombine_u16(c, d)));
            vst1q_u8(chunk.as_mut_ptr(), bytes);
        }
    }
    portable::sum_of_rows(rows, span, weights, line, done);
}

/// See [`RowKernels::sums_of_pixels`]: one target pixel at a time.
#[target_feature(enable = "neon")]
fn sums_of_pixels(line: &[u8], first: usize, spans: &[Span], weights: RowWeights<'_>, target: &mut [u8]) {
    for (span, to) in spans.iter().zip(target.as_chunks_mut::<3>().0) {
        let count = span.end - span.start;
        let values = &weights.values[span.first..][..count];
        let pixels: &[u8] = &line[3 * (span.start - first)..][..3 * count + 5];
        // SAFETY: eight bytes are read of each pixel, and there are five behind the last pixel.
        let bytes = unsafe {
            let mut sum = vdupq_n_s32(1 << weights.shift >> 1);
            for (index, &weight) in values.iter().enumerate() {
                // With a zero behind each byte, its first four bytes are numbers of 16 bits.
                let pixel = vzip1_u8(vld1_u8(pixels.as_ptr().add(3 * index)), vdup_n_u8(0));
                sum = vmlal_n_s16(sum, vreinterpret_s16_u8(pixel), weight);
            }
            let words = vqmovun_s32(vshlq_s32(sum, vdupq_n_s32(-(weights.shift as i32))));
            let bytes = vqmovn_u16(vcombine_u16(words, words));
            vget_lane_u32::<0>(vreinterpret_u32_u8(bytes)).to_le_bytes()
        };
        to.copy_from_slice(&bytes[..3]);
    }
}
