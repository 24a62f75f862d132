//! Fitting the networks to labelled pictures (feature `train`). Nothing here runs on the board.

pub mod draw;
