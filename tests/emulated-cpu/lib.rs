//! The int8 kernels of maskwatch and nothing else, for a machine that is emulated.

#[path = "../../src/kernels/int8/mod.rs"]
pub mod int8;

/// As in maskwatch itself.
pub mod kernels {
    pub use super::int8;
}
