//! Errors of a configuration, each in one sentence.

use std::io::{Error, ErrorKind};
use std::path::Path;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file} cannot be read: {cause}; {mend}")]
    Unreadable {
        /// The path that was given.
        file: String,
        /// The error of the system.
        cause: String,
        /// What to do.
        mend: String,
    },
    /// The file is too long for a configuration.
    #[error("{file} is longer than 1 MiB; give the path of a maskwatch configuration")]
    TooLong {
        /// The path that was given.
        file: String,
    },
    /// The files together are too long for a configuration.
    #[error("{file} makes the configuration longer than 1 MiB; remove what does not belong there")]
    TooLongTogether {
        /// The first file that is too much.
        file: String,
    },
    /// There are too many drop-in files.
    #[error("{folder} has more files than the {most} that are read; put several into one, or remove some")]
    TooMany {
        /// Their folder.
        folder: String,
        /// How many there may be.
        most: usize,
    },
    /// The file is no text in UTF-8.
    #[error("{file} line {line}: byte {byte:#04x} (the {column}. of the line) is not UTF-8; {mend}")]
    NotText {
        /// The path that was given.
        file: String,
        /// Line of the byte, counted from 1.
        line: usize,
        /// Its place in the line, counted from 1, in bytes.
        column: usize,
        /// The first byte that does not belong.
        byte: u8,
        /// What to do.
        mend: &'static str,
    },
    /// The text is not TOML.
    #[error("{file} line {line}, column {column}: this is not TOML: {problem}; {mend}")]
    Syntax {
        /// Name of the file.
        file: String,
        /// Line of the mistake, counted from 1.
        line: usize,
        /// Its place in the line, counted from 1, in characters.
        column: usize,
        /// The error of the parser.
        problem: String,
        /// What to write.
        mend: &'static str,
    },
    /// A key is unknown or missing, or its value is not allowed.
    #[error("{file} line {line}: {key} {problem}")]
    Value {
        /// Name of the file.
        file: String,
        /// Line of the mistake, counted from 1.
        line: usize,
        /// The key with its sections, such as `outputs.red.pin`.
        key: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
}

impl ConfigError {
    /// The system cannot read `path`, which is called `file`.
    pub(super) fn unreadable(file: &str, path: &Path, error: &Error) -> Self {
        let mend = match error.kind() {
            ErrorKind::PermissionDenied => format!(
                "let the user who runs this read it (sudo chmod a+r {file}), and enter the folders above it"
            ),
            _ if path.is_dir() => "give the path of the file in it".to_owned(),
            _ => "give the path of a maskwatch configuration, or none to use the defaults".to_owned(),
        };
        Self::Unreadable { file: file.to_owned(), cause: error.to_string(), mend }
    }

    /// The system cannot read the folder of drop-in files `folder`.
    pub(super) fn unreadable_folder(folder: &str, error: &Error) -> Self {
        let mend = match error.kind() {
            ErrorKind::PermissionDenied => {
                format!("let the user who runs this read it (sudo chmod a+rx {folder})")
            }
            _ => "make it a folder, or remove it".to_owned(),
        };
        Self::Unreadable { file: folder.to_owned(), cause: error.to_string(), mend }
    }

    /// The parser of TOML stops at byte `at` of `text` with `problem`.
    pub(super) fn not_toml(file: &str, text: &str, at: usize, problem: String) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before[start..].chars().count() + 1;
        let written = text[start..].lines().next().unwrap_or_default();
        // The parser has words of its own for each kind of value.
        let is_about = |words: &[&str]| words.iter().any(|word| problem.contains(word));
        let mend = if is_about(&["array"]) {
            "close the list that begins before this with a ]"
        } else if written.trim_start().starts_with('[') {
            "write a section as [name], on a line of its own"
        } else if is_about(&["unquoted key"]) {
            "write a key with the letters a to z, digits, - and _"
        } else if is_about(&["must be quoted"]) {
            "write text in double quotes, such as spec = \"/dev/video0\"; numbers, true and false without"
        } else if is_about(&["string", "quote", "escape"]) {
            "write text in double quotes, on one line, with \\\" for a quote and \\\\ for a backslash in it"
        } else if is_about(&["integer", "float", "number", "zero", "sign", "digits"]) {
            "write numbers such as 5 or 0.5, and true or false"
        } else {
            "write one KEY = VALUE on each line, text in double quotes; a # begins a comment"
        };
        Self::Syntax { file: file.to_owned(), line: line(text, at), column, problem, mend }
    }

    /// The bytes of `file` are UTF-8 up to `at` only.
    pub(super) fn not_text(file: &str, bytes: &[u8], at: usize) -> Self {
        let (before, rest) = bytes.split_at(at);
        let mend = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            "it seems to be UTF-16: save it as UTF-8"
        } else {
            "save the file as UTF-8, or write this character in another way"
        };
        let lines = before.split(|byte| *byte == b'\n');
        let column = lines.clone().next_back().map_or(0, <[u8]>::len) + 1;
        let byte = rest.first().copied().unwrap_or_default();
        Self::NotText { file: file.to_owned(), line: lines.count(), column, byte, mend }
    }
}

/// The line in which byte `at` of `text` lies, counted from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
