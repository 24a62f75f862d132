//! Keeps a command, and whatever it starts, from the pins. The daemon's user may drive them, and a command
//! that reads a stream from the network is the part that is most easily taken over.
//!
//! By Landlock: a helper unit would need a second user and a way for frames between the two, and groups
//! cannot be given up (`setpriv`) without a right that the service does not have. Landlock knows no
//! exceptions, so everything that is there when the command starts is allowed, but for the pins. A device
//! that comes later is seen by the next start. Without Landlock in the kernel, all is as before.

use landlock::{
    AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    path_beneath_rules,
};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the names of devices begin through which pins are driven.
const PINS: [&str; 2] = ["gpio", "mem"];

/// Keeps `command` from the pins where this process can gain no rights: so the service is started. Elsewhere
/// a command may use `sudo`, which Landlock forbids.
pub(crate) fn keep_from_pins(command: &mut Command) {
    // SAFETY: a call without pointers.
    if unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) } != 1 {
        return;
    }
    match rules(Path::new("/"), Path::new("/dev")) {
        Ok(Some(rules)) => restrict(command, rules),
        Ok(None) => log::debug!("the kernel has no Landlock: commands may use the pins"),
        Err(error) => log::warn!("commands cannot be kept from the pins: {error}"),
    }
}

/// Applies `rules` to the child, between fork and exec.
fn restrict(command: &mut Command, rules: OwnedFd) {
    fn restrict_self(rules: RawFd) -> std::io::Result<()> {
        // SAFETY: a call with integers.
        match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules, 0) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
    // SAFETY: the closure makes one system call with integers; it allocates nothing and touches no memory of
    // ours.
    unsafe {
        command.pre_exec(move || restrict_self(rules.as_raw_fd()));
    }
}

/// Rules that allow to open everything that is below `root` but for the pins among `devices`. `None` where
/// the kernel has no Landlock.
fn rules(root: &Path, devices: &Path) -> Result<Option<OwnedFd>, RulesetError> {
    let open = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Refer;
    let is_pin = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        PINS.iter().any(|pins| name.starts_with(pins))
    };
    let places = entries(root).filter(|path| !devices.starts_with(path));
    let allowed = places.chain(entries(devices).filter(|path| !is_pin(path)));
    let mut rules =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(open)?.create()?;
    for path in allowed {
        // One by one: a link to a pipe, such as /dev/stdin, can have no rule, and needs none.
        if let Err(error) = (&mut rules).add_rules(path_beneath_rules([&path], open)) {
            log::debug!("commands may not open {}: {error}", path.display());
        }
    }
    Ok(rules.into())
}

/// The paths within a folder; none if it cannot be read.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_open_everything_but_pins() {
        let devices = tempfile::tempdir().unwrap();
        let (pipe, _writer) = std::io::pipe().unwrap();
        let open = format!("/proc/self/fd/{}", pipe.as_raw_fd());
        std::os::unix::fs::symlink(open, devices.path().join("a-pipe")).unwrap();
        for name in ["video0", "gpiochip0", "gpiomem", "mem", "null"] {
            std::fs::write(devices.path().join(name), name).unwrap();
        }
        let Some(rules) = rules(Path::new("/"), devices.path()).unwrap() else {
            eprintln!("skipped: the kernel has no Landlock");
            return;
        };
        let mut shell = Command::new("/bin/sh");
        shell.current_dir(devices.path()).args(["-c", "cat video0 gpiochip0 gpiomem mem null 2>/dev/null"]);
        // SAFETY: a call without pointers.
        unsafe {
            shell.pre_exec(|| {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                Ok(())
            });
        }
        restrict(&mut shell, rules);
        let output = shell.output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "video0null");
    }
}
