//! Reads the segments of a JPEG picture that say how its image data is coded.

use super::defect::damaged;
use super::huffman::HuffmanTable;
use crate::pixels::format::PictureError;

/// One component of a picture, such as luma.
#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    id: u8,
    /// Samples across and down of this component, relative to those of the others: 1 to 4.
    pub(super) sampling: (u8, u8),
    quantization: usize,
}

/// What the frame header says.
#[derive(Debug, Clone)]
pub(super) struct FrameHeader {
    pub(super) progressive: bool,
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: Vec<Component>,
}

impl FrameHeader {
    /// The most samples across and down that a component has.
    pub(super) fn densest(&self) -> (u32, u32) {
        let most = |axis: fn(&Component) -> u8| self.components.iter().map(axis).max().unwrap_or(1);
        (u32::from(most(|component| component.sampling.0)), u32::from(most(|component| component.sampling.1)))
    }

    /// The blocks of a component across and down, without those that only fill up the last units of a scan
    /// with several components.
    pub(super) fn blocks(&self, component: usize) -> (u32, u32) {
        let (most_across, most_down) = self.densest();
        let (across, down) = self.components[component].sampling;
        let blocks =
            |side: u16, part: u8, most: u32| (u32::from(side) * u32::from(part)).div_ceil(most).div_ceil(8);
        (blocks(self.width, across, most_across), blocks(self.height, down, most_down))
    }

    /// The units of a scan with several components, across and down.
    pub(super) fn units(&self) -> (u32, u32) {
        let (most_across, most_down) = self.densest();
        (u32::from(self.width).div_ceil(8 * most_across), u32::from(self.height).div_ceil(8 * most_down))
    }
}

/// What a scan header says.
#[derive(Debug)]
pub(super) struct ScanHeader {
    /// Index of each component, with its tables for DC and AC.
    pub(super) components: Vec<(usize, usize, usize)>,
    /// First and last coefficient.
    pub(super) band: (usize, usize),
    /// The lowest bit that earlier scans gave, or 0 for none, and the one that this scan gives.
    pub(super) bits: (u8, u8),
}

/// Everything that the segments so far have said.
#[derive(Debug, Default)]
pub(super) struct Headers {
    pub(super) frame: Option<FrameHeader>,
    pub(super) dc: [Option<Box<HuffmanTable>>; 4],
    pub(super) ac: [Option<Box<HuffmanTable>>; 4],
    /// Step of the DC coefficient in each quantization table.
    steps: [Option<u16>; 4],
    pub(super) restart_interval: u32,
}

fn unread(what: &str) -> PictureError {
    PictureError::UnreadKind(what.to_owned())
}

impl Headers {
    /// Takes the segment with the marker `code`.
    pub(super) fn segment(&mut self, code: u8, content: &[u8]) -> Result<(), PictureError> {
        match code {
            0xC0..=0xC2 => self.frame_header(code == 0xC2, content),
            0xC4 => self.huffman_tables(content),
            0xC3 | 0xC7 | 0xCB | 0xCF => Err(unread("lossless")),
            0xC5 | 0xC6 | 0xCD | 0xCE | 0xDE | 0xDF => Err(unread("hierarchical")),
            0xC9 | 0xCA | 0xCC => Err(unread("arithmetic coding")),
            0xDB => self.quantization_tables(content),
            0xDC => Err(unread("its height stands behind it")),
            0xDD => match *content {
                [high, low] => {
                    self.restart_interval = u32::from(u16::from_be_bytes([high, low]));
                    Ok(())
                }
                _ => Err(damaged("a restart interval of the wrong length")),
            },
            _ => Ok(()),
        }
    }

    /// The DC step of a component.
    pub(super) fn step(&self, component: &Component) -> Result<i32, PictureError> {
        let step = self.steps[component.quantization];
        step.map(i32::from).ok_or_else(|| damaged("a quantization table is missing"))
    }

    fn frame_header(&mut self, progressive: bool, content: &[u8]) -> Result<(), PictureError> {
        let [precision, a, b, c, d, count, components @ ..] = content else {
            return Err(damaged("a frame header of the wrong length"));
        };
        if *precision != 8 {
            return Err(unread(&format!("{precision} bits per sample")));
        }
        let (components, rest) = components.as_chunks::<3>();
        if components.len() != usize::from(*count) || !rest.is_empty() || self.frame.is_some() {
            return Err(damaged("a frame header of the wrong length, or a second one"));
        }
        let (height, width) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
        if !matches!(components.len(), 1 | 3 | 4) {
            return Err(unread(&format!("{count} components")));
        }
        let components = components.iter().map(|&[id, sampling, quantization]| {
            let sampling = (sampling >> 4, sampling & 0xF);
            let quantization = usize::from(quantization);
            let possible = |samples: u8| (1..=4).contains(&samples);
            let sound = possible(sampling.0) && possible(sampling.1) && quantization < 4;
            sound.then_some(Component { id, sampling, quantization })
        });
        let components = components.collect::<Option<Vec<Component>>>();
        let components = components.ok_or_else(|| damaged("impossible values in the frame header"))?;
        self.frame = Some(FrameHeader { progressive, width, height, components });
        Ok(())
    }

    fn huffman_tables(&mut self, mut content: &[u8]) -> Result<(), PictureError> {
        let bad = || damaged("a Huffman table is impossible");
        while let Some((&kind, rest)) = content.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(bad)?;
            let length = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(length).ok_or_else(bad)?;
            let table = HuffmanTable::new(counts, symbols).ok_or_else(bad)?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            if kind >> 4 > 1 {
                return Err(bad());
            }
            *tables.get_mut(usize::from(kind & 0xF)).ok_or_else(bad)? = Some(Box::new(table));
            content = rest;
        }
        Ok(())
    }

    fn quantization_tables(&mut self, mut content: &[u8]) -> Result<(), PictureError> {
        let bad = || damaged("a quantization table is impossible");
        while let Some((&kind, rest)) = content.split_first() {
            let wide = kind >> 4 == 1;
            let (table, rest) = rest.split_at_checked(if wide { 128 } else { 64 }).ok_or_else(bad)?;
            if kind >> 4 > 1 {
                return Err(bad());
            }
            let step = if wide { u16::from_be_bytes([table[0], table[1]]) } else { u16::from(table[0]) };
            *self.steps.get_mut(usize::from(kind & 0xF)).ok_or_else(bad)? = Some(step);
            content = rest;
        }
        Ok(())
    }

    /// Reads the header of a scan.
    pub(super) fn scan(&self, content: &[u8]) -> Result<ScanHeader, PictureError> {
        let bad = || damaged("a scan header is impossible");
        let frame = self.frame.as_ref().ok_or_else(|| damaged("there is no frame header"))?;
        let (&count, rest) = content.split_first().ok_or_else(bad)?;
        let (listed, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or_else(bad)?;
        let [first, last, bits] = *rest else { return Err(bad()) };
        let mut components: Vec<(usize, usize, usize)> = Vec::new();
        for &[id, tables] in listed.as_chunks::<2>().0 {
            let index = frame.components.iter().position(|component| component.id == id).ok_or_else(bad)?;
            if components.iter().any(|&(other, ..)| other == index) || tables >> 4 > 3 || tables & 0xF > 3 {
                return Err(bad());
            }
            components.push((index, usize::from(tables >> 4), usize::from(tables & 0xF)));
        }
        let band = (usize::from(first), usize::from(last));
        let sound = if frame.progressive {
            let only_dc = band == (0, 0);
            only_dc || (band.0 > 0 && band.0 <= band.1 && band.1 < 64 && components.len() == 1)
        } else {
            true
        };
        // T.81 allows ten blocks in a unit of several components.
        let blocks = |&(index, ..): &(usize, usize, usize)| {
            let (across, down) = frame.components[index].sampling;
            usize::from(across * down)
        };
        let fits = components.len() == 1 || components.iter().map(blocks).sum::<usize>() <= 10;
        if components.is_empty() || !sound || !fits {
            return Err(bad());
        }
        Ok(ScanHeader { components, band, bits: (bits >> 4, bits & 0xF) })
    }

    /// Supplies the Huffman tables that Motion JPEG leaves out.
    pub(super) fn add_usual_tables(&mut self) {
        for (tables, ac) in [(&mut self.dc, false), (&mut self.ac, true)] {
            for (table, chroma) in tables.iter_mut().zip([false, true]) {
                if table.is_none() {
                    *table = HuffmanTable::usual(chroma, ac).map(Box::new);
                }
            }
        }
    }
}
