//! Fitting the networks to labelled pictures (feature `train`). Nothing here runs on the board.

pub mod augment;
pub mod curves;
pub mod dataset;
pub mod draw;
pub mod optimizer;
pub mod prefetch;
pub mod random;
