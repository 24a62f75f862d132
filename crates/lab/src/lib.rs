//! The laboratory of maskwatch: fits, quantizes and measures its networks from labelled pictures. Nothing
//! here runs on the board.
//!
//! [`data`] reads labelled pictures. [`drawn`] puts masks and other things on bare faces by chance, [`draw`]
//! makes the free pictures of masked faces. [`train`] fits the networks, [`quantize`] turns them into 8-bit
//! integers, [`eval`] measures them. [`fleet`] lets many doors talk to one broker. Shared below: [`random`]
//! makes runs repeatable on any number of threads, [`curves`] draws, [`progress`] shows how far a run is.

pub mod cli;
pub mod curves;
pub mod data;
pub mod eval;
pub mod fleet;
pub mod progress;
pub mod quantize;
pub mod train;

pub use maskwatch_pictures::{draw, drawn, random};
