//! Finds where a JPEG picture ends: follows its markers (ITU-T T.81, Annex B) byte by byte, without decoding
//! anything. Streams of JPEG pictures are cut with it.
//!
//! Markers inside segments do not count: a thumbnail in EXIF data has begin and end markers of its own. So
//! this is safer than a search for `FF D9`.

/// What a byte is to the JPEG picture in which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRole {
    /// The byte stands before a picture.
    Outside,
    /// The byte completes a begin marker (`FF D8`), possibly inside an unfinished picture.
    Begin,
    /// The byte is part of a picture.
    Inside,
    /// The byte is the last one of a whole picture.
    End,
    /// The byte cannot stand here in a JPEG picture: the bytes since the begin marker are not a picture.
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a begin marker; true after an `FF`.
    Outside(bool),
    /// The `FF` of a marker must follow.
    Marker,
    /// The code of a marker must follow, possibly after more `FF` bytes.
    MarkerCode,
    /// The first byte of a segment's length must follow; true for the header of a scan.
    LengthHigh(bool),
    /// The second byte of a segment's length must follow.
    LengthLow(bool, u8),
    /// That many bytes of the segment are left.
    Segment(bool, u16),
    /// Entropy coded data; true after an `FF`.
    Scan(bool),
}

/// Follows a stream of bytes through the markers of JPEG pictures.
#[derive(Debug, Clone)]
pub struct Walk {
    place: Place,
    /// A scan has begun; a picture that ends before its first scan has no pixels.
    scan_seen: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self { place: Place::Outside(false), scan_seen: false }
    }
}

impl Walk {
    /// Takes the next byte and returns its role.
    pub fn step(&mut self, byte: u8) -> ByteRole {
        match self.place {
            Place::Outside(after_ff) => {
                if after_ff && byte == 0xD8 {
                    return self.begin();
                }
                self.place = Place::Outside(byte == 0xFF);
                ByteRole::Outside
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
                0xFF => ByteRole::Inside,
                _ => self.marker(byte),
            },
        }
    }

    fn marker(&mut self, code: u8) -> ByteRole {
        match code {
            0xFF => ByteRole::Inside,
            0xD8 => self.begin(),
            0xD9 if self.scan_seen => {
                *self = Self::default();
                ByteRole::End
            }
            0x00 | 0xD9 => self.broken(),
            0x01 | 0xD0..=0xD7 => self.go(Place::Marker),
            code => self.go(Place::LengthHigh(code == 0xDA)),
        }
    }

    fn after_segment(&mut self, scan: bool) -> ByteRole {
        self.scan_seen |= scan;
        self.go(if scan { Place::Scan(false) } else { Place::Marker })
    }

    fn begin(&mut self) -> ByteRole {
        *self = Self { place: Place::Marker, scan_seen: false };
        ByteRole::Begin
    }

    fn broken(&mut self) -> ByteRole {
        *self = Self::default();
        ByteRole::Broken
    }

    fn go(&mut self, place: Place) -> ByteRole {
        self.place = place;
        ByteRole::Inside
    }
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

    fn length(bytes: &[u8]) -> Option<usize> {
        let mut walk = Walk::default();
        bytes.iter().position(|&byte| walk.step(byte) == ByteRole::End).map(|last| last + 1)
    }

    #[test]
    fn a_thumbnail_does_not_end_the_picture() {
        assert_eq!(length(PICTURE), Some(PICTURE.len()));
        let mut padded = PICTURE.to_vec();
        padded.extend([0; 9]);
        assert_eq!(length(&padded), Some(PICTURE.len()));
    }

    #[test]
    fn no_cut_picture_ends() {
        for end in 0..PICTURE.len() {
            assert_eq!(length(&PICTURE[..end]), None, "cut at {end}");
        }
        assert_eq!(length(&[0xFF, 0xD8, 0xFF, 0xD9]), None, "a picture without a scan");
    }

    #[test]
    fn a_begin_marker_in_a_scan_starts_again() {
        let mut walk = Walk::default();
        let mut cut = PICTURE[..PICTURE.len() - 3].to_vec();
        cut.extend(PICTURE);
        let steps: Vec<ByteRole> = cut.iter().map(|&byte| walk.step(byte)).collect();
        assert_eq!(steps.iter().filter(|&&step| step == ByteRole::Begin).count(), 2);
        assert_eq!(steps.last(), Some(&ByteRole::End));
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked(bytes: Vec<u8>) {
            if let Some(end) = length(&bytes) {
                prop_assert_eq!(&bytes[end - 2..end], &[0xFF, 0xD9]);
            }
        }
    }
}
