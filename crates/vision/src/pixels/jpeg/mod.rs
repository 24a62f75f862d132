//! JPEG pictures as streams of bytes (ITU-T T.81): where one ends, and whether all of its image data can be
//! decoded. Nothing here computes a pixel; [`super::decode`] does, of what passed the check.
//!
//! Decoders give pixels for damaged data too: what is missing becomes grey, and what follows a gap is
//! shifted. So a damaged face would be judged. The check decodes every code of a picture and refuses what
//! does not come out even. A decoder's own warnings do not serve instead: they are silent about some damage,
//! and warn of what whole frames of common cameras have, such as bytes that are left over before a marker.
//!
//! - [`walk`] follows the markers of a stream, byte by byte.
//! - [`check()`] decodes the image data; `header` reads its segments, `huffman` its codes, `scan` its
//!   blocks; `defect` names what can be wrong with them.

mod check;
mod defect;
mod header;
mod huffman;
mod scan;
pub mod walk;
#[cfg(test)]
pub(crate) mod writer;

pub use check::{Checked, check, check_with_means};
