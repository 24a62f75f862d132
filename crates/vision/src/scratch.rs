//! What an int8 network reads, kept from picture to picture.

use crate::pixels::sampler::Sampler;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The memory that a network's input is written to. One picture at a time uses it.
pub(super) struct Scratch(Mutex<Buffers>);

/// The sampler and the pixels that it writes.
pub(super) struct Buffers {
    pub(super) sampler: Sampler,
    /// RGB bytes `[height, width, 3]`.
    pub(super) pixels: Vec<u8>,
}

impl Scratch {
    /// Memory for an input of this many pixels.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self(Mutex::new(Buffers { sampler: Sampler::default(), pixels: vec![0; 3 * width * height] }))
    }

    /// Waits until nobody else uses it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Buffers> {
        // The pixels are written again for each picture, so a panic of an earlier one left nothing behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
