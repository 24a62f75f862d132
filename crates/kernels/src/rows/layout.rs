//! Rows of pixels in memory, and the weights with which they are added up.

/// Rows in memory: row `y` begins at byte `(y mod count) · stride`, so a short buffer can hold the last rows
/// of a tall picture.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// All bytes of all rows.
    pub bytes: &'a [u8],
    /// Bytes from a row to the next one.
    pub stride: usize,
    /// Number of rows, at least 1.
    pub count: usize,
}

impl<'a> Rows<'a> {
    /// The rows from `y` on, cyclic. Each slice runs to the buffer's end.
    #[inline]
    pub fn from(self, y: usize) -> impl Iterator<Item = &'a [u8]> {
        let mut place = y % self.count;
        std::iter::repeat_with(move || {
            let row = &self.bytes[place * self.stride..];
            place = if place + 1 == self.count { 0 } else { place + 1 };
            row
        })
    }
}

/// The source pixels (or rows) `start..end` whose weighted sum is one target pixel (or row).
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The first source pixel.
    pub start: usize,
    /// One past the last source pixel.
    pub end: usize,
    /// Index of the span's first weight in [`RowWeights::values`].
    pub first: usize,
}

/// The weights of a span across are padded with zeros to a multiple of this number.
pub const GROUP: usize = 4;
/// Bytes behind the pixels of a line that are read, of any value.
pub const PADDING: usize = 3 * GROUP + 4;

/// Weights as fixed-point numbers.
#[derive(Debug, Clone, Copy)]
pub struct RowWeights<'a> {
    /// All weights; [`Span::first`] says where those of a span begin.
    pub values: &'a [i16],
    /// Bits behind the binary point, at least 1.
    pub shift: u32,
}
