//! Which kernels this CPU can run.

use super::kernels::Kernels;
use super::reference::Reference;
#[cfg(target_arch = "aarch64")]
use crate::cpu::Dot;
#[cfg(any(target_arch = "aarch64", all(target_arch = "arm", target_os = "linux")))]
use crate::cpu::Neon;
#[cfg(target_arch = "x86_64")]
use crate::cpu::{Avx2, Avx512Vnni};
use std::sync::OnceLock;

/// The kernels that this CPU can run, the fastest first. The last is the plain [`Reference`].
#[must_use]
pub fn available() -> Vec<&'static dyn Kernels> {
    #[cfg(target_arch = "x86_64")]
    let special: [Option<&'static dyn Kernels>; 2] =
        [Avx512Vnni::new().map(|vnni| vnni as _), Avx2::new().map(|avx2| avx2 as _)];
    #[cfg(target_arch = "aarch64")]
    let special: [Option<&'static dyn Kernels>; 2] =
        [Dot::new().map(|dot| dot as _), Neon::new().map(|neon| neon as _)];
    #[cfg(all(target_arch = "arm", target_os = "linux"))]
    let special: [Option<&'static dyn Kernels>; 1] = [Neon::new().map(|neon| neon as _)];
    #[cfg(not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        all(target_arch = "arm", target_os = "linux")
    )))]
    let special: [Option<&'static dyn Kernels>; 0] = [];
    let reference: &'static dyn Kernels = &Reference::UNSIGNED;
    special.into_iter().flatten().chain([reference]).collect()
}

/// The fastest kernels that this CPU can run. The choice is made once per process.
#[must_use]
pub fn fastest() -> &'static dyn Kernels {
    static FASTEST: OnceLock<&'static dyn Kernels> = OnceLock::new();
    *FASTEST.get_or_init(|| available().into_iter().next().unwrap_or(&Reference::UNSIGNED))
}
