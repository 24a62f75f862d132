//! Writes JPEG pictures of every legal kind for tests, and says what their pixels are. Plain and slow:
//! cosines in floating point.

use super::huffman::{
    CHROMA_AC, CHROMA_AC_SYMBOLS, CHROMA_DC, DC_SYMBOLS, LUMA_AC, LUMA_AC_SYMBOLS, LUMA_DC,
};
use image::RgbImage;

/// The kind of JPEG picture to write.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) size: (u32, u32),
    /// Samples across and down of each component; one component is grey, three are Y′CbCr.
    pub(crate) samplings: Vec<(u32, u32)>,
    pub(crate) progressive: bool,
    /// All components in one scan where the kind allows that.
    pub(crate) interleaved: bool,
    /// Units between restart markers; 0 for none.
    pub(crate) restart: usize,
    /// Step of all coefficients.
    pub(crate) step: i32,
}

impl Written {
    pub(crate) fn new(size: (u32, u32), samplings: &[(u32, u32)]) -> Self {
        Self {
            size,
            samplings: samplings.to_vec(),
            progressive: false,
            interleaved: true,
            restart: 0,
            step: 6,
        }
    }

    /// The picture's bytes, and its pixels with each sample of chroma repeated.
    pub(crate) fn write(&self, scene: impl Fn(f64, f64) -> [f64; 3]) -> (Vec<u8>, RgbImage) {
        let most = |axis: fn(&(u32, u32)) -> u32| self.samplings.iter().map(axis).max().unwrap();
        let most = (most(|s| s.0), most(|s| s.1));
        let units = (self.size.0.div_ceil(8 * most.0), self.size.1.div_ceil(8 * most.1));
        let planes: Vec<Plane> = self
            .samplings
            .iter()
            .enumerate()
            .map(|(index, &sampling)| {
                let part =
                    (f64::from(most.0) / f64::from(sampling.0), f64::from(most.1) / f64::from(sampling.1));
                let real =
                    |side: u32, part: u32, most: u32| (side * part).div_ceil(most).div_ceil(8) as usize;
                let real = (real(self.size.0, sampling.0, most.0), real(self.size.1, sampling.1, most.1));
                Plane::new(sampling, units, real, self.step, |x, y| {
                    let (x, y) = ((f64::from(x) + 0.5) * part.0, (f64::from(y) + 0.5) * part.1);
                    ycc(scene((x / f64::from(self.size.0)).min(1.0), (y / f64::from(self.size.1)).min(1.0)))
                        [index]
                })
            })
            .collect();
        (self.bytes(&planes, units), self.pixels(&planes, most))
    }

    fn pixels(&self, planes: &[Plane], most: (u32, u32)) -> RgbImage {
        RgbImage::from_fn(self.size.0, self.size.1, |x, y| {
            let sample = |plane: &Plane| {
                plane.sample(
                    (x * plane.sampling.0 / most.0) as usize,
                    (y * plane.sampling.1 / most.1) as usize,
                )
            };
            let luma = sample(&planes[0]);
            let [cb, cr] =
                if planes.len() == 3 { [1, 2].map(|index| sample(&planes[index]) - 128.0) } else { [0.0; 2] };
            let rgb = [luma + 1.402 * cr, luma - 0.344_136 * cb - 0.714_136 * cr, luma + 1.772 * cb];
            image::Rgb(rgb.map(|value| value.round().clamp(0.0, 255.0) as u8))
        })
    }

    fn bytes(&self, planes: &[Plane], units: (u32, u32)) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8];
        let table: Vec<u8> = std::iter::once(0).chain(std::iter::repeat_n(self.step as u8, 64)).collect();
        segment(&mut out, 0xDB, &table);
        let size = |side: u32| (side as u16).to_be_bytes();
        let mut frame = [&[8][..], &size(self.size.1), &size(self.size.0), &[planes.len() as u8]].concat();
        for (index, &(across, down)) in self.samplings.iter().enumerate() {
            frame.extend([index as u8 + 1, (across << 4 | down) as u8, 0]);
        }
        segment(&mut out, if self.progressive { 0xC2 } else { 0xC0 }, &frame);
        let codes = if self.progressive { Codes::flat() } else { Codes::usual() };
        codes.iter().for_each(|codes| segment(&mut out, 0xC4, &codes.segment()));
        if self.restart > 0 {
            segment(&mut out, 0xDD, &(self.restart as u16).to_be_bytes());
        }
        let all: Vec<usize> = (0..planes.len()).collect();
        let single: Vec<Vec<usize>> = all.iter().map(|&index| vec![index]).collect();
        let together = if self.interleaved { vec![all] } else { single.clone() };
        let mut scans: Vec<(Vec<usize>, [u8; 4])> = Vec::new();
        let mut add = |groups: &[Vec<usize>], header: [u8; 4]| {
            scans.extend(groups.iter().map(|group| (group.clone(), header)));
        };
        if self.progressive {
            add(&together, [0, 0, 0, 1]);
            add(&single, [1, 5, 0, 2]);
            add(&single, [6, 63, 0, 2]);
            add(&single, [1, 63, 2, 1]);
            add(&together, [0, 0, 1, 0]);
            add(&single, [1, 63, 1, 0]);
        } else {
            add(&together, [0, 63, 0, 0]);
        }
        for (group, [first, last, before, now]) in scans {
            let mut header = vec![group.len() as u8];
            group.iter().for_each(|&index| {
                let tables = u8::from(index > 0 && !self.progressive);
                header.extend([index as u8 + 1, tables << 4 | tables]);
            });
            header.extend([first, last, before << 4 | now]);
            segment(&mut out, 0xDA, &header);
            let mut scan = ScanWriter { out, ..ScanWriter::default() };
            scan.write(
                self,
                planes,
                units,
                &group,
                (usize::from(first), usize::from(last)),
                (before, now),
                &codes,
            );
            out = scan.out;
        }
        out.extend([0xFF, 0xD9]);
        out
    }
}

fn ycc([r, g, b]: [f64; 3]) -> [f64; 3] {
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [y, (b - y) / 1.772 + 128.0, (r - y) / 1.402 + 128.0]
}

fn segment(out: &mut Vec<u8>, code: u8, content: &[u8]) {
    out.extend([0xFF, code]);
    out.extend((content.len() as u16 + 2).to_be_bytes());
    out.extend(content);
}

/// The coefficients of one component.
struct Plane {
    sampling: (u32, u32),
    /// Blocks across, with those that fill up the last units.
    across: usize,
    /// Blocks across and down without those.
    real: (usize, usize),
    /// In zigzag order.
    blocks: Vec<[i32; 64]>,
    samples: Vec<[f64; 64]>,
}

impl Plane {
    fn new(
        sampling: (u32, u32),
        units: (u32, u32),
        real: (usize, usize),
        step: i32,
        scene: impl Fn(u32, u32) -> f64,
    ) -> Self {
        let (across, down) = ((units.0 * sampling.0) as usize, (units.1 * sampling.1) as usize);
        let basis: [[f64; 8]; 8] = std::array::from_fn(|u| {
            let scale = if u == 0 { 0.125f64.sqrt() } else { 0.5 };
            std::array::from_fn(|x| {
                scale * (std::f64::consts::PI * (2 * x + 1) as f64 * u as f64 / 16.0).cos()
            })
        });
        let basis = |u: usize, x: usize| basis[u][x];
        let (mut blocks, mut samples) = (Vec::new(), Vec::new());
        for block in 0..across * down {
            let (left, top) = (block % across * 8, block / across * 8);
            let given: [f64; 64] = std::array::from_fn(|pixel| {
                scene((left + pixel % 8) as u32, (top + pixel / 8) as u32) - 128.0
            });
            let mut coefficients = [0; 64];
            for (place, coefficient) in ZIGZAG.into_iter().zip(&mut coefficients) {
                let (v, u) = (place / 8, place % 8);
                let value = |pixel: usize| {
                    let (y, x) = (pixel / 8, pixel % 8);
                    given[pixel] * basis(u, x) * basis(v, y)
                };
                *coefficient = ((0..64).map(value).sum::<f64>() / f64::from(step)).round() as i32;
            }
            samples.push(std::array::from_fn(|pixel| {
                let (y, x) = (pixel / 8, pixel % 8);
                let value = |(place, &coefficient): (usize, &i32)| {
                    f64::from(coefficient * step) * basis(place % 8, x) * basis(place / 8, y)
                };
                (ZIGZAG.into_iter().zip(&coefficients).map(value).sum::<f64>() + 128.0)
                    .round()
                    .clamp(0.0, 255.0)
            }));
            blocks.push(coefficients);
        }
        Self { sampling, across, real, blocks, samples }
    }

    fn sample(&self, x: usize, y: usize) -> f64 {
        self.samples[y / 8 * self.across + x / 8][y % 8 * 8 + x % 8]
    }
}

/// The codes of one table: of each symbol its length and bits.
struct Codes {
    kind: u8,
    counts: [u8; 16],
    symbols: Vec<u8>,
    by_symbol: [(u32, u32); 256],
}

impl Codes {
    fn new(kind: u8, counts: [u8; 16], symbols: &[u8]) -> Self {
        let mut by_symbol = [(0, 0); 256];
        let (mut code, mut place) = (0, 0);
        for (length, &count) in (1..).zip(&counts) {
            for _ in 0..count {
                by_symbol[usize::from(symbols[place])] = (length, code);
                code += 1;
                place += 1;
            }
            code <<= 1;
        }
        Self { kind, counts, symbols: symbols.to_vec(), by_symbol }
    }

    /// The tables of T.81, Annex K.
    fn usual() -> Vec<Self> {
        vec![
            Self::new(0x00, LUMA_DC, &DC_SYMBOLS),
            Self::new(0x10, LUMA_AC, &LUMA_AC_SYMBOLS),
            Self::new(0x01, CHROMA_DC, &DC_SYMBOLS),
            Self::new(0x11, CHROMA_AC, &CHROMA_AC_SYMBOLS),
        ]
    }

    /// Tables with a code for every symbol, some of eight bits and some of nine to eleven.
    fn flat() -> Vec<Self> {
        let mut counts = [0; 16];
        counts[7] = 120;
        counts[8] = 100;
        counts[10] = 36;
        let symbols: Vec<u8> = (0..=255).collect();
        let dc: [u8; 16] = [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        vec![Self::new(0x00, dc, &DC_SYMBOLS), Self::new(0x10, counts, &symbols)]
    }

    fn segment(&self) -> Vec<u8> {
        [&[self.kind][..], &self.counts, &self.symbols].concat()
    }
}

#[derive(Default)]
struct ScanWriter {
    out: Vec<u8>,
    held: u32,
    count: u32,
    /// Blocks that end in a run, and the bits of their earlier coefficients.
    run: u32,
    waiting: Vec<bool>,
}

impl ScanWriter {
    fn bits(&mut self, length: u32, bits: u32) {
        for place in (0..length).rev() {
            self.held = self.held << 1 | (bits >> place & 1);
            self.count += 1;
            if self.count == 8 {
                self.out.push(self.held as u8);
                if self.held as u8 == 0xFF {
                    self.out.push(0);
                }
                (self.held, self.count) = (0, 0);
            }
        }
    }

    fn symbol(&mut self, codes: &Codes, symbol: u8) {
        let (length, bits) = codes.by_symbol[usize::from(symbol)];
        assert!(length > 0, "no code for {symbol:x}");
        self.bits(length, bits);
    }

    fn value(&mut self, size: u32, value: i32) {
        self.bits(size, (if value < 0 { value - 1 } else { value }) as u32 & ((1 << size) - 1));
    }

    fn align(&mut self) {
        while self.count > 0 {
            self.bits(1, 1);
        }
    }

    fn end_run(&mut self, codes: &Codes) {
        if self.run > 0 {
            let size = self.run.ilog2();
            self.symbol(codes, (size << 4) as u8);
            self.bits(size, self.run - (1 << size));
            self.run = 0;
        }
        for bit in std::mem::take(&mut self.waiting) {
            self.bits(1, u32::from(bit));
        }
    }

    #[expect(clippy::too_many_arguments)]
    fn write(
        &mut self,
        kind: &Written,
        planes: &[Plane],
        units: (u32, u32),
        group: &[usize],
        band: (usize, usize),
        (before, now): (u8, u8),
        codes: &[Codes],
    ) {
        let table = |index: usize, ac: u8| {
            let luma = index == 0 || kind.progressive;
            let wanted = ac << 4 | u8::from(!luma);
            codes.iter().find(|codes| codes.kind == wanted).unwrap()
        };
        let (across, down) = match *group {
            [only] => planes[only].real,
            _ => (units.0 as usize, units.1 as usize),
        };
        let mut predictions = [0; 3];
        for unit in 0..across * down {
            if kind.restart > 0 && unit > 0 && unit % kind.restart == 0 {
                self.end_run(table(group[0], 1));
                self.align();
                self.out.extend([0xFF, 0xD0 + ((unit / kind.restart - 1) % 8) as u8]);
                predictions = [0; 3];
            }
            let (x, y) = (unit % across, unit / across);
            for &index in group {
                let plane = &planes[index];
                let (h, v) = if group.len() == 1 {
                    (1, 1)
                } else {
                    (plane.sampling.0 as usize, plane.sampling.1 as usize)
                };
                for (dy, dx) in (0..v).flat_map(|dy| (0..h).map(move |dx| (dy, dx))) {
                    let block = &plane.blocks[(y * v + dy) * plane.across + x * h + dx];
                    if band.0 == 0 && before == 0 {
                        let dc = block[0] >> now;
                        let size = |value: i32| value.unsigned_abs().checked_ilog2().map_or(0, |log| log + 1);
                        let difference = dc - std::mem::replace(&mut predictions[index], dc);
                        self.symbol(table(index, 0), size(difference) as u8);
                        self.value(size(difference), difference);
                    } else if band.0 == 0 {
                        self.bits(1, (block[0] >> now) as u32 & 1);
                    }
                    if band.1 > 0 {
                        let first = band.0.max(1);
                        self.ac(table(index, 1), block, (first, band.1), (before, now), kind.progressive);
                    }
                }
            }
        }
        self.end_run(table(group[0], 1));
        self.align();
    }

    fn ac(
        &mut self,
        codes: &Codes,
        block: &[i32; 64],
        band: (usize, usize),
        (before, now): (u8, u8),
        runs: bool,
    ) {
        // Of AC coefficients the magnitude is shifted.
        let shifted = |place: usize| block[place].signum() * (block[place].abs() >> now);
        let is_new = |place: usize| shifted(place) != 0 && (before == 0 || block[place].abs() >> before == 0);
        let is_known = |place: usize| before > 0 && block[place].abs() >> before != 0;
        let next_bit = |place: usize| block[place].abs() >> now & 1 == 1;
        let last = (band.0..=band.1).rev().find(|&place| is_new(place));
        let (mut zeros, mut corrections) = (0, Vec::new());
        for place in band.0..=band.1 {
            if is_known(place) {
                corrections.push(next_bit(place));
            } else if is_new(place) {
                self.end_run(codes);
                let value = shifted(place);
                let size = value.unsigned_abs().ilog2() + 1;
                self.symbol(codes, (zeros << 4) as u8 | size as u8);
                if before > 0 {
                    self.bits(1, u32::from(value > 0));
                } else {
                    self.value(size, value);
                }
                corrections.drain(..).for_each(|bit: bool| self.bits(1, u32::from(bit)));
                zeros = 0;
            } else {
                zeros += 1;
                if zeros == 16 && last.is_some_and(|last| place < last) {
                    self.end_run(codes);
                    self.symbol(codes, 0xF0);
                    corrections.drain(..).for_each(|bit: bool| self.bits(1, u32::from(bit)));
                    zeros = 0;
                }
            }
        }
        if zeros > 0 || !corrections.is_empty() {
            self.run += 1;
            self.waiting.extend(corrections);
            if !runs || self.run == 0x7FFF {
                self.end_run(codes);
            }
        }
    }
}

#[rustfmt::skip]
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55,
    62, 63,
];

/// A scene with smooth colours, edges and some texture, in coordinates from 0 to 1.
pub(crate) fn textured(x: f64, y: f64) -> [f64; 3] {
    let [r, g, b] = smooth(x, y);
    let grain = 24.0 * (x * 231.0 + (y * 97.0).sin() * 3.0).sin() * (y * 187.0).cos();
    let edge = if (x - 0.5).hypot(y - 0.4) < 0.25 { 45.0 } else { 0.0 };
    [r + grain + edge, g + grain - edge / 2.0, b + grain]
}

/// A scene that hardly changes from one pixel to the next.
pub(crate) fn smooth(x: f64, y: f64) -> [f64; 3] {
    [60.0 + 120.0 * x, 70.0 + 100.0 * y, 170.0 - 90.0 * x * y]
}
