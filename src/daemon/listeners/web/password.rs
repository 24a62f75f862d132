//! The password of the page: a file with its Argon2 hash, from which nobody gets it back.

use crate::plain_file;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use rustix::rand::{GetRandomFlags, getrandom};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Letters of a password at least.
pub const SHORTEST: usize = 10;
/// Bytes of a password at most.
pub(super) const LONGEST: usize = 256;
/// Memory that a check may take, in KiB, and rounds: more would stop a small board for seconds.
const MOST_MEMORY: u32 = 64 << 10;
const MOST_ROUNDS: u32 = 8;
/// Longest file that is read.
const LONGEST_FILE: u64 = 4096;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be read.
    #[error("the password file {0} cannot be read ({1}); make it with: sudo maskwatch config password")]
    Unreadable(String, String),
    /// Everybody can read it.
    #[error("the password file {0} can be read by everybody; sudo chmod o= {0}")]
    Open(String),
    /// It holds something else.
    #[error("{0} holds no password of this program; make it again with: sudo maskwatch config password")]
    Damaged(String),
    /// A new password is too short or too long.
    #[error("the password has {0} letters; use {SHORTEST} to {LONGEST}")]
    Length(usize),
    /// The system gives no random numbers.
    #[error("the password cannot be hashed: {0}")]
    Failed(String),
}

/// Random bytes of the system.
///
/// # Errors
/// [`PasswordError::Failed`], if it gives none.
pub(super) fn random<const N: usize>() -> Result<[u8; N], PasswordError> {
    let mut bytes = [0; N];
    match getrandom(&mut bytes[..], GetRandomFlags::empty()) {
        Ok(length) if length == N => Ok(bytes),
        Ok(_) => Err(PasswordError::Failed("the system gave too few random numbers".into())),
        Err(error) => Err(PasswordError::Failed(error.to_string())),
    }
}

/// The line that stands for `password` in a file.
///
/// # Errors
/// [`PasswordError`], one sentence.
pub fn hashed(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(PasswordError::Length(password.chars().count()));
    }
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &random::<16>()?);
    hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Failed(error.to_string()))
}

/// A password that was set.
#[derive(Clone)]
pub struct WebPassword(PasswordHash);

impl WebPassword {
    /// Reads the file `path`.
    ///
    /// # Errors
    /// [`PasswordError`], one sentence.
    pub fn load(path: &Path) -> Result<Self, PasswordError> {
        let name = path.display().to_string();
        let unreadable = |error: std::io::Error| PasswordError::Unreadable(name.clone(), error.to_string());
        let about = plain_file::open(path).and_then(|file| file.metadata()).map_err(unreadable)?;
        if about.permissions().mode() & 0o007 != 0 {
            return Err(PasswordError::Open(name));
        }
        let text = match plain_file::read_text(path, LONGEST_FILE) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::FileTooLarge | ErrorKind::InvalidData) => {
                return Err(PasswordError::Damaged(name));
            }
            Err(error) => return Err(unreadable(error)),
        };
        Self::parse(text.trim()).ok_or(PasswordError::Damaged(name))
    }

    /// Reads the line that [`hashed`] has made.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let hash = PasswordHash::new(line).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let small = params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_ROUNDS && params.p_cost() <= 4;
        let is_argon = hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some();
        (small && is_argon).then_some(Self(hash))
    }

    /// Whether `password` is it. Takes some tenths of a second on a small board.
    #[must_use]
    pub fn is(&self, password: &str) -> bool {
        password.len() <= LONGEST && Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }
}

impl std::fmt::Debug for WebPassword {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WebPassword")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::Permissions;

    #[test]
    fn only_the_password_is_the_password() {
        let line = hashed("correct horse").unwrap();
        assert!(line.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{line}");
        assert_ne!(line, hashed("correct horse").unwrap(), "each has its own salt");
        let password = WebPassword::parse(&line).unwrap();
        assert!(password.is("correct horse"));
        for wrong in ["", "correct hors", "Correct horse", "correct horse\0", &"a".repeat(999)] {
            assert!(!password.is(wrong), "{wrong}");
        }
        assert!(matches!(hashed("nine char"), Err(PasswordError::Length(9))));
    }

    #[test]
    fn a_file_is_for_the_service_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let load = || WebPassword::load(&path).map(|_| ()).map_err(|error| error.to_string());
        assert!(load().unwrap_err().contains("make it with: sudo maskwatch config password"));
        std::fs::write(&path, hashed("correct horse").unwrap() + "\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(load().unwrap_err().contains("sudo chmod o= "));
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(load(), Ok(()));
        std::fs::write(&path, "correct horse\n").unwrap();
        assert!(load().unwrap_err().contains("holds no password"));
    }

    #[test]
    fn a_hash_that_would_stop_the_board_is_refused() {
        let line = hashed("correct horse").unwrap();
        for (from, to) in [("m=19456", "m=4194304"), ("t=2", "t=1000"), ("argon2id", "argon2d")] {
            assert!(WebPassword::parse(&line.replace(from, to)).is_none(), "{to}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_hash_or_none(line in "\\PC{0,120}", cut in 0usize..97) {
            let _ = WebPassword::parse(&line);
            let known = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IGhlcmU$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";
            let _ = WebPassword::parse(&format!("{}{line}", known.get(..cut).unwrap_or_default()));
        }
    }
}
