//! Errors of system calls on a camera, as sentences.

use std::io;

use rustix::io::Errno;

use crate::source::SourceError;

/// The sentence for the `error` of a system call on the camera `node`; `action` names what was tried.
pub(super) fn explain(node: &str, action: &'static str, error: io::Error) -> SourceError {
    let device = node.to_owned();
    match Errno::from_io_error(&error) {
        Some(Errno::NODEV | Errno::NXIO) if action != "opening" => SourceError::Unplugged { device },
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => SourceError::NoSuchCamera { device },
        Some(Errno::ACCESS | Errno::PERM) => SourceError::CameraPermission { device },
        Some(Errno::BUSY) => SourceError::CameraBusy { device },
        Some(Errno::NOSPC) => SourceError::NoBandwidth { device },
        _ => SourceError::Camera { device, action, error },
    }
}
