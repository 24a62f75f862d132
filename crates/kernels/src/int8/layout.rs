//! Where pixels lie in memory: maps, areas, windows and residuals, all by raw pointers.
//!
//! Pointers, lengths and strides count bytes, since a value of a map is one byte.

/// Channels per group. Every map has a multiple of 8 channels, and a call computes whole groups.
pub const GROUP: usize = 8;

/// A part of a map `[row, column, channel]` in memory: its first byte and the strides.
///
/// It has no extents: those are [`Area`]'s or [`Windows`]'. `Pointer` is `*const u8` or `*mut u8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map<Pointer> {
    /// The first channel in question of the first pixel.
    pub start: Pointer,
    /// Bytes from a pixel to the next one of its row.
    pub pixel: usize,
    /// Bytes from a row to the next one. Not used where an area has a single row.
    pub row: usize,
}

/// A map that a kernel reads.
pub type SourceMap = Map<*const u8>;
/// A map that a kernel writes.
pub type TargetMap = Map<*mut u8>;

/// Extents of the part of a map that one call processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Rows of pixels.
    pub rows: usize,
    /// Pixels per row.
    pub columns: usize,
}

/// What a 1×1 convolution adds to its results before rounding: the input of an inverted residual (Sandler et
/// al. 2018, <https://arxiv.org/abs/1801.04381>).
#[derive(Debug, Clone, Copy)]
pub struct Residual {
    /// The first channel in question of the first pixel. Strides are those of the target.
    pub start: *const u8,
    /// Zero point of these values, 0 to 255.
    pub zero_point: u8,
    /// Scale of these values divided by the target's scale.
    pub multiplier: f32,
}

/// A row of 3×3 windows: the three rows of pixels that they cover.
///
/// Window `c` covers pixels `stride · c` to `stride · c + 2` of each row. Padding is part of the rows, so no
/// kernel treats edges.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// Top, middle and bottom row: the first channel in question of the leftmost pixel of the first window.
    pub rows: [*const u8; 3],
    /// Bytes from a pixel to the next one.
    pub pixel: usize,
    /// Pixels from a window to the next one, 1 or 2.
    pub stride: usize,
    /// Number of windows.
    pub columns: usize,
}
