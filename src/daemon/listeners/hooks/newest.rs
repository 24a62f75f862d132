//! One place for the newest value, which a thread waits for. Older ones are replaced, and counted.

use std::sync::{Condvar, Mutex, PoisonError};

/// The place.
#[derive(Debug)]
pub(super) struct Newest<T> {
    content: Mutex<Content<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Content<T> {
    value: Option<T>,
    replaced: u32,
    closed: bool,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        let content = Content { value: None, replaced: 0, closed: false };
        Self { content: Mutex::new(content), changed: Condvar::new() }
    }
}

impl<T> Newest<T> {
    /// Puts a value there, in place of one that nobody has taken.
    pub(super) fn put(&self, value: T) {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.replaced += u32::from(content.value.replace(value).is_some());
        self.changed.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.content.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// Whether nothing comes any more.
    pub(super) fn is_closed(&self) -> bool {
        self.content.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Waits for a value, and takes it with the number of those that it has replaced; `None` once nothing
    /// comes any more.
    pub(super) fn take(&self) -> Option<(T, u32)> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |content: &mut Content<T>| content.value.is_none() && !content.closed;
        let mut content = self.changed.wait_while(content, waits).unwrap_or_else(PoisonError::into_inner);
        if content.closed {
            return None;
        }
        let value = content.value.take()?;
        Some((value, std::mem::take(&mut content.replaced)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_taken_and_the_others_are_counted() {
        let newest = Newest::default();
        (1..=3).for_each(|value| newest.put(value));
        assert_eq!(newest.take(), Some((3, 2)));
        newest.put(4);
        assert_eq!(newest.take(), Some((4, 0)));
        newest.put(5);
        newest.close();
        assert!(newest.is_closed());
        assert_eq!(newest.take(), None);
    }
}
