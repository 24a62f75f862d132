//! wip

mod assign;
mod canvas;
mod cells;
mod data;
mod distort;
mod loss;
mod placement;
mod truth;
