//! Who has raised an alert and left. It serves one purpose: who steps out of view and back beeps only once.
//! Nothing else is taken from here; whoever comes is judged afresh.

use maskwatch_vision::Appearance;
use std::time::Duration;

/// What people look like is forgotten so long after they were last seen, whatever the configuration says.
pub const LONGEST_MEMORY: Duration = Duration::from_secs(10);
/// People remembered at most; the ones who left first are forgotten first.
const REMEMBERED: usize = 32;

/// People who raised an alert and left.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Vec<Gone>);

#[derive(Debug, Clone)]
struct Gone {
    last_seen: Duration,
    appearance: Appearance,
}

impl Memory {
    /// Remembers somebody who was last seen at `last_seen`.
    pub(super) fn keep(&mut self, last_seen: Duration, appearance: Appearance) {
        if self.0.len() >= REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Gone { last_seen, appearance });
    }

    /// Whether somebody who looks like this is remembered; if so, he is back and no longer remembered.
    pub(super) fn take(&mut self, appearance: &Appearance) -> bool {
        let found = self.0.iter().position(|gone| gone.appearance.is_same_person(appearance));
        found.map(|index| self.0.remove(index)).is_some()
    }

    /// Forgets who left `re_arm` before `now`.
    pub(super) fn forget(&mut self, now: Duration, re_arm: Duration) {
        self.0.retain(|gone| now.saturating_sub(gone.last_seen) < re_arm.min(LONGEST_MEMORY));
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
