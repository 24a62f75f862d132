//! wip

mod assign;
mod cells;
mod loss;
mod placement;
mod truth;
