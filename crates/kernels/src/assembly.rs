//! What functions in assembly for 32-bit Arm begin and end with.
//!
//! They have no prologue of the compiler's (`naked`). Stable Rust has neither intrinsics nor
//! `#[target_feature]` for NEON there, and `asm!` cannot name registers of a feature that is off. The program
//! itself is not compiled for NEON, which ARMv7 need not have. A directive allows it to the assembler, and is
//! undone at the end, since it holds for all that follows in the same file.

/// Keeps the registers that belong to the caller.
macro_rules! enter {
    () => {
        ".fpu neon\n push {{r4-r11, lr}}\n vpush {{d8-d15}}\n"
    };
}

/// Gives them back, and returns.
macro_rules! leave {
    () => {
        "vpop {{d8-d15}}\n pop {{r4-r11, pc}}\n .fpu vfpv3-d16\n"
    };
}

pub(crate) use {enter, leave};
