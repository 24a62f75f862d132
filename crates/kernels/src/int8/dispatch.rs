//! Which kernels this CPU can run.

use super::kernels::Kernels;
use super::reference::Reference;
#[cfg(target_arch = "x86_64")]
use crate::cpu::{Avx2, Avx512Vnni};
#[cfg(target_arch = "aarch64")]
use crate::cpu::{Dot, Neon};
use std::sync::OnceLock;

/// The kernels that this CPU can run, the fastest first. The last ones are the plain [`Reference`].
#[must_use]
pub fn available() -> Vec<&'static dyn Kernels> {
    let mut kernels: Vec<&'static dyn Kernels> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        kernels.extend(Avx512Vnni::new().map(|vnni| vnni as &dyn Kernels));
        kernels.extend(Avx2::new().map(|avx2| avx2 as &dyn Kernels));
    }
    #[cfg(target_arch = "aarch64")]
    {
        kernels.extend(Dot::new().map(|dot| dot as &dyn Kernels));
        kernels.extend(Neon::new().map(|neon| neon as &dyn Kernels));
    }
    kernels.push(&Reference::UNSIGNED);
    kernels
}

/// The fastest kernels that this CPU can run. The choice is made once per process.
#[must_use]
pub fn fastest() -> &'static dyn Kernels {
    static FASTEST: OnceLock<&'static dyn Kernels> = OnceLock::new();
    *FASTEST.get_or_init(|| available().into_iter().next().unwrap_or(&Reference::UNSIGNED))
}
