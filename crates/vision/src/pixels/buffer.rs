//! Memory for frames that is reused: the bytes of a frame return to their pool when they are dropped, so that
//! not every frame of a camera needs an allocation.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Maximum number of buffers that a pool keeps: as many as a source and its readers hold at once.
const KEPT: usize = 4;

/// Gives buffers and takes them back. Clones share their buffers.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Default for Pool {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Vec::with_capacity(KEPT))))
    }
}

impl Pool {
    /// Takes an empty buffer, with the memory of a returned one if there is any.
    #[must_use]
    pub fn take(&self) -> Bytes {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Bytes { bytes, home: Some(self.clone()) }
    }

    fn put_back(&self, mut bytes: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT && bytes.capacity() > 0 {
            bytes.clear();
            kept.push(bytes);
        }
    }
}

/// Bytes that return to their [`Pool`] when they are dropped, if they came from one.
#[derive(Debug, Default)]
pub struct Bytes {
    bytes: Vec<u8>,
    home: Option<Pool>,
}

impl Bytes {
    /// The vector, to fill it.
    pub fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The vector, which does not return to the pool.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

impl Clone for Bytes {
    fn clone(&self) -> Self {
        self.bytes.clone().into()
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            home.put_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_and_is_empty() {
        let pool = Pool::default();
        let mut bytes = pool.take();
        bytes.as_mut_vec().extend([1; 1000]);
        let place = bytes.as_ptr();
        drop(bytes);
        let again = pool.take();
        assert_eq!((again.bytes.as_ptr(), again.len()), (place, 0));
        assert!(again.bytes.capacity() >= 1000);
    }

    #[test]
    fn no_more_is_kept_than_is_of_use() {
        let pool = Pool::default();
        let many: Vec<Bytes> = (0..KEPT + 3)
            .map(|_| {
                let mut bytes = pool.take();
                bytes.as_mut_vec().push(0);
                bytes
            })
            .collect();
        drop(many);
        assert_eq!(pool.0.lock().unwrap().len(), KEPT);
        let other = Pool::default();
        drop(other.take());
        assert!(other.0.lock().unwrap().is_empty(), "no memory is not worth keeping");
    }
}
