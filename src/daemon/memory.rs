//! Gives back memory that is needed at the start alone.

use crate::nn::int8::embedded_bytes;
use rustix::mm::{Advice, madvise};
use rustix::param::page_size;

/// Gives back the pages of the built-in weights: the networks have packed copies of their own by then.
/// Whoever reads them again, as after a reload, gets them from the program's file. Returns how many bytes
/// that are.
pub(super) fn release_built_in_weights() -> usize {
    let weights: &'static [u8] = embedded_bytes();
    // Whole pages within: what shares a page with the first or last bytes stays.
    let before = weights.as_ptr().align_offset(page_size());
    let length = weights.len().saturating_sub(before) / page_size() * page_size();
    let start = weights.as_ptr().wrapping_add(before);
    // SAFETY: these pages hold nothing but bytes of an immutable static, which the system has mapped from the
    // program's file. Nobody has written to them, so what it reads there the next time is the same.
    match unsafe { madvise(start.cast_mut().cast(), length, Advice::LinuxDontNeed) } {
        Ok(()) => length,
        Err(error) => {
            log::debug!("the pages of the built-in weights are kept: {error}");
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_were_given_back_are_read_again_as_they_were() {
        let before = embedded_bytes().to_vec();
        let released = release_built_in_weights();
        assert!(released + 2 * page_size() > before.len(), "{released} of {}", before.len());
        assert!(embedded_bytes() == before);
    }
}
