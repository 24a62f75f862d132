//! `maskwatch-lab eval hard`: arguments in, the figures of [`crate::eval::hard`] out.

use super::tables::{TableArgs, Tables};
use crate::data::labels::Split;
use crate::eval::hard::{self, BareFaces};
use crate::eval::sheet::Sheets;
use anyhow::Context;
use maskwatch::cli::outcome::Outcome;
use maskwatch::cli::values::pixels;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tables: TableArgs,
    /// Seed of the drawn set: the same seed draws the same things on the same faces
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Leave out faces whose shorter side is below this many pixels
    #[arg(long, value_name = "PX", default_value = "32", value_parser = pixels)]
    min_side: f32,
    /// Also write a contact sheet of each kind to this folder, wrongly labelled faces first and framed
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

/// What names the set.
#[derive(Debug, Serialize)]
pub(super) struct DrawnSetSettings {
    pub(super) seed: u64,
    pub(super) min_side: f32,
}

impl fmt::Display for DrawnSetSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "bare faces of at least {} px (shorter side), seed {}", self.min_side, self.seed)
    }
}

pub(super) fn run(args: Args) -> Outcome {
    let Args { tables, seed, min_side, pictures: folder } = args;
    let split = tables.split;
    let mut tables = Tables::read(tables)?;
    let faces = bare_faces(&mut tables, split, min_side)?;
    // Made before the long work, so that a path that cannot be written is known at once.
    if let Some(folder) = &folder {
        std::fs::create_dir_all(folder).with_context(|| {
            format!("cannot make the folder {}; name another with --pictures", folder.display())
        })?;
    }
    let sheets = folder.is_some().then(Sheets::default);
    let pictures = faces.pictures.clone();
    let outcome =
        tables.measure(pictures, DrawnSetSettings { seed, min_side }, |data, networks, progress| {
            let networks = (networks.detect, networks.classify);
            hard::evaluate(&faces, &data.images, networks, seed, sheets.as_ref(), progress)
        });
    if let (Some(sheets), Some(folder)) = (sheets, &folder) {
        sheets
            .write(folder)
            .with_context(|| format!("cannot write the contact sheets to {}", folder.display()))?;
    }
    outcome
}

/// The bare faces of the tables; an error where there is none.
pub(super) fn bare_faces(tables: &mut Tables, split: Split, min_side: f32) -> anyhow::Result<BareFaces> {
    let faces = BareFaces::of(std::mem::take(&mut tables.boxes), split, min_side);
    anyhow::ensure!(
        !faces.pictures.is_empty(),
        "{} has no bare face (no_mask) of split {split} whose shorter side is {min_side} pixels or more; measure another --split or lower --min-side",
        tables.names(),
    );
    Ok(faces)
}
