//! Arguments that say how a source's frames are made upright.

use super::values::one_of;
use crate::source::{Flip, Rotation, Turn};
use clap::builder::TypedValueParser;

/// How frames are made upright.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct TurnArgs {
    /// Degrees by which frames are turned clockwise
    #[arg(long, value_name = "DEGREES", value_parser = rotation(), default_value = "0")]
    rotate: Rotation,
    /// How frames are mirrored, after they were turned
    #[arg(long, value_parser = flip(), default_value = "none")]
    flip: Flip,
}

impl TurnArgs {
    pub(super) fn turn(self) -> Turn {
        let Self { rotate, flip } = self;
        Turn { rotate, flip }
    }
}

fn rotation() -> impl TypedValueParser<Value = Rotation> {
    one_of(Rotation::NAMES.map(|(name, rotation)| (name, "", rotation)))
}

fn flip() -> impl TypedValueParser<Value = Flip> {
    one_of(Flip::NAMES.map(|(name, flip)| (name, "", flip)))
}
