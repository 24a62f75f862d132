//! Which row kernels this CPU can run.

use super::kernels::RowKernels;
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use crate::cpu::Avx2;
#[cfg(any(target_arch = "aarch64", all(target_arch = "arm", target_os = "linux")))]
use crate::cpu::Neon;
use std::sync::OnceLock;

/// The fastest row kernels that this CPU can run. The choice is made once per process.
pub(super) fn fastest() -> &'static dyn RowKernels {
    static FASTEST: OnceLock<&'static dyn RowKernels> = OnceLock::new();
    *FASTEST.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = Avx2::new() {
            return avx2;
        }
        #[cfg(any(target_arch = "aarch64", all(target_arch = "arm", target_os = "linux")))]
        if let Some(neon) = Neon::new() {
            return neon;
        }
        &Portable
    })
}
