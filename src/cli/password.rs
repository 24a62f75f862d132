//! `maskwatch config password`: the file with the hash of the web page's password.

use super::outcome::print;
use crate::daemon::listeners::web::password::hashed;
use crate::plain_file;
use anyhow::{Context, bail};
use atomic_write_file::AtomicWriteFile;
use dialoguer::Password;
use rustix::fs::{Gid, fchown};
use std::fs::Permissions;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Its owner may write it, and the service, by its group, read it.
const RIGHTS: u32 = 0o640;
/// The group of the service.
const GROUP: &str = "maskwatch";
/// Longest line that is read.
const LONGEST: u64 = 4096;

/// Asks for a password, and writes its hash to `path`.
pub(super) fn set(path: &Path) -> anyhow::Result<()> {
    let unwritable =
        || format!("{} cannot be written; run this as root (sudo), or name another file", path.display());
    plain_file::may_be_replaced(path).with_context(unwritable)?;
    let line = hashed(&ask()?)?;
    let written = || {
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(line.as_bytes())?;
        file.write_all(b"\n")?;
        file.as_file().set_permissions(Permissions::from_mode(RIGHTS))?;
        if rustix::process::geteuid().is_root()
            && let Some(group) = group()
        {
            fchown(&file, None, Some(group))?;
        }
        file.commit()
    };
    written().with_context(unwritable)?;
    print(&format!("{}: written; the page takes it after sudo systemctl restart maskwatch\n", path.display()))
}

/// The password: typed twice in a terminal, or the first line of the standard input.
fn ask() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return Password::new()
            .with_prompt("Password of the web page")
            .with_confirmation("Once more", "they differ; try again")
            .interact()
            .context("no password was given");
    }
    let mut line = String::new();
    std::io::stdin().lock().take(LONGEST).read_line(&mut line).context("the password cannot be read")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password was given; write it into the standard input, or call this in a terminal");
    }
    Ok(password.to_owned())
}

/// The number of the service's group, where it is installed.
fn group() -> Option<Gid> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find_map(|line| line.strip_prefix(GROUP)?.strip_prefix(':'))?;
    Some(Gid::from_raw(line.split(':').nth(1)?.parse().ok()?))
}
