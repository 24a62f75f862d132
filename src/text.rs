//! Text of others (names of files, commands, what a device says of itself) on its way to one line of a log.

use std::borrow::Cow;

/// `text` without control characters: each becomes a space. A line break would end a line of the log, or a
/// field of a message to the service manager, and let the rest pass for another one.
#[must_use]
pub(crate) fn flattened(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_or_ends_a_line_becomes_a_space() {
        assert_eq!(flattened("a\nb\r\u{1b}[31mc\u{7f}\u{85}d\0"), "a b  [31mc  d ");
        assert!(matches!(flattened("Straße 5 × 4"), Cow::Borrowed("Straße 5 × 4")));
    }
}
