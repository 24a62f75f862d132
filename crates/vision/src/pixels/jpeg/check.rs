//! Checks a whole JPEG picture: follows its segments and decodes its scans.

use super::defect::damaged;
use super::header::{FrameHeader, Headers, ScanHeader};
use super::scan::{self, BlockMeans};
use crate::pixels::format::PictureError;

/// Maximum number of scans; progressive pictures have about ten.
const MOST_SCANS: usize = 100;
/// Stands for a bit that no scan has given yet.
const NOTHING_YET: u8 = u8::MAX;

/// A picture all of whose image data can be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The samples across and down of each component, relative to those of the others.
    pub samplings: Vec<(u8, u8)>,
    /// Whether several scans give the coefficients in growing precision.
    pub is_progressive: bool,
    /// Number of scans.
    pub scans: usize,
    /// Whether the picture leaves out its Huffman tables, as Motion JPEG does.
    pub lacks_huffman_tables: bool,
    /// Whether there is EXIF data, which may say that the picture is turned.
    pub has_exif: bool,
    /// Number of blocks in a row of the means that [`check_with_means`] gives, with some beyond the picture's
    /// edge; 0 where it gives none.
    pub means_across: u32,
    /// Length in bytes, end marker included.
    pub length: usize,
}

/// Decodes all codes of the JPEG picture that `bytes` begin with. `accept` is asked about its width and
/// height before its image data is decoded.
///
/// Bytes behind the picture are ignored, and stray ones between its headers.
///
/// # Errors
/// [`PictureError::CutOff`] if the end marker is missing, [`PictureError::Damaged`] for image data that does
/// not come out even, [`PictureError::UnreadKind`] for kinds of JPEG that are not read, and the errors of
/// `accept`.
pub fn check(
    bytes: &[u8],
    accept: impl Fn(u32, u32) -> Result<(), PictureError>,
) -> Result<Checked, PictureError> {
    check_with_means(bytes, accept, &mut Vec::new())
}

/// As [`check`]. `means` gets the mean of each 8 × 8 block of the first component, which is luma in frames of
/// cameras, row by row, from 0 to 255: what the picture shows, eight times smaller. Progressive pictures give
/// none.
///
/// # Errors
/// As [`check`].
pub fn check_with_means(
    bytes: &[u8],
    accept: impl Fn(u32, u32) -> Result<(), PictureError>,
    means: &mut Vec<u8>,
) -> Result<Checked, PictureError> {
    let mut means = BlockMeans::new(means);
    let mut has_exif = false;
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return Err(damaged("it does not begin like a JPEG picture"));
    }
    let mut headers = Headers::default();
    let mut coverage = Coverage::default();
    let mut lacks_huffman_tables = false;
    let mut place = 2;
    loop {
        let code = marker(bytes, &mut place).ok_or(PictureError::CutOff)?;
        match code {
            0xD9 => break,
            // Restart markers, behind the last block of a scan too, and markers without meaning.
            0x01 | 0xD0..=0xD7 => continue,
            0xD8 => return Err(damaged("another picture begins inside it")),
            _ => {}
        }
        let content = segment(bytes, &mut place).ok_or(PictureError::CutOff)?;
        if code != 0xDA {
            has_exif |= code == 0xE1 && content.starts_with(b"Exif");
            headers.segment(code, content)?;
            if let (0xC0..=0xC2, Some(frame)) = (code, &headers.frame) {
                accept(u32::from(frame.width), u32::from(frame.height))?;
                coverage = Coverage::new(frame);
            }
            continue;
        }
        if coverage.scans == 0 {
            lacks_huffman_tables = headers.dc.iter().chain(&headers.ac).all(Option::is_none);
            if lacks_huffman_tables {
                headers.add_usual_tables();
            }
        }
        let scan = headers.scan(content)?;
        let frame = headers.frame.as_ref().ok_or_else(|| damaged("there is no frame header"))?;
        let nonzero = coverage.begin(frame, &scan)?;
        let end =
            scan::decode(bytes, place, &headers, frame, &scan, nonzero, &mut means).map_err(|error| {
                let has_end = bytes[place..].windows(2).any(|pair| pair == [0xFF, 0xD9]);
                if has_end { error } else { PictureError::CutOff }
            })?;
        // Its code follows; `marker` expects the byte before.
        place = end - 1;
    }
    let frame = headers.frame.ok_or_else(|| damaged("there is no frame header"))?;
    if coverage.scans == 0 || !coverage.is_complete() {
        return Err(damaged("a scan is missing"));
    }
    Ok(Checked {
        width: u32::from(frame.width),
        height: u32::from(frame.height),
        samplings: frame.components.iter().map(|component| component.sampling).collect(),
        is_progressive: frame.progressive,
        scans: coverage.scans,
        lacks_huffman_tables,
        has_exif,
        means_across: means.across(),
        length: place,
    })
}

/// The code of the next marker; moves `place` behind it. Stray bytes are passed over.
fn marker(bytes: &[u8], place: &mut usize) -> Option<u8> {
    let rest = bytes.get(*place..)?;
    let start = rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF))?;
    *place += start + 2;
    rest.get(start + 1).copied()
}

/// The content of a segment; moves `place` behind it.
fn segment<'a>(bytes: &'a [u8], place: &mut usize) -> Option<&'a [u8]> {
    let rest = bytes.get(*place..)?;
    let length = usize::from(u16::from_be_bytes(*rest.first_chunk::<2>()?));
    let content = rest.get(2..length)?;
    *place += length;
    Some(content)
}

/// What the scans so far have given.
#[derive(Debug, Default)]
struct Coverage {
    scans: usize,
    /// Of each component and coefficient, the lowest bit that is known.
    known: Vec<[u8; 64]>,
    /// Of each component, one bit for each coefficient of each block, for progressive pictures.
    nonzero: Vec<Vec<u64>>,
}

impl Coverage {
    fn new(frame: &FrameHeader) -> Self {
        let components = frame.components.len();
        Self { scans: 0, known: vec![[NOTHING_YET; 64]; components], nonzero: vec![Vec::new(); components] }
    }

    /// Notes what `scan` will give, and returns the memory that it needs.
    fn begin(&mut self, frame: &FrameHeader, scan: &ScanHeader) -> Result<&mut [u64], PictureError> {
        let (band, (before, now)) =
            if frame.progressive { (scan.band, scan.bits) } else { ((0, 63), (0, 0)) };
        let expected = if before == 0 { NOTHING_YET } else { before };
        self.scans += 1;
        let mut sound = self.scans <= MOST_SCANS && (before == 0 || now + 1 == before) && now <= 13;
        for &(index, ..) in &scan.components {
            for known in &mut self.known[index][band.0..=band.1] {
                sound &= *known == expected;
                *known = now;
            }
        }
        if !sound {
            return Err(damaged("its scans contradict each other"));
        }
        let Some(&(index, ..)) = scan.components.first() else { return Ok(&mut []) };
        if frame.progressive && band.0 > 0 {
            let (across, down) = frame.blocks(index);
            self.nonzero[index].resize(across as usize * down as usize, 0);
            return Ok(&mut self.nonzero[index]);
        }
        Ok(&mut [])
    }

    fn is_complete(&self) -> bool {
        self.known.iter().flatten().all(|&known| known == 0)
    }
}

#[cfg(test)]
mod tests;
