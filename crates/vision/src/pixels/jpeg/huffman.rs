//! Huffman codes and the bits that they are read from.

use super::defect::Defect;

/// Codes of up to this many bits are looked up.
const LOOKED_UP: u32 = 9;
/// Maximum length of a code in bits.
const LONGEST: usize = 16;

/// The codes of one table.
#[derive(Debug, Clone)]
pub(super) struct HuffmanTable {
    /// By the next bits: length << 8 | symbol; 0 where the code is longer.
    short: [u16; 1 << LOOKED_UP],
    /// The same for AC coefficients: how far the symbol goes on in its block << 8 | length with the value's
    /// bits.
    steps: [u16; 1 << LOOKED_UP],
    /// By length: the end of its codes, with zeros behind up to 16 bits.
    ends: [u32; LONGEST + 1],
    /// By length: what is added to a code to get the place of its symbol.
    offsets: [i32; LONGEST + 1],
    symbols: [u8; 256],
}

impl HuffmanTable {
    /// The table with `counts` codes of each length from 1 to 16 bits for `symbols`; `None` if there are more
    /// codes than fit.
    pub(super) fn new(counts: &[u8; LONGEST], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            short: [0; 1 << LOOKED_UP],
            steps: [0; 1 << LOOKED_UP],
            ends: [0; LONGEST + 1],
            offsets: [0; LONGEST + 1],
            symbols: [0; 256],
        };
        table.symbols.get_mut(..symbols.len())?.copy_from_slice(symbols);
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            table.offsets[length as usize] = place as i32 - code as i32;
            for _ in 0..count {
                let symbol = *symbols.get(place)?;
                if code >= 1 << length {
                    return None;
                }
                if length <= LOOKED_UP {
                    let free = LOOKED_UP - length;
                    let first = (code as usize) << free;
                    let places = first..first + (1 << free);
                    table.short[places.clone()].fill((length << 8) as u16 | u16::from(symbol));
                    let bits = length as u16 + u16::from(symbol & 0xF);
                    table.steps[places].fill((step(symbol) as u16) << 8 | bits);
                }
                code += 1;
                place += 1;
            }
            table.ends[length as usize] = code << (LONGEST as u32 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// Whether zero bits alone go on and on in a sequential scan: where they do not end a block, each block
    /// would have all its coefficients.
    pub(super) fn fills_blocks_with_zeros(&self) -> bool {
        let first = self.steps[0];
        first != 0 && u32::from(first >> 8) != END_OF_BLOCK
    }

    /// The table that Motion JPEG leaves out (T.81, tables K.3 to K.6): for luma or chroma, DC or AC.
    pub(super) fn usual(chroma: bool, ac: bool) -> Option<Self> {
        match (ac, chroma) {
            (false, false) => Self::new(&LUMA_DC, &DC_SYMBOLS),
            (false, true) => Self::new(&CHROMA_DC, &DC_SYMBOLS),
            (true, false) => Self::new(&LUMA_AC, &LUMA_AC_SYMBOLS),
            (true, true) => Self::new(&CHROMA_AC, &CHROMA_AC_SYMBOLS),
        }
    }
}

/// A step that ends its block.
pub(super) const END_OF_BLOCK: u32 = 128;

/// How many coefficients a symbol of a sequential scan goes on.
fn step(symbol: u8) -> u32 {
    match (symbol >> 4, symbol & 0xF) {
        (15, 0) => 16,
        (_, 0) => END_OF_BLOCK,
        (zeros, _) => u32::from(zeros) + 1,
    }
}

/// Reads bits of image data up to the next marker. Stuffed zeros are taken out.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    place: usize,
    /// The next bits, from the highest bit on.
    held: u64,
    count: u32,
    /// How many times in a row four zeros came, and whether it was ever four times.
    zeros: u32,
    zeroed: bool,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8], place: usize) -> Self {
        Self { bytes, place, held: 0, count: 0, zeros: 0, zeroed: false }
    }

    /// Holds more than 32 bits afterwards, or all that are left.
    #[inline]
    fn fill(&mut self) {
        while self.count <= 32 {
            if let Some(four) = self.bytes.get(self.place..).and_then(|rest| rest.first_chunk::<4>()) {
                let word = u32::from_be_bytes(*four);
                // No byte is FF: none of the complement's is 0.
                if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
                    self.zeros = if word == 0 { self.zeros + 1 } else { 0 };
                    self.zeroed |= self.zeros == 4;
                    self.held |= u64::from(word) << (32 - self.count);
                    self.count += 32;
                    self.place += 4;
                    return;
                }
            }
            if !self.fill_byte() {
                return;
            }
        }
    }

    fn fill_byte(&mut self) -> bool {
        let Some(&byte) = self.bytes.get(self.place) else { return false };
        let mut next = self.place + 1;
        if byte == 0xFF {
            // Any number of FF may stand before a marker's code, or before a stuffed zero.
            while self.bytes.get(next) == Some(&0xFF) {
                next += 1;
            }
            if self.bytes.get(next) != Some(&0) {
                return false;
            }
            next += 1;
        }
        self.held |= u64::from(byte) << (56 - self.count);
        self.count += 8;
        self.place = next;
        true
    }

    #[inline]
    fn take(&mut self, length: u32) -> Result<u32, Defect> {
        if length > self.count {
            return Err(Defect::EndsEarly);
        }
        // Two shifts, since one by 64 is none.
        let bits = (self.held >> 1 >> (63 - length)) as u32;
        self.held <<= length;
        self.count -= length;
        Ok(bits)
    }

    /// Reads an AC coefficient of a sequential scan, and returns how far it goes on: [`END_OF_BLOCK`], or the
    /// number of coefficients with the zeros before it.
    #[inline]
    pub(super) fn step(&mut self, table: &HuffmanTable) -> Result<u32, Defect> {
        if self.count < 32 {
            self.fill();
        }
        let entry = u32::from(table.steps[(self.held >> (64 - LOOKED_UP)) as usize]);
        let bits = entry & 0xFF;
        if entry == 0 || bits > self.count {
            let symbol = self.symbol(table)?;
            self.take(u32::from(symbol & 0xF))?;
            return Ok(step(symbol));
        }
        self.held <<= bits;
        self.count -= bits;
        Ok(entry >> 8)
    }

    /// Whether there was a stretch of sixteen zeros.
    #[inline]
    pub(super) fn is_zeroed(&self) -> bool {
        self.zeroed
    }

    /// Reads up to 16 bits.
    #[inline]
    pub(super) fn bits(&mut self, length: u32) -> Result<u32, Defect> {
        self.fill();
        self.take(length)
    }

    /// Reads a code and returns its symbol. 16 bits more are then held, unless the data ends.
    #[inline]
    pub(super) fn symbol(&mut self, table: &HuffmanTable) -> Result<u8, Defect> {
        self.fill();
        let entry = table.short[(self.held >> (64 - LOOKED_UP)) as usize];
        if entry != 0 {
            self.take(u32::from(entry >> 8))?;
            return Ok(entry as u8);
        }
        let next = (self.held >> 48) as u32;
        for length in LOOKED_UP as usize + 1..=LONGEST {
            if next < table.ends[length] {
                let code = (next >> (LONGEST - length)) as i32;
                self.take(length as u32)?;
                return Ok(table.symbols[((code + table.offsets[length]) & 0xFF) as usize]);
            }
        }
        // Where the data ends, the zeros behind it are no code of it.
        Err(if self.count < LONGEST as u32 { Defect::EndsEarly } else { Defect::BadCode })
    }

    /// Reads the `size` bits behind the symbol that was read last.
    #[inline]
    pub(super) fn behind(&mut self, size: u32) -> Result<u32, Defect> {
        self.take(size)
    }

    /// Goes to the next marker and returns the place of its code. Fewer than eight bits may be left before
    /// it, and bytes of 00 or FF, which are padding. Some cameras leave a few other bytes over: up to
    /// `surplus`.
    pub(super) fn finish(&mut self, surplus: usize) -> Result<usize, Defect> {
        // The bytes that are held and those up to the marker.
        let held = (self.held << (self.count % 8)).to_be_bytes();
        let held = held.iter().take(self.count as usize / 8);
        let mut others = held.filter(|&&byte| byte != 0 && byte != 0xFF).count();
        let mut rest = self.bytes.get(self.place..).unwrap_or_default();
        loop {
            match rest {
                [0xFF, 0, ..] => rest = &rest[2..],
                [0xFF, 0xFF, ..] | [0, ..] => rest = &rest[1..],
                [0xFF, _, ..] => break,
                [0xFF] | [] => return Err(Defect::EndsEarly),
                [_, ..] => {
                    others += 1;
                    rest = &rest[1..];
                }
            }
        }
        if others > surplus {
            return Err(Defect::Surplus);
        }
        let code = self.bytes.len() - rest.len() + 1;
        *self = Self::new(self.bytes, code + 1);
        Ok(code)
    }
}

pub(super) const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
pub(super) const LUMA_DC: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
pub(super) const CHROMA_DC: [u8; 16] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
pub(super) const LUMA_AC: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D];
pub(super) const CHROMA_AC: [u8; 16] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77];
#[rustfmt::skip]
pub(super) const LUMA_AC_SYMBOLS: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3,
    0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
];
#[rustfmt::skip]
pub(super) const CHROMA_AC_SYMBOLS: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
    0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1,
    0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x35, 0x36,
    0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
    0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
    0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA,
    0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
    0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
];
