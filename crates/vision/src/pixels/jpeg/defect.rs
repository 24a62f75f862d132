//! What can be wrong with a JPEG picture's data.

use crate::pixels::format::PictureError;

/// What is wrong with image data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// The data ends before its last block.
    EndsEarly,
    /// The next bits are not a code.
    BadCode,
    /// A block has more coefficients than it holds.
    LongBlock,
    /// Many zeros, where no picture has them.
    Zeroed,
    /// The mean of a block is out of range.
    DcOutOfRange,
    /// Data is left over behind the last block.
    Surplus,
    /// A restart marker is missing, or has another number.
    Restart,
    /// A value in a later scan is impossible.
    Refinement,
}

impl From<Defect> for PictureError {
    fn from(defect: Defect) -> Self {
        damaged(match defect {
            Defect::EndsEarly => "its image data ends too early",
            Defect::BadCode => "its image data has an unknown code",
            Defect::LongBlock => "its image data has a block of more than 64 values",
            Defect::Zeroed => "a part of its image data is zeros",
            Defect::DcOutOfRange => "its image data leaves the range of values",
            Defect::Surplus => "its image data goes on after the last block",
            Defect::Restart => "its image data lacks a restart marker",
            Defect::Refinement => "its image data contradicts an earlier scan",
        })
    }
}

/// The error for a damaged picture.
pub(super) fn damaged(what: &str) -> PictureError {
    PictureError::Damaged(what.to_owned())
}
