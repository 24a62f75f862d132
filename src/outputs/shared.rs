//! A value that two threads share, one of which waits until the other changes it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The value with its lock. Every write to it must be a plain assignment: then a value whose lock was
/// poisoned by a panic is still consistent.
#[derive(Debug, Default)]
pub(super) struct SharedValue<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> SharedValue<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Condvar::new() }
    }

    /// Locks the value.
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the value and wakes the thread that waits.
    pub(super) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// Waits for a change; it may also end without one.
    pub(super) fn wait<'a>(&self, locked: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.changed.wait(locked).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change up to `limit`; it may also end without one.
    pub(super) fn wait_up_to(&self, locked: MutexGuard<'_, T>, limit: Duration) {
        drop(self.changed.wait_timeout(locked, limit).unwrap_or_else(PoisonError::into_inner));
    }
}
