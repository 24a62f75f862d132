//! Cuts a stream of bytes into JPEG pictures without decoding them. Its memory is bounded, and bytes that
//! belong to no picture are skipped.
//!
//! If a picture is cut off in its image data, only that picture is lost. If it is cut off in a header, whose
//! length is stated, the next one or two pictures may be lost too.

use crate::pixels::jpeg::walk::{ByteRole, Walk};

/// Maximum length of a picture in bytes; longer data only began like a picture.
pub const MAX_PICTURE: usize = 32 << 20;

/// Collects pictures from a stream that comes in chunks of any size.
///
/// ```
/// use maskwatch::source::mjpeg::Splitter;
/// let mut splitter = Splitter::default();
/// let stream = [0x00, 0xFF, 0xD8, 0xFF, 0xDA, 0x00, 0x02, 0x55, 0xFF, 0xD9, 0xFF];
/// let mut pictures = Vec::new();
/// for chunk in stream.chunks(3) {
///     splitter.push(chunk, |picture| pictures.push(picture.clone()));
/// }
/// assert_eq!(pictures, [&stream[1..10]]);
/// assert_eq!(splitter.stray(), 2, "the first byte and the last");
/// ```
#[derive(Debug)]
pub struct Splitter {
    walk: Walk,
    picture: Vec<u8>,
    stray: u64,
    limit: usize,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::with_limit(MAX_PICTURE)
    }
}

impl Splitter {
    /// Makes a splitter that drops a picture of more than `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { walk: Walk::default(), picture: Vec::new(), stray: 0, limit }
    }

    /// Takes the next bytes of the stream and passes each picture that they complete to `found`. That may
    /// take the vector and leave another one, whose memory is then used.
    pub fn push(&mut self, chunk: &[u8], mut found: impl FnMut(&mut Vec<u8>)) {
        for &byte in chunk {
            match self.walk.step(byte) {
                // The FF of a begin marker counts as outside; `Begin` corrects that.
                ByteRole::Outside => self.stray += 1,
                ByteRole::Begin => {
                    self.stray += self.picture.len() as u64;
                    // Inside a picture its FF was collected, outside it was counted.
                    self.stray -= 1;
                    self.picture.clear();
                    self.picture.extend([0xFF, 0xD8]);
                }
                ByteRole::Inside => self.picture.push(byte),
                ByteRole::End => {
                    self.picture.push(byte);
                    found(&mut self.picture);
                    self.picture.clear();
                }
                ByteRole::Broken => self.drop_picture(byte),
            }
            if self.picture.len() > self.limit {
                self.walk = Walk::default();
                self.stray += self.picture.len() as u64;
                self.picture = Vec::new();
            }
        }
    }

    fn drop_picture(&mut self, byte: u8) {
        self.stray += self.picture.len() as u64 + 1;
        self.picture.clear();
        // The byte that broke the picture may begin the next one's marker.
        if byte == 0xFF {
            self.walk.step(byte);
        }
    }

    /// Number of bytes so far that belonged to no whole picture.
    #[must_use]
    pub fn stray(&self) -> u64 {
        self.stray
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A well-formed picture: begin, one segment, a scan with `data` (stuffed), end.
    fn picture(segment: &[u8], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE1];
        bytes.extend((segment.len() as u16 + 2).to_be_bytes());
        bytes.extend(segment);
        bytes.extend([0xFF, 0xDA, 0x00, 0x03, 0x00]);
        for &byte in data {
            bytes.push(byte);
            if byte == 0xFF {
                bytes.push(0x00);
            }
        }
        bytes.extend([0xFF, 0xD9]);
        bytes
    }

    fn pictures() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let bytes =
            || prop::collection::vec(prop_oneof![Just(0xFFu8), Just(0xD8), Just(0xD9), any::<u8>()], 0..40);
        prop::collection::vec((bytes(), bytes()).prop_map(|(segment, data)| picture(&segment, &data)), 0..6)
    }

    fn split(stream: &[u8], sizes: &[usize], splitter: &mut Splitter) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut rest = stream;
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            splitter.push(chunk, |picture| found.push(picture.clone()));
            rest = behind;
        }
        found
    }

    proptest! {
        #[test]
        fn pictures_come_out_whole_however_the_stream_is_cut(
            pictures in pictures(), sizes in prop::collection::vec(1usize..50, 1..8),
            garbage in prop::collection::vec(0u8..0xFF, 0..30),
        ) {
            // Garbage without FF stands before, between and behind the pictures.
            let mut stream = garbage.clone();
            for picture in &pictures {
                stream.extend(picture);
                stream.extend(&garbage);
            }
            let mut splitter = Splitter::default();
            prop_assert_eq!(split(&stream, &sizes, &mut splitter), pictures.clone());
            prop_assert_eq!(splitter.stray(), (garbage.len() * (pictures.len() + 1)) as u64);
        }

        #[test]
        fn a_cut_picture_costs_no_other_one_once_its_scan_has_begun(
            first in pictures(), cut in picture_and_cut(), last in pictures(),
        ) {
            let stream = [first.concat(), cut, last.concat()].concat();
            let mut splitter = Splitter::default();
            let found = split(&stream, &[7], &mut splitter);
            prop_assert_eq!(found, [first, last].concat());
        }

        #[test]
        fn a_picture_cut_anywhere_costs_few_others(cut in 0usize..400, picture in picture_of_length(200)) {
            let whole = 400.max(picture.len());
            let stream = [&picture[..cut.min(picture.len() - 1)], &picture.repeat(6 + 65_536 / picture.len())].concat();
            let found = split(&stream, &[whole], &mut Splitter::default());
            prop_assert!(found.len() >= 5, "{} came through", found.len());
            prop_assert_eq!(&found[found.len() - 1], &picture);
        }

        #[test]
        fn any_bytes_and_any_limit_are_survived(
            stream in prop::collection::vec(prop_oneof![Just(0xFFu8), Just(0xD8), Just(0xD9), Just(0xDA), Just(0), any::<u8>()], 0..600),
            sizes in prop::collection::vec(1usize..90, 1..5), limit in 0usize..200,
        ) {
            let mut splitter = Splitter::with_limit(limit);
            let found = split(&stream, &sizes, &mut splitter);
            for picture in &found {
                prop_assert!(picture.starts_with(&[0xFF, 0xD8]) && picture.ends_with(&[0xFF, 0xD9]));
                prop_assert!(picture.len() <= limit + 1);
            }
            let used: usize = found.iter().map(Vec::len).sum();
            prop_assert!(splitter.stray() as usize + used + splitter.picture.len() <= stream.len());
            prop_assert!(splitter.stray() as usize + used + splitter.picture.len() + 1 >= stream.len());
        }
    }

    fn picture_of_length(data: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), data).prop_map(|data| picture(&data[..20], &data))
    }

    fn picture_and_cut() -> impl Strategy<Value = Vec<u8>> {
        (prop::collection::vec(any::<u8>(), 1..30), any::<prop::sample::Index>()).prop_map(|(data, cut)| {
            let whole = picture(&[], &data);
            let scan = 11;
            whole[..scan + cut.index(whole.len() - scan)].to_vec()
        })
    }

    #[test]
    fn the_first_whole_picture_of_a_stream_joined_late_is_found() {
        let one = picture(b"ab", b"hello");
        let stream = [&one[9..], &one[..], &one[..]].concat();
        assert_eq!(split(&stream, &[4], &mut Splitter::default()), [one.clone(), one]);
    }
}
