//! Where a JPEG picture ends: a walk over its markers (ITU-T T.81, Annex B), byte by byte, without decoding
//! anything.
//!
//! Markers inside segments (a thumbnail in EXIF data has its own begin and end markers) do not count, so this
//! is safer than to search for `FF D9`. [`crate::source::mjpeg`] cuts streams with it; [`super::decode`]
//! tells a cut picture from a whole one.

/// What one more byte did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Still before a picture; the byte belongs to none.
    Outside,
    /// The byte completed a begin marker (`FF D8`), maybe in the midst of an unfinished picture.
    Begin,
    /// The byte is part of a picture.
    Inside,
    /// The byte was the last one of a whole picture.
    End,
    /// The byte cannot follow in a JPEG picture: what has been collected is no picture.
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a begin marker; true after an `FF`.
    Outside(bool),
    /// A marker's `FF` must come.
    Marker,
    /// After a marker's `FF` (there may be several).
    MarkerCode,
    /// The first byte of a segment's length; the segment is a scan's header if true.
    LengthHigh(bool),
    /// The second byte of a segment's length.
    LengthLow(bool, u8),
    /// That many bytes of the segment to go.
    Segment(bool, u16),
    /// Entropy coded data; true after an `FF`.
    Scan(bool),
}

/// Follows a stream of bytes through the markers of JPEG pictures.
#[derive(Debug, Clone)]
pub struct Walk {
    place: Place,
    /// A scan has begun: an end marker before that ends nothing worth decoding.
    scan_seen: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self { place: Place::Outside(false), scan_seen: false }
    }
}

impl Walk {
    /// Takes the next byte.
    pub fn step(&mut self, byte: u8) -> Step {
        match self.place {
            Place::Outside(after_ff) => {
                if after_ff && byte == 0xD8 {
                    return self.begin();
                }
                self.place = Place::Outside(byte == 0xFF);
                Step::Outside
            }
            Place::Marker if byte == 0xFF => self.go(Place::MarkerCode),
            Place::Marker => self.broken(),
            Place::MarkerCode => self.marker(byte),
            Place::LengthHigh(scan) => self.go(Place::LengthLow(scan, byte)),
            Place::LengthLow(scan, high) => match u16::from_be_bytes([high, byte]) {
                0 | 1 => self.broken(),
                2 => self.after_segment(scan),
                length => self.go(Place::Segment(scan, length - 2)),
            },
            Place::Segment(scan, 1) => self.after_segment(scan),
            Place::Segment(scan, left) => self.go(Place::Segment(scan, left - 1)),
            Place::Scan(false) => self.go(Place::Scan(byte == 0xFF)),
            Place::Scan(true) => match byte {
                // A stuffed FF or a restart marker.
                0x00 | 0x01 | 0xD0..=0xD7 => self.go(Place::Scan(false)),
                0xFF => Step::Inside,
                _ => self.marker(byte),
            },
        }
    }

    fn marker(&mut self, code: u8) -> Step {
        match code {
            0xFF => Step::Inside,
            0xD8 => self.begin(),
            0xD9 if self.scan_seen => {
                *self = Self::default();
                Step::End
            }
            0x00 | 0xD9 => self.broken(),
            0x01 | 0xD0..=0xD7 => self.go(Place::Marker),
            code => self.go(Place::LengthHigh(code == 0xDA)),
        }
    }

    fn after_segment(&mut self, scan: bool) -> Step {
        self.scan_seen |= scan;
        self.go(if scan { Place::Scan(false) } else { Place::Marker })
    }

    fn begin(&mut self) -> Step {
        *self = Self { place: Place::Marker, scan_seen: false };
        Step::Begin
    }

    fn broken(&mut self) -> Step {
        *self = Self::default();
        Step::Broken
    }

    fn go(&mut self, place: Place) -> Step {
        self.place = place;
        Step::Inside
    }
}

/// The number of bytes up to and with the end marker of the picture that `bytes` begins with; `None` if there
/// is no begin marker at the start, a marker is damaged, or the picture is cut off.
#[must_use]
pub fn length(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    let mut walk = Walk { place: Place::Marker, scan_seen: false };
    for (index, &byte) in bytes.iter().enumerate().skip(2) {
        match walk.step(byte) {
            Step::End => return Some(index + 1),
            Step::Inside => {}
            Step::Begin | Step::Broken | Step::Outside => return None,
        }
    }
    None
}

/// Whether `bytes` hold a picture that is not cut off. Besides what [`length`] accepts that is an end marker
/// behind the last scan header: decoders forgive stray bytes between segments, and so does this.
#[must_use]
pub fn is_whole(bytes: &[u8]) -> bool {
    let last = |code: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, code]);
    length(bytes).is_some() || last(0xD9).zip(last(0xDA)).is_some_and(|(end, scan)| end > scan)
}

/// Whether the scan begins without a Huffman table (`FF C4`) before it, as in the frames of many cameras:
/// Motion JPEG leaves out the tables of T.81 Annex K and expects the decoder to know them.
#[must_use]
pub fn lacks_huffman_tables(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xFF, code, high, low, ..] = *rest {
        match code {
            0xC4 => return false,
            0xDA => return true,
            _ => {}
        }
        rest = rest.get(2 + usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SOI, an APP1 segment with a whole "thumbnail" inside, a scan header, data with stuffing, restart, EOI.
    const PICTURE: &[u8] = &[
        0xFF, 0xD8, 0xFF, 0xE1, 0x00, 0x08, 0xFF, 0xD8, 0xFF, 0xDA, 0xFF, 0xD9, 0xFF, 0xDA, 0x00, 0x04, 0x01,
        0x02, 0x55, 0xFF, 0x00, 0x55, 0xFF, 0xD0, 0x11, 0xFF, 0xD9,
    ];

    #[test]
    fn a_thumbnail_does_not_end_the_picture() {
        assert_eq!(length(PICTURE), Some(PICTURE.len()));
        let mut padded = PICTURE.to_vec();
        padded.extend([0; 9]);
        assert_eq!(length(&padded), Some(PICTURE.len()));
    }

    #[test]
    fn huffman_tables_are_looked_for() {
        assert!(lacks_huffman_tables(PICTURE));
        let mut with_table = PICTURE.to_vec();
        with_table.splice(2..2, [0xFF, 0xC4, 0x00, 0x03, 0x00]);
        assert!(!lacks_huffman_tables(&with_table));
        assert!(!lacks_huffman_tables(&PICTURE[..12]), "no scan, no need of tables");
    }

    #[test]
    fn no_cut_picture_is_whole() {
        for end in 0..PICTURE.len() {
            assert_eq!(length(&PICTURE[..end]), None, "cut at {end}");
        }
        // Cut between thumbnail and scan the looser rule is fooled; such data has no scan and does not
        // decode.
        for end in 14..PICTURE.len() {
            assert!(!is_whole(&PICTURE[..end]), "cut at {end}");
        }
        assert_eq!(length(&[0xFF, 0xD8, 0xFF, 0xD9]), None, "a picture without a scan");
    }

    #[test]
    fn stray_bytes_between_segments_are_forgiven() {
        let mut stray = PICTURE.to_vec();
        stray.splice(12..12, [0x00, 0x00]);
        assert_eq!(length(&stray), None);
        assert!(is_whole(&stray));
    }

    #[test]
    fn a_begin_marker_in_a_scan_starts_anew() {
        let mut walk = Walk::default();
        let mut cut = PICTURE[..PICTURE.len() - 3].to_vec();
        cut.extend(PICTURE);
        let steps: Vec<Step> = cut.iter().map(|&byte| walk.step(byte)).collect();
        assert_eq!(steps.iter().filter(|&&step| step == Step::Begin).count(), 2);
        assert_eq!(steps.last(), Some(&Step::End));
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked(bytes: Vec<u8>) {
            let _ = lacks_huffman_tables(&bytes);
            let _ = is_whole(&bytes);
            if let Some(end) = length(&bytes) {
                prop_assert!(end <= bytes.len());
                prop_assert_eq!(&bytes[end - 2..end], &[0xFF, 0xD9]);
            }
        }
    }
}
