//! Text of others (names of files, commands, what a device says of itself) on its way to a terminal, a log or
//! the service manager.

use std::borrow::Cow;

/// `text` on one line, with nothing in it that is not seen. A line break would end a line of the log, or a
/// field of a message to the service manager, and let the rest pass for another one; it and all other control
/// characters become spaces. What turns the direction of writing round, or is not shown at all, lets one
/// name pass for another; it is written as its number, such as `\u{202e}`.
#[must_use]
pub(crate) fn flattened(text: &str) -> Cow<'_, str> {
    replaced(text, |letter, out| match letter {
        _ if letter.is_control() => out.push(' '),
        _ => out.extend(letter.escape_unicode()),
    })
}

/// As [`flattened`], but control characters are written as what they are, such as `\n`, so that different
/// names stay different.
#[must_use]
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    replaced(text, |letter, out| out.extend(letter.escape_default()))
}

/// Letters of a value that an error quotes at most.
pub(crate) const LONGEST_QUOTE: usize = 80;

/// `text` with its first `most` letters alone if it has more, and then `…`.
#[must_use]
pub(crate) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A document in JSON with the same in the way of JSON, such as `\u202e`; its reader gets the text as it was.
#[must_use]
pub(crate) fn escaped_json(document: &str) -> Cow<'_, str> {
    replaced(document, |letter, out| {
        for unit in letter.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    })
}

/// Text in double quotes of TOML with the same in the way of TOML, such as `\u202E`; its reader gets the text
/// as it was.
#[must_use]
pub(crate) fn escaped_toml(text: &str) -> Cow<'_, str> {
    replaced(text, |letter, out| out.push_str(&format!("\\U{:08X}", u32::from(letter))))
}

/// `text` with what `write` makes of each character that is not seen.
fn replaced(text: &str, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unseen(letter) { write(letter, &mut out) } else { out.push(letter) }
    }
    Cow::Owned(out)
}

/// Whether a character controls a terminal or the direction of writing, breaks the line, or has no width.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_controls_a_terminal_or_ends_a_line_becomes_a_space() {
        assert_eq!(flattened("a\nb\r\u{1b}[31mc\u{7f}\u{85}d\0"), "a b  [31mc  d ");
        assert!(matches!(flattened("Straße 5 × 4"), Cow::Borrowed("Straße 5 × 4")));
    }

    #[test]
    fn what_is_not_seen_is_written_as_its_number() {
        // Shown raw, this looks like "bare-gpj.mask".
        let name = "bare-\u{202e}ksam.jpg";
        assert_eq!(flattened(name), "bare-\\u{202e}ksam.jpg");
        assert_eq!(escaped(name), "bare-\\u{202e}ksam.jpg");
        assert_eq!(escaped_json(name), "bare-\\u202eksam.jpg");
        assert_eq!(escaped("a\nerror: \u{1b}[2J\u{e4}"), "a\\nerror: \\u{1b}[2J\u{e4}");
        // Directions, isolates and marks; no width; line and paragraph; tags beyond 16 bits.
        for letter in
            "\u{202a}\u{2066}\u{2069}\u{200e}\u{61c}\u{200b}\u{200d}\u{feff}\u{2028}\u{2029}".chars()
        {
            assert_eq!(flattened(&format!("a{letter}b")), format!("a{}b", letter.escape_unicode()));
        }
        assert_eq!(escaped_json("\u{e0041}\u{9b}"), "\\udb40\\udc41\\u009b");
        let seen = "Ünï 名前 שלום مرحبا e\u{301} 👍🏽";
        assert!(matches!(escaped(seen), Cow::Borrowed(_)), "letters of all scripts stay: {seen}");
    }

    #[test]
    fn only_what_is_long_is_shortened() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äöü…");
    }

    proptest! {
        #[test]
        fn nothing_unseen_is_left_and_json_says_the_same(text in any::<String>(), unseen in "[\\u{202a}-\\u{202e}\\u{0}-\\u{9f}]{0,3}") {
            let text = format!("{text}{unseen}{text}");
            for shown in [flattened(&text), escaped(&text)] {
                prop_assert!(!shown.chars().any(is_unseen), "{shown:?}");
            }
            let document = serde_json::to_string(&text).unwrap();
            let shown = escaped_json(&document);
            prop_assert!(!shown.chars().any(is_unseen));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
