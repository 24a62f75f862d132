//! Errors of a configuration, each in one sentence.

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "{file} cannot be read: {cause}; give the path of a maskwatch configuration, or none to use the defaults"
    )]
    Unreadable {
        /// The path that was given.
        file: String,
        /// The error of the system.
        cause: String,
    },
    /// The text is not TOML.
    #[error("{file} line {line}: this is not TOML: {problem}")]
    Syntax {
        /// Name of the file.
        file: String,
        /// Line of the mistake, counted from 1.
        line: usize,
        /// The error of the parser.
        problem: String,
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
