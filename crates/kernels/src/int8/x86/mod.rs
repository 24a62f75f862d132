//! Kernels for x86-64, where values are stored as unsigned bytes.

mod avx2;
mod vnni;
