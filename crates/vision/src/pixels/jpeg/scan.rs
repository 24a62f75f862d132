//! Decodes the codes of one scan. Of the values only those are kept that later codes depend on, and that show
//! damage.

use super::defect::{Defect, damaged};
use super::header::{FrameHeader, Headers, ScanHeader};
use super::huffman::{BitReader, END_OF_BLOCK, HuffmanTable};
use crate::pixels::format::PictureError;

/// Bytes that may be left over before a marker. Cameras such as Logitech's C270 leave up to ten in whole
/// frames.
const SURPLUS: usize = 16;
/// Greatest magnitude of a DC coefficient of 8-bit samples, by its definition 1024, with some room for the
/// encoder's rounding. A shifted picture soon leaves this range.
const MOST_DC: i32 = 1100;

/// The tables and the state of one component in a scan.
struct Part<'a> {
    dc: Option<&'a HuffmanTable>,
    ac: Option<&'a HuffmanTable>,
    /// Blocks in a unit: their number, and how many lie side by side and upon each other.
    blocks: u32,
    across: u32,
    down: u32,
    prediction: i32,
    /// The value of a prediction of 1.
    step: i32,
    most: i32,
    is_first: bool,
}

/// How the blocks of a scan are coded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ScanKind {
    Sequential,
    FirstDc,
    NextDc,
    FirstAc,
    NextAc,
}

/// Decodes the scan that begins at `place` and returns the place of the next marker's code. `nonzero` has one
/// bit for each coefficient of each block of the component, for the AC scans of progressive pictures. A
/// sequential scan fills `means`.
pub(super) fn decode(
    bytes: &[u8],
    place: usize,
    headers: &Headers,
    frame: &FrameHeader,
    scan: &ScanHeader,
    nonzero: &mut [u64],
    means: &mut BlockMeans<'_>,
) -> Result<usize, PictureError> {
    let kind = match (frame.progressive, scan.band.0, scan.bits.0) {
        (false, ..) => ScanKind::Sequential,
        (true, 0, 0) => ScanKind::FirstDc,
        (true, 0, _) => ScanKind::NextDc,
        (true, _, 0) => ScanKind::FirstAc,
        (true, ..) => ScanKind::NextAc,
    };
    let mut parts = Vec::with_capacity(scan.components.len());
    for &(index, dc, ac) in &scan.components {
        let component = &frame.components[index];
        let step = headers.step(component)?;
        let (across, down) = if scan.components.len() == 1 { (1, 1) } else { component.sampling };
        let shift = if frame.progressive { i32::from(scan.bits.1) } else { 0 };
        // The step of the scan's lowest bit; a coefficient is rounded to one.
        let step = step << shift;
        parts.push(Part {
            dc: headers.dc[dc].as_deref(),
            ac: headers.ac[ac].as_deref(),
            blocks: u32::from(across) * u32::from(down),
            across: u32::from(across),
            down: u32::from(down),
            prediction: 0,
            step,
            most: if step == 0 { i32::MAX } else { MOST_DC / step + 1 },
            is_first: index == 0 && kind == ScanKind::Sequential,
        });
    }
    let needs = |dc: bool, ac: bool| {
        parts.iter().all(|part| (!dc || part.dc.is_some()) && (!ac || part.ac.is_some()))
    };
    let complete = match kind {
        ScanKind::Sequential => needs(true, true),
        ScanKind::FirstDc => needs(true, false),
        ScanKind::NextDc => true,
        ScanKind::FirstAc | ScanKind::NextAc => needs(false, true),
    };
    if !complete {
        return Err(damaged("a Huffman table is missing"));
    }
    let (across, down) = match *scan.components {
        [(only, ..)] => frame.blocks(only),
        _ => frame.units(),
    };
    if let Some(part) = parts.iter().find(|part| part.is_first) {
        means.begin(across * part.across, down * part.down);
    }
    let mut blocks = BlockReader { reader: BitReader::new(bytes, place), kind, scan, run: 0 };
    // Of zeros alone a picture could only be made of blocks that no encoder writes.
    let never_zeros = kind == ScanKind::Sequential
        && parts.iter().any(|part| part.ac.is_some_and(HuffmanTable::fills_blocks_with_zeros));
    let interval = u64::from(headers.restart_interval);
    let mut until_restart = interval;
    let mut restarts = 0u8;
    for (unit, (y, x)) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))).enumerate() {
        if interval > 0 {
            if until_restart == 0 {
                blocks.restart(bytes, restarts)?;
                parts.iter_mut().for_each(|part| part.prediction = 0);
                restarts = (restarts + 1) % 8;
                until_restart = interval;
            }
            until_restart -= 1;
        }
        for part in &mut parts {
            for number in 0..part.blocks {
                blocks.block(part, nonzero.get_mut(unit))?;
                if part.is_first {
                    let (left, top) = (x * part.across, y * part.down);
                    let place = (left + number % part.across, top + number / part.across);
                    means.put(place, part.prediction * part.step);
                }
            }
        }
        if never_zeros && blocks.reader.is_zeroed() {
            return Err(Defect::Zeroed.into());
        }
    }
    if blocks.run > 0 {
        return Err(Defect::EndsEarly.into());
    }
    Ok(blocks.reader.finish(SURPLUS)?)
}

/// The mean of each block of a picture's first component, row by row, if its scan gives them: eight times
/// smaller than the picture, for the price of checking it.
pub(super) struct BlockMeans<'a> {
    means: &'a mut Vec<u8>,
    across: u32,
}

impl<'a> BlockMeans<'a> {
    /// Fills `means`, whose memory is reused.
    pub(super) fn new(means: &'a mut Vec<u8>) -> Self {
        means.clear();
        Self { means, across: 0 }
    }

    /// Number of blocks in a row, with those that only fill up the last unit; 0 if there are no means.
    pub(super) fn across(&self) -> u32 {
        self.across
    }

    fn begin(&mut self, across: u32, down: u32) {
        self.across = across;
        self.means.clear();
        self.means.resize(across as usize * down as usize, 0);
    }

    /// A block's DC coefficient is eight times its mean above the middle grey (T.81, A.3.1 and A.3.3).
    #[inline]
    fn put(&mut self, (x, y): (u32, u32), dc: i32) {
        if let Some(mean) = self.means.get_mut(y as usize * self.across as usize + x as usize) {
            *mean = ((dc + 4).div_euclid(8) + 128).clamp(0, 255) as u8;
        }
    }
}

/// Reads the blocks of a scan, one after the other.
struct BlockReader<'a> {
    reader: BitReader<'a>,
    kind: ScanKind,
    scan: &'a ScanHeader,
    /// How many of the next blocks have no further new coefficients in this band.
    run: u32,
}

impl BlockReader<'_> {
    fn restart(&mut self, bytes: &[u8], number: u8) -> Result<(), Defect> {
        let code = self.reader.finish(SURPLUS)?;
        if self.run > 0 || bytes.get(code) != Some(&(0xD0 + number)) {
            return Err(Defect::Restart);
        }
        Ok(())
    }

    #[inline]
    fn block(&mut self, part: &mut Part<'_>, nonzero: Option<&mut u64>) -> Result<(), Defect> {
        match (self.kind, part.dc, part.ac, nonzero) {
            (ScanKind::Sequential, Some(dc), Some(ac), _) => {
                self.dc(dc, &mut part.prediction, part.most)?;
                self.sequential_ac(ac)
            }
            (ScanKind::FirstDc, Some(dc), ..) => self.dc(dc, &mut part.prediction, part.most),
            (ScanKind::NextDc, ..) => self.reader.bits(1).map(drop),
            (ScanKind::FirstAc, _, Some(ac), Some(nonzero)) => self.first_ac(ac, nonzero),
            (ScanKind::NextAc, _, Some(ac), Some(nonzero)) => self.next_ac(ac, nonzero),
            _ => Err(Defect::BadCode),
        }
    }

    #[inline]
    fn dc(&mut self, table: &HuffmanTable, prediction: &mut i32, most: i32) -> Result<(), Defect> {
        let size = u32::from(self.reader.symbol(table)?);
        if size > 11 {
            return Err(Defect::DcOutOfRange);
        }
        let bits = self.reader.behind(size)? as i32;
        // Values with a leading 0 are negative.
        let negative = size > 0 && bits < 1 << (size - 1);
        *prediction += if negative { bits + 1 - (1 << size) } else { bits };
        if prediction.abs() > most { Err(Defect::DcOutOfRange) } else { Ok(()) }
    }

    #[inline]
    fn sequential_ac(&mut self, table: &HuffmanTable) -> Result<(), Defect> {
        let mut next = 1;
        while next < 64 {
            next += self.reader.step(table)?;
        }
        if next == 64 || next >= END_OF_BLOCK { Ok(()) } else { Err(Defect::LongBlock) }
    }

    fn first_ac(&mut self, table: &HuffmanTable, nonzero: &mut u64) -> Result<(), Defect> {
        if self.run > 0 {
            self.run -= 1;
            return Ok(());
        }
        let (mut next, last) = self.scan.band;
        while next <= last {
            let symbol = self.reader.symbol(table)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 0xF));
            match (zeros, size) {
                (15, 0) => next += 16,
                (zeros, 0) => {
                    self.run = (1 << zeros) - 1 + self.reader.behind(zeros as u32)?;
                    return Ok(());
                }
                (zeros, size) => {
                    self.reader.behind(size)?;
                    next += zeros;
                    if next > last {
                        return Err(Defect::LongBlock);
                    }
                    *nonzero |= 1 << next;
                    next += 1;
                }
            }
        }
        if next == last + 1 { Ok(()) } else { Err(Defect::LongBlock) }
    }

    fn next_ac(&mut self, table: &HuffmanTable, nonzero: &mut u64) -> Result<(), Defect> {
        let (mut next, last) = self.scan.band;
        while self.run == 0 && next <= last {
            let symbol = self.reader.symbol(table)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 0xF);
            match (zeros, size) {
                (_, 1) => drop(self.reader.behind(1)?),
                (15, 0) => {}
                (zeros, 0) => {
                    self.run = (1 << zeros) + self.reader.behind(zeros)?;
                    break;
                }
                _ => return Err(Defect::Refinement),
            }
            // Each coefficient that earlier scans gave has one more bit; the zeros between are counted.
            loop {
                if next > last {
                    break;
                }
                if *nonzero >> next & 1 == 1 {
                    self.reader.bits(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                next += 1;
            }
            if size == 1 {
                if next > last {
                    return Err(Defect::LongBlock);
                }
                *nonzero |= 1 << next;
            } else if zeros > 0 {
                return Err(Defect::LongBlock);
            }
            next += 1;
        }
        if self.run > 0 {
            for place in next..=last {
                if *nonzero >> place & 1 == 1 {
                    self.reader.bits(1)?;
                }
            }
            self.run -= 1;
        }
        Ok(())
    }
}
