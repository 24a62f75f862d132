//! What the integration tests share.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// A file of the folder with starting weights and pictures, which is not part of the repository:
/// `$MASKWATCH_SHARED`, or `../shared`. Says on standard error what is skipped where it is absent.
pub(crate) fn shared(file: &str) -> Option<PathBuf> {
    let root = if Path::new("crates").is_dir() { Path::new("") } else { Path::new("../..") };
    let beside = || root.join("../shared");
    let path = std::env::var_os("MASKWATCH_SHARED").map_or_else(beside, PathBuf::from).join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here (set MASKWATCH_SHARED to the folder that has it)", path.display());
    None
}
