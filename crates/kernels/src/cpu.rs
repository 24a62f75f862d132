//! Proofs that the CPU has an instruction set.
//!
//! Each type stands for one instruction set. Its only constructor asks the CPU, so a value exists only where
//! the instructions do. The kernels are methods of these values: whoever can call one may run its
//! instructions, and no call has to ask again.

/// x86-64 with AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Debug)]
pub(crate) struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    /// The proof, if this CPU has AVX2.
    pub(crate) fn new() -> Option<&'static Self> {
        std::arch::is_x86_feature_detected!("avx2").then_some(&Self(()))
    }
}

/// x86-64 with AVX2 and AVX-512 (F, BW, VL) with its VNNI instructions.
#[cfg(target_arch = "x86_64")]
#[derive(Debug)]
pub(crate) struct Avx512Vnni(());

#[cfg(target_arch = "x86_64")]
impl Avx512Vnni {
    /// The proof, if this CPU has all of these instructions.
    pub(crate) fn new() -> Option<&'static Self> {
        let all = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vnni");
        all.then_some(&Self(()))
    }
}

/// Arm with NEON, 64-bit or 32-bit.
#[cfg(any(target_arch = "aarch64", all(target_arch = "arm", target_os = "linux")))]
#[derive(Debug)]
pub(crate) struct Neon(());

#[cfg(target_arch = "aarch64")]
impl Neon {
    /// The proof, if this CPU has NEON, as every 64-bit Arm CPU that runs Linux does.
    pub(crate) fn new() -> Option<&'static Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(&Self(()))
    }
}

#[cfg(all(target_arch = "arm", target_os = "linux"))]
impl Neon {
    /// The proof, if the operating system announces NEON. Some ARMv7 CPUs lack it, and ARMv6 ones do.
    pub(crate) fn new() -> Option<&'static Self> {
        /// Linux's bit for NEON (arch/arm/include/uapi/asm/hwcap.h).
        const HWCAP_NEON: libc::c_ulong = 1 << 12;
        // SAFETY: it reads what the kernel handed to this process at its start.
        let announced = unsafe { libc::getauxval(libc::AT_HWCAP) };
        // The kernels were written for one order of bytes.
        (cfg!(target_endian = "little") && announced & HWCAP_NEON != 0).then_some(&Self(()))
    }
}

/// 64-bit Arm with NEON and its dot product (`sdot`).
#[cfg(target_arch = "aarch64")]
#[derive(Debug)]
pub(crate) struct Dot(());

#[cfg(target_arch = "aarch64")]
impl Dot {
    /// The proof, if this CPU has the dot product.
    pub(crate) fn new() -> Option<&'static Self> {
        let both = std::arch::is_aarch64_feature_detected!("neon")
            && std::arch::is_aarch64_feature_detected!("dotprod");
        both.then_some(&Self(()))
    }
}
